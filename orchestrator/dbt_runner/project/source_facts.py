"""Facts about one source of a dbt project, taken out of its manifest."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.database.names import RelationName

WATCHES = ("rows", "content")


@dataclass(frozen=True)
class SourceFacts:
    """A table that the project reads as given; ``prior_year_of`` and ``watch`` are from its ``meta``.

    ``of_files`` tells that it stands for files, which are inputs of the nodes that read it; ``files`` are their paths,
    absolute and maybe with wildcards, that dbt-duckdb reads in place of the relation.
    """

    unique_id: str
    name: str
    source_name: str
    file: str
    database: str
    schema: str
    identifier: str
    prior_year_of: str | None
    watch: str | None = None
    of_files: bool = False
    files: tuple[str, ...] = ()

    @property
    def relation(self) -> RelationName:
        """Return the name of the relation that this source reads."""
        return RelationName.of(self.database, self.schema, self.identifier)
