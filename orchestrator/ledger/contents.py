"""Contents of the tables that are there before the first year: as a build left them, and as they are now.

Nothing but a build is meant to change them. Where something else did (a person, another program, a hook), the table is
not what the project says any more; and where a year would read other rows than those before it, all begin anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName, SchemaName
from orchestrator.database.reader import QueryReader
from orchestrator.dbt_runner.project.change_targets import ChangeTargets
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import HOOK, ROWS_OF_TABLE
from orchestrator.ledger.layouts import CONTENTS_SINCE_LAYOUT, as_number, ledger_version
from orchestrator.ledger.reading import relation_key

ROW = '"a row of it"'  # a name that no column has: it would hide the row
DIGESTED_ROWS = 1_000_000
"""Tables with more rows are counted alone: every look would have to read all of them."""


QUERIES_AT_ONCE = 100
"""More in one query take longer than one after the other."""


@dataclass(frozen=True)
class Contents:
    """Rows of a table: how many, and a digest of them with the version of the database that made it.

    ``digest`` is None where there are more than :data:`DIGESTED_ROWS`.
    """

    rows: int
    digest: str | None = None

    def same_as(self, other: Contents) -> bool:
        """Tell whether both are the same rows, as far as they can be compared: digests of two versions cannot.

        >>> one = Contents(2, "v1 ab 77")
        >>> [one.same_as(Contents(2, text)) for text in ("v1 ab 77", "v1 ab 78", "v2 ab 78")]
        [True, False, True]
        """
        unread = self.digest is None or other.digest is None
        return self.rows == other.rows and (unread or not rows_differ(self.digest, other.digest))


def rows_differ(one: str | None, other: str | None, *, whatever_columns: bool = False) -> bool:
    """Tell whether two digests that one version of the database made are of other rows; None is no digest.

    ``whatever_columns``: where columns and types are the same. Older digests do not say which these are.

    >>> rows_differ("v1 ab 7", "v1 ab 8"), rows_differ("v1 ab 7", "v1 cd 7"), rows_differ("v1 ab 7", "v2 ab 8")
    (True, True, False)
    >>> rows_differ("v1 ab 7", "v1 cd 8", whatever_columns=True), rows_differ(None, "v1 ab 7")
    (False, False)
    >>> rows_differ("v1 7", "v1 ab 7")
    False
    """
    if one is None or other is None:
        return False
    (version, *shape, own), (other_version, *other_shape, others) = one.split(" "), other.split(" ")
    if version != other_version or len(shape) != len(other_shape) or (whatever_columns and shape != other_shape):
        return False
    return (shape, own) != (other_shape, others)


def digest_column(facts: ProjectFacts) -> str:
    """Return the aggregate over rows, named :data:`ROW`, that such a digest is made by.

    DuckDB's hash is the same for an empty list, a list of nothing and nothing: where columns are nested, the rows as
    text are hashed as well.
    """
    capabilities = facts.capabilities
    digest, shape = (text.format(row=ROW) for text in (capabilities.row_digest_sql, capabilities.row_shape_sql))
    nested = capabilities.row_nested_sql.format(row=ROW)
    texts = capabilities.row_digest_sql.format(row=f"case when {nested} then cast({ROW} as varchar) end")
    is_nested = f"coalesce(bool_or({nested}), false)"
    return (
        f"version() || case when {is_nested} then '/nested ' else ' ' end || {shape} || ' ' || {digest} || "
        f"case when {is_nested} then ':' || {texts} else '' end"
    )


@dataclass(frozen=True)
class KeptContents:
    """Contents that the ledger knows of a table.

    ``contents`` are what it should hold, ``read`` what years have read of it, None where none have since its code or
    inputs changed; ``changes`` counts how often years found others than those before.
    """

    contents: Contents
    read: Contents | None = None
    changes: int = 0


def are_compared(facts: ProjectFacts) -> bool:
    """Tell whether contents are compared: of simulations, in databases that have a digest.

    Where a project has no years, its tables are everybody's: dbt builds them again from whatever has arrived since.
    """
    return facts.simulates and facts.capabilities.row_digest_sql != "null"


def read_contents(reader: QueryReader, place: SchemaName, catalog: Catalog | None = None) -> dict[str, KeptContents]:
    """Return what the ledger knows of the contents of tables, by key of the relation; ``catalog`` as for its layout.

    Raises:
        ConfigurationError, DatabaseError: as :func:`orchestrator.ledger.layouts.ledger_version`.
    """
    if ledger_version(reader, place, catalog) < CONTENTS_SINCE_LAYOUT:
        return {}
    columns = "relation, row_count, digest, read_count, read_digest, changes"
    rows = reader.query(f"select {columns} from {place.quoted()}.table_contents")
    return {
        str(key): KeptContents(
            Contents(as_number(count), _text(digest)),
            None if read_count is None else Contents(as_number(read_count), _text(read)),
            as_number(changes),
        )
        for key, count, digest, read_count, read, changes in rows
    }


def contents_of(
    tables: Iterable[RelationName], reader: QueryReader, facts: ProjectFacts, *, most: int = DIGESTED_ROWS
) -> dict[str, Contents]:
    """Return what tables, which exist, hold now; by key of the relation. Those with ``most`` rows are digested."""
    found: dict[str, Contents] = {}
    small: list[RelationName] = []
    relations = list(tables)
    for table, rows in zip(relations, _ask(reader, relations, ""), strict=True):
        found[relation_key(table)] = Contents(as_number(rows[1]))
        if as_number(rows[1]) <= most:
            small.append(table)
    for table, rows in zip(small, _ask(reader, small, f", {digest_column(facts)}"), strict=True):
        found[relation_key(table)] = Contents(as_number(rows[1]), _text(rows[2]))
    return found


def changed_contents(reader: QueryReader, facts: ProjectFacts, lasting: Set[str]) -> dict[str, str]:
    """Return {what: how often} of the tables whose rows were not the same all the time that years were simulated.

    ``lasting`` are the unique ids of what is there before the first year. Part of what decides a simulation: years that
    were finished before such a change have read other rows than those to come.
    """
    kept = read_contents(reader, facts.ledger) if are_compared(facts) else {}
    nodes = [node for node in facts.nodes if node.unique_id in lasting]
    changes = {node.name: one.changes for node in nodes if (one := kept.get(relation_key(node.relation))) is not None}
    return {f"{ROWS_OF_TABLE} {name}": str(times) for name, times in changes.items() if times}


def compared_nodes(
    facts: ProjectFacts,
    unique_ids: Set[str],
    catalog: Catalog,
    *,
    functions: bool = False,
    materialized: Set[str] | None = frozenset({"table"}),
) -> list[NodeFacts]:
    """Return those of these nodes that have left a table whose rows nothing but a build of them is meant to change.

    With ``functions`` also what functions build, which may change it as they like. Of models (and snapshots) those that
    are ``materialized`` so; with None, of all.

    Statements of hooks and macros of dbt are meant to change what they change: a log, for example. Where it cannot be
    told which tables those are, none is compared.
    """
    if not are_compared(facts):
        return []
    changed = ChangeTargets(facts).all()
    kinds = ("seed", HOOK) if functions else ("seed",)
    nodes = [
        node
        for node in facts.nodes
        if node.builds
        and node.unique_id in unique_ids - changed
        and node.external_file is None
        and (materialized is None or node.resource_type in kinds or node.materialized in materialized)
    ]
    there = ((node, catalog.get(node.relation)) for node in nodes)
    return [node for node, relation in there if relation is not None and relation.kind == "table"]


def _ask(reader: QueryReader, tables: list[RelationName], more: str) -> list[tuple[object, ...]]:
    """Count tables, in their order; ``more`` are further columns of each answer."""
    parts = [
        f"select {number} as number, count(*){more} from {table.quoted()} as {ROW}"
        for number, table in enumerate(tables)
    ]
    return sorted(in_batches(reader, parts), key=lambda row: as_number(row[0]))


def in_batches(reader: QueryReader, parts: list[str]) -> list[tuple[object, ...]]:
    """Return the rows of many queries, which are asked together, some at a time."""
    batches = [parts[start : start + QUERIES_AT_ONCE] for start in range(0, len(parts), QUERIES_AT_ONCE)]
    return [row for batch in batches for row in reader.query(" union all ".join(batch))]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
