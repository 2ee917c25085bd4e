"""Turn failed nodes of a dbt result into one error that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Set
from pathlib import Path

from orchestrator.core.errors import NodeFailedError, OrchestratorError, TestFailedError
from orchestrator.core.permissions import write_text
from orchestrator.core.text import plural
from orchestrator.database.errors import known_database_error
from orchestrator.dbt_runner.adapter.absent import absent_parent
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.results import DbtResult, NodeResult

SHOWN = 5
_OF_MACRO = re.compile(r"> (?:in|called by) macro \S+ \(([^()]+)\)")
_MISSING_VAR = re.compile(r"Required var '([^']+)' not found in config")
UNQUOTED = "unterminated string literal"


def failure_of(
    result: DbtResult,
    project_dir: Path,
    facts: ProjectFacts | None,
    failures_dir: Path | None,
    year_vars: Set[str] = frozenset(),
) -> OrchestratorError | None:
    """Return what the failed nodes of ``result`` amount to, None when there are none.

    That is a ``DatabaseError`` where a message speaks of the database file itself, a ``TestFailedError`` where only
    tests failed, by finding rows, and else a ``NodeFailedError``. ``year_vars`` are the variables that the
    configuration supplies with the year.
    """
    failures = result.failures
    if not failures:
        return None
    path = facts.database_path if facts is not None else None
    for node in failures:
        known = known_database_error(node.message or "", path)
        if known is not None:
            known.message = f"dbt {result.command} failed at {node.resource_type} {node.name}. {known.message}"
            return known
    unique_ids = [node.unique_id for node in failures]
    if all(node.status == "fail" for node in failures):
        return _test_failure(failures, unique_ids, failures_dir)
    skipped = sum(node.status == "skipped" for node in result.nodes)
    absent = {node.unique_id: found for node in failures if (found := absent_parent(node, facts)) is not None}
    lines = [
        found.message if (found := absent.get(node.unique_id)) is not None else _one(node, project_dir, facts)
        for node in failures[:SHOWN]
    ]
    if len(failures) > SHOWN:
        others = ", ".join(node.name for node in failures[SHOWN:])
        lines.append(f"{len(failures) - SHOWN} more failed: {others}.")
    if skipped:
        they = "1 node that depends on it was" if skipped == 1 else f"{skipped} nodes that depend on it were"
        lines.append(f"{they} skipped.")
    text, own_remedy, remedy = "\n".join(lines).partition("To fix: ")
    if absent or not own_remedy:
        each = [
            found.to_fix if (found := absent.get(node.unique_id)) else _remedy(node, project_dir, facts, year_vars)
            for node in failures[:SHOWN]
        ]
        remedy = f"{'; '.join(dict.fromkeys(each))}{'' if absent else ' and run again'}"
    return NodeFailedError(text.strip(), nodes=unique_ids, to_fix=remedy)


def _remedy(failed: NodeResult, project_dir: Path, facts: ProjectFacts | None, year_vars: Set[str]) -> str:
    """Say what to do about a node that failed, where neither dbt nor the database does."""
    if failed.resource_type == "seed" and UNQUOTED in (failed.message or "") and "'" in str(project_dir):
        return "move the project to a folder without ' in its path: dbt-duckdb cannot load seeds from there"
    missing = _MISSING_VAR.search(failed.message or "")
    if missing is not None:
        return _supply(missing[1], _file(failed, project_dir, facts), facts, year_vars)
    macros = (project_dir / file for file in _OF_MACRO.findall(failed.message or ""))
    own = next((file for file in macros if file.is_file()), None)  # the innermost may be one of dbt's
    return f"correct {own or _file(failed, project_dir, facts)}"


def _file(failed: NodeResult, project_dir: Path, facts: ProjectFacts | None) -> Path:
    """Return the file of a node, which may be that of a package."""
    known = None if facts is None else facts.node(failed.unique_id)
    return project_dir / (failed.file if known is None else known.file)


def _supply(name: str, file: Path, facts: ProjectFacts | None, year_vars: Set[str]) -> str:
    """Say how a variable that a model misses is supplied: it may be the year under another name."""
    year = next(iter(year_vars), None)
    if year is not None and facts is not None and not any(node.uses_year for node in facts.nodes):
        return (
            f"set simulation.year_var to {name} in the configuration: it supplies the year as {year}, which no model "
            "reads"
        )
    return f"supply {name} under `vars:` in the configuration, or give var('{name}') a default in {file}"


def _one(node: NodeResult, project_dir: Path, facts: ProjectFacts | None) -> str:
    kind = node.resource_type.capitalize()
    return f"{kind} {node.name} ({_file(node, project_dir, facts)}) failed: {node.message or node.status}"


def _test_failure(
    failures: tuple[NodeResult, ...], unique_ids: list[str], failures_dir: Path | None
) -> TestFailedError:
    lines = []
    for node in failures[:SHOWN]:
        if node.rows is None:  # a unit test: its message is dbt's table of differences
            lines.append(f"Test {node.name} ({node.file}) failed: {node.message or 'no reason given'}")
            continue
        line = f"Test {node.name} found {plural(node.rows, 'failing row')}."
        if failures_dir is not None and node.sql is not None:
            file = failures_dir / f"{node.file_name}.sql"
            try:
                write_text(file, node.sql.strip() + "\n")
                line += f" The query that shows them: {file}"
            except OSError as error:
                line += f" The query that shows them could not be written to {file}: {error.strerror or error}."
        lines.append(line)
    if len(failures) > SHOWN:
        lines.append(f"… and {len(failures) - SHOWN} more tests failed.")
    remedy = "run the query against the database to see the rows"
    if all(node.rows is None for node in failures):
        remedy = "correct the model, or what the test expects of it"
    return TestFailedError("\n".join(lines), nodes=unique_ids, to_fix=remedy)
