"""Turn dbt's own events into ours; lives in the dbt process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dbt_common.events.base_types import EventMsg

from orchestrator.core.clocks import utc_now
from orchestrator.core.events import CommandStarted, DbtWarned, Emit, NodeFinished, NodeStarted
from orchestrator.dbt_runner.adapter.rendered_hooks import rendered_hooks
from orchestrator.dbt_runner.adapter.statements import SentStatements

SAID_BY_AN_ERROR = frozenset({"NothingToDo", "NoNodesForSelectionCriteria"})
FAILURES = frozenset({"error", "fail", "runtime error", "partial success"})
OF_COMMANDS = "operation."  # hooks of the project, which are not said to execute
EXCEPTIONS = frozenset({"GenericExceptionOnRun", "InternalErrorOnRun"})
HEARD = frozenset({"SQLQueryStatus", "SQLQuery", "NodeExecuting", "NodeStart", "NodeFinished", "ConcurrencyLine"})
"""The events that count for what they are; of all others only warnings and errors do."""


class DbtEvents:
    """A callback for dbt; a warning is passed on once, and statements are told as the SQL seconds of their node.

    ``errors`` are the texts of what dbt calls errors, apart from those that it raises; ``causes`` those that it
    tells of a node, by unique id, while its result does not.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._warned: dict[str, None] = {}
        self.errors: list[str] = []
        self.causes: dict[str, list[str]] = {}
        self._sql_seconds: dict[str, float] = {}
        self._sent: SentStatements | None = None
        self._executing: set[str] = set()

    @contextmanager
    def recorded(self) -> Iterator[SentStatements]:
        """Keep the statements that dbt sends meanwhile, and what the hooks of nodes say."""
        self._sent = sent = SentStatements({}, set(), set(), {})
        self._executing.clear()
        try:
            with rendered_hooks(lambda unique_id, text: sent.hooks.setdefault(unique_id, []).append(text)):
                yield sent
        finally:
            self._sent = None

    def __call__(self, message: EventMsg) -> None:
        """Pass on what our listeners care about."""
        name = message.info.name
        if name == "SQLQueryStatus":
            unique_id = message.data.node_info.unique_id
            self._sql_seconds[unique_id] = self._sql_seconds.get(unique_id, 0.0) + message.data.elapsed
        elif name == "SQLQuery":
            self._keep(message.data.node_info.unique_id, message.data.sql)
        elif name == "NodeExecuting":
            self._executing.add(message.data.node_info.unique_id)
        elif name == "NodeStart":
            info = message.data.node_info
            self._sql_seconds.pop(info.unique_id, None)
            self._emit(
                NodeStarted(
                    at=utc_now(),
                    unique_id=info.unique_id,
                    name=info.node_name,
                    resource_type=info.resource_type,
                )
            )
        elif name == "NodeFinished":
            info, result = message.data.node_info, message.data.run_result
            self._emit(
                NodeFinished(
                    at=utc_now(),
                    unique_id=info.unique_id,
                    name=info.node_name,
                    resource_type=info.resource_type,
                    status=result.status,
                    seconds=result.execution_time,
                    sql_seconds=self._sql_seconds.pop(info.unique_id, 0.0),
                    error=(result.message or None) if result.status in FAILURES else None,
                )
            )
        elif name == "ConcurrencyLine":
            self._emit(CommandStarted(at=utc_now(), command="", nodes=message.data.node_count))
        elif str(message.info.level) == "warn" and name not in SAID_BY_AN_ERROR:
            if self._sent is not None and "Deprecation" not in name:  # they are of the project's text, not of a run
                self._sent.warned.add(message.data.node_info.unique_id if hasattr(message.data, "node_info") else "")
            self.warn(message.info.msg)
        elif str(message.info.level) == "error":
            self._keep_error(message)

    def _keep_error(self, message: EventMsg) -> None:
        self.errors.append(message.info.msg)
        if message.info.name in EXCEPTIONS:
            self.causes.setdefault(message.data.unique_id, []).append(message.data.exc)

    def _keep(self, unique_id: str, sql: str) -> None:
        if self._sent is None or not unique_id:
            return
        if unique_id in self._executing or unique_id.startswith(OF_COMMANDS):
            self._sent.statements.setdefault(unique_id, []).append(sql)
        else:
            self._sent.compiling.add(unique_id)

    @property
    def warned(self) -> tuple[str, ...]:
        """Return the warnings that were passed on, the first one first."""
        return tuple(self._warned)

    def warn(self, text: str) -> None:
        """Pass a warning on, unless it was already."""
        if text not in self._warned:
            self._warned[text] = None
            self._emit(DbtWarned(at=utc_now(), message=text))
