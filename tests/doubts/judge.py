"""One doubt: we build a project, something is changed, and what we have then is compared with dbt from nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import yaml

from tests.doubts.knobs import Part, Project, render
from tests.support.processes import GENEROUS
from tests.support.programs import run_python
from tests.support.workspaces import REPOSITORY

YEARS = (2000, 2001, 2002)
DATABASE = "harbour.duckdb"
OUTSIDE = """
create schema outside;
create table outside.rates_a as select 1 as r;
create table outside.rates_b as select 2 as r;
"""
Rows = dict[str, list[str]]


class MissedError(Exception):
    """Signals that we showed other rows than dbt makes of the project, and did not say so."""


@dataclass(frozen=True)
class Doubt:
    """A project as drawn, and the knob that is turned: (part, knob) to another value."""

    years: bool
    parts: tuple[Part, ...]
    values: Mapping[tuple[str, str], str]
    turned: tuple[str, str]
    to: str

    def before(self) -> Project:
        """Return the project as it is first."""
        return render(self.parts, self.values, years=self.years)

    def after(self) -> Project:
        """Return the project as it is changed."""
        return render(self.parts, {**self.values, self.turned: self.to}, years=self.years)

    def words(self) -> str:
        """Say it in a line."""
        kind = "simulation" if self.years else "project"
        knobs = ", ".join(f"{part}.{knob}={value!r}" for (part, knob), value in self.values.items())
        return f"{kind} with {knobs}; {'.'.join(self.turned)} becomes {self.to!r}"


@dataclass
class Tally:
    """What was found so far."""

    drawn: int = 0
    decisive: int = 0
    refused: int = 0
    needless: int = 0
    missed: int = 0

    def words(self, seed: int) -> str:
        """Sum up."""
        return (
            f"{self.drawn} changes drawn, {self.decisive} that change dbt's result (of these {self.refused} refused "
            f"and named), {self.needless} rebuilt without need, {self.missed} missed, seed {seed}"
        )


class Place:
    """A folder with a project and its database."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / DATABASE
        self._written: set[str] = set()
        self._project = Project(years=False)

    def lay(self, project: Project) -> None:
        """Write a project over the one before; what it does not have goes."""
        files = {**_frame(project), **project.files}
        for name in self._written - files.keys():
            (self.root / name).unlink()
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_text() != text:
                path.write_text(text)
        self._written, self._project = set(files), project
        if not self.database.exists():
            with duckdb.connect(str(self.database)) as connection:
                connection.execute(OUTSIDE)

    def ours(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours."""
        target = ("--set", f"dbt.target={self._project.target}", "--set", "self_healing.timeout_seconds=600")
        return self._run("orchestrator", *args, "--config", "orchestrator.yaml", *target)

    def dbt(self) -> None:
        """Build all by dbt's own commands, year by year where there are years."""
        place = ("--project-dir", ".", "--profiles-dir", ".", "--target", self._project.target)
        commands: list[tuple[str, ...]] = [("build",)]
        if self._project.years:
            commands = [("seed",), *(("run", "--vars", json.dumps({"year": year})) for year in YEARS)]
        lines = [[*command, *place] for command in commands]
        done = self._run("tests.doubts.dbt_commands", json.dumps(lines))
        if done.returncode:
            raise AssertionError(f"dbt cannot build what was drawn: {done.stdout}\n{done.stderr}")

    def rows(self) -> Rows:
        """Return the rows of every relation of the project, as text, in order; without what dbt adds to snapshots."""
        found: Rows = {}
        with duckdb.connect(str(self.database), read_only=True) as connection:
            connection.execute(f"set file_search_path = '{self.root}'")
            tables = connection.execute(
                "select table_name, list(column_name order by column_index) from duckdb_columns() "
                "where schema_name = 'main' and not internal and not starts_with(column_name, 'dbt_') group by 1"
            ).fetchall()
            for name, columns in tables:
                listed = ", ".join(f'"{column}"' for column in columns)
                found[name] = sorted(map(str, connection.execute(f'select {listed} from main."{name}"').fetchall()))
        return found

    def _run(self, module: str, *args: str) -> subprocess.CompletedProcess[str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_S", "PYTEST_C"))
        }
        return run_python(
            ["-m", module, *args],
            cwd=self.root,
            env={
                **kept,
                "PYTHONPATH": str(REPOSITORY),
                "NO_COLOR": "1",
                "DO_NOT_TRACK": "1",
                **self._project.environment,
            },
            dbt=module != "orchestrator",
            timeout=10 * GENEROUS,
        )


def judge(doubt: Doubt, root: Path, tally: Tally) -> None:
    """Go through one doubt.

    Raises:
        MissedError: we ended well, and show other rows than dbt.
    """
    tally.drawn += 1
    before, after = doubt.before(), doubt.after()
    ours, first, last = (Place(root / name) for name in ("ours", "dbt-before", "dbt-after"))
    for place, project in ((ours, before), (first, before), (last, after)):
        place.root.mkdir(parents=True)
        place.lay(project)
    first.dbt()
    last.dbt()
    wanted = last.rows()
    decisive = wanted != first.rows()
    tally.decisive += decisive
    _require_done(ours.ours(*(("simulate", "2000-2001") if doubt.years else ("init",))))
    if not doubt.years:
        _compare(first.rows(), ours.rows(), "the first build")
    ours.lay(after)
    if doubt.years:
        _continue(ours, wanted, tally, decisive=decisive)
    else:
        _repair(ours, wanted, tally, decisive=decisive)


def _continue(ours: Place, wanted: Rows, tally: Tally, *, decisive: bool) -> None:
    """Add a year to those of before: it goes on, or says why it cannot, and what to do instead then does it."""
    done = ours.ours("simulate", "2002")
    if done.returncode == 0:
        _compare(wanted, ours.rows(), "the next year")
        return
    if done.returncode != 2 or "To fix:" not in done.stderr:
        raise MissedError(f"simulate 2002 ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    tally.refused += decisive
    tally.needless += not decisive
    _require_done(ours.ours("simulate", "2000-2002"))
    _compare(wanted, ours.rows(), "all years again")
    shutil.rmtree(ours.root / "var", ignore_errors=True)
    _require_done(ours.ours("simulate", "2000-2002", "--fresh", "--set", "execution.replay=off"))
    _compare(wanted, ours.rows(), "without replay")


def _repair(ours: Place, wanted: Rows, tally: Tally, *, decisive: bool) -> None:
    """Check and repair."""
    checked = ours.ours("check")
    if checked.returncode not in (0, 3):
        raise MissedError(f"check ended with {checked.returncode}:\n{checked.stdout}\n{checked.stderr}")
    tally.needless += checked.returncode == 3 and not decisive
    done = ours.ours("init")
    if done.returncode:
        if "To fix:" not in done.stderr:
            raise MissedError(f"init ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        tally.refused += decisive
        return
    _compare(wanted, ours.rows(), "the repair")
    if ours.ours("check").returncode != 0:
        raise MissedError("check is not healthy right after init")


def _compare(wanted: Rows, found: Rows, what: str) -> None:
    wrong = [name for name, rows in wanted.items() if found.get(name) != rows]
    if wrong:
        shown = "\n".join(f"  {name}: dbt has {wanted[name]}, we have {found.get(name)}" for name in wrong)
        raise MissedError(f"other rows than dbt after {what}:\n{shown}")


def _require_done(done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode:
        raise MissedError(f"{' '.join(done.args[1:])} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def _frame(project: Project) -> dict[str, str]:
    """Return the files around models: configuration, project, profile and properties."""
    settings = {"name": "harbour", "version": "1.0", "config-version": 2, "profile": "harbour", **project.settings}
    settings["vars"] = {"year": YEARS[0], **project.variables, **project.package_variables}
    settings["on-run-start"] = project.start
    output = {"type": "duckdb", "path": DATABASE, "schema": "main"}
    outputs = {"dev": {**output, "threads": 1}, "other": {**output, "threads": 2}}
    configuration: dict[str, object] = {"dbt": {"project_dir": "."}, "storage": {"enabled": False}}
    if project.years:
        names = {"year_var": "year", "year_column": "year"}
        configuration["simulation"] = {"start_year": YEARS[0], "end_year": YEARS[-1], **names}
        configuration["stages"] = [{"name": "all", "select": "package:harbour"}]
    properties = ["version: 2"]
    for kind in ("sources", "models", "seeds"):
        entries = getattr(project, kind)
        properties += [f"{kind}:", *entries] if entries else []
    return {
        "orchestrator.yaml": yaml.safe_dump(configuration),
        "dbt_project.yml": yaml.safe_dump(settings),
        "profiles.yml": yaml.safe_dump({"harbour": {"target": "dev", "outputs": outputs}}),
        "models/properties.yml": "\n".join(properties) + "\n",
    }


def without(doubt: Doubt, part: str) -> Doubt:
    """Return a doubt without one of its parts, which is not the one that is turned."""
    kept = tuple(one for one in doubt.parts if one.name != part)
    return replace(doubt, parts=kept, values={key: value for key, value in doubt.values.items() if key[0] != part})
