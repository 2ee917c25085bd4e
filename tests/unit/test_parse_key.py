"""The key under which a parse is kept, and what a kept parse of another key is worth: nothing."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.database.names import SchemaName
from orchestrator.dbt_runner.project.facts import ProjectFacts, ProjectShape
from orchestrator.dbt_runner.project.kept_parse import (
    KeptParse,
    cached_facts,
    cached_parse,
    recordings_path,
    store_parse,
)
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs, records_before
from orchestrator.dbt_runner.project.parse_key import ParseKey
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.dbt_runner.replay.kept_recordings import KeptRecordings, Key
from orchestrator.dbt_runner.replay.recording import Recording

ROOT = Path("/somewhere")
SETTINGS = DbtSettings(
    project_dir=ROOT / "dbt",
    profiles_dir=ROOT / "dbt",
    cwd=ROOT,
    cache_dir=ROOT / "var" / "dbt",
    profile="lakes",
    target="dev",
    threads=1,
    database=ROOT / "a" / "simulation.duckdb",
    vars={"growth": 1},
    year_vars=frozenset({"year"}),
)
KEY = ParseKey.of(SETTINGS)
OTHER_WHAT: list[dict[str, object]] = [
    {"vars": {"growth": 2}},
    {"vars": {"growth": "1"}},
    {"vars": {"growth": 1, "other": None}},
    {"target": "prod"},
    {"target": None},
    {"profile": "rivers"},
    {"threads": 4},
    {"year_vars": frozenset({"year", "month"})},
]
OTHER_WHERE: list[dict[str, object]] = [
    {"database": ROOT / "b" / "simulation.duckdb"},
    {"project_dir": ROOT / "moved" / "dbt"},
    {"profiles_dir": ROOT / "profiles"},
    {"cwd": ROOT / "moved"},
]
CHANGES: list[dict[str, object]] = [
    *OTHER_WHAT,
    *OTHER_WHERE,
    {"database": None},
    {"database": ROOT / "a" / "rivers.duckdb"},
]


@pytest.mark.parametrize("change", OTHER_WHAT, ids=lambda given: next(iter(given)))
def test_another_parse_stands_in_the_same_place(change: dict[str, object]) -> None:
    """Vars, target and the like make another parse, wherever it stands."""
    other = ParseKey.of(replace(SETTINGS, **change))  # type: ignore[arg-type]  # fields of it
    assert other.identity != KEY.identity and other.place == KEY.place
    assert other.name.split("-")[0] != KEY.name.split("-")[0] and other.name.split("-")[1] == KEY.name.split("-")[1]


@pytest.mark.parametrize("change", OTHER_WHERE, ids=lambda given: next(iter(given)))
def test_the_same_parse_stands_in_another_place(change: dict[str, object]) -> None:
    """A moved project, and a database of the same name in another folder, are told by the place alone."""
    other = ParseKey.of(replace(SETTINGS, **change))  # type: ignore[arg-type]  # as above
    assert other.identity == KEY.identity and other.place != KEY.place
    assert other.name.split("-")[0] == KEY.name.split("-")[0] and other.name.split("-")[1] != KEY.name.split("-")[1]


def test_a_database_of_another_name_makes_another_parse() -> None:
    """Its name is in the SQL of every node; a database that only the profile names has none here."""
    for database in (ROOT / "a" / "rivers.duckdb", None):
        other = ParseKey.of(replace(SETTINGS, database=database))
        assert other.identity != KEY.identity and other.place != KEY.place


def test_recordings_serve_all_vars_threads_and_places_of_a_database_and_nothing_else() -> None:
    """They are kept in one file for whatever values the variables have, and for every database of one name."""
    path = recordings_path(SETTINGS, 0)
    for change in CHANGES:
        other = recordings_path(replace(SETTINGS, **change), 0)  # type: ignore[arg-type]  # as above
        elsewhere = change == {"database": ROOT / "b" / "simulation.duckdb"}
        assert (other == path) is (elsewhere or change.keys() <= {"vars", "threads"}), change


def test_a_recording_is_of_one_project_in_one_place(tmp_path: Path) -> None:
    """It is read back where both are the same, and where one is another it is void; both are kept side by side."""
    here = facts(SETTINGS)
    key: Key = ("run", ("tag:a",), ())
    elsewhere = replace(here, shape=replace(here.shape, place="elsewhere"))
    another = replace(here, shape=replace(here.shape, project="another"))
    for one, year in ((here, "1"), (elsewhere, "2"), (here, "3")):
        kept = KeptRecordings(one, tmp_path / "all.recordings", "parse")
        kept.put(key, Recording((), (), (year,)))
        kept.save(lambda recording: recording)
    found = [KeptRecordings(one, tmp_path / "all.recordings", "parse").find(key, fits) for one in (here, elsewhere)]
    assert [one.by_dbt for one in found if one is not None] == [("3",), ("2",)]
    assert KeptRecordings(another, tmp_path / "all.recordings", "parse").find(key, fits) is None


def fits(recording: Recording) -> bool:
    """Take any database for one that a recording fits."""
    return recording.nodes == ()


def test_variables_of_every_kind_have_a_key() -> None:
    """YAML knows dates, also among the keys; what the key keeps of variables is no value that may be secret."""
    odd = {dt.date(2025, 1, 1): "hidden", "x": dt.date(2025, 1, 1)}
    key = ParseKey.of(replace(SETTINGS, vars={"schedule": odd}))
    assert key.identity != KEY.identity
    assert "hidden" not in json.dumps(key.record())


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., DbtSettings]:
    """Keep a parse of a project with one file; return the settings that it was made with, changed as asked."""
    project = tmp_path / "dbt"
    (project / "models").mkdir(parents=True)
    (project / "dbt_project.yml").write_text("name: p\n")
    (project / "models" / "m.sql").write_text("select 1 as a")

    def kept(**change: object) -> DbtSettings:
        own = {"project_dir": project, "profiles_dir": project, "cwd": tmp_path, "cache_dir": tmp_path}
        settings = replace(SETTINGS, **{**own, **change})  # type: ignore[arg-type]  # as above
        store_parse(settings, parse_of(settings))
        return settings

    return kept


def parse_of(settings: DbtSettings) -> KeptParse:
    """Make a parse of the project as it is."""
    before = records_before(settings, None)
    inputs = ParseInputs.of(settings, folders=("models",), env_names=(), var_files=(), before=before)
    return KeptParse(facts(settings), inputs, b"packed", ())


def facts(settings: DbtSettings) -> ProjectFacts:
    """Make the facts of a project without nodes."""
    return ProjectFacts(
        project_name="p",
        project_dir=settings.project_dir,
        adapter="duckdb",
        target="dev",
        profile="lakes",
        database_path=settings.database,
        nodes=(),
        sources=(),
        reuse_blocker=None,
        versions=(("duckdb", "2.0.0"),),
        unasked=(),
        ledger=SchemaName("simulation", "orchestrator"),
        shape=ProjectShape("what", "where"),
    )


def test_a_kept_parse_is_the_one_of_its_key(keep: Callable[..., DbtSettings]) -> None:
    """Of two databases and two values of a variable, each finds its own parse and its own facts."""
    first, second, third = keep(), keep(database=ROOT / "b" / "simulation.duckdb"), keep(vars={"growth": 2})
    assert [cached_facts(one) for one in (first, second, third)] == [facts(one) for one in (first, second, third)]
    found = cached_parse(first)
    assert found is not None and (found.facts, found.packed) == (facts(first), b"packed")
    assert cached_facts(replace(first, target="prod")) is None


@pytest.mark.parametrize("change", CHANGES, ids=lambda given: next(iter(given)))
def test_a_parse_made_elsewhere_is_refused(keep: Callable[..., DbtSettings], change: dict[str, object]) -> None:
    """The file itself says of what it is: copied to where another parse is looked for, it serves nobody."""
    made = keep()
    settings = replace(made, **change)  # type: ignore[arg-type]  # as above
    for file in made.cache_dir.glob(f"facts-{ParseKey.of(made).name}.*"):
        file.rename(made.cache_dir / f"facts-{ParseKey.of(settings).name}{file.suffix}")
    assert cached_facts(settings) is None and cached_parse(settings) is None and cached_facts(made) is None
