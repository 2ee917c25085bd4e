"""Tables that stages build whole: what they held when they were built, and whether they hold it still.

A table of years is compared year by year (:mod:`orchestrator.pipeline.held_rows`). All others are compared whole,
however they are materialized: what something else than a build has changed in one that each year builds anew would stay
until the next year is simulated, and in one that years add to for good.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Set

from orchestrator.core.formats import ROWS, VIEW
from orchestrator.database.catalog import Catalog
from orchestrator.database.reader import QueryReader
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.places import plain, relations_built, with_places
from orchestrator.ledger.contents import KeptContents, compared_nodes, contents_of, read_contents
from orchestrator.ledger.reading import Ledger, relation_key
from orchestrator.ledger.views import anything_is_compared, compared_views, definitions_of
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.pipeline.resume import Loss
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.pipeline.year_rows import DIGESTED_ROWS
from orchestrator.pipeline.year_tables import counted_by_years


class StageTables:
    """Notes what the tables hold that stages of one run build whole, others than ``lasting`` (unique ids).

    Those are all that are not watched year by year (:func:`orchestrator.pipeline.year_tables.counted_by_years`).
    """

    def __init__(
        self, facts: ProjectFacts, carried: Collection[NodeFacts], lasting: Set[str], year_column: str
    ) -> None:
        self._nodes = {node.unique_id for node in facts.nodes if node.builds and anything_is_compared(facts)} - lasting
        self._facts = facts
        self._carried = frozenset(node.unique_id for node in carried)
        self._year_column = year_column
        self._built: set[str] = set()
        self._kept: dict[str, KeptContents] = {}

    def begin(self, runner: DbtRunner, staged: Iterable[str]) -> None:
        """Take up what is known of the tables that finished stages built, ``staged`` (unique ids)."""
        self._built = self._watched(staged)
        self._kept = read_contents(runner, self._facts.ledger) if self._nodes else {}

    def left(self, runner: DbtRunner, built: Collection[str]) -> tuple[str, ...]:
        """State what the tables hold that a stage has just ``built`` (unique ids)."""
        new = self._watched(relations_built(built))
        self._built |= new
        return self._statements(runner, new)

    def _watched(self, unique_ids: Iterable[str]) -> set[str]:
        """Return those of these ids of which the relations are watched, those that a node has in some years alone too.

        From now on they are known.
        """
        found = {one for one in unique_ids if plain(one) in self._nodes}
        self._facts = with_places(self._facts, found)
        return found

    def left_by_hooks(self, runner: DbtRunner) -> tuple[str, ...]:
        """State what all of them hold, after hooks that may have changed them."""
        return self._statements(runner, self._built)

    def _statements(self, runner: DbtRunner, unique_ids: Set[str]) -> tuple[str, ...]:
        if not unique_ids:
            return ()
        catalog = runner.catalog()
        nodes = _watched_whole(self._facts, unique_ids, self._carried, catalog, self._year_column)
        found = contents_of([node.relation for node in nodes], runner, self._facts, most=DIGESTED_ROWS)
        found |= definitions_of(compared_views(self._facts, unique_ids, catalog), runner, self._facts)
        new = {key: KeptContents(now) for key, now in found.items() if self._kept.get(key) != KeptContents(now)}
        self._kept |= new
        return LedgerWriter.of(self._facts).contents(new)


def altered_tables(
    ledger: Ledger,
    facts: ProjectFacts,
    carried: Collection[NodeFacts],
    lasting: Set[str],
    rebuilt: Set[str],
    reader: QueryReader,
    catalog: Catalog,
    year_column: str,
) -> tuple[Loss, ...]:
    """Return what does not hold any more what the stage that built it last has left; its year is that of the stage.

    ``carried`` are the models that carry rows over to the next year, ``lasting`` the unique ids of what is there before
    the first year, ``rebuilt`` those of what a stage that was cut off may have built meanwhile. ``facts`` know the
    relations that nodes have in some years alone.
    """
    years = {one: stage.year for stage in ledger.stages for one in sorted(relations_built(stage.nodes))}
    wanted = years.keys() - lasting - (rebuilt - _of_one_year_each(ledger))
    kept = read_contents(reader, facts.ledger, catalog) if wanted and anything_is_compared(facts) else {}
    known = {node.unique_id for node in facts.nodes if relation_key(node.relation) in kept} & wanted
    of_years = frozenset(node.unique_id for node in carried)
    nodes = _watched_whole(facts, known, of_years, catalog, year_column) if known else []
    views = compared_views(facts, known, catalog) if known else []
    found = contents_of([node.relation for node in nodes], reader, facts, most=DIGESTED_ROWS)
    found |= definitions_of(views, reader, facts)
    pairs = (
        (node, kept[key].contents, found[key]) for node in (*nodes, *views) for key in [relation_key(node.relation)]
    )
    return tuple(
        Loss(years[node.unique_id], node.unique_id, was.rows, now.rows, whole=True, of=VIEW if node in views else ROWS)
        for node, was, now in pairs
        if not was.same_as(now)
    )


def _of_one_year_each(ledger: Ledger) -> frozenset[str]:
    """Return the ids of the relations of nodes that have had another one in each year: no further year builds these."""
    built: dict[str, list[str]] = {}
    for stage in ledger.stages:
        for one in relations_built(stage.nodes):
            built.setdefault(plain(one), []).append(one)
    each = (ids for ids in built.values() if len(ids) > 1 and len(set(ids)) == len(ids))
    return frozenset(one for ids in each for one in ids)


def _watched_whole(
    facts: ProjectFacts, unique_ids: Set[str], carried: Set[str], catalog: Catalog, year_column: str
) -> list[NodeFacts]:
    nodes = compared_nodes(facts, unique_ids, catalog, materialized=None)
    by_years = counted_by_years(nodes, carried, catalog, year_column)
    return [node for node in nodes if node.relation not in by_years]


def may_have_rebuilt(plan: SimulationPlan, ledger: Ledger) -> tuple[int, frozenset[str]]:
    """Return the year and the unique ids of what the stage builds in which the last run was cut off, if it was.

    What that stage builds is known from its other years.
    """
    year = max((stage.year for stage in ledger.stages), default=plan.first_year)
    if ledger.is_whole:
        return year, frozenset()
    following = [(at, stage.name) for at in (year, year + 1) for stage in plan.stages_of(at)]
    at, name = next(((at, stage) for at, stage in following if ledger.finished(at, stage) is None), (year, ""))
    return at, frozenset().union(*(stage.nodes for stage in ledger.stages if stage.stage == name))
