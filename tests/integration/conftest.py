"""Real projects, real databases, real processes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from orchestrator import PipelineOrchestrator, create_orchestrator
from orchestrator.core.events import Event

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
        found = sorted(self.root.rglob("*.duckdb"))
        return found[0] if found else self.root / "var" / f"{self.root.name}.duckdb"

    def orchestrator(self, **options: object) -> PipelineOrchestrator:
        """Make an orchestrator whose events are kept."""
        return create_orchestrator(self.config, listeners=[self.events.append], **options)  # type: ignore[arg-type]

    def simulate(
        self, start: int | None = None, end: int | None = None, *, fresh: bool = False, **options: object
    ) -> None:
        """Run a range of years and end the dbt process."""
        with self.orchestrator(**options) as orchestrator:
            orchestrator.execute_multi_year_simulation(start, end, fresh=fresh)

    def sql(self, *statements: str) -> list[tuple[object, ...]]:
        """Run statements on the database from outside; return the rows of the last."""
        with duckdb.connect(str(self.database)) as connection:
            rows: list[tuple[object, ...]] = []
            for statement in statements:
                rows = connection.execute(statement).fetchall()
            return rows

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
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


class Shelf:
    """Projects that were parsed, and simulated once, kept to be copied.

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
            self._make(name)
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(kept, work)
        return Workspace(work)

    def _make(self, name: str) -> None:
        work = self.base / "work" / name
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(PROJECTS / name, work)
        workspace = Workspace(work)
        with workspace.orchestrator() as orchestrator:
            orchestrator.runner.facts()
            shutil.copytree(work, self.base / "kept" / f"{name}-fresh", ignore=shutil.ignore_patterns("target-*"))
            if orchestrator.config.simulation is None:
                orchestrator.initializer.ensure_initialized()
            else:
                orchestrator.execute_multi_year_simulation()
        shutil.rmtree(work / "var" / "runs", ignore_errors=True)
        shutil.copytree(work, self.base / "kept" / f"{name}-simulated")


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The one shelf of this session."""
    return Shelf(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def fresh(shelf: Shelf) -> Callable[[str], Workspace]:
    """Lay out a project that has no database yet."""
    return lambda name: shelf.lay(name, simulated=False)


@pytest.fixture
def simulated(shelf: Shelf) -> Callable[[str], Workspace]:
    """Lay out a project together with the database of a finished run."""
    return lambda name: shelf.lay(name, simulated=True)


class WarmWorkspace(Workspace):
    """A workspace with one warm orchestrator; its database goes back to what it was before each test."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.warm = self.orchestrator()
        self.warm.runner.facts()
        self._pristine = self.database.read_bytes()

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


@pytest.fixture(scope="module")
def warm_workspace(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmWorkspace]:
    """A simulated reservoir with a warm orchestrator, for the tests of one module that change no project file."""
    root = tmp_path_factory.mktemp("warm") / "reservoir"
    shutil.copytree(shelf.lay("reservoir", simulated=True).root, root)
    workspace = WarmWorkspace(root)
    yield workspace
    workspace.warm.close()


@pytest.fixture
def warm(warm_workspace: WarmWorkspace) -> WarmWorkspace:
    """The warm workspace as it was in the beginning."""
    warm_workspace.restore()
    return warm_workspace


@pytest.fixture
def no_orphans(shelf: Shelf) -> Iterator[None]:
    """Fail when a dbt process of this test outlives it."""
    yield
    wait_until(lambda: not dbt_processes(shelf.base), "every dbt process of this test is gone", 4.0)


# New interpreters, and forks of a zygote, which have its command line (the zygote itself works in /).
DBT_PROGRAMS = (b"orchestrator.dbt_runner.process.worker", b"orchestrator.dbt_runner.process.zygote_server")


def dbt_processes(below: Path) -> list[int]:
    """Return the pids of the dbt processes that work in a folder below ``below`` and are not zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            place = (entry / "cwd").readlink()
        except OSError:
            continue
        if any(program in command for program in DBT_PROGRAMS) and place.is_relative_to(below):
            found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    """Return the pid of a process's parent."""
    status = Path("/proc", str(pid), "status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("PPid:")).split()[1])


def wait_until(condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for something that another process does, and fail when it does not come."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"after {seconds} s still not: {what}"
        time.sleep(0.02)
