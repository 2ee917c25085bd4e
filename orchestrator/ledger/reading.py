"""Reading of the ledger: runs, finished stages, carried-over rows and built tables.

It lives in schema ``orchestrator`` of the simulated database, so a copy, a backup or a restore carries its own
truth. Times are stored as UTC without a zone. What writes it is in :mod:`orchestrator.ledger.writing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache

from orchestrator.core.errors import DatabaseError
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.reader import QueryReader
from orchestrator.database.sql import literal

SCHEMA = "orchestrator"
BUILDING, BUILT, UNSEEN, FAILED, SKIPPED = "building", "built", "unseen", "failed", "skipped"
UPSTREAM = "upstream"
"""Stands beside the code that a table was built from for the digest of all that is upstream of it."""
MESSAGE = "message"
"""Stands in place of the code of a build that failed, or was skipped, for the reason."""

# LAYOUTS[N-1] makes layout N out of layout N-1. Never change one that was released: append the next.
LAYOUTS: tuple[tuple[str, ...], ...] = (
    (
        "create schema if not exists {place}",
        "create table if not exists {place}.ledger_version (version integer not null)",
        "create table if not exists {place}.built_tables (node varchar, code varchar, inputs varchar, "
        "row_count bigint, built_at timestamp, state varchar)",
    ),
    (
        "create table if not exists {place}.runs (run_id varchar not null, scenario varchar, fingerprint varchar, "
        "components varchar, first_year integer, last_year integer, status varchar, started_at timestamp, "
        "finished_at timestamp, resumed_year integer, resumed_stage varchar)",
        "create table if not exists {place}.stages (run_id varchar, scenario varchar, fingerprint varchar, "
        "year integer, stage varchar, nodes varchar, row_count bigint, seconds double precision, "
        "finished_at timestamp, hooks_done boolean)",
        "create table if not exists {place}.carried_rows (year integer, node varchar, row_count bigint)",
    ),
)
YEARS_SINCE_LAYOUT = 2
TABLES_SINCE = (("ledger_version", "built_tables"), ("runs", "stages", "carried_rows"))
TABLES = tuple(name for names in TABLES_SINCE for name in names)


def is_ledger(name: RelationName) -> bool:
    """Tell whether a relation is one of the ledger's own."""
    return name.schema == SCHEMA and name.name in TABLES


@dataclass(frozen=True)
class BuiltTable:
    """Record of what a table was built from, each as {what: checksum or value}.

    ``state`` is ``building``, ``built``, ``unseen`` (built, and nothing of its name was there afterwards), ``failed``
    (``message`` is dbt's) or ``skipped`` (``message`` is the name of what failed above it). ``at`` is when that state
    was written, aware UTC. ``upstream`` is a digest of what the table was built on, None where an older version of this
    program built it.
    """

    node: str
    code: dict[str, str]
    inputs: dict[str, str]
    at: datetime
    state: str
    upstream: str | None = None
    message: str = ""

    @property
    def finished(self) -> bool:
        """Tell whether its last build came to its end."""
        return self.state in (BUILT, UNSEEN)


@dataclass(frozen=True)
class FinishedStage:
    """A stage of a year whose rows are in the database.

    ``nodes`` are the unique ids it ran; ``hooks_done`` tells whether the hooks after it have returned.
    """

    year: int
    stage: str
    fingerprint: str
    nodes: frozenset[str]
    rows: int = 0
    seconds: float = 0.0
    hooks_done: bool = True


@dataclass(frozen=True)
class LedgerRun:
    """A run over this database; ``status`` is ``running`` until it is ``completed`` (or was cut off)."""

    run_id: str
    scenario: str
    fingerprint: str
    components: dict[str, str]
    first_year: int
    last_year: int
    status: str = "running"


@dataclass(frozen=True)
class Ledger:
    """The whole ledger as one snapshot; empty where the database has none.

    ``carried`` are the rows of a year that a carried-over table held when the year ended, by (year, unique id).
    """

    runs: tuple[LedgerRun, ...] = ()
    stages: tuple[FinishedStage, ...] = ()
    carried: dict[tuple[int, str], int] = field(default_factory=dict)

    def finished(self, year: int, stage: str) -> FinishedStage | None:
        """Return the record of a finished stage, None when it is not finished."""
        return next((s for s in self.stages if (s.year, s.stage) == (year, stage)), None)

    def last_run_id(self) -> str | None:
        """Return the run that began last, None where there is none."""
        return self.runs[-1].run_id if self.runs else None

    def components_of(self, fingerprint: str) -> dict[str, str]:
        """Return what a fingerprint was made of; empty when no run of it is recorded."""
        return next((run.components for run in reversed(self.runs) if run.fingerprint == fingerprint), {})


