"""The tables that a run adds years to, watched: a stage may change the rows of its own year alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.core.errors import ContinuityError
from orchestrator.core.formats import told_loss
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.transactions import execute_apart
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.contents import rows_differ
from orchestrator.pipeline.year_column import YearColumn
from orchestrator.pipeline.year_rows import (
    ChangedYear,
    Year,
    changed_years,
    count_years,
    digest_years,
    other_years_written,
    take_back,
)
from orchestrator.pipeline.year_tables import counted_by_years

WHO_WRITES = (
    "find out what else writes to it during a run (a hook, or the post-hook of another model?), then run again; the "
    "run resumes after the last complete year"
)


class WatchedYears:
    """Counts of each year's rows in the incremental and carried-over tables of a run, as they were last counted.

    ``lasting`` are the unique ids of tables that are there before the first year: they are watched once a stage
    builds them. A model that says that it changes rows of other years is not watched.
    """

    def __init__(
        self, facts: ProjectFacts, carried: tuple[NodeFacts, ...], lasting: frozenset[str], year_column: str
    ) -> None:
        self._carried = carried
        self._models = tuple(model for model in facts.models() if model.unique_id not in lasting)
        self._year_column = year_column
        self._nodes: dict[RelationName, NodeFacts] = {}
        self._columns: dict[RelationName, YearColumn] = {}
        self._facts = facts
        self._rows: dict[RelationName, dict[Year, int]] = {}
        self._digests: dict[tuple[int, str], str] = {}

    def begin(self, runner: DbtRunner, digests: Mapping[tuple[int, str], str]) -> None:
        """Find the tables that exist, and count what they hold; ``digests`` are what the ledger knows of their rows."""
        self._digests = dict(digests)
        self.add((*self._carried, *self._models), runner.catalog())
        self._rows = count_years(self._columns, runner)

    def add(self, nodes: Iterable[NodeFacts], catalog: Catalog) -> None:
        """Watch the tables of these nodes as well, as far as they add years; so far they held nothing."""
        wanted = {node.relation: node for node in (*nodes, *self._carried)}
        carried = {node.unique_id for node in self._carried}
        for relation, column in counted_by_years(wanted.values(), carried, catalog, self._year_column).items():
            if relation not in self._nodes:
                self._nodes[relation], self._columns[relation] = wanted[relation], column
                self._rows[relation] = {}

    def rows_of(self, year: int) -> dict[str, int]:
        """Return how many rows of a year each table held when it was last counted, by unique id."""
        return {node.unique_id: self._rows[table].get(year, 0) for table, node in self._nodes.items()}

    def count_again(self, runner: DbtRunner, catalog: Catalog) -> dict[int, dict[str, int]]:
        """Count all rows again, after hooks that may have changed any; return those that are others, by year and id."""
        there = {table: column for table, column in self._columns.items() if catalog.get(table) is not None}
        before, self._rows = self._rows, {**self._rows, **count_years(there, runner)}
        changed: dict[int, dict[str, int]] = {}
        for table in there:
            now = self._rows[table]
            for year in {*before[table], *now}:
                if isinstance(year, int) and before[table].get(year, 0) != now.get(year, 0):
                    changed.setdefault(year, {})[self._nodes[table].unique_id] = now.get(year, 0)
        return changed

    def require_known(self, known: Mapping[tuple[int, str], int], but_year: int) -> None:
        """Make sure that tables hold the rows that the ledger knows of, ``but_year`` aside.

        Raises:
            ContinuityError: a table holds fewer or more rows of another year.
        """
        tables = {node.unique_id: table for table, node in self._nodes.items()}
        lost = [
            told_loss(self._nodes[tables[node]].name, year, expected=rows, found=found)
            for (year, node), rows in sorted(known.items())
            if year != but_year and node in tables and (found := self._rows[tables[node]].get(year, 0)) != rows
        ]
        if lost:
            raise ContinuityError(_unexpected(but_year, lost), to_fix=WHO_WRITES)

    def note_digests(
        self, runner: DbtRunner, year: int, built: frozenset[str] | None = None, catalog: Catalog | None = None
    ) -> tuple[dict[tuple[int, str], str], frozenset[str]]:
        """Digest the rows of each year of the tables that were ``built`` (unique ids), or of all.

        Return what the ledger does not know of it, by (year, unique id), and the unique ids of the tables whose rows of
        years before ``year`` are others than before. ``catalog`` is what there is, where a hook may have dropped one.
        """
        tables = {
            table: self._columns[table]
            for table, node in self._nodes.items()
            if (built is None or node.unique_id in built) and (catalog is None or catalog.get(table) is not None)
        }
        found = {
            (one, self._nodes[table].unique_id): text
            for table, years in digest_years(tables, self._rows, self._facts, runner).items()
            for one, text in years.items()
        }
        reaching = frozenset(
            node
            for (one, node), text in found.items()
            if one < year and rows_differ(self._digests.get((one, node)), text, whatever_columns=True)
        )
        new = {key: text for key, text in found.items() if key[0] == year or self._digests.get(key) != text}
        self._digests |= found
        return new, reaching

    def rows_before(self, year: int) -> dict[RelationName, int]:
        """Return how many rows of earlier years, or of none, each table held when it was last counted."""
        return {
            table: sum(count for one, count in rows.items() if one is None or (not isinstance(one, str) and one < year))
            for table, rows in self._rows.items()
        }

    def stage_done(self, runner: DbtRunner, year: int, stage: str, built: frozenset[str], *, all_tables: bool) -> None:
        """Count what a stage left in the tables that it ``built`` (unique ids), or in ``all_tables``, and compare.

        Raises:
            OtherYearsWrittenError: a table that it built holds other rows of other years; those of years that it held
                none of are removed again.
            ContinuityError: so does a table that it did not build.
        """
        tables = [table for table, node in self._nodes.items() if all_tables or node.unique_id in built]
        found = count_years({table: self._columns[table] for table in tables}, runner)
        changes: dict[RelationName, tuple[ChangedYear, ...]] = {
            table: changed
            for table, rows in found.items()
            if self._nodes[table].unique_id in built and (changed := changed_years(self._rows[table], rows, year))
        }
        if changes:
            undo = [
                (table, text)
                for table, changed in changes.items()
                for text in take_back(table, self._columns[table], changed)
            ]
            execute_apart(runner.execute, self._facts.ledger.database, undo)
            told = [(self._nodes[table], changed) for table, changed in changes.items()]
            raise other_years_written(told, year, stage, self._year_column)
        self._keep(found, year)

    def require_unchanged(self, runner: DbtRunner, but_year: int) -> None:
        """Count all tables again, and make sure that they hold what they held, ``but_year`` aside.

        A table that was not there before may hold what it likes: whoever made it put that there.

        Raises:
            ContinuityError: a table holds fewer or more rows of another year.
        """
        catalog = runner.catalog()
        known = dict(self._nodes)
        self.add((*self._carried, *self._models), catalog)
        there = [relation for relation in self._nodes if catalog.get(relation) is not None]
        counted = count_years({relation: self._columns[relation] for relation in there}, runner)
        self._rows |= {relation: rows for relation, rows in counted.items() if relation not in known}
        self._keep({relation: counted.get(relation, {}) for relation in known}, but_year)

    def require_carried(self, runner: DbtRunner, year: int) -> None:
        """Make sure that what a year leaves for the next is still there.

        Raises:
            ContinuityError: a table that carries rows over is gone.
        """
        catalog = runner.catalog()
        for node in self._carried:
            if node.relation in self._nodes and catalog.get(node.relation) is None:
                raise ContinuityError(
                    f"The table {node.name}, which carries {year} over to the next year, does not exist any more.",
                    to_fix="find what drops tables while a simulation runs (a hook?), and run again",
                )

    def _keep(self, found: dict[RelationName, dict[Year, int]], but_year: int) -> None:
        for relation, rows in found.items():
            changed = changed_years(self._rows[relation], rows, but_year)
            if changed:
                name = self._nodes[relation].name
                lost = [told_loss(name, one.year, expected=one.before, found=one.after) for one in changed]
                raise ContinuityError(_unexpected(but_year, lost), to_fix=WHO_WRITES)
        self._rows |= found


def _unexpected(year: int, lost: list[str]) -> str:
    return f"Year {year} cannot be simulated: {'; '.join(lost)}. No stage that builds this table did that."
