"""Catalog of a database: relations with their columns, as one snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.database.names import RelationName

TEMPORARY_SUFFIXES = ("__dbt_tmp", "__dbt_backup")


@dataclass(frozen=True)
class Relation:
    """A table or view that exists; ``columns`` are (name, database type) in order."""

    kind: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Catalog:
    """The relations of one database at one moment, without dbt's leftover temporary ones.

    ``unseen`` are the databases beside it, by name, that could not be looked at, and why.
    """

    relations: dict[RelationName, Relation] = field(default_factory=dict)
    unseen: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: RelationName) -> Relation | None:
        """Return the relation of that name, None when there is none."""
        return self.relations.get(name)

    def drop_statement(self, name: RelationName, *, cascade: bool) -> str:
        """Return the statement that drops the relation of that name as what it is; it may be gone by then.

        ``cascade`` takes along what depends on it, where the database would not let it go otherwise.
        """
        relation = self.get(name)
        kind = relation.kind if relation is not None else "table"
        return f"drop {kind} if exists {name.quoted()}{' cascade' if cascade else ''}"

    def tables_with_column(self, names: Iterable[RelationName], column: str) -> tuple[RelationName, ...]:
        """Return those of ``names`` that exist as a table and have ``column``, in the given order."""
        wanted = column.lower()
        return tuple(
            name
            for name in names
            if (relation := self.get(name)) is not None
            and relation.kind == "table"
            and any(found.lower() == wanted for found, _ in relation.columns)
        )


def catalog_of_rows(rows: Iterable[Sequence[object]]) -> Catalog:
    """Build a snapshot out of rows (database, schema, relation, kind, column, type) in column order."""
    kinds: dict[tuple[object, object, object], object] = {}
    columns: dict[tuple[object, object, object], list[tuple[str, str]]] = {}
    for database, schema, name, kind, column, data_type, *_ in rows:
        key = (database, schema, name)
        if key not in kinds:
            kinds[key], columns[key] = kind, []
        if column is not None:
            columns[key].append((str(column), str(data_type)))
    return Catalog(
        {
            RelationName.of(str(database), str(schema), str(name)): Relation(str(kind), tuple(columns[key]))
            for key, kind in kinds.items()
            for database, schema, name in (key,)
            if not str(name).endswith(TEMPORARY_SUFFIXES)
        }
    )
