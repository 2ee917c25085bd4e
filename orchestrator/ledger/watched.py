"""Rows of sources that others load, as an input of what reads them: where ``meta.watch`` of a source asks for it."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.database.catalog import Catalog
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import ROWS_OF_SOURCE
from orchestrator.dbt_runner.project.source_facts import SourceFacts

ROW = '"a row of it"'  # a name that no column has: it would hide the row
MISSING = "missing"


def with_watched(facts: ProjectFacts, reader: DatabaseReader, catalog: Catalog | None = None) -> ProjectFacts:
    """Return the facts with what the watched sources hold now among the inputs of the nodes that read them.

    ``catalog`` is a snapshot of the database, which spares another one. Where nothing is watched, nothing is asked.
    """
    watched = [source for source in facts.sources if is_watched(source, facts)]
    if not watched:
        return facts
    known = reader.catalog() if catalog is None else catalog
    held = {source.unique_id: _held(source, facts, reader, known) for source in watched}
    nodes = []
    for node in facts.nodes:
        read = tuple(held[one] for one in node.depends_on if one in held)
        nodes.append(replace(node, reads=(*node.reads, *read)) if read else node)
    return replace(facts, nodes=tuple(nodes))


def is_watched(source: SourceFacts, facts: ProjectFacts) -> bool:
    """Tell whether the rows of a source are an input: it is watched, and lies in the project's own database."""
    own = facts.ledger.database.lower()
    return source.watch is not None and not source.of_files and (not own or source.relation.database == own)


def _held(source: SourceFacts, facts: ProjectFacts, reader: DatabaseReader, catalog: Catalog) -> tuple[str, str]:
    what = f"{ROWS_OF_SOURCE} {source.source_name}.{source.name}"
    if catalog.get(source.relation) is None:
        return what, MISSING
    digest = facts.capabilities.row_digest_sql.format(row=ROW) if source.watch == "content" else "null"
    ((count, content),) = reader.query(f"select count(*), {digest} from {source.relation.quoted()} as {ROW}")
    return what, f"{count}" if content is None else f"{count}, checksum {content}"
