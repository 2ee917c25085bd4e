"""What one look at a database shows of the nodes of a project: relations, functions, files."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from orchestrator.core.errors import DatabaseError, DbtError
from orchestrator.database.catalog import Catalog, Relation
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts

FUNCTION = Relation("function", ())
NO_FILE = "No files found"


class Sight:
    """One look through an open reader; ``catalog`` is the snapshot that it took."""

    def __init__(self, reader: DatabaseReader, facts: ProjectFacts) -> None:
        self._reader = reader
        self._refusals: dict[str, str | None] = {}
        self._functions_sql = facts.capabilities.functions_sql
        self.catalog: Catalog = reader.catalog()

    def relation(self, node: NodeFacts) -> Relation | None:
        """Return what is there under a node's name; functions count where it is not known what the node builds."""
        found = self.catalog.get(node.relation)
        if found is None and node.kind is None and node.relation in self._functions:
            return FUNCTION
        return found

    def why_unseen(self, node: NodeFacts) -> str | None:
        """Say why the database in which a node builds could not be looked at, None where it could."""
        if not self.catalog.unseen:
            return None
        why = self.catalog.unseen.get(node.relation.database)
        return None if why is None else f"in database {node.relation.database}, which was not looked at: {why}"

    def lost_file(self, node: NodeFacts) -> str | None:
        """Return the file that an external model wrote and that is gone, None where nothing is known to be missing."""
        if node.external_file is not None:
            path = Path(node.external_file)
            if not path.is_absolute():
                return None
            there = any(path.iterdir()) if path.is_dir() else path.exists()
            return None if there else node.external_file
        said = self._refusal_to_read(node)
        return said if said is not None and NO_FILE in said else None

    def unseen_file(self, node: NodeFacts) -> str | None:
        """Say why nothing is known of the file of an external model, None where it can be looked at."""
        if node.external_file is not None:
            remote = not Path(node.external_file).is_absolute()
            return f"its file {node.external_file} is not looked at, only its view" if remote else None
        said = self._refusal_to_read(node)
        return f"its file is not looked at: {said}" if said is not None and NO_FILE not in said else None

    def _refusal_to_read(self, node: NodeFacts) -> str | None:
        """Let the database bind a view whose file only the database knows; return what it says against it."""
        if node.external_untold is None:
            return None
        if node.unique_id not in self._refusals:
            self._refusals[node.unique_id] = None
            try:
                self._reader.query(f"select * from {node.relation.quoted()} limit 0")
            except (DatabaseError, DbtError) as error:
                self._refusals[node.unique_id] = " ".join(error.message.split())
        return self._refusals[node.unique_id]

    @cached_property
    def _functions(self) -> frozenset[RelationName]:
        if self._functions_sql is None:
            return frozenset()
        rows = self._reader.query(self._functions_sql)
        return frozenset(RelationName.of(str(database), str(schema), str(name)) for database, schema, name in rows)