def ledger_version(reader: QueryReader, database: str, catalog: Catalog | None = None) -> int:
    """Return the layout of the ledger in a database, 0 where there is none or a part of it is gone.

    ``catalog`` is a snapshot of all of the database, which spares the question for the names of its tables.

    Raises:
        DatabaseError: a newer version of this program wrote it.
    """
    if catalog is not None and database:
        there = {name for name in TABLES if catalog.get(RelationName.of(database, SCHEMA, name)) is not None}
    else:
        rows = reader.query(
            f"select table_name from information_schema.tables where lower(table_schema) = '{SCHEMA}'"
            + (f" and lower(table_catalog) = {literal(database.lower())}" if database else "")
        )
        there = {str(name).lower() for (name,) in rows}
    if "ledger_version" not in there:
        return 0
    newest = reader.query(f"select max(version) from {place_of(database)}.ledger_version")[0][0]
    version = 0 if newest is None else _number(newest)
    if version > len(LAYOUTS):
        raise DatabaseError(
            f"The ledger in this database (schema {SCHEMA}) has layout {version}, and this version of the "
            f"orchestrator knows layouts up to {len(LAYOUTS)}.",
            to_fix="use the newer version of the orchestrator that wrote it",
        )
    wanted = {name for names in TABLES_SINCE[:version] for name in names}
    return version if wanted <= there else 0


def upgrade_statements(version: int, database: str) -> tuple[str, ...]:
    """Return what brings a ledger of an older layout (0: none at all) to the newest; none when it is new."""
    if version == len(LAYOUTS):
        return ()
    place = place_of(database)
    statements = [text.format(place=place) for layout in LAYOUTS[version:] for text in layout]
    table = f"{place}.ledger_version"
    return (*statements, f"delete from {table}", f"insert into {table} values ({len(LAYOUTS)})")


def read_built_tables(reader: QueryReader, database: str, catalog: Catalog | None = None) -> dict[str, BuiltTable]:
    """Return what the ledger says of built tables, by unique id; ``catalog`` as for :func:`ledger_version`.

    Raises:
        DatabaseError: a newer version of this program wrote the ledger, or it holds what none wrote.
    """
    if ledger_version(reader, database, catalog) == 0:
        return {}
    rows = reader.query(f"select node, code, inputs, built_at, state from {place_of(database)}.built_tables")
    with _damage_told():
        return {str(node): _built_table(node, code, inputs, at, state) for node, code, inputs, at, state in rows}


def read_ledger(reader: QueryReader, database: str) -> Ledger:
    """Read the ledger of a database, but for its built tables.

    Raises:
        DatabaseError: a newer version of this program wrote it, or it holds what none wrote.
    """
    if ledger_version(reader, database) < YEARS_SINCE_LAYOUT:
        return Ledger()
    place = place_of(database)
    runs = reader.query(
        f"select run_id, scenario, fingerprint, components, first_year, last_year, status from {place}.runs "
        "order by started_at"
    )
    stages = reader.query(
        f"select year, stage, fingerprint, nodes, row_count, seconds, hooks_done from {place}.stages "
        "order by year, finished_at"
    )
    carried = reader.query(f"select year, node, row_count from {place}.carried_rows")
    with _damage_told():
        return Ledger(
            runs=tuple(
                LedgerRun(str(i), str(s), str(f), _pairs(c), _number(a), _number(z), str(status))
                for i, s, f, c, a, z, status in runs
            ),
            stages=tuple(
                FinishedStage(
                    _number(y), str(s), str(f), frozenset(json.loads(str(n))), _number(r), float(str(t)), h is True
                )
                for y, s, f, n, r, t, h in stages
            ),
            carried={(_number(year), str(node)): _number(rows) for year, node, rows in carried},
        )


def read_carried(reader: QueryReader, database: str, year: int) -> dict[str, int]:
    """Return how many rows of a year the ledger says that each carried-over table holds, by unique id."""
    rows = reader.query(f"select node, row_count from {place_of(database)}.carried_rows where year = {year}")
    with _damage_told():
        return {str(node): _number(count) for node, count in rows}


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        raise DatabaseError(
            f"The ledger in this database (schema {SCHEMA}) contains data that the orchestrator did not write: "
            f"{error!r}.",
            to_fix=f"remove it with `drop schema {SCHEMA} cascade` in DuckDB: your tables stay, and the next run "
            "starts at its first year",
        ) from error


def place_of(database: str) -> str:
    """Return the ledger's schema as SQL names it; ``database`` is the database's name in SQL, may be empty."""
    return RelationName.of(None, database, SCHEMA).quoted() if database else SCHEMA


@lru_cache(maxsize=10_000)  # a look at a healthy database reads the same again and again; nobody changes what it gets
def _built_table(node: object, code: object, inputs: object, at: object, state: object) -> BuiltTable:
    made_of = _pairs(code)
    upstream = made_of.pop(UPSTREAM, None)
    message = made_of.pop(MESSAGE, "")
    return BuiltTable(str(node), made_of, _pairs(inputs), _moment(at), str(state), upstream, message)


def _pairs(text: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in json.loads(str(text)).items()}


def _moment(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value.replace(tzinfo=timezone.utc)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
