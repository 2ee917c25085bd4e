"""Search for the start of a run: what the ledger knows is compared with what the database holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from orchestrator.database.catalog import Catalog
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.places import plain, with_places
from orchestrator.ledger.contents import changed_contents
from orchestrator.ledger.reading import Ledger, read_ledger
from orchestrator.ledger.watched import with_watched
from orchestrator.pipeline.carried_over import without_undo
from orchestrator.pipeline.changed_elsewhere import ElsewhereLook
from orchestrator.pipeline.fingerprint import components
from orchestrator.pipeline.held_rows import HeldRows, require_carried, tables_gone, unedited_models
from orchestrator.pipeline.resume import Start, find_start, read_while_written
from orchestrator.pipeline.stage_files import StageFiles
from orchestrator.pipeline.stage_order import StageOrder
from orchestrator.pipeline.stage_tables import altered_tables, may_have_rebuilt
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.pipeline.year_rows import models_of_other_years, require_accumulating
from orchestrator.pipeline.year_tables import YearTables, require_known_column


@dataclass(frozen=True)
class FoundStart:
    """Start of a run, with the ``plan`` that it follows and the ``ledger`` that it is found by.

    ``components`` are what decides the run, ``read_first`` the unique ids of what stages read before it is built.
    """

    start: Start
    plan: SimulationPlan
    ledger: Ledger
    components: dict[str, str]
    read_first: frozenset[str] = frozenset()


@dataclass(frozen=True)
class StartSearch:
    """What a run is: its ``plan`` and, where it must begin at the first year, its ``whole_plan``.

    ``carried`` and ``lasting`` are as in :class:`orchestrator.pipeline.run_ledger.RunLedger`; ``files`` compares what
    stages wrote outside of the database.
    """

    plan: SimulationPlan
    whole_plan: Callable[[], SimulationPlan]
    facts: ProjectFacts
    carried: tuple[NodeFacts, ...]
    lasting: frozenset[str]
    year_column: str
    files: StageFiles

    def find(self, reader: DatabaseReader, *, fresh: bool) -> FoundStart:
        """Find the start in a database; see :func:`orchestrator.pipeline.resume.find_start`.

        Raises:
            ConfigurationError: a table that carries rows over to the next year cannot hold several years.
            YearSequenceError: the year before the range is not there, not whole, or made of something else.
        """
        require_accumulating(self.carried)
        catalog = reader.catalog()
        changed = changed_contents(reader, self.facts, self.lasting)
        made_of = {**components(with_watched(self.facts, reader, catalog), self.plan), **changed}
        known = self._known_here(read_ledger(reader, self.facts.ledger, self.facts))
        facts = with_places(self.facts, known.staged)
        cut_off, rebuilt = may_have_rebuilt(self.plan, known)
        ledger = known.without_rows(cut_off, rebuilt)
        meanwhile = rebuilt if cut_off <= self.plan.years[-1] else frozenset()
        tables = altered_tables(ledger, facts, self.carried, self.lasting, meanwhile, reader, catalog, self.year_column)
        tables += (*self.files.altered(ledger, meanwhile, reader, catalog), *read_while_written(ledger))
        require_known_column(unedited_models(ledger, self.facts), catalog, self.year_column)
        held = HeldRows.of(ledger, facts, self.year_column, reader, catalog, tables)
        decision = _Decision(self, ledger, made_of, held, tables_gone(ledger, facts, catalog), fresh=fresh)
        look = ElsewhereLook(self.facts, self.plan, ledger, self.year_column, self.lasting).look()
        kept = without_undo(self.facts, catalog, self.year_column, self.lasting, ledger.staged)
        again = fresh and self.plan.years[0] > self.plan.first_year
        others = (*models_of_other_years(self.facts), *(node.name for node in kept), *look.years)
        others += held.not_alone(ledger, facts, cut_off, again=again)
        found = decision.because(others, look.stages)
        order = StageOrder(self.plan, known, self.facts)
        at_first = found.start.year == self.plan.first_year and not found.start.kept_stages
        late = () if at_first else order.too_late(found.start, cut_off, rebuilt)
        if late:
            found = decision.because((*others, *late), look.stages)
        self._require_before(found, catalog, reader)
        return replace(found, read_first=order.read_first())

    def _known_here(self, ledger: Ledger) -> Ledger:
        """Return a ledger without rows of what the project does not build any more: that it is gone says it all."""
        rows = {key: rows for key, rows in ledger.carried.items() if self.facts.node(plain(key[1])) is not None}
        return replace(ledger, carried=rows)

    def _require_before(self, found: FoundStart, catalog: Catalog, reader: DatabaseReader) -> None:
        first, beginning = found.plan.years[0], found.plan.first_year
        if first == beginning:
            return
        before = found.plan.stages_of(first - 1)
        if not all(found.ledger.finished(first - 1, stage.name) for stage in before):
            YearTables.of(self.facts, catalog, self.year_column).require_year_before(first, beginning, reader)
        require_carried(self.carried, catalog, found.plan)


@dataclass(frozen=True)
class _Decision:
    """What is known once the database was looked at."""

    search: StartSearch
    ledger: Ledger
    components: dict[str, str]
    held: HeldRows
    gone: Mapping[str, str]
    fresh: bool

    def because(self, others: tuple[str, ...], other_stages: tuple[str, ...]) -> FoundStart:
        """Decide; because of ``others``, for the first year of the simulation."""
        plan = self.search.whole_plan() if others else self.search.plan
        start = find_start(
            plan,
            self.ledger,
            self.components,
            self.held.counts,
            self.gone,
            altered=self.held.altered,
            tables=self.held.tables,
            fresh=self.fresh,
            other_years=others,
            other_stages=other_stages,
        )
        return FoundStart(start, plan, self.ledger, self.components)
