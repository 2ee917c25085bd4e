"""State of the database before a stage: its relations, and those for which dbt would send more than usual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.database.capabilities import Capabilities
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.replay.recording import Recording

# Tables with an index, those with leftovers of dbt, and an empty name where there is any foreign key.
UNUSUAL_SQL = """
select database_name, schema_name, table_name from duckdb_indexes()
union all
select database_name, schema_name, regexp_replace(table_name, '__dbt_(tmp|backup).*', '')
from duckdb_tables() where not temporary and table_name similar to '.*__dbt_(tmp|backup).*'
union all
select database_name, schema_name, regexp_replace(view_name, '__dbt_(tmp|backup).*', '')
from duckdb_views() where not temporary and view_name similar to '.*__dbt_(tmp|backup).*'
union all
select distinct '', '', '' from duckdb_constraints() where constraint_type = 'FOREIGN KEY'
"""


@dataclass(frozen=True)
class DatabaseState:
    """The relations of the database, and the names of those for which dbt sends more than usual."""

    catalog: Catalog
    unusual: frozenset[RelationName]

    @classmethod
    def of(cls, database: DatabaseReader, capabilities: Capabilities) -> DatabaseState:
        """Look at a database; what is unusual matters only where statements are replayable."""
        rows = database.query(UNUSUAL_SQL) if capabilities.replayable else []
        unusual = frozenset(RelationName.of(str(place), str(schema), str(name)) for place, schema, name in rows)
        return cls(database.catalog(), unusual)

    def unusual_for(self, relations: Iterable[RelationName]) -> bool:
        """Tell whether dbt would look after indexes, foreign keys or leftovers of one of these."""
        return RelationName("", "", "") in self.unusual or not self.unusual.isdisjoint(relations)

    def fit(self, recording: Recording) -> bool:
        """Tell whether the relations of a recording are as they were before it was recorded."""
        same = all(self.catalog.get(name) == relation for name, relation in recording.before)
        return same and not self.unusual_for(name for name, _ in recording.before)
