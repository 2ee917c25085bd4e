"""Projects with their databases, laid out for tests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import duckdb

from orchestrator import PipelineOrchestrator, create_orchestrator
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.events import Event
from orchestrator.pipeline.workflow import SimulationResult
from orchestrator.reports.sides.databases import scenario_side
from orchestrator.reports.sides.sources import Sources, opened_project
from tests.support.processes import wait_until
from tests.support.programs import start_python

REPOSITORY = Path(__file__).resolve().parents[2]
PROJECTS = REPOSITORY / "tests" / "projects"


class Workspace:
    """A copy of one of ``tests/projects`` with its database."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[Event] = []

    @property
    def config(self) -> Path:
        """Return the configuration file."""
        nested = self.root / "config" / "simulation.yaml"
        return nested if nested.exists() else self.root / "orchestrator.yaml"

    @property
    def database(self) -> Path:
        """Return the database file."""
        # os.walk passes over folders that a dbt process removes meanwhile.
        files = (Path(folder, name) for folder, _, names in os.walk(self.root) for name in names)
        found = sorted(file for file in files if file.suffix == ".duckdb")
        return found[0] if found else self.root / "var" / f"{self.root.name}.duckdb"

    def orchestrator(self, **options: object) -> PipelineOrchestrator:
        """Make an orchestrator whose events are kept."""
        return create_orchestrator(self.config, listeners=[self.events.append], **options)  # type: ignore[arg-type]

    def simulate(
        self, start: int | None = None, end: int | None = None, *, fresh: bool = False, **options: object
    ) -> None:
        """Run a range of years, also one that is finished, and end the dbt process; later years may go."""
        with self.orchestrator(**options) as orchestrator:
            again = fresh or orchestrator.find_start(start, end).done
            orchestrator.execute_multi_year_simulation(start, end, fresh=again, forgo_years=True)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements on the database from outside; return the rows of the last."""
        with duckdb.connect(str(self.database)) as connection:
            rows: list[tuple[object, ...]] = []
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows

    def leave_open(self) -> None:
        """Let the last run not have come to the end of its first year: the next one begins anew, and keeps nothing."""
        first = "select * from orchestrator.stages where year = (select min(year) from orchestrator.stages)"
        self.sql(
            "update orchestrator.runs set status = 'running'",
            "update orchestrator.stages set stage = '-' || stage "
            f"where finished_at = (select max(finished_at) from ({first})) and stage not like '-%'",
        )

    def complete(self) -> None:
        """Take back :meth:`leave_open`: the last run has come to its end."""
        self.sql(
            "update orchestrator.runs set status = 'completed'",
            "update orchestrator.stages set stage = ltrim(stage, '-')",
        )

    def wait_unlocked(self, seconds: float = 60.0) -> None:
        """Wait until nobody holds the database's file: a killed process loses its command line before its locks."""
        wait_until(lambda: not _is_locked(self.database), "the database is free", seconds)

    def tables(self) -> set[str]:
        """Return the names of all tables and views, dbt's temporary ones included, the ledger left out."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            names = connection.execute(
                "select table_name from information_schema.tables where table_schema <> 'orchestrator'"
            ).fetchall()
            return {str(name) for (name,) in names}

    def digests(self) -> dict[str, str]:
        """Return a hash of the sorted rows of every table and view."""
        with duckdb.connect(str(self.database), read_only=True) as connection:
            names = connection.execute(
                "select table_name from information_schema.tables where table_schema = 'main' order by 1"
            ).fetchall()
            found = {}
            for (name,) in names:
                rows = sorted(map(repr, connection.execute(f'select * from "{name}"').fetchall()))
                found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
            return found

    def storage(self) -> dict[str, list[tuple[object, ...]]]:
        """Return where on disk each table's segments lie: equal before and after means not rewritten."""
        with duckdb.connect(str(self.database)) as connection:
            connection.execute("checkpoint")
            names = connection.execute(
                "select table_name from duckdb_tables() where not internal and schema_name <> 'orchestrator'"
            ).fetchall()
            return {
                name: connection.execute(
                    f"select column_name, row_group_id, block_id, block_offset, count "
                    f"from pragma_storage_info('{name}') order by all"
                ).fetchall()
                for (name,) in names
            }

    def python(self, code: str) -> subprocess.Popen[str]:
        """Start a plain script in another process, with this folder as its working folder."""
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        return start_python(["-c", code], cwd=self.root, env=environment)


