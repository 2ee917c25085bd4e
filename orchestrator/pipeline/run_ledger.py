"""One run and the ledger of its database: where it begins, what it finished, what it carries over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.database.transactions import execute_apart
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.results import DbtResult
from orchestrator.ledger.layouts import ledger_version, upgrade_statements
from orchestrator.ledger.reading import FinishedStage, Ledger, LedgerRun, relation_key
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.pipeline.carried_over import is_of_unknown_kind, replaces_what_is_read
from orchestrator.pipeline.fingerprint import components, fingerprint
from orchestrator.pipeline.left_rows import LeftRows
from orchestrator.pipeline.resume import Loss, Start
from orchestrator.pipeline.stage_files import StageFiles
from orchestrator.pipeline.stage_tables import StageTables
from orchestrator.pipeline.start_search import StartSearch
from orchestrator.pipeline.watched_years import WatchedYears
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.pipeline.year_tables import (
    YearTables,
    count_rows,
    require_year_column,
    with_years,
)
from orchestrator.self_healing.contents_keeper import ContentsKeeper


@dataclass(frozen=True)
class Purge:
    """Rows that were removed before a run began: how many, and of which tables."""

    rows: int
    tables: tuple[RelationName, ...]


class RunLedger:
    """Reads and writes the ledger for one run over one parsed project.

    ``carried`` are the models of tier ``state``: what a year reads of the year before. ``lasting`` are the unique ids
    of the other required tables: they are there before the first year. ``whole_plan`` makes the run begin at the first
    year of the simulation, and returns its plan: there are tables out of which no single year can be taken. ``folder``
    is the working folder of dbt.
    """

    def __init__(
        self,
        run_id: str,
        scenario: str,
        plan: SimulationPlan,
        facts: ProjectFacts,
        carried: tuple[NodeFacts, ...],
        lasting: frozenset[str],
        year_column: str,
        whole_plan: Callable[[], SimulationPlan] | None = None,
        folder: Path | None = None,
    ) -> None:
        self._plan = plan
        self._whole_plan = whole_plan or (lambda: plan)
        self._facts = facts
        self._carried = carried
        self._lasting = lasting
        self._ledger = Ledger()
        self._year_column = year_column
        self._writer = LedgerWriter.of(facts)
        self._run = LedgerRun(run_id, scenario, "", {}, plan.years[0], plan.years[-1])
        self._take_components(components(facts, plan))
        self._years = WatchedYears(facts, carried, lasting, year_column)
        tables = StageTables(facts, carried, lasting, year_column)
        self._files = StageFiles(facts, lasting, folder)
        self._rows = LeftRows(facts, self._years, tables, self._files)
        self._looked_at: frozenset[str] = frozenset()
        self._read_first: frozenset[str] = frozenset()

    def find_start(self, reader: DatabaseReader, *, fresh: bool) -> Start:
        """Decide where the run begins; see :func:`orchestrator.pipeline.resume.find_start`.

        Raises:
            ConfigurationError: a table that carries rows over to the next year cannot hold several years.
            YearSequenceError: the year before the range is not there, not whole, or made of something else.
        """
        search = StartSearch(
            self._plan, self._whole_plan, self._facts, self._carried, self._lasting, self._year_column, self._files
        )
        found = search.find(reader, fresh=fresh)
        self._plan, self._ledger, self._read_first = found.plan, found.ledger, found.read_first
        self._run = replace(self._run, first_year=self._plan.years[0])
        self._take_components(found.components)
        return found.start

    def _take_components(self, made_of: dict[str, str]) -> None:
        """Note what decides the run."""
        self.components = made_of
        self.fingerprint = fingerprint(made_of)
        self._run = replace(self._run, fingerprint=self.fingerprint, components=made_of)

    @property
    def years(self) -> tuple[int, ...]:
        """Return the years of the run."""
        return self._plan.years

    @property
    def previous_run_id(self) -> str | None:
        """Return the run that began last before this one, None where the ledger knows none."""
        return self._ledger.last_run_id()

    @property
    def of_other_scenarios(self) -> dict[int, str]:
        """Return the years in the database that runs of other scenarios made, and their scenarios."""
        scenarios = {run.run_id: run.scenario for run in self._ledger.runs}
        made = {stage.year: scenarios.get(stage.run_id, self._run.scenario) for stage in self._ledger.stages}
        return {year: name for year, name in sorted(made.items()) if name != self._run.scenario}

    def expendable(self, start: Start) -> frozenset[str]:
        """Return the unique ids of incremental models whose rows a run from ``start`` does not need."""
        if not self._from_nothing(start):
            return frozenset()
        return frozenset(node.unique_id for node in self._facts.models() if node.materialized == "incremental")

    @property
    def shared(self) -> bool:
        """Tell whether others can write what years carry over while a run has the database open.

        DuckDB locks its file; a server lets anybody write, and so may whatever else is attached to a file.
        """
        own = self._facts.ledger.database.lower()
        return self._facts.database_path is None or any(node.relation.database != own for node in self._carried)

    def left_hooks(self, start: Start) -> FinishedStage | None:
        """Return the stage before ``start`` if its hooks were cut off, None when they have returned."""
        year, names = start.year, start.kept_stages
        if not names and year > self._plan.first_year:
            year -= 1
            names = tuple(stage.name for stage in self._plan.stages_of(year))
        last = self._ledger.finished(year, names[-1]) if names else None
        return last if last is not None and not last.hooks_done else None

    def begin(self, runner: DbtRunner, start: Start) -> Purge:
        """Remove what is built again and write that the run began, in one transaction for each database.

        A run from the very beginning drops its tables, so that a changed model gets its new columns; others lose rows.
        """
        catalog = runner.catalog()
        dropped = self._dropped(runner, catalog, start)
        tables = YearTables.of(self._facts, catalog, self._year_column)
        kept = {node.relation for node in self._facts.nodes if node.unique_id in start.kept_nodes}
        gone = {node.relation for node in dropped}
        holding = tuple(t for t in tables.holding(f">= {start.purge_from}", runner) if t not in gone)
        purge = tables.only(holding).purge_statements(start.purge_from, start.year, kept)
        own = tuple(table for table in tables.tables if table not in gone and self._held_nothing_before(table))
        strays = tables.only(own).without_years_before(self._plan.first_year, runner)
        emptied = [node.relation for node in dropped if catalog.relations[node.relation].kind == "table"]
        counts = count_rows(emptied, runner)
        version = ledger_version(runner, self._facts.ledger)
        cascade = self._facts.capabilities.drop_cascade
        point = None if start.point is None else (start.year, start.stage)
        drops = [(node.relation, catalog.drop_statement(node.relation, cascade=cascade)) for node in dropped]
        affected = execute_apart(
            runner.execute,
            self._facts.ledger.database,
            [*drops, *strays, *purge],
            [
                *upgrade_statements(version, self._facts.ledger),
                *self._writer.forget(start.purge_from, start.kept_stages, start.kept_nodes, self._ledger.elsewhere),
                *self._writer.run_started(self._run, utc_now(), point),
            ],
        )
        for node in self._carried:
            if node.relation in gone:
                runner.create_empty(node)
        self._years.begin(runner, self._ledger.digests)
        self._rows.begin(runner, start.year, start.kept_nodes, self._ledger.staged)
        self._keep_earlier(runner)
        removed = [*zip(emptied, counts, strict=True)]
        removed += zip(holding, affected[len(affected) - len(purge) :], strict=True)
        tables_with_rows = tuple(table for table, count in removed if count > 0)
        return Purge(sum(count for _, count in removed if count > 0), tables_with_rows)

    def _from_nothing(self, start: Start) -> bool:
        return start.year == self._plan.first_year and not start.kept_stages and not start.done

    def _dropped(self, runner: DbtRunner, catalog: Catalog, start: Start) -> list[NodeFacts]:
        """Return what a run from the very beginning builds again: tables of years, and what its stages built before.

        A table that also holds earlier years than those of the simulation is not among them, unless the simulation
        itself may have written them.
        """
        if not self._from_nothing(start):
            return []
        nodes = [
            node
            for node in self._facts.nodes
            if node.materialized in ("incremental", "snapshot")
            or self._may_have_added(node, catalog)
            or node.unique_id in self._read_first
            or replaces_what_is_read(node, self._facts)
        ]
        there = [n for n in nodes if n.unique_id not in self._lasting and catalog.get(n.relation) is not None]
        dated = with_years([node.relation for node in there], catalog, self._year_column)
        earlier = set(YearTables(dated).holding(f"< {start.purge_from}", runner))
        return [
            node
            for node in there
            if (
                node.unique_id in self._ledger.staged or self._held_nothing_before(node.relation)
                if node.relation not in dated
                else node.writes_other_years or node.relation not in earlier or self._held_nothing_before(node.relation)
            )
        ]

    def _may_have_added(self, node: NodeFacts, catalog: Catalog) -> bool:
        relation = catalog.get(node.relation)
        return is_of_unknown_kind(node) and relation is not None and relation.kind == "table"

    def _held_nothing_before(self, table: RelationName) -> bool:
        """Tell whether a table is known to have held no row of an earlier year when its simulation began."""
        return self._ledger.earlier.get(relation_key(table)) == 0

    def _keep_earlier(self, runner: DbtRunner) -> None:
        """Write what tables hold before any year of the simulation, where it is not known yet; nothing, if not there.

        What appears there later was written by a stage that did not come to its end.
        """
        models = [
            m
            for m in self._facts.models()
            if (m.materialized == "incremental" and not m.writes_other_years)
            or is_of_unknown_kind(m)
            or replaces_what_is_read(m, self._facts)
        ]
        new = [
            m
            for m in models
            if m.unique_id not in self._lasting and relation_key(m.relation) not in self._ledger.earlier
        ]
        there = runner.catalog()
        held = self._years.rows_before(self._plan.first_year)
        rows = {
            relation_key(m.relation): held.get(m.relation, 0)
            for m in new
            if m.relation in held or there.get(m.relation) is None
        }
        if rows:
            runner.execute(self._writer.earlier_rows(rows))

    def check_what_others_wrote(self, runner: DbtRunner, but_year: int) -> None:
        """Note whether hooks, or others, changed what all years read, and make sure that they left other years alone.

        The tables of years must hold what they held when it was last counted, ``but_year`` aside.

        Raises:
            ContinuityError: a table holds fewer or more rows of a finished year than when that ended.
        """
        ContentsKeeper(self._facts, self._lasting).changed_by_hooks(runner)
        self._years.require_unchanged(runner, but_year)
        runner.execute(self._rows.by_hooks(runner, but_year, runner.catalog()))

    def stage_finished(
        self,
        runner: DbtRunner,
        year: int,
        stage: str,
        result: DbtResult,
        seconds: float,
        *,
        hooks_done: bool,
        changed_files: tuple[str, ...],
    ) -> None:
        """Write that a stage is in the database; with the last stage of a year, also the rows of that year.

        ``hooks_done`` tells that no hooks follow it; ``changed_files`` were written while the run read them.

        Raises:
            ConfigurationError: the stage appends to a table out of which a year could not be taken again.
            OtherYearsWrittenError: it changed rows of other years.
            ContinuityError: with the last stage of a year, when something else did.
        """
        nodes = result.built
        if not nodes <= self._looked_at:
            self._look_at(runner, nodes)
        last = stage == self._plan.stages_of(year)[-1].name
        self._years.stage_done(runner, year, stage, nodes, all_tables=last)
        rows = sum(node.rows or 0 for node in result.nodes if node.resource_type != "test" and (node.rows or 0) > 0)
        finished = FinishedStage(
            year, stage, self.fingerprint, nodes, rows, seconds, hooks_done, changed_files=changed_files
        )
        held = self._rows.by_stage(runner, year, nodes, last=last)
        written = self._files.left_lasting(runner, nodes)
        again = nodes & self._lasting
        if again:
            ContentsKeeper(self._facts, again).read_from_now_on(runner, by_stages=True)
        runner.execute([*self._writer.stage_finished(self._run, finished, utc_now()), *held, *written])

    def _look_at(self, runner: DbtRunner, nodes: frozenset[str]) -> None:
        known = [node for unique_id in sorted(nodes) if (node := self._facts.node(unique_id)) is not None]
        if any(node.materialized == "incremental" for node in known):
            catalog = runner.catalog()
            require_year_column(known, catalog, self._year_column)
            self._years.add(known, catalog)
        self._looked_at |= nodes

    def year_ended(self, runner: DbtRunner, year: int) -> None:
        """Count again what tables hold of a year, after hooks that may have changed it.

        Raises:
            ContinuityError: a table that carries rows over is gone, or rows of another year changed.
        """
        self._years.require_carried(runner, year)
        self.check_what_others_wrote(runner, year)
        runner.execute(self._rows.by_hooks_of_year(runner, year, runner.catalog()))

    def hooks_repeated(self, runner: DbtRunner, after: FinishedStage) -> None:
        """Note again what tables hold, after hooks that were cut off when this stage was finished."""
        last = after.stage == self._plan.stages_of(after.year)[-1].name
        note = self._rows.by_hooks_of_year if last else self._rows.by_hooks
        self._years.require_known(self._ledger.carried, after.year)
        runner.execute(note(runner, after.year, runner.catalog()))

    def hooks_left(self, runner: DbtRunner, losses: Iterable[Loss]) -> None:
        """Note what hooks before the first year have changed in tables without years that finished stages had built."""
        runner.execute(self._rows.by_first_hooks(runner, losses))

    def simulation_ended(self, runner: DbtRunner) -> None:
        """Note again which rows tables hold of all years, after hooks that may have changed them."""
        runner.execute(self._rows.by_last_hooks(runner, self._plan.years[-1], runner.catalog()))

    def stage_failed(self, runner: DbtRunner) -> None:
        """Note what it has left in tables that are there before the first year: dbt may have built some of them."""
        ContentsKeeper(self._facts, self._lasting).read_from_now_on(runner, by_stages=True)

    def hooks_done(self, runner: DbtRunner, year: int, stage: str) -> None:
        """Write that the hooks after a finished stage have returned."""
        runner.execute(self._writer.hooks_done(year, stage, self._ledger.elsewhere))

    def completed(self, runner: DbtRunner) -> None:
        """Write that the run is complete."""
        runner.execute(self._writer.run_completed(self._run.run_id, utc_now()))
