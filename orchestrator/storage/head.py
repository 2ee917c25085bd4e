"""The newest version of the run history's schema, for a look at it that imports nothing."""

from __future__ import annotations

VERSION_TABLE = "orchestrator_schema_version"
_FIRST = ("workflow_runs", "workflow_steps", "execution_states", "workflow_outputs")
_SECOND = (*_FIRST, "session_state")
_THIRD = (*_SECOND, "run_notes", "run_tags")
_FOURTH = (*_THIRD, "chat_sessions", "chat_messages")
TABLES: dict[str, tuple[str, ...]] = {
    "0001": _FIRST,
    "0002": _SECOND,
    "0003": _THIRD,
    "0004": _FOURTH,
    "0005": (*_FOURTH, "sweeps"),
}
VERSIONS = tuple(TABLES)
HEAD = VERSIONS[-1]
