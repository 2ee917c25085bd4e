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
from orchestrator.dbt_runner.project.input_kinds import ROWS_OF_TABLE
from orchestrator.ledger.layouts import CONTENTS_SINCE_LAYOUT, as_number, ledger_version
from orchestrator.ledger.reading import relation_key

ROW = '"a row of it"'  # a name that no column has: it would hide the row
DIGESTED_ROWS = 1_000_000
"""Tables with more rows are counted alone: every look would have to read all of them."""


@dataclass(frozen=True)
class Contents:
    """Rows of a table: how many, and a digest of them with the version of the database that made it.

    ``digest`` is None where there are more than :data:`DIGESTED_ROWS`.
    """

    rows: int
    digest: str | None = None

    def same_as(self, other: Contents) -> bool:
        """Tell whether both are the same rows, as far as they can be compared: digests of two versions cannot.

        >>> one = Contents(2, "v1 77")
        >>> one.same_as(Contents(2, "v1 77")), one.same_as(Contents(2, "v1 78")), one.same_as(Contents(2, "v2 78"))
        (True, False, True)
        """
        unread = self.digest is None or other.digest is None
        return self.rows == other.rows and (unread or not digests_differ(self.digest, other.digest))


def digests_differ(one: str | None, other: str | None) -> bool:
    """Tell whether two digests that one version of the database made are of other rows; None is no digest.

    >>> digests_differ("v1 77", "v1 78"), digests_differ("v1 77", "v2 78"), digests_differ("v1 77", None)
    (True, False, False)
    """
    if one is None or other is None:
        return False
    (version, _, own), (other_version, _, others) = one.rpartition(" "), other.rpartition(" ")
    return version == other_version and own != others


def digest_column(facts: ProjectFacts, *, of_one_shape: bool = False) -> str:
    """Return the aggregate over rows, named :data:`ROW`, that such a digest is made by.

    ``of_one_shape`` makes digests that are compared only where columns and types are the same.
    """
    digest = facts.capabilities.row_digest_sql.format(row=ROW)
    shape = f"{facts.capabilities.row_shape_sql.format(row=ROW)} || ' ' || " if of_one_shape else ""
    return f"version() || ' ' || {shape}{digest}"


@dataclass(frozen=True)
class KeptContents:
    """Contents that the ledger knows of a table; ``changes`` counts how often years found others than those before."""

    contents: Contents
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
    rows = reader.query(f"select relation, row_count, digest, changes from {place.quoted()}.table_contents")
    return {
        str(key): KeptContents(Contents(as_number(count), _text(digest)), as_number(changes))
        for key, count, digest, changes in rows
    }


def contents_of(tables: Iterable[RelationName], reader: QueryReader, facts: ProjectFacts) -> dict[str, Contents]:
    """Return what tables, which exist, hold now; by key of the relation."""
    found: dict[str, Contents] = {}
    small: list[RelationName] = []
    relations = list(tables)
    for table, rows in zip(relations, _ask(reader, relations, ""), strict=True):
        found[relation_key(table)] = Contents(as_number(rows[1]))
        if as_number(rows[1]) <= DIGESTED_ROWS:
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


def compared_nodes(facts: ProjectFacts, unique_ids: Set[str], catalog: Catalog) -> list[NodeFacts]:
    """Return those of these nodes that have left a table whose rows nothing but a build of them is meant to change.

    Statements of hooks and macros of dbt are meant to change what they change: a log, for example. Where it cannot be
    told which tables those are, none is compared.
    """
    if not are_compared(facts):
        return []
    changed = ChangeTargets(facts).all()
    nodes = [n for n in facts.nodes if n.unique_id in unique_ids - changed and _is_built_whole(n)]
    there = ((node, catalog.get(node.relation)) for node in nodes)
    return [node for node, relation in there if relation is not None and relation.kind == "table"]


def _is_built_whole(node: NodeFacts) -> bool:
    return node.external_file is None and (node.resource_type == "seed" or node.materialized == "table")


def _ask(reader: QueryReader, tables: list[RelationName], more: str) -> list[tuple[object, ...]]:
    """Count tables, in their order; ``more`` are further columns of each answer."""
    parts = [
        f"select {number} as number, count(*){more} from {table.quoted()} as {ROW}"
        for number, table in enumerate(tables)
    ]
    return sorted(reader.query(" union all ".join(parts)), key=lambda row: as_number(row[0])) if parts else []


def _text(value: object) -> str | None:
    return None if value is None else str(value)