class PreparedProjects:
    """Projects that were parsed, and simulated where that is wanted, once, kept to be copied.

    Every copy is laid at the same path with its times kept, so that dbt's partial parse and our facts stay valid and
    a test does not pay for parsing a project that it does not change.
    """

    def __init__(self, base: Path) -> None:
        self.base = base

    def lay(self, name: str, *, simulated: bool) -> Workspace:
        """Lay a fresh copy of a project, with or without the database of a finished run."""
        kept = self.base / "kept" / f"{name}-{'simulated' if simulated else 'fresh'}"
        work = self.base / "work" / name
        if not kept.exists():
            self._make(name, simulated=simulated)
        return Workspace(_copied(kept, work))

    def lay_warm(self, name: str) -> Path:
        """Lay a copy with the database of a finished run elsewhere, where no other test lays its own."""
        kept = self.base / "kept" / f"{name}-warm"
        work = self.base.with_name(f"{self.base.name}-warm") / name
        if not kept.exists():
            _copied(self.lay(name, simulated=True).root, work)
            with Workspace(work).orchestrator() as orchestrator:
                orchestrator.runner.facts()
            shutil.copytree(work, kept)
        return _copied(kept, work)

    def _make(self, name: str, *, simulated: bool) -> None:
        fresh = self.base / "kept" / f"{name}-fresh"
        work = _copied(fresh if fresh.exists() else PROJECTS / name, self.base / "work" / name)
        with Workspace(work).orchestrator() as orchestrator:
            if not fresh.exists():
                orchestrator.runner.facts()
                shutil.copytree(work, fresh, ignore=shutil.ignore_patterns("target-*"))
            if not simulated:
                return
            if orchestrator.config.simulation is None:
                orchestrator.initializer.ensure_initialized()
            else:
                orchestrator.execute_multi_year_simulation()
        if orchestrator.config.simulation is not None:
            Workspace(work).leave_open()
        shutil.rmtree(work / "var" / "runs", ignore_errors=True)
        shutil.copytree(work, self.base / "kept" / f"{name}-simulated")


class WarmWorkspace(Workspace):
    """A workspace with one warm orchestrator; its database goes back to what it was before each test."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.warm = self.orchestrator()
        self.warm.runner.facts()
        self._pristine = self.database.read_bytes()

    def again(self, start: int | None = None, end: int | None = None, *, fresh: bool = False) -> SimulationResult:
        """Run a range of years with the warm orchestrator, also one that is finished; later years may go."""
        fresh = fresh or self.warm.find_start(start, end).done
        return self.warm.execute_multi_year_simulation(start, end, fresh=fresh, forgo_years=True)

    def restore(self) -> None:
        """Put the database back."""
        self.warm.runner.release()
        Path(f"{self.database}.wal").unlink(missing_ok=True)
        self.database.write_bytes(self._pristine)
        self.events.clear()

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements from outside, with the warm process out of the way."""
        self.warm.runner.release()
        return super().sql(*statements)

    def storage(self) -> dict[str, list[tuple[object, ...]]]:
        """Look at the storage with the warm process out of the way."""
        self.warm.runner.release()
        return super().storage()

    def tables(self) -> set[str]:
        """Name all tables with the warm process out of the way."""
        self.warm.runner.release()
        return super().tables()

    def digests(self) -> dict[str, str]:
        """Hash all tables with the warm process out of the way."""
        self.warm.runner.release()
        return super().digests()


def _copied(folder: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to)
    return to


def _is_locked(database: Path) -> bool:
    """Tell whether another process holds the file of a database."""
    try:
        duckdb.connect(str(database), read_only=True).close()
    except duckdb.Error as error:
        return "Could not set lock" in str(error)
    return False


def state_notes(workspace: Workspace) -> tuple[str, ...]:
    """Return what a comparison says of the state that a project's database is in."""
    config = SimulationConfig.load(workspace.config, environ={})
    return scenario_side(Sources(config, lambda _: config, opened_project, None), config.scenario).notes
