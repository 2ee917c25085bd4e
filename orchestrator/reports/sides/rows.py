"""The rows of one table of two sides, matched by key: which were added, removed or changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError, DatabaseError
from orchestrator.core.text import nearest, shown_years
from orchestrator.database.errors import known_database_error
from orchestrator.database.interruption import interruptibly
from orchestrator.database.sql import literal, quoted_name
from orchestrator.pipeline.year_column import YearColumn
from orchestrator.reports.sides.side import as_year

if TYPE_CHECKING:
    import duckdb

Columns = tuple[tuple[str, str], ...]  # (name, type)
Run = Callable[[str], list[tuple[object, ...]]]
_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMERIC = (*_SIGNED, *(f"U{name}" for name in _SIGNED), "FLOAT", "DOUBLE", "DECIMAL")
ADDED, REMOVED, CHANGED = "added", "removed", "changed"
KINDS = (ADDED, REMOVED, CHANGED)
ROWS_A_BATCH = 10_000
_THERE, _OF_KIND, _PLACE = (quoted_name(f"orchestrator {name}") for name in ("there", "kind", "place"))


@dataclass(frozen=True)
class RowsOfSide:
    """The rows of a table of one side in a Parquet file; ``side`` and ``table`` are names for people.

    ``database`` is where those of a scenario lie, and ``notes`` say what a reader has to know of it.
    """

    side: str
    table: str
    columns: Columns
    file: Path
    database: Path | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowCounts:
    """How many rows each side has, how many are alike, and how many are not."""

    first: int
    second: int
    same: int
    added: int
    removed: int
    changed: int


@dataclass(frozen=True)
class RowChange:
    """A row that one side alone has (``added`` to the first, ``removed`` from it), or one value that changed.

    ``column``, ``old`` and ``new`` are None for whole rows. Values are text, as DuckDB writes them; None is NULL.
    """

    kind: str
    key: tuple[str | None, ...]
    column: str | None = None
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True)
class MatchedColumns:
    """The columns of two tables: the ``key``, those ``compared``, and what cannot be.

    ``only_first`` and ``only_second`` are those that the other has not. ``other_types`` (name, type, type) are those
    whose types differ: two numbers are compared as numbers then, everything else as text.
    """

    key: tuple[str, ...]
    compared: tuple[str, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    other_types: tuple[tuple[str, str, str], ...]

    def as_text(self, name: str) -> bool:
        """Tell whether a column is compared as text."""
        types = next((types for one, *types in self.other_types if one == name), None)
        return types is not None and not all(kind.partition("(")[0] in NUMERIC for kind in types)


class RowComparison:
    """Two tables compared, open as long as :func:`row_comparison` holds them.

    ``changed_values`` is how many values changed in each column in which any did. ``notes`` are what a reader has to
    know, a sentence each.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        worker: ThreadPoolExecutor,
        columns: MatchedColumns,
        counts: RowCounts,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.columns = columns
        self.counts = counts
        self.notes = notes
        self._connection = connection
        self._worker = worker
        self.changed_values = self._changed_values()

    def first(self, count: int, kind: str) -> list[RowChange]:
        """Return the first changes of a kind, at most so many, in the order of the key."""
        return [_change(row) for row in _rows(self._worker, self._connection, f"{self._sql([kind])} limit {count}")]

    def changes(self) -> Iterator[RowChange]:
        """Yield all changes, kind by kind, each in the order of the key."""
        for kind in KINDS:
            own = self._connection.cursor()
            interruptibly(self._worker, own, partial(own.execute, self._sql([kind])))
            while rows := interruptibly(self._worker, own, partial(own.fetchmany, ROWS_A_BATCH)):
                yield from map(_change, rows)

    def relation(self) -> duckdb.DuckDBPyRelation:
        """Return all changes as a relation: ``kind``, the columns of the key, ``column``, ``old`` and ``new``."""
        return self._connection.sql(self._sql(KINDS))

    def _sql(self, kinds: Sequence[str]) -> str:
        keys = [f"{quoted_name(f'key {name}')}::varchar as {quoted_name(name)}" for name in self.columns.key]
        order = ", ".join(quoted_name(f"key {name}") for name in self.columns.key)
        parts = []
        for kind in kinds:
            whole = kind != CHANGED
            for place, name in enumerate(("",) if whole else self.columns.compared):
                old, new = quoted_name(f"old {name}"), quoted_name(f"new {name}")
                values = ["null", "null", "null"] if whole else [literal(name), old, new]
                where = "" if whole else f" and {_differ(self.columns, name, old, new)}"
                chosen = ", ".join(
                    [
                        f"{literal(kind)} as kind",
                        *keys,
                        f'{values[0]}::varchar as "column"',
                        f"{values[1]}::varchar as old",
                        f"{values[2]}::varchar as new",
                        f"{KINDS.index(kind)} as {_OF_KIND}, {place} as {_PLACE}, {order}",
                    ]
                )
                parts.append(f"select {chosen} from differing where state = {literal(kind)}{where}")
        if not parts:  # the key is all that there is
            return f"select * from ({self._sql((ADDED,))}) where false"
        hidden = f"{_OF_KIND}, {_PLACE}, {order}"
        return f"select * exclude ({hidden}) from ({' union all '.join(parts)}) order by {_OF_KIND}, {order}, {_PLACE}"

    def _changed_values(self) -> dict[str, int]:
        names = self.columns.compared
        if not names or not self.counts.changed:
            return {}
        olds_and_news = {name: (quoted_name(f"old {name}"), quoted_name(f"new {name}")) for name in names}
        tests = [_differ(self.columns, name, *both) for name, both in olds_and_news.items()]
        counts = ", ".join(f"count(*) filter (where {test})" for test in tests)
        sql = f"select {counts} from differing where state = '{CHANGED}'"
        (row,) = _rows(self._worker, self._connection, sql)
        return {name: int(str(count)) for name, count in zip(names, row, strict=True) if count}


