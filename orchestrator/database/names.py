"""The full names of relations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from orchestrator.database.sql import quoted_name


@dataclass(frozen=True)
class RelationName:
    """A relation's full name; comparison ignores case, as DuckDB and dbt do.

    >>> RelationName.of("Db", "main", "T") == RelationName.of("db", "MAIN", "t")
    True
    """

    database: str
    schema: str
    name: str

    @classmethod
    def of(cls, database: str | None, schema: str | None, name: str) -> RelationName:
        """Make a name in the form in which names are compared."""
        return _relation_name(database, schema, name)

    def quoted(self) -> str:
        """Return the name for use in SQL, each part in double quotes.

        >>> RelationName.of(None, "main", "t").quoted()
        '"main"."t"'
        """
        return quoted_name(self.database, self.schema, self.name)


@dataclass(frozen=True)
class SchemaName:
    """The name of a schema in a database, whose name may be empty: then it is the connection's own.

    >>> SchemaName("db", "s").quoted(), SchemaName("", "s").relation("T").quoted()
    ('"db"."s"', '"s"."t"')
    """

    database: str
    schema: str

    def quoted(self) -> str:
        """Return the name for use in SQL, each part in double quotes."""
        return quoted_name(self.database, self.schema)

    def relation(self, name: str) -> RelationName:
        """Return the name of a relation in it."""
        return RelationName.of(self.database, self.schema, name)

    def holds(self, name: RelationName) -> bool:
        """Tell whether a relation is in it."""
        return (name.database, name.schema) == (self.database.lower(), self.schema.lower())


@lru_cache(maxsize=10_000)  # every look at a database names the same relations
def _relation_name(database: str | None, schema: str | None, name: str) -> RelationName:
    return RelationName((database or "").lower(), (schema or "").lower(), name.lower())
