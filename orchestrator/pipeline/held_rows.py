"""What finished stages left, as the database holds it now: rows of years, and whole tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.core.errors import YearSequenceError
from orchestrator.core.formats import FILES, ROWS
from orchestrator.database.catalog import Catalog
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.places import name_of, place_in, relations_built
from orchestrator.ledger.contents import rows_differ
from orchestrator.ledger.reading import Ledger
from orchestrator.pipeline.carried_over import is_of_unknown_kind
from orchestrator.pipeline.resume import Loss
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.pipeline.year_rows import count_years, digest_years
from orchestrator.pipeline.year_tables import with_years


@dataclass(frozen=True)
class HeldRows:
    """Rows of the years that the ledger knows of tables, by (year, unique id).

    ``counts`` are how many there are now, ``altered`` those that are others than when the year was simulated, and as
    many, ``lost`` those, and those that are more or fewer. ``tables`` is what is lost of tables without years.
    """

    counts: dict[tuple[int, str], int]
    altered: frozenset[tuple[int, str]]
    lost: frozenset[tuple[int, str]]
    tables: tuple[Loss, ...]

    @classmethod
    def of(
        cls,
        ledger: Ledger,
        facts: ProjectFacts,
        year_column: str,
        reader: DatabaseReader,
        catalog: Catalog,
        tables: tuple[Loss, ...] = (),
    ) -> HeldRows:
        """Count and digest what the tables of years hold; ``tables`` is what others have lost."""
        known = [facts.node(unique_id) for unique_id in sorted({unique_id for _, unique_id in ledger.carried})]
        nodes = {node.relation: node.unique_id for node in known if node is not None}
        dated = with_years(nodes, catalog, year_column)
        found = count_years(dated, reader)
        counts = {
            (year, nodes[table]): count
            for table, rows in found.items()
            for year, count in rows.items()
            if isinstance(year, int)
        }
        of_contracts = {node.unique_id for node in known if node is not None and node.contract}  # they have drifted
        digested = {table: column for table, column in dated.items() if nodes[table] in ledger.digested}
        altered = (
            (year, nodes[table])
            for table, digests in digest_years(digested, found, facts, reader).items()
            for year, text in digests.items()
            if counts.get((year, nodes[table])) == ledger.carried.get((year, nodes[table]))
            and rows_differ(
                ledger.digests.get((year, nodes[table])), text, whatever_columns=nodes[table] in of_contracts
            )
        )
        other = frozenset(altered)
        lost = other | {key for key, rows in ledger.carried.items() if counts.get(key, 0) != rows}
        return cls(counts, other, lost, tables)

    def not_alone(self, ledger: Ledger, facts: ProjectFacts, cut_off: int, *, again: bool) -> tuple[str, ...]:
        """Return the names of tables in which no finished year can be run again by itself, where one would be.

        Later years have changed rows of earlier ones in them, or a stage that was cut off may have; or they are whole
        tables, or folders, of which nobody can tell whether a year replaces them. ``again`` tells that a finished year
        is to be run again anyway; ``cut_off`` is the year of that stage, and is run again.
        """
        found = ledger.reaching if again or self.lost or self.tables else frozenset()
        found |= {loss.node for loss in self.tables if _may_hold_other_years(loss, facts.node(loss.node))}
        if not ledger.is_whole:
            found |= {unique_id for year, unique_id in self.altered if year < cut_off}
        return tuple(node.name for node in facts.nodes if node.unique_id in found)


def _may_hold_other_years(loss: Loss, node: NodeFacts | None) -> bool:
    """Tell whether what is lost may have held rows of other years than the one that built it last."""
    return loss.of == FILES or (loss.of == ROWS and is_of_unknown_kind(node))


def unedited_models(ledger: Ledger, facts: ProjectFacts) -> list[NodeFacts]:
    """Return the models of which the ledger knows rows of years, and whose code is what it was in the last run."""
    last = ledger.runs[-1].components if ledger.runs else {}
    nodes = [facts.node(unique_id) for unique_id in sorted({unique_id for _, unique_id in ledger.carried})]
    return [node for node in nodes if node is not None and last.items() >= dict(node.code).items()]


def tables_gone(ledger: Ledger, facts: ProjectFacts, catalog: Catalog) -> dict[str, str]:
    """Return the names of what finished stages built and what does not exist any more as such, by unique id.

    ``facts`` know the relations that nodes have in some years alone.
    """
    built = {unique_id: facts.node(unique_id) for stage in ledger.stages for unique_id in relations_built(stage.nodes)}
    return {
        unique_id: name_of(node)
        for unique_id, node in sorted(built.items())
        if node is not None and node.leaves_relation and _can_be_seen(node, facts) and not _is_there(node, catalog)
    }


def _can_be_seen(node: NodeFacts, facts: ProjectFacts) -> bool:
    """Tell whether a catalog of the project has the schema of a node: one that only some years have may be missing."""
    if facts.capabilities.reads_whole_catalog or place_in(node.unique_id) is None:
        return True
    schemas = {(one.relation.database, one.relation.schema) for one in facts.nodes if place_in(one.unique_id) is None}
    return (node.relation.database, node.relation.schema) in schemas


def _is_there(node: NodeFacts, catalog: Catalog) -> bool:
    """Tell whether what a node builds exists: a view in place of a table is something else.

    Where the year decides which of them it is, only what its contents are compared with tells.
    """
    relation = catalog.get(node.relation)
    other = place_in(node.unique_id) is not None or node.materialized_otherwise
    return relation is not None and (other or node.kind is None or relation.kind == node.kind)


def require_carried(carried: Iterable[NodeFacts], catalog: Catalog, plan: SimulationPlan) -> None:
    """Make sure that what the first year of a range reads of the year before exists.

    Raises:
        YearSequenceError: it does not.
    """
    lost = [node.name for node in carried if catalog.get(node.relation) is None]
    if lost:
        first, last = plan.years[0], plan.years[-1]
        raise YearSequenceError(
            f"Year {first} reads {', '.join(lost)} of {first - 1}, and that table does not exist any more.",
            to_fix=f"run `orchestrator simulate {plan.first_year}-{last}`",
        )
