"""What is wrong with a required table: its values, and the one sentence that is made of them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from orchestrator.ledger.changes import Change, changes
from orchestrator.self_healing.evidence import (
    ColumnsDiffer,
    Evidence,
    Failed,
    FileMissing,
    Missing,
    Outdated,
    Problem,
    TooFewRows,
    Unfinished,
    UpstreamDiffers,
    ViewReplaced,
    WrongKind,
)
from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding, TableTier

NOON = datetime(2026, 7, 1, 12, 5, tzinfo=timezone.utc)
SEED = Outdated(NOON, "seed.p.rain", "rain", "seed", "seeds/wet/rain.csv", (), inherited=False)
MODEL = Outdated(NOON, "model.p.lake", "lake", "model", "models/lake.sql", (), inherited=False)
EDITED = Change("seed", "rain", "a1", "b2")
MACRO, GONE = Change("macro", "m", "a1", "b2"), Change("macro", "old", "a1", None)
VAR, NEW_VAR = Change("var", "x", "1", "3"), Change("var", "y", None, '"n"')
SECRET = Change("env var", "KEY", "a1", None)
PROMISED = (("Id", "INTEGER"), ("depth", "DOUBLE"), ("note", None))


def columns(*found: tuple[str, str], of_seed: bool = True) -> ColumnsDiffer:
    """Compare what was found with what is promised."""
    return ColumnsDiffer(PROMISED, found, of_seed=of_seed)


ID, DEPTH, NOTE = ("id", "INTEGER"), ("depth", "DOUBLE"), ("note", "VARCHAR")
SENTENCES: list[tuple[Evidence, str]] = [
    (Missing(), "does not exist"),
    (WrongKind(expected="table", found="view"), "is a view; a table is required"),
    (Unfinished(NOON), "was being built on 2026-07-01 at 12:05 UTC, and that build was never finished"),
    (Unfinished(NOON, "lake"), "was not built on 2026-07-01 at 12:05 UTC, because lake failed"),
    (
        Failed(NOON, "Binder Error:\n  no such column"),
        "could not be built on 2026-07-01 at 12:05 UTC: Binder Error: no such column",
    ),
    (ViewReplaced(NOON), "is another view than when it was built on 2026-07-01 at 12:05 UTC"),
    (ViewReplaced(None), "is another view than when it was built"),
    (FileMissing("/lake/out.parquet"), "is there, but its file is not: /lake/out.parquet"),
    (
        UpstreamDiffers(NOON, ("rain",)),
        "is out of date: rain, which it is built from, was built again after this was built on 2026-07-01 at 12:05 UTC",
    ),
    (
        UpstreamDiffers(NOON, ("rain", "lakes")),
        "is out of date: rain, lakes, which it is built from, were built again after this was built on "
        "2026-07-01 at 12:05 UTC",
    ),
    (
        UpstreamDiffers(NOON, ()),
        "is out of date: what it is built from has changed since it was built on 2026-07-01 at 12:05 UTC",
    ),
    (UpstreamDiffers(NOON, ("rain",), "has 0 rows"), "is out of date: rain, which it is built from, has 0 rows"),
    (TooFewRows(expected=1, found=0), "has 0 rows, but at least 1 is required"),
    (TooFewRows(expected=12_000, found=1_000), "has 1,000 rows, but at least 12,000 are required"),
    (columns(ID, DEPTH), "has columns that differ from the seed's header: it lacks note"),
    (
        columns(ID, DEPTH, NOTE, ("Extra", "DATE"), of_seed=False),
        "has columns that differ from the contract: it has Extra",
    ),
    (columns(("x", "DATE"), NOTE), "has columns that differ from the seed's header: it lacks Id, depth and has x"),
    (columns(ID, ("depth", "DATE"), NOTE), "column depth has type DATE, but the seed declares DOUBLE"),
    (columns(ID, ("depth", "DATE"), NOTE, of_seed=False), "column depth has type DATE, but the contract says DOUBLE"),
    (columns(DEPTH, ID, NOTE), "has its columns in a different order from the seed's header"),
    (
        replace(SEED, changes=(MACRO, EDITED, VAR)),
        "is out of date: rain.csv changed since it was loaded on 2026-07-01 at 12:05 UTC",
    ),
    (
        replace(MODEL, changes=(MACRO, Change("place of", "lake", "a.b", "a.c"), GONE, VAR)),
        "is out of date: macro m, place of lake changed since it was built on 2026-07-01 at 12:05 UTC",
    ),
    (
        replace(MODEL, changes=(GONE, VAR)),
        "is out of date: macro old changed since it was built on 2026-07-01 at 12:05 UTC",
    ),
    (
        replace(MODEL, changes=(SECRET, VAR, NEW_VAR)),
        "is out of date: environment variable KEY changed, var x went from 1 to 3, "
        'var y went from unset to "n" since it was built on 2026-07-01 at 12:05 UTC',
    ),
    (
        replace(SEED, changes=(EDITED,), inherited=True),
        "is out of date: rain, which it is built from: rain.csv changed since it was loaded on 2026-07-01 at 12:05 UTC",
    ),
]


@pytest.mark.parametrize(("seen", "said"), SENTENCES)
def test_a_sentence_is_made_of_what_was_seen(seen: Evidence, said: str) -> None:
    """The words of a finding follow from its values, and both travel to another process."""
    finding = TableFinding(RequiredTable("t", TableTier.SEED, "t"), seen)
    assert finding.detail == said
    assert finding.problem is seen.problem
    assert pickle.loads(pickle.dumps(finding)) == finding


def test_every_problem_has_its_evidence() -> None:
    """There is a class for each problem, and a sentence for each class."""
    assert {seen.problem for seen, _ in SENTENCES} == set(Problem)


def test_columns_are_compared_as_the_database_does() -> None:
    """Case, types that nobody promises and, but for a seed, order make no difference; the rest is told apart."""
    assert not columns(("ID", "INTEGER"), DEPTH, NOTE).matters
    assert not columns(NOTE, DEPTH, ID, of_seed=False).matters
    assert columns(NOTE, DEPTH, ID).reordered
    seen = columns(("depth", "DATE"), ("id", "BIGINT"), ("x", "DATE"))
    assert (seen.lacking, seen.unexpected) == (("note",), ("x",))
    assert seen.mistyped == (("Id", "INTEGER", "BIGINT"), ("depth", "DOUBLE", "DATE"))


@pytest.mark.parametrize(
    ("what", "kind", "name"),
    [
        ("model dim.v2", "model", "dim.v2"),
        ("stage two words", "stage", "two words"),
        ("version of dbt-core", "version of", "dbt-core"),
        ("place of lake", "place of", "lake"),
        ("var KEY of the environment", "env var", "KEY"),
        ("order of stages", "order of stages", ""),
        ("what nobody knew of", "what nobody knew of", ""),
    ],
)
def test_a_change_tells_kind_and_name_apart(what: str, kind: str, name: str) -> None:
    """What the ledger keeps as one text is told as two values, and comes back as the same text."""
    (change,) = changes({what: "1"}, {what: "2"})
    assert (change.kind, change.name, change.what) == (kind, name, what)