@contextmanager
def row_comparison(
    first: RowsOfSide, second: RowsOfSide, key: Sequence[str], folder: Path, *, year: str | None = None
) -> Iterator[RowComparison]:
    """Compare the rows of two tables by their key; ``folder`` is where DuckDB keeps what it has no memory for.

    NULL is a value like any other, equal to itself alone. Rows are joined and compared by DuckDB over whole columns.
    ``year`` is the column of years, by which is said which years only one side has.

    Raises:
        ConfigurationError: a column of the key is in neither table, or the key is not unique.
        DatabaseError: DuckDB cannot do it, such as for want of space.
    """
    import duckdb  # slow to import

    columns = matched_columns(first, second, key)
    try:
        with duckdb.connect(str(folder / "rows.duckdb")) as connection, ThreadPoolExecutor(1) as worker:
            run = partial(_rows, worker, connection)
            for name, side in (("a", first), ("b", second)):
                run(f"create view {name} as from read_parquet({literal(side.file)})")
                _require_unique(run, name, side, columns.key)
            apart = () if year is None else tuple(_years_apart(run, year, first, second))
            notes = tuple(dict.fromkeys((*first.notes, *second.notes, *apart)))
            yield RowComparison(connection, worker, columns, _matched(run, columns), notes)
    except duckdb.Error as error:
        known = known_database_error(str(error), folder)
        raise known or DatabaseError(f"The rows of {first.table} cannot be compared: {_first_line(error)}.") from error


def matched_columns(first: RowsOfSide, second: RowsOfSide, key: Sequence[str]) -> MatchedColumns:
    """Match the columns of two tables by name, whose case is ignored; names are those of the first.

    Raises:
        ConfigurationError: no key is given, or a column of it is not in both.
    """
    own = {name.lower(): (name, kind) for name, kind in first.columns}
    others = {name.lower(): kind for name, kind in second.columns}
    if not key:
        raise ConfigurationError("Rows are matched by a key, and none is given.", to_fix="name its columns: --key K,K2")
    for name in key:
        for side, there in ((first, own), (second, others)):
            if name.lower() not in there:
                near = nearest(name.lower(), list(there))
                fix = f"{'' if near is None else f'write {near}; '}there are: {', '.join(there)}"
                raise ConfigurationError(f"{side.table} of {side.side} has no column {name!r}.", to_fix=fix)
    chosen = tuple(dict.fromkeys(own[name.lower()][0] for name in key))
    return MatchedColumns(
        key=chosen,
        compared=tuple(name for low, (name, _) in own.items() if low in others and name not in chosen),
        only_first=tuple(name for low, (name, _) in own.items() if low not in others),
        only_second=tuple(name for name, _ in second.columns if name.lower() not in own),
        other_types=tuple(
            (name, kind, others[low]) for low, (name, kind) in own.items() if low in others and kind != others[low]
        ),
    )


