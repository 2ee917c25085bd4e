"""Reading of the ledger: runs, finished stages, carried-over rows and built tables.

It lives in a schema of its own in the simulated database (``orchestrator``, unless the configuration names another), so
a copy, a backup or a restore carries its own truth. Several projects, or targets of one, may share it: what it says is
about relations. Times are stored as UTC without a zone. What writes it is in :mod:`orchestrator.ledger.writing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache

from orchestrator.core.errors import DatabaseError
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName, SchemaName
from orchestrator.database.reader import QueryReader
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.places import PLACE_OF
from orchestrator.ledger.layouts import (
    CONTENTS_SINCE_LAYOUT,
    FILES_SINCE_LAYOUT,
    RELATIONS_SINCE_LAYOUT,
    YEARS_SINCE_LAYOUT,
    as_number,
    ledger_version,
)

BUILDING, BUILT, UNSEEN, FAILED, SKIPPED = "building", "built", "unseen", "failed", "skipped"
UPSTREAM = "upstream"
"""Stands beside the code that a table was built from for the digest of all that is upstream of it."""
MESSAGE = "message"
"""Stands in place of the code of a build that failed, or was skipped, for the reason."""


def relation_key(relation: RelationName) -> str:
    """Return a relation's name as the ledger keeps it."""
    return relation.quoted()


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

    ``nodes`` are the unique ids it ran; ``hooks_done`` tells whether the hooks after it have returned. ``run_id`` is
    the run that finished it. ``changed_files`` were written while it ran, or between the start of the run and it, and
    are read by it: what it made may be of another state of them than the fingerprint says.
    """

    year: int
    stage: str
    fingerprint: str
    nodes: frozenset[str]
    rows: int = 0
    seconds: float = 0.0
    hooks_done: bool = True
    run_id: str = ""
    changed_files: tuple[str, ...] = ()


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
    """What the ledger says of one project and target, as one snapshot; empty where the database has none.

    ``carried`` are the rows that a table of years held of a year when its stages, as far as they have come, had ended,
    by (year, unique id), ``digests`` digests of them where they were made. ``reaching`` are the unique ids of tables
    whose rows of earlier years a later one has changed. ``earlier`` are the rows that were in such a table before any
    year of the simulation, by its key (:func:`relation_key`). ``elsewhere`` are the ids of runs that built other
    relations: of another target, or another project.
    """

    runs: tuple[LedgerRun, ...] = ()
    stages: tuple[FinishedStage, ...] = ()
    carried: dict[tuple[int, str], int] = field(default_factory=dict)
    digests: dict[tuple[int, str], str] = field(default_factory=dict)
    reaching: frozenset[str] = frozenset()
    earlier: dict[str, int] = field(default_factory=dict)
    elsewhere: frozenset[str] = frozenset()

    def finished(self, year: int, stage: str) -> FinishedStage | None:
        """Return the record of a finished stage, None when it is not finished."""
        return next((s for s in self.stages if (s.year, s.stage) == (year, stage)), None)

    @property
    def staged(self) -> frozenset[str]:
        """Return the unique ids of what finished stages built."""
        return frozenset(unique_id for stage in self.stages for unique_id in stage.nodes)

    @property
    def digested(self) -> frozenset[str]:
        """Return the unique ids of tables of which the rows of a year were digested."""
        return frozenset(unique_id for _, unique_id in self.digests)

    @property
    def is_whole(self) -> bool:
        """Tell whether the last run came to its end: one that did not may have left parts of a stage."""
        return not self.runs or self.runs[-1].status == "completed"

    def without_rows(self, year: int, unique_ids: Set[str]) -> Ledger:
        """Return it without what it says of the rows of a year in these tables."""
        drop = {(year, unique_id) for unique_id in unique_ids}
        carried = {key: rows for key, rows in self.carried.items() if key not in drop}
        return replace(self, carried=carried, digests={k: text for k, text in self.digests.items() if k not in drop})

    def last_run_id(self) -> str | None:
        """Return the run that began last, None where there is none."""
        return self.runs[-1].run_id if self.runs else None

    def components_of(self, fingerprint: str) -> dict[str, str]:
        """Return what a fingerprint was made of; empty when no run of it is recorded."""
        return next((run.components for run in reversed(self.runs) if run.fingerprint == fingerprint), {})


def read_built_tables(
    reader: QueryReader, place: SchemaName, facts: ProjectFacts | None = None, catalog: Catalog | None = None
) -> dict[str, BuiltTable]:
    """Return what the ledger says of built tables, by unique id; ``catalog`` as for :func:`ledger_version`.

    What was built as another relation than ``facts`` say of a node is not that node's; older layouts do not say which
    it was.

    Raises:
        ConfigurationError, DatabaseError: as :func:`ledger_version`, and when it holds what none wrote.
    """
    version = ledger_version(reader, place, catalog)
    if version == 0:
        return {}
    relation = "relation" if version >= RELATIONS_SINCE_LAYOUT else "null"
    relations = _relations(facts)
    rows = reader.query(f"select node, code, inputs, built_at, state, {relation} from {place.quoted()}.built_tables")
    with _damage_told(place):
        found: dict[str, BuiltTable] = {}
        for node, code, inputs, at, state, key in rows:
            name = str(node)
            if key == relations.get(name, key) if key is not None else name not in found:
                found[name] = _built_table(node, code, inputs, at, state)
        return found


def read_ledger(reader: QueryReader, place: SchemaName, facts: ProjectFacts | None = None) -> Ledger:
    """Read what the ledger of a database says of a project, or of all without ``facts``, but for its built tables.

    Raises:
        ConfigurationError, DatabaseError: as :func:`ledger_version`, and when it holds what none wrote.
    """
    version = ledger_version(reader, place)
    if version < YEARS_SINCE_LAYOUT:
        return Ledger()
    schema = place.quoted()
    with_relations = version >= RELATIONS_SINCE_LAYOUT
    relations, places = _relations(facts), _places(facts)
    runs = reader.query(
        f"select run_id, scenario, fingerprint, components, first_year, last_year, status from {schema}.runs "
        "order by started_at"
    )
    changed = "changed_files" if version >= FILES_SINCE_LAYOUT else "null"
    stages = reader.query(
        f"select year, stage, fingerprint, nodes, row_count, seconds, hooks_done, {changed}, run_id "
        f"from {schema}.stages order by year, finished_at"
    )
    relation = "relation" if with_relations else "null"
    digest = "digest, reaches_back" if version >= CONTENTS_SINCE_LAYOUT else "null, null"
    rows_of_years = reader.query(f"select year, node, row_count, {digest}, {relation} from {schema}.carried_rows")
    earlier = reader.query(f"select relation, row_count from {schema}.earlier_rows") if with_relations else []
    with _damage_told(place):
        known = tuple(
            LedgerRun(str(i), str(s), str(f), _pairs(c), as_number(a), as_number(z), str(status))
            for i, s, f, c, a, z, status in runs
        )
        carried = [
            (as_number(year), str(node), as_number(rows), None if text is None else str(text), back is True)
            for year, node, rows, text, back, key in rows_of_years
            if key is None or key == relations.get(str(node), key)
        ]
        elsewhere = frozenset(run.run_id for run in known if _is_elsewhere(run, places))
        return Ledger(
            runs=tuple(run for run in known if run.run_id not in elsewhere),
            stages=tuple(_finished_stage(*row) for row in stages if str(row[-1]) not in elsewhere),
            carried={(year, node): rows for year, node, rows, _, _ in carried},
            digests={(year, node): text for year, node, _, text, _ in carried if text is not None},
            reaching=frozenset(node for _, node, _, _, back in carried if back),
            earlier={str(key): as_number(rows) for key, rows in earlier},
            elsewhere=elsewhere,
        )


def _finished_stage(year: object, stage: object, *values: object) -> FinishedStage:
    fingerprint, nodes, rows, seconds, hooks_done, changed, run_id = values
    return FinishedStage(
        year=as_number(year),
        stage=str(stage),
        fingerprint=str(fingerprint),
        nodes=frozenset(json.loads(str(nodes))),
        rows=as_number(rows),
        seconds=float(str(seconds)),
        hooks_done=hooks_done is True,
        run_id=str(run_id),
        changed_files=() if changed is None else tuple(map(str, json.loads(str(changed)))),
    )


def _relations(facts: ProjectFacts | None) -> dict[str, str]:
    """Return the key of the relation that each node builds, by unique id."""
    return {} if facts is None else {node.unique_id: relation_key(node.relation) for node in facts.nodes}


def _places(facts: ProjectFacts | None) -> dict[str, str]:
    """Return the components of a run that say where nodes are built."""
    code = () if facts is None else (part for node in facts.nodes for part in node.code)
    return {name: value for name, value in code if name.startswith(PLACE_OF)}


def _is_elsewhere(run: LedgerRun, places: Mapping[str, str]) -> bool:
    """Tell whether none of the nodes that a run knew was built where it is now: then others did that run."""
    known = [run.components[name] == value for name, value in places.items() if name in run.components]
    return bool(known) and not any(known)


@contextmanager
def _damage_told(place: SchemaName) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, AttributeError, AssertionError) as error:
        raise DatabaseError(
            f"The ledger in this database (schema {place.schema}) contains data that the orchestrator did not write: "
            f"{error!r}.",
            to_fix=f"remove it with `drop schema {place.schema} cascade` in DuckDB: your tables stay, and the next run "
            "starts at its first year",
        ) from error


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
