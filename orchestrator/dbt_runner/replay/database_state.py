"""State of the database before a stage: its relations, and those for which dbt would send more than usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.database.capabilities import Capabilities
from orchestrator.database.catalog import Catalog
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.replay.recording import Recording

# Tables with an index and its name, those with leftovers of dbt, and an empty name where there is any foreign key; one
# with an empty index where there is any sequence.
UNUSUAL_SQL = """
select database_name, schema_name, table_name, index_name from duckdb_indexes()
union all
select database_name, schema_name, regexp_replace(table_name, '__dbt_(tmp|backup).*', ''), null
from duckdb_tables() where not temporary and table_name similar to '.*__dbt_(tmp|backup).*'
union all
select database_name, schema_name, regexp_replace(view_name, '__dbt_(tmp|backup).*', ''), null
from duckdb_views() where not temporary and view_name similar to '.*__dbt_(tmp|backup).*'
union all
select distinct '', '', '', '' from duckdb_sequences()
union all
select distinct '', '', '', null from duckdb_constraints() where constraint_type = 'FOREIGN KEY'
"""


@dataclass(frozen=True)
class DatabaseState:
    """The relations of the database, and those for which dbt sends more than usual.

    ``unusual`` are the names of those with leftovers of dbt, an empty name where there is a foreign key; ``indexes``
    the names of the indexes of those that have some. ``counts_up`` tells that there is a sequence.
    """

    catalog: Catalog
    unusual: frozenset[RelationName]
    indexes: Mapping[RelationName, tuple[str, ...]] = field(default_factory=dict)
    counts_up: bool = False

    @classmethod
    def of(cls, database: DatabaseReader, capabilities: Capabilities) -> DatabaseState:
        """Look at a database; what is unusual matters only where statements are replayable."""
        rows = database.query(UNUSUAL_SQL) if capabilities.replayable else []
        unusual: set[RelationName] = set()
        indexes: dict[RelationName, tuple[str, ...]] = {}
        for place, schema, name, index in rows:
            relation = RelationName.of(str(place), str(schema), str(name))
            if index is None:
                unusual.add(relation)
            else:
                indexes[relation] = tuple(sorted((*indexes.get(relation, ()), str(index))))
        counts_up = indexes.pop(RelationName("", "", ""), None) is not None
        return cls(database.catalog(), frozenset(unusual), indexes, counts_up)

    def unusual_for(self, relations: Iterable[RelationName]) -> bool:
        """Tell whether dbt would look after foreign keys or leftovers of one of these."""
        return RelationName("", "", "") in self.unusual or not self.unusual.isdisjoint(relations)

    def unfit(self, recording: Recording) -> str | None:
        """Return why a recording that was made in this state cannot be sent again, None where it can."""
        if self.counts_up and recording.has_hooks:
            return "a hook may use a sequence of the database, which no transaction takes back"
        return recording.unfit({one.result.unique_id: one.compiled for one in recording.parts})

    def fit(self, recording: Recording) -> bool:
        """Tell whether the relations of a recording are as they were before it was recorded."""
        same = all(self.catalog.get(name) == relation for name, relation in recording.before)
        same = same and all(self.indexes.get(name, ()) == indexes for name, indexes in recording.indexes)
        same = same and not (self.counts_up and recording.has_hooks)
        return same and not self.unusual_for(name for name, _ in recording.before)