def _rows(worker: ThreadPoolExecutor, connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    """Run a statement, until Ctrl-C, and return its rows."""
    return interruptibly(worker, connection, lambda: connection.execute(sql).fetchall())


def _require_unique(run: Run, name: str, side: RowsOfSide, key: Sequence[str]) -> None:
    names = ", ".join(map(quoted_name, key))
    for row in run(f"select {names}, count(*) from {name} group by {names} having count(*) > 1 limit 1"):
        values = ", ".join("NULL" if value is None else str(value) for value in row[:-1])
        raise ConfigurationError(
            f"{', '.join(key)} is no key of {side.table} of {side.side}: {row[-1]:,} rows have {values}.",
            to_fix="name more columns in --key, so that each row has values of its own",
        )


def _years_apart(run: Run, name: str, first: RowsOfSide, second: RowsOfSide) -> Iterator[str]:
    """Say which years only one of two tables has."""
    years = []
    for view, side in (("a", first), ("b", second)):
        column = next((YearColumn.of(*one) for one in side.columns if one[0].lower() == name.lower()), None)
        if column is None:
            return
        found = (as_year(value) for (value,) in run(f"select distinct {column.number} from {view}"))
        years.append({year for year in found if year is not None})
    for side, own in ((first, years[0] - years[1]), (second, years[1] - years[0])):
        if own:
            yield f"Only {side.side} has rows of {shown_years(tuple(sorted(own)))}; --year compares one year."


def _matched(run: Run, columns: MatchedColumns) -> RowCounts:
    """Keep the rows that differ in the table ``differing``, and count all."""
    on = " and ".join("{} is not distinct from {}".format(*_cast_both(columns, name)) for name in columns.key)
    changed = " or ".join(_differ(columns, name, *_both(name)) for name in columns.compared) or "false"
    keys = ", ".join(
        f"case when b.{_THERE} is null then {old} else {new} end as {quoted_name(f'key {name}')}"
        for name in columns.key
        for old, new in (_cast_both(columns, name),)
    )
    values = "".join(
        f", {old} as {quoted_name(f'old {name}')}, {new} as {quoted_name(f'new {name}')}"
        for name in columns.compared
        for old, new in (_both(name),)
    )
    run(
        f"create table differing as select case when a.{_THERE} is null then '{ADDED}' when b.{_THERE} is null then "
        f"'{REMOVED}' else '{CHANGED}' end as state, {keys}{values} "
        f"from (select *, true as {_THERE} from a) as a full join (select *, true as {_THERE} from b) as b on {on} "
        f"where a.{_THERE} is null or b.{_THERE} is null or {changed}"
    )
    ((first, second),) = run("select (select count(*) from a), (select count(*) from b)")
    found = {str(state): int(str(count)) for state, count in run("select state, count(*) from differing group by all")}
    removed, differs = found.get(REMOVED, 0), found.get(CHANGED, 0)
    whole = int(str(first))
    return RowCounts(whole, int(str(second)), whole - removed - differs, found.get(ADDED, 0), removed, differs)


def _both(name: str) -> tuple[str, str]:
    return f"a.{quoted_name(name)}", f"b.{quoted_name(name)}"


def _cast_both(columns: MatchedColumns, name: str) -> tuple[str, str]:
    old, new = _both(name)
    return (f"{old}::varchar", f"{new}::varchar") if columns.as_text(name) else (old, new)


def _differ(columns: MatchedColumns, name: str, old: str, new: str) -> str:
    if columns.as_text(name):
        old, new = f"{old}::varchar", f"{new}::varchar"
    return f"{old} is distinct from {new}"


def _change(row: tuple[object, ...]) -> RowChange:
    kind, *key, column, old, new = (None if value is None else str(value) for value in row)
    return RowChange(str(kind), tuple(key), column, old, new)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
