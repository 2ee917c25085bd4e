"""Find values of a run history that are not of the kind that their columns have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import URL, Dialect, Engine, Table
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.core.errors import StorageCorruptionError
from orchestrator.core.text import plural
from orchestrator.storage.columns import Checked, DamagedValueError
from orchestrator.storage.error_translation import DAMAGED_FIX, shown
from orchestrator.storage.models import Base

RUNS = "workflow_runs"
Rows = Callable[[str], Iterable[Sequence[object]]]  # of a statement, as the driver gives them


@dataclass(frozen=True)
class Damage:
    """A damaged value: its table and column, and the id of its run where it is one of a run."""

    table: str
    column: str
    run_id: str | None

    def __str__(self) -> str:
        place = f"{self.column} in {self.table}"
        return place if self.run_id is None else f"{place}, of run {self.run_id}"


def damages(rows: Rows, dialect: Dialect) -> Iterator[Damage]:
    """Yield the damaged values of a run history, all of which is read."""
    for table in Base.metadata.sorted_tables:
        names = [column.name for column in table.columns]
        key = "id" if table.name == RUNS else "run_id" if "run_id" in names else None
        checks = _checks(table, dialect)
        for row in rows(f"select {', '.join(names)} from {table.name}"):
            for place, check in checks:
                if _is_damaged(check, row[place]):
                    yield Damage(table.name, names[place], None if key is None else str(row[names.index(key)]))


def _checks(table: Table, dialect: Dialect) -> list[tuple[int, Callable[[object], object]]]:
    types = [(place, column.type.dialect_impl(dialect)) for place, column in enumerate(table.columns)]
    return [(place, kind.result_processor(dialect, None)) for place, kind in types if isinstance(kind, Checked)]


def _is_damaged(check: Callable[[object], object], stored: object) -> bool:
    try:
        check(stored)
    except DamagedValueError:
        return True
    return False


def damage_error(url: URL, found: Sequence[Damage]) -> StorageCorruptionError:
    """Return the error that names the first of some damaged values, and how many others there are."""
    first = str(found[0]) if found else "a value"
    others = f" ({plural(len(found), 'damaged value')} in all)" if len(found) > 1 else ""
    message = f"The run history {shown(url)} is damaged: {first}, is not what was written there{others}."
    return StorageCorruptionError(
        message, to_fix=DAMAGED_FIX if url.get_backend_name() == "sqlite" else "name another database in storage.url"
    )


def damage_in(engine: Engine, url: URL) -> StorageCorruptionError:
    """Return the error of a history in which a damaged value was met."""
    try:
        with engine.connect() as connection:
            return damage_error(url, list(damages(connection.exec_driver_sql, engine.dialect)))
    except SQLAlchemyError:  # worse than that one value; it is told without its place
        return damage_error(url, ())
