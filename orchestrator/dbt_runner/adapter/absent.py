"""What a failed node reads and the database does not have: named by what should have put it there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.dbt_runner.project.facts import BY_BUILD, NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.dbt_runner.project.year_macros import told_year_macros

FUNCTION = "function"
_ABSENT = (
    re.compile(r'Table with name "(?P<name>[^"]+)" does not exist because', re.I),
    re.compile(r"Table with name (?P<name>[^\n]+?) does not exist!", re.I),
    re.compile(r'relation "(?P<name>[^\n]+?)" does not exist', re.I),
)
_NO_FUNCTION = (
    re.compile(r'Function with name "?(?P<name>[^\n"]+?)"? does not exist', re.I),
    re.compile(r"function (?P<name>[^\n(]+)\([^\n]*\) does not exist", re.I),
)


@dataclass(frozen=True)
class Absent:
    """Something that is not in the database: what is said about it, and the remedy."""

    message: str
    to_fix: str


def absent_parent(failed: NodeResult, facts: ProjectFacts | None) -> Absent | None:
    """Return which of the things that a node reads is missing, None where its message does not speak of one."""
    message = failed.message or ""
    called = _name_in(message, _NO_FUNCTION)
    name = called or _name_in(message, _ABSENT)
    node = facts.node(failed.unique_id) if facts is not None else None
    if name is None or node is None or facts is None:
        return None
    read = [parent for part in facts.with_ephemerals(node) for parent in part.depends_on]
    for source in facts.sources if called is None else ():
        if source.unique_id in read and source.identifier.lower() == name:
            return _source(source, failed)
    for unique_id in read:
        parent = facts.node(unique_id)
        if parent is None or (called is not None and parent.resource_type != FUNCTION):
            continue
        if parent.identifier.lower() == name:
            return _node(parent, failed, facts)
    return None


def _name_in(message: str, patterns: Iterable[re.Pattern[str]]) -> str | None:
    """Return the name of what a message says is not there, in lower case and without its schema."""
    found = next((match for pattern in patterns if (match := pattern.search(message))), None)
    return None if found is None else found["name"].rpartition(".")[2].strip('"').lower()


def _source(source: SourceFacts, failed: NodeResult) -> Absent:
    which = f"source {source.source_name}.{source.name}"
    place = f"schema {source.schema}" + (f" of database {source.database}" if source.database else "")
    return Absent(
        f"{_reader(failed)} reads {which} ({source.file}), and there is no table {source.identifier} in {place}.",
        f"load {source.identifier} into {place}, or correct database, schema and identifier of {which} in "
        f"{source.file}",
    )


def _node(parent: NodeFacts, failed: NodeResult, facts: ProjectFacts) -> Absent:
    which = f"{parent.resource_type} {parent.name} ({parent.file})"
    if not facts.simulates:
        return Absent(
            f"{_reader(failed)} reads {which}, which is not in the database.",
            f"build it first: `orchestrator init`, or `dbt build --select {parent.name}`",
        )
    left_out = parent.resource_type in BY_BUILD
    macros = told_year_macros(parent)
    because = "" if macros is None else f", as it {macros}"
    why = f" Stages build {parent.resource_type}s only with `command: build`." if left_out else ""
    stage = "stage with `command: build`" if left_out else "stage"
    return Absent(
        f"{_reader(failed)} reads {which}, which is not in the database: it is not built before the first year"
        f"{because}, and no stage so far has built it.{why}",
        f"let this or an earlier {stage} select {parent.name} (`orchestrator plan` lists what each one selects)",
    )


def _reader(failed: NodeResult) -> str:
    return f"{failed.resource_type.capitalize()} {failed.name}"
