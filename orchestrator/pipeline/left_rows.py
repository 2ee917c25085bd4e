"""What the stages of a run leave in their tables, noted in the ledger: rows of years, and tables that are built whole.

Something else may change them between two runs. The next one compares, and simulates again what is not what it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestrator.database.catalog import Catalog
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.pipeline.resume import Loss
from orchestrator.pipeline.stage_files import StageFiles
from orchestrator.pipeline.stage_tables import StageTables
from orchestrator.pipeline.watched_years import WatchedYears


class LeftRows:
    """Statements that note what a run has left, as far as it has come.

    ``tables`` are those that stages build whole, ``files`` those that they write.
    """

    def __init__(self, facts: ProjectFacts, years: WatchedYears, tables: StageTables, files: StageFiles) -> None:
        self._years = years
        self._tables = tables
        self._files = files
        self._writer = LedgerWriter.of(facts)
        self._year: int | None = None
        self._built: set[str] = set()

    def begin(self, runner: DbtRunner, year: int, kept: Iterable[str], staged: Iterable[str]) -> None:
        """Begin with ``year``, of which the nodes ``kept`` are built; ``staged`` are those of all finished stages."""
        self._year, self._built = year, set(kept)
        self._tables.begin(runner, staged)
        self._files.begin(staged)

    def by_stage(self, runner: DbtRunner, year: int, built: Collection[str], *, last: bool) -> tuple[str, ...]:
        """State what a stage has left that ``built`` these nodes (unique ids); ``last``: with it the year is whole."""
        if year != self._year:
            self._year, self._built = year, set()
        self._built |= set(built)
        rows = self.of_year(runner, year) if last else self._so_far(runner, year, frozenset(built))
        return (*rows, *self._tables.left(runner, built), *self._files.left(runner, built))

    def by_hooks(self, runner: DbtRunner, year: int, catalog: Catalog) -> tuple[str, ...]:
        """State what is there after hooks in the middle of a year; ``catalog`` because they may have dropped tables."""
        built = frozenset(self._built) if year == self._year else frozenset()
        statements = self._so_far(runner, year, built, catalog)
        return (*statements, *self._whole_by_hooks(runner))

    def by_hooks_of_year(self, runner: DbtRunner, year: int, catalog: Catalog) -> tuple[str, ...]:
        """State what is there after the hooks at the end of a year."""
        return (*self.of_year(runner, year, catalog), *self._whole_by_hooks(runner))

    def by_last_hooks(self, runner: DbtRunner, year: int, catalog: Catalog) -> tuple[str, ...]:
        """State which rows there are of all years after hooks that follow the last, ``year``."""
        counts = [
            statement
            for one, rows in sorted(self._years.count_again(runner, catalog).items())
            for statement in self._writer.year_rows(one, rows, of=rows)
        ]
        digests = self._writer.year_digests(*self._years.note_digests(runner, year, catalog=catalog))
        return (*counts, *digests, *self._whole_by_hooks(runner))

    def by_first_hooks(self, runner: DbtRunner, losses: Iterable[Loss]) -> tuple[str, ...]:
        """State what hooks before the years have left of tables without years, where it is not what was noted."""
        lost = {loss.node for loss in losses}
        self._tables.begin(runner, lost)
        self._files.begin(lost)
        return self._whole_by_hooks(runner)

    def _whole_by_hooks(self, runner: DbtRunner) -> tuple[str, ...]:
        return (*self._tables.left_by_hooks(runner), *self._files.left_by_hooks(runner))

    def of_year(self, runner: DbtRunner, year: int, catalog: Catalog | None = None) -> tuple[str, ...]:
        """State how many rows tables hold of a whole year, and which rows of all; ``catalog`` as after hooks."""
        digests = self._writer.year_digests(*self._years.note_digests(runner, year, catalog=catalog))
        return (*self._writer.year_rows(year, self._years.rows_of(year)), *digests)

    def _so_far(
        self, runner: DbtRunner, year: int, built: frozenset[str], catalog: Catalog | None = None
    ) -> tuple[str, ...]:
        """State the rows of a year that is not whole yet: of what is ``built``, and after hooks which of all years."""
        noted = built if catalog is None else None
        digests = self._writer.year_digests(*self._years.note_digests(runner, year, noted, catalog))
        rows = {node: count for node, count in self._years.rows_of(year).items() if node in built}
        return (*(self._writer.year_rows(year, rows, of=rows) if rows else ()), *digests)
