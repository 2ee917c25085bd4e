"""Compare a database with the list of required tables and say what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from functools import cached_property

from orchestrator.core.errors import DatabaseError, DbtError
from orchestrator.database.catalog import Catalog, Relation
from orchestrator.database.reader import DatabaseReader, OpenDatabase
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.contents import are_compared, compared_nodes, contents_of, read_contents
from orchestrator.ledger.reading import read_built_tables, relation_key
from orchestrator.ledger.views import compared_views, definitions_are_compared, definitions_of
from orchestrator.ledger.watched import with_watched
from orchestrator.self_healing.evidence import (
    ColumnsDiffer,
    Evidence,
    FileMissing,
    Missing,
    Problem,
    RowsChanged,
    TooFewRows,
    UpstreamDiffers,
    ViewReplaced,
    WrongKind,
)
from orchestrator.self_healing.initialization_state import (
    TIERS,
    InitializationSummary,
    RequiredTable,
    TableFinding,
    TableTier,
)
from orchestrator.self_healing.left_out import LeftOut
from orchestrator.self_healing.registry import node_of
from orchestrator.self_healing.sight import Sight
from orchestrator.self_healing.staleness import Staleness

ROWS_PER_QUERY = 100


class TableExistenceChecker:
    """Answers about one database and one list of required tables; every call looks again.

    ``open_database`` gives a reader for the time of one look. ``unseen`` are the tables of which the last one could see
    nothing, with the reason.
    """

    def __init__(self, required: Sequence[RequiredTable], facts: ProjectFacts, open_database: OpenDatabase) -> None:
        self.required = tuple(required)
        self.facts = facts
        self._open_database = open_database
        self.unseen: tuple[LeftOut, ...] = ()

    def is_initialized(self) -> bool:
        """Tell whether every required table is ready."""
        return not self.findings()

    def get_missing_tables(self) -> tuple[RequiredTable, ...]:
        """Return the required tables that do not exist, in tier order."""
        return tuple(f.table for f in self.findings() if f.problem is Problem.MISSING)

    def get_missing_by_tier(self) -> dict[TableTier, tuple[RequiredTable, ...]]:
        """Return the required tables that do not exist, by tier; a tier without any is an empty tuple."""
        missing = self.get_missing_tables()
        return {tier: tuple(table for table in missing if table.tier is tier) for tier in TIERS}

    def get_initialization_summary(self) -> InitializationSummary:
        """Count what is required and what is not ready."""
        findings = self.findings()
        bad = Counter(finding.table.tier for finding in findings)
        problems = Counter(finding.problem for finding in findings)
        return InitializationSummary(
            initialized=not findings,
            required=len(self.required),
            not_ready=len(findings),
            by_tier=tuple((tier, sum(t.tier is tier for t in self.required), bad[tier]) for tier in TIERS),
            by_problem=tuple((problem, problems[problem]) for problem in Problem if problems[problem]),
        )

    def findings(self) -> tuple[TableFinding, ...]:
        """Return what is wrong, at most one finding a table, in the order of the list.

        Raises:
            DatabaseError: the database cannot be read.
        """
        with self.open() as reader:
            return self.findings_in(reader)

    def open(self) -> AbstractContextManager[DatabaseReader]:
        """Open the database for the time of one look."""
        return self._open_database()

    def findings_in(self, reader: DatabaseReader) -> tuple[TableFinding, ...]:
        """Return what is wrong as seen through an open reader."""
        sight = Sight(reader, self.facts)
        staleness = self.staleness(reader, sight.catalog)
        types = _Types(reader, self.facts.capabilities.type_name_sql)
        found: dict[RequiredTable, TableFinding] = {}
        promising: list[tuple[RequiredTable, NodeFacts]] = []
        unseen: list[LeftOut] = []
        for table, node in self._nodes:
            relation = sight.relation(node)
            why = None if relation is not None else sight.why_unseen(node) or staleness.why_invisible(node)
            untold = why or (None if relation is None else sight.unseen_file(node))
            if untold is not None:
                unseen.append(LeftOut(table.name, untold))
            shape = None if why is not None else _shape_problem(node, relation, types)
            seen = (
                (staleness.failed(node) if shape is None or isinstance(shape, Missing) else None)
                or shape
                or (None if relation is None else _file_problem(node, sight))
                or _history_problem(table, node, staleness)
            )
            if seen is not None:
                found[table] = TableFinding(table, seen)
            elif table.min_rows and why is None:
                promising.append((table, node))
        for table, rows in self._rows(reader, promising):
            assert table.min_rows is not None
            if rows < table.min_rows:
                found[table] = TableFinding(table, TooFewRows(expected=table.min_rows, found=rows))
        found |= self._changed_rows(reader, sight.catalog, staleness, found)
        self._descendants_too(found, sight, staleness)
        self.unseen = tuple(unseen)
        return tuple(found[table] for table in self.required if table in found)

    def _descendants_too(self, found: dict[RequiredTable, TableFinding], sight: Sight, staleness: Staleness) -> None:
        """Add what is built from a table that has drifted: it is built again with it."""
        drifted = {node.unique_id: found[t] for t, node in self._nodes if t in found and _has_drifted(found[t])}
        below = self.facts.descendants(drifted) if drifted else set()
        for table, node in self._nodes:
            if table in found or node.unique_id not in below or table.tier is TableTier.STATE:
                continue
            above = self.facts.ancestors([node.unique_id])
            cause = next(finding for unique_id, finding in drifted.items() if unique_id in above)
            since = staleness.built_at(node)
            if since is not None and sight.why_unseen(node) is None:
                found[table] = TableFinding(table, UpstreamDiffers(since, (cause.table.name,), cause.detail))

    def _changed_rows(
        self, reader: DatabaseReader, catalog: Catalog, staleness: Staleness, but: Collection[RequiredTable]
    ) -> dict[RequiredTable, TableFinding]:
        """Return the tables whose rows something else than their build has changed, and the views; none of ``but``."""
        tables = {
            node.unique_id: table
            for table, node in self._nodes
            if table.tier is not TableTier.STATE and table not in but and self._is_compared(node, catalog)
        }
        kept = read_contents(reader, self.facts.ledger, self._whole(catalog)) if tables else {}
        known = {node.unique_id for _, node in self._nodes if relation_key(node.relation) in kept} & tables.keys()
        nodes = compared_nodes(self.facts, known, catalog) if known else []
        views = compared_views(self.facts, known, catalog) if known else []
        now = contents_of([node.relation for node in nodes], reader, self.facts)
        now |= definitions_of(views, reader, self.facts)
        changed = {}
        for node in (*nodes, *views):
            key, table, since = relation_key(node.relation), tables[node.unique_id], staleness.built_at(node)
            before = kept[key].contents
            if not before.same_as(now[key]):
                seen = ViewReplaced(since) if node in views else RowsChanged(since, before.rows, now[key].rows)
                changed[table] = TableFinding(table, seen)
        return changed

    def _is_compared(self, node: NodeFacts, catalog: Catalog) -> bool:
        """Tell whether what a build left of a node may be compared: rows of a table, the definition of a view."""
        relation = catalog.get(node.relation)
        if relation is None:
            return False
        return definitions_are_compared(self.facts) if relation.kind == "view" else are_compared(self.facts)

    def _whole(self, catalog: Catalog | None) -> Catalog | None:
        """Return the catalog where the ledger is in it."""
        return catalog if self.facts.capabilities.reads_whole_catalog else None

    def staleness(self, reader: DatabaseReader, catalog: Catalog | None = None) -> Staleness:
        """Return what the ledger of the database tells about the required tables; ``catalog`` is what it holds."""
        built = read_built_tables(reader, self.facts.ledger, self.facts, self._whole(catalog))
        return Staleness(with_watched(self.facts, reader, catalog), built, self.required_ids)

    @cached_property
    def _nodes(self) -> list[tuple[RequiredTable, NodeFacts]]:
        return [(table, node_of(table, self.facts)) for table in self.required]

    @cached_property
    def required_ids(self) -> frozenset[str]:
        """The unique ids of the nodes that build the required tables."""
        return frozenset(node.unique_id for _, node in self._nodes)

    @cached_property
    def lasting_ids(self) -> frozenset[str]:
        """The unique ids of those that are there before the first year."""
        return frozenset(node.unique_id for table, node in self._nodes if table.tier is not TableTier.STATE)

    def _rows(
        self, reader: DatabaseReader, tables: Sequence[tuple[RequiredTable, NodeFacts]]
    ) -> list[tuple[RequiredTable, int]]:
        """Count rows, each table no further than its promise."""
        counted: list[tuple[RequiredTable, int]] = []
        for start in range(0, len(tables), ROWS_PER_QUERY):
            batch = tables[start : start + ROWS_PER_QUERY]
            parts = [
                f"select {number}, (select count(*) from (select 1 from {node.relation.quoted()} "
                f"limit {table.min_rows}) as promised)"
                for number, (table, node) in enumerate(batch)
            ]
            for number, rows in reader.query(" union all ".join(parts)):
                assert isinstance(number, int) and isinstance(rows, int)
                counted.append((batch[number][0], rows))
        return counted


class _Types:
    """The database's own name for a type, so that ``string`` and ``VARCHAR`` compare as equal."""

    def __init__(self, reader: DatabaseReader, type_name_sql: str | None) -> None:
        self._reader = reader
        self._sql = type_name_sql
        self._names: dict[str, str | None] = {}

    def name(self, data_type: str) -> str | None:
        """Return the database's name for a declared type, None where it cannot be told."""
        if data_type not in self._names:
            self._names[data_type] = self._ask(data_type, self._sql) if self._sql is not None else None
        return self._names[data_type]

    def _ask(self, data_type: str, sql: str) -> str | None:
        try:
            rows = self._reader.query(sql.format(type=data_type))
        except (DatabaseError, DbtError):
            return None  # not a type of this database: dbt will say so when it builds
        return str(rows[0][0]) if rows else None


def _shape_problem(node: NodeFacts, relation: Relation | None, types: _Types) -> Evidence | None:
    if relation is None:
        return Missing()
    if node.kind is not None and relation.kind != node.kind:
        return WrongKind(expected=node.kind, found=relation.kind)
    if node.columns and (node.resource_type == "seed" or node.contract):
        promised = tuple((c.name, types.name(c.data_type) if c.data_type else None) for c in node.columns)
        seen = ColumnsDiffer(promised, relation.columns, of_seed=node.resource_type == "seed")
        return seen if seen.matters else None
    return None


def _file_problem(node: NodeFacts, sight: Sight) -> Evidence | None:
    lost = sight.lost_file(node)
    return None if lost is None else FileMissing(lost)


def _has_drifted(finding: TableFinding) -> bool:
    return finding.problem is Problem.DRIFTED and finding.table.tier is not TableTier.STATE


def _history_problem(table: RequiredTable, node: NodeFacts, staleness: Staleness) -> Evidence | None:
    """Compare a table with what the ledger says of its last build; a state table belongs to the years."""
    if table.tier is TableTier.STATE:
        return None
    return staleness.unfinished(node) or staleness.outdated(node)
