"""One run and the ledger of its database: where it begins, what it finished, what it carries over."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ContinuityError, YearSequenceError
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.database.sql import quoted_name
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.results import DbtResult
from orchestrator.ledger.reading import (
    FinishedStage,
    Ledger,
    LedgerRun,
    ledger_version,
    read_carried,
    read_ledger,
    upgrade_statements,
)
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.pipeline.fingerprint import components, fingerprint
from orchestrator.pipeline.resume import Loss, Start, find_start
from orchestrator.pipeline.workflow import SimulationPlan
from orchestrator.pipeline.year_tables import YearTables, count_rows, require_year_column, with_years


@dataclass(frozen=True)
class Purge:
    """Rows that were removed before a run began: how many, and of which tables."""

    rows: int
    tables: tuple[RelationName, ...]


class RunLedger:
    """Reads and writes the ledger for one run over one parsed project.

    ``carried`` are the models of tier ``state``: what a year reads of the year before. ``lasting`` are the unique ids
    of the other required tables: they are there before the first year.
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
    ) -> None:
        self.components = components(facts, plan)
        self.fingerprint = fingerprint(self.components)
        self._plan = plan
        self._facts = facts
        self._carried = carried
        self._lasting = lasting
        self._ledger = Ledger()
        self._year_column = year_column
        self._writer = LedgerWriter(facts.ledger_database)
        self._run = LedgerRun(run_id, scenario, self.fingerprint, self.components, plan.years[0], plan.years[-1])
        self._holding: tuple[NodeFacts, ...] = ()
        self._rows_at_end: dict[str, int] = {}
        self._looked_at: frozenset[str] = frozenset()

    def find_start(self, reader: DatabaseReader, *, fresh: bool) -> Start:
        """Decide where the run begins; see :func:`orchestrator.pipeline.resume.find_start`.

        Raises:
            YearSequenceError: the year before the range is not there, not whole, or made of something else.
        """
        catalog = reader.catalog()
        self._ledger = ledger = read_ledger(reader, self._facts.ledger_database)
        counts = self._counts(reader, catalog, ledger)
        start = find_start(self._plan, ledger, self.components, counts, self._gone(catalog, ledger), fresh=fresh)
        first, beginning = self._plan.years[0], self._plan.first_year
        if first > beginning:
            YearTables.of(self._facts, catalog, self._year_column).require_year_before(first, beginning, reader)
            self._require_carried(catalog)
        return start

    @property
    def previous_run_id(self) -> str | None:
        """Return the run that began last before this one, None where the ledger knows none."""
        return self._ledger.last_run_id()

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
        own = self._facts.ledger_database.lower()
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
        """Remove what is built again and write that the run began, in one transaction.

        A run from the very beginning drops its tables, so that a changed model gets its new columns; others lose rows.
        """
        catalog = runner.catalog()
        dropped = self._dropped(runner, catalog, start)
        tables = YearTables.of(self._facts, catalog, self._year_column)
        kept = {node.relation for node in self._facts.nodes if node.unique_id in start.kept_nodes}
        gone = {node.relation for node in dropped}
        holding = tuple(t for t in tables.holding(f">= {start.purge_from}", runner) if t not in gone)
        purge = tables.only(holding).purge_statements(start.purge_from, start.year, kept)
        emptied = [node.relation for node in dropped if catalog.relations[node.relation].kind == "table"]
        counts = count_rows(emptied, runner)
        version = ledger_version(runner, self._facts.ledger_database)
        cascade = self._facts.capabilities.drop_cascade
        point = None if start.point is None else (start.year, start.stage)
        affected = runner.execute(
            [
                *upgrade_statements(version, self._facts.ledger_database),
                *self._writer.forget(start.purge_from, start.kept_stages),
                *self._writer.run_started(self._run, utc_now(), point),
                *(catalog.drop_statement(node.relation, cascade=cascade) for node in dropped),
                *purge,
            ]
        )
        for node in self._carried:
            if node.relation in gone:
                runner.create_empty(node)
        whole = with_years([node.relation for node in self._carried], runner.catalog(), self._year_column)
        self._holding = tuple(node for node in self._carried if node.relation in whole)
        removed = [*zip(emptied, counts, strict=True)]
        removed += zip(holding, affected[len(affected) - len(purge) :], strict=True)
        tables_with_rows = tuple(table for table, count in removed if count > 0)
        return Purge(sum(count for _, count in removed if count > 0), tables_with_rows)

    def _from_nothing(self, start: Start) -> bool:
        return start.year == self._plan.first_year and not start.kept_stages

    def _dropped(self, runner: DbtRunner, catalog: Catalog, start: Start) -> list[NodeFacts]:
        """Return what a run from the very beginning builds again: tables of years, and what its stages built before.

        A table that also holds earlier years than those of the simulation is not among them.
        """
        if not self._from_nothing(start):
            return []
        staged = {unique_id for stage in self._ledger.stages for unique_id in stage.nodes}
        nodes = [n for n in self._facts.nodes if n.materialized in ("incremental", "snapshot")]
        there = [n for n in nodes if n.unique_id not in self._lasting and catalog.get(n.relation) is not None]
        dated = with_years([node.relation for node in there], catalog, self._year_column)
        earlier = set(YearTables(dated, self._year_column).holding(f"< {start.purge_from}", runner))
        return [
            node
            for node in there
            if (node.unique_id in staged if node.relation not in dated else node.relation not in earlier)
        ]

    def require_whole(self, runner: DbtRunner, year: int) -> None:
        """Make sure that a year's carried-over rows are still there before the next one reads them.

        Raises:
            ContinuityError: a table holds fewer or more rows of ``year`` than when it ended.
        """
        catalog = runner.catalog()
        there = tuple(node for node in self._holding if catalog.get(node.relation) is not None)
        counts = self._count(runner, there, year)
        rows = {node.unique_id: count for node, count in zip(there, counts, strict=True)}
        for node in self._holding:
            expected = self._rows_at_end.get(node.unique_id, 0)
            found = rows.get(node.unique_id, 0)
            if found != expected:
                loss = Loss(year, node.name, expected, found)
                raise ContinuityError(
                    f"Year {year + 1} cannot be simulated: {loss.words()}. Something outside this run changed them.",
                    to_fix="find out what deletes rows during a run (a hook?), then run again; the run resumes after "
                    "the last complete year",
                )

    def stage_finished(
        self, runner: DbtRunner, year: int, stage: str, result: DbtResult, seconds: float, *, hooks_done: bool
    ) -> None:
        """Write that a stage is in the database; with the last stage of a year, also what it carries over.

        ``hooks_done`` tells that no hooks follow it.

        Raises:
            ConfigurationError: the stage appends to a table out of which a year could not be taken again.
        """
        nodes = frozenset(node.unique_id for node in result.nodes)
        if not nodes <= self._looked_at:
            self._look_at(runner, nodes)
        rows = sum(node.rows or 0 for node in result.nodes if node.resource_type != "test" and (node.rows or 0) > 0)
        finished = FinishedStage(year, stage, self.fingerprint, nodes, rows, seconds, hooks_done)
        last = stage == self._plan.stages_of(year)[-1].name
        carried = self._carry(year) if last else ()
        runner.execute([*self._writer.stage_finished(self._run, finished, utc_now()), *carried])
        if last:
            self._remember(runner, year)

    def _look_at(self, runner: DbtRunner, nodes: frozenset[str]) -> None:
        known = [node for unique_id in sorted(nodes) if (node := self._facts.node(unique_id)) is not None]
        if any(node.appends for node in known):
            require_year_column(known, runner.catalog(), self._year_column)
        self._looked_at |= nodes

    def year_ended(self, runner: DbtRunner, year: int) -> None:
        """Count again what a year carries over, after hooks that may have changed it.

        Raises:
            ContinuityError: a table of it is gone.
        """
        catalog = runner.catalog()
        for node in self._holding:
            if catalog.get(node.relation) is None:
                raise ContinuityError(
                    f"The table {node.name}, which carries {year} over to the next year, does not exist any more.",
                    to_fix="find what drops tables while a simulation runs (a hook?), and run again",
                )
        runner.execute(self._carry(year))
        self._remember(runner, year)

    def hooks_done(self, runner: DbtRunner, year: int, stage: str) -> None:
        """Write that the hooks after a finished stage have returned."""
        runner.execute(self._writer.hooks_done(year, stage))

    def completed(self, runner: DbtRunner) -> None:
        """Write that the run is complete."""
        runner.execute(self._writer.run_completed(self._run.run_id, utc_now()))

    def _carry(self, year: int) -> tuple[str, ...]:
        return tuple(text for node in self._holding for text in self._writer.carried(year, node, self._year_column))

    def _remember(self, runner: DbtRunner, year: int) -> None:
        """Read what the ledger has just counted, so that it is not counted twice."""
        self._rows_at_end = read_carried(runner, self._facts.ledger_database, year) if self._holding else {}

    def _count(self, runner: DbtRunner, nodes: tuple[NodeFacts, ...], year: int) -> list[int]:
        return count_rows([node.relation for node in nodes], runner, f"where {quoted_name(self._year_column)} = {year}")

    def _counts(self, reader: DatabaseReader, catalog: Catalog, ledger: Ledger) -> dict[tuple[int, str], int]:
        counts: dict[tuple[int, str], int] = {}
        for unique_id in sorted({node for _, node in ledger.carried}):
            node = self._facts.node(unique_id)
            if node is None or not with_years([node.relation], catalog, self._year_column):
                continue
            column = quoted_name(self._year_column)
            rows = reader.query(f"select {column}, count(*) from {node.relation.quoted()} group by 1")
            counts |= {(int(str(year)), unique_id): int(str(count)) for year, count in rows if year is not None}
        return counts

    def _gone(self, catalog: Catalog, ledger: Ledger) -> dict[str, str]:
        """Return the names of what finished stages built and what does not exist any more, by unique id."""
        built = {unique_id: self._facts.node(unique_id) for stage in ledger.stages for unique_id in stage.nodes}
        return {
            unique_id: node.name
            for unique_id, node in sorted(built.items())
            if node is not None and node.leaves_relation and catalog.get(node.relation) is None
        }

    def _require_carried(self, catalog: Catalog) -> None:
        lost = [node.name for node in self._carried if catalog.get(node.relation) is None]
        if lost:
            first, last = self._plan.years[0], self._plan.years[-1]
            raise YearSequenceError(
                f"Year {first} reads {', '.join(lost)} of {first - 1}, and that table does not exist any more.",
                to_fix=f"run `orchestrator simulate {self._plan.first_year}-{last}`",
            )
