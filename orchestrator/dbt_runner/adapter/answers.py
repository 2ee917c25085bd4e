"""dbt's answers as values of ours: outcomes of nodes, and errors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from dbt.cli.main import dbtRunnerResult
from dbt.contracts.graph.nodes import ManifestNode
from dbt.contracts.results import RunResult

from orchestrator.core.errors import DbtError, DbtProjectError, OrchestratorError
from orchestrator.core.text import is_encodable
from orchestrator.database.errors import known_database_error
from orchestrator.dbt_runner.adapter.project_errors import missing_seed, project_error
from orchestrator.dbt_runner.project.kept_parse import last_facts
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.project.seed_files import seed_trouble
from orchestrator.dbt_runner.project.settings import DbtSettings

_UNTOLD = ("Error when sniffing file", "StopIteration")
IN_A_THREAD = "Exception on worker thread. Runtime Error"
OF_HOOKS = "correct the hooks under `on-run-start` in dbt_project.yml, or the macros that they call, and run again"
_CSV_ADVICE = ("Column ", "This type was", "Possible fixes", "* ", "file = ")


def node_result(result: RunResult, causes: Sequence[str] = ()) -> NodeResult:
    """Return the outcome of one node as ours; ``causes`` are what dbt said of it beside its result."""
    node = result.node
    kind = str(node.resource_type)
    rows = result.failures if kind == "test" else result.adapter_response.get("rows_affected")
    found_rows = kind == "test" and str(result.status) in ("fail", "warn")
    return NodeResult(
        unique_id=node.unique_id,
        name=node.name if getattr(node, "version", None) is None else node.alias,
        resource_type=kind,
        status=str(result.status),
        seconds=result.execution_time,
        rows=int(rows) if isinstance(rows, (int, float)) else None,
        message=(_told_of_seed(node, result.message or "") if kind == "seed" else None) or _told(result, causes),
        file=node.original_file_path,
        sql=node.compiled_code if found_rows else None,
    )


def _told(result: RunResult, causes: Sequence[str]) -> str | None:
    """Return the message of a node; that of one built in batches only counts them."""
    message = cleaned(result.message)
    batches = result.batch_results
    if batches is None or not batches.failed:
        return message
    total = len(batches.failed) + len(batches.successful)
    first = f"{min(start for start, _ in batches.failed):%Y-%m-%d %H:%M}"
    said = dict.fromkeys((cleaned(cause) or "").removeprefix(IN_A_THREAD).strip() for cause in causes)
    which = f"{len(batches.failed)} of {total} batches failed, the first that of {first}"
    return f"{which}: {' '.join('; '.join(said).split())}" if said else f"{which} ({message})"


def _told_of_seed(node: ManifestNode, message: str) -> str | None:
    """Return what is wrong with a seed's file, where the message does not say it."""
    if not any(words in message for words in _UNTOLD):
        return None
    return seed_trouble(Path(node.root_path or "") / node.original_file_path, node.config.delimiter)


def compiled_sql(result: RunResult) -> str:
    """Return the SQL that dbt made of a node's template."""
    return getattr(result.node, "compiled_code", None) or ""  # a seed has none


def command_error(
    answer: dbtRunnerResult, what: str, settings: DbtSettings, database: Path | None, *, runs_hooks: bool = False
) -> OrchestratorError:
    """Return the error of a command that has no results; ``database`` is the file it worked on, where that is known.

    ``runs_hooks`` tells that it first runs hooks of the project, whose failures dbt tells nothing else of.
    """
    message = cleaned(str(answer.exception)) or "dbt gave no reason"
    if isinstance(answer.exception, UnicodeDecodeError):
        return DbtProjectError(
            f"{_undecodable(settings.project_dir)} is not UTF-8: {message}", to_fix="save it as UTF-8"
        )
    if isinstance(answer.exception, UnicodeEncodeError) and (misnamed := _misnamed(settings.project_dir)) is not None:
        return DbtProjectError(
            f"The name of {misnamed} is not UTF-8 text, and dbt takes no other.", to_fix="rename it, or move it away"
        )
    known = known_database_error(message, database or settings.database)
    if known is not None:
        return known
    if runs_hooks:
        told = message.removeprefix("Runtime Error\n")
        return DbtError(f"{what} failed before its first node: {told}", to_fix=OF_HOOKS)
    return DbtError(f"{what}: {message}")


def parse_error(
    answer: dbtRunnerResult, settings: DbtSettings, database: Path | None, errors: Sequence[str]
) -> OrchestratorError:
    """Return the error of a project that does not parse; ``errors`` is what dbt said before it gave up."""
    error = command_error(answer, f"dbt project {settings.project_dir}", settings, database)
    if type(error) is not DbtError:
        return error
    message = cleaned(str(answer.exception)) or "dbt gave no reason"
    if "Semantic Manifest validation failed" in message:
        message = "\n".join([message, *(cleaned(text) or "" for text in errors)])
    known = last_facts(settings)
    lost = None if known is None else missing_seed(message, settings.project_dir, known)
    if lost is not None:
        return lost
    node = getattr(answer.exception, "node", None)  # dbt's own errors carry the node where they know it
    file = getattr(node, "original_file_path", None)
    return project_error(message, settings.project_dir, settings.effective_profiles_dir(), file)


def _undecodable(project_dir: Path) -> str:
    """Find the file that dbt could not read: it does not say which one."""
    for path in sorted(project_dir.rglob("*")):
        if path.suffix in {".csv", ".sql", ".yml", ".yaml", ".md", ".py"} and path.is_file():
            try:
                path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                return f"File {path}"
    return f"A file of the dbt project {project_dir}"


def _misnamed(project_dir: Path) -> Path | None:
    """Find the file or folder whose name dbt could not write."""
    return next((path for path in sorted(project_dir.rglob("*")) if not is_encodable(str(path))), None)


def cleaned(message: str | None) -> str | None:
    """Take dbt's wrapping off a message: its first line repeats the node, its last names a temporary file."""
    if message is None:
        return None
    lines = _without_margin(message.strip().splitlines())
    lines = [line for line in lines if line and not line.startswith("compiled code at")]
    if len(lines) > 1 and lines[0].startswith(("Runtime Error in", "Compilation Error in", "Database Error in")):
        lines = lines[1:]
    if lines and "CSV Error on Line" in lines[0]:
        lines = list(takewhile(lambda line: not line.startswith(_CSV_ADVICE), lines))
    return "\n".join(lines)


def _without_margin(lines: list[str]) -> list[str]:
    """Take the margin off every line; a pointer stays below what it points at.

    >>> _without_margin(["Runtime Error", "  LINE 1: select nope", "                 ^^^^"])
    ['Runtime Error', 'LINE 1: select nope', '               ^^^^']
    """
    found: list[str] = []
    margin = 0
    for line in lines:
        bare = line.strip()
        if bare and not bare.strip("^"):
            found.append(line.rstrip()[margin:] if line[:margin].isspace() else line.rstrip())
            continue
        margin = len(line) - len(line.lstrip())
        found.append(bare)
    return found
