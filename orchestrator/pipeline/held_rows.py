"""What finished stages left, as the database holds it now: rows of years, and whole tables."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.database.catalog import Catalog
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.contents import digests_differ
from orchestrator.ledger.reading import Ledger
from orchestrator.pipeline.year_rows import count_years, digest_years
from orchestrator.pipeline.year_tables import with_years


@dataclass(frozen=True)
class HeldRows:
    """Rows of the years that the ledger knows of tables, by (year, unique id).

    ``counts`` are how many there are now, ``altered`` those that are others than when the year ended.
    """

    counts: dict[tuple[int, str], int]
    altered: frozenset[tuple[int, str]]

    @classmethod
    def of(
        cls, ledger: Ledger, facts: ProjectFacts, year_column: str, reader: DatabaseReader, catalog: Catalog
    ) -> HeldRows:
        """Count and digest what the tables hold."""
        known = [facts.node(unique_id) for unique_id in sorted({unique_id for _, unique_id in ledger.carried})]
        nodes = {node.relation: node.unique_id for node in known if node is not None}
        tables = with_years(nodes, catalog, year_column)
        found = count_years(tables, reader)
        counts = {
            (year, nodes[table]): count
            for table, rows in found.items()
            for year, count in rows.items()
            if isinstance(year, int)
        }
        digested = {table: column for table, column in tables.items() if nodes[table] in ledger.digested}
        altered = (
            (year, nodes[table])
            for table, digests in digest_years(digested, found, facts, reader).items()
            for year, text in digests.items()
            if digests_differ(ledger.digests.get((year, nodes[table])), text)
        )
        return cls(counts, frozenset(altered))


def tables_gone(ledger: Ledger, facts: ProjectFacts, catalog: Catalog) -> dict[str, str]:
    """Return the names of what finished stages built and what does not exist any more, by unique id."""
    built = {unique_id: facts.node(unique_id) for stage in ledger.stages for unique_id in stage.nodes}
    return {
        unique_id: node.name
        for unique_id, node in sorted(built.items())
        if node is not None and node.leaves_relation and catalog.get(node.relation) is None
    }
