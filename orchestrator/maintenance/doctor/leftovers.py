"""Relations that dbt did not clean up, and those that nothing builds any more."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.core.text import plural
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.layouts import is_ledger
from orchestrator.maintenance.doctor.diagnosis import Diagnosis, problem_found, worth_noting

LEFTOVER = re.compile(r"(.+?)__dbt_(tmp|backup)\d*")
NAMES_SHOWN = 8
RELATIONS_SQL = """
select table_catalog, table_schema, table_name, table_type from information_schema.tables
where table_schema not in ('information_schema', 'pg_catalog') order by 1, 2, 3
"""


@dataclass(frozen=True)
class FoundRelation:
    """A table or view by its full name, dbt's temporary ones included."""

    name: RelationName
    kind: str


def relations_of(reader: DatabaseReader) -> list[FoundRelation]:
    """Return every relation of the database."""
    return [
        FoundRelation(
            RelationName.of(str(database), str(schema), str(name)), "view" if "VIEW" in str(kind) else "table"
        )
        for database, schema, name, kind in reader.query(RELATIONS_SQL)
    ]


def leftover_relations(relations: list[FoundRelation], facts: ProjectFacts | None) -> list[Diagnosis]:
    """Say which relations dbt did not clean up, and which nothing builds any more."""
    built = set() if facts is None else {node.relation for node in facts.nodes}
    there = {relation.name for relation in relations}
    found, orphans = [], []
    for relation in relations:
        name = relation.name
        if name in built:
            continue
        match = LEFTOVER.fullmatch(name.name)
        if match is not None:
            base = RelationName(name.database, name.schema, match.group(1))
            keeps_rows = match.group(2) == "backup" and base not in there
            rebuilt = facts is None or base in built
            found.append(_leftover(relation, base, keeps_rows=keeps_rows, rebuilt=rebuilt))
        elif facts is not None and _is_orphan(name, facts):
            orphans.append(name.name)
    if orphans:
        shown = ", ".join(orphans[:NAMES_SHOWN])
        more = f" and {len(orphans) - NAMES_SHOWN} more" if len(orphans) > NAMES_SHOWN else ""
        detail = f"no node builds {shown}{more}, such as those of renamed models"
        found.append(worth_noting("leftovers", detail, subject=plural(len(orphans), "relation")))
    return found


def kept_as_backups(relations: list[FoundRelation]) -> set[str]:
    """Return the names of tables of which dbt, when it was killed, left a backup."""
    matches = [LEFTOVER.fullmatch(relation.name.name) for relation in relations]
    return {match.group(1) for match in matches if match is not None and match.group(2) == "backup"}


def without_rows(relations: list[FoundRelation], facts: ProjectFacts) -> list[FoundRelation]:
    """Return the relations that dbt did not clean up and that hold nothing which is not elsewhere."""
    built = {node.relation for node in facts.nodes}
    there = {relation.name for relation in relations}
    found = []
    for relation in relations:
        name, match = relation.name, LEFTOVER.fullmatch(relation.name.name)
        if match is None or name in built:
            continue
        base = RelationName(name.database, name.schema, match.group(1))
        if base in built and (match.group(2) == "tmp" or base in there):
            found.append(relation)
    return found


def undecided(relations: list[FoundRelation], facts: ProjectFacts) -> tuple[str, ...]:
    """Say which relations are called like dbt's leftovers and are not to be dropped unasked, and why."""
    built = {node.relation for node in facts.nodes}
    droppable = without_rows(relations, facts)
    found = []
    for relation in relations:
        name, match = relation.name, LEFTOVER.fullmatch(relation.name.name)
        if match is None or name in built or relation in droppable:
            continue
        if RelationName(name.database, name.schema, match.group(1)) in built:
            why = f"{match.group(1)} itself is not there, so it may hold its only rows"
        else:
            why = f"nothing in this project builds {match.group(1)}, so it may be somebody's own"
        found.append(f"{relation.kind} {name.name}: {why}")
    return tuple(found)


def _leftover(relation: FoundRelation, base: RelationName, *, keeps_rows: bool, rebuilt: bool) -> Diagnosis:
    name = RelationName("", relation.name.schema, relation.name.name).quoted()
    subject = f"{relation.kind} {relation.name.name}"
    if keeps_rows:
        detail = f"left by a dbt command that was killed; {base.name} itself is not there, so it may hold its only rows"
        return problem_found(
            "leftovers", detail, f'alter {relation.kind} {name} rename to "{base.name}"', subject=subject
        )
    detail = f"left by a dbt command that was killed while it built {base.name}"
    remedy = f"drop {relation.kind} {name}"
    if rebuilt:
        return problem_found("leftovers", detail, f"{remedy}, or rebuild {base.name}", subject=subject)
    detail = f"looks like a leftover of a killed dbt command, but nothing in this project builds {base.name}"
    return problem_found("leftovers", detail, f"{remedy}, if nobody needs it", subject=subject)


def _is_orphan(name: RelationName, facts: ProjectFacts) -> bool:
    if is_ledger(name, facts.ledger) or any(source.relation == name for source in facts.sources):
        return False
    schemas = {(node.relation.database, node.relation.schema) for node in facts.nodes if node.resource_type != "test"}
    return (name.database, name.schema) in schemas
