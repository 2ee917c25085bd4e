"""Send a run as an OpenTelemetry trace: a span for the run, each year, each stage and each node."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from orchestrator.config.listeners import TraceSettings
from orchestrator.core.events import Event, RunFinished, RunStarted
from orchestrator.listeners.own_log import kept_from_the_log
from orchestrator.listeners.work import Ended, Work, WorkTree

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

LOG = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
SPANS_AT_ONCE = 200


class TraceSink:
    """Makes spans of what ended in one run, and sends them some hundred at a time."""

    def __init__(self, settings: TraceSettings) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource

        self._exporter = OTLPSpanExporter(settings.url, headers=settings.headers, timeout=settings.timeout_seconds)
        self._resource = Resource.create({"service.name": settings.service_name})
        self._tree = WorkTree()
        self._started: RunStarted | None = None
        self._spans: list[ReadableSpan] = []

    def messages(self, event: Event) -> Iterator[list[ReadableSpan]]:
        """Return the spans that are to be sent together, once there are enough of them or the run has ended."""
        if isinstance(event, RunStarted):
            self._started = event
        self._spans += [self._span(change) for change in self._tree.take(event) if isinstance(change, Ended)]
        if self._spans and (len(self._spans) >= SPANS_AT_ONCE or isinstance(event, RunFinished)):
            yield self._spans
            self._spans = []

    def send(self, message: list[ReadableSpan]) -> None:
        """Send spans.

        Raises:
            RuntimeError: the receiver did not take them.
        """
        from opentelemetry.sdk.trace.export import SpanExportResult

        with kept_from_the_log(LOG) as said:
            result = self._exporter.export(message)
        if result is not SpanExportResult.SUCCESS:
            raise RuntimeError("; ".join(dict.fromkeys(said)) or "the receiver did not take them")

    def close(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()

    def _span(self, ended: Ended) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Status, StatusCode

        assert self._started is not None
        work = ended.work
        said = {
            "orchestrator.run_id": self._started.run_id,
            "orchestrator.scenario": self._started.scenario,
            "orchestrator.year": work.year,
            "orchestrator.stage": work.stage,
            "dbt.unique_id": work.unique_id,
        }
        code = {"completed": StatusCode.OK, "failed": StatusCode.ERROR, "aborted": StatusCode.ERROR}.get(ended.status)
        failed = code is StatusCode.ERROR
        return ReadableSpan(
            name=f"{work.kind} {work.name}",
            context=self._context(work),
            parent=None if work.above is None else self._context(work.above),
            resource=self._resource,
            attributes={key: value for key, value in said.items() if value is not None},
            status=Status(code or StatusCode.UNSET, ended.error if failed else None),
            start_time=_nanoseconds(work.began_at),
            end_time=_nanoseconds(ended.at),
        )

    def _context(self, work: Work) -> SpanContext:
        """Return ids that follow from the run and the key of its work."""
        from opentelemetry.trace import SpanContext, TraceFlags

        assert self._started is not None
        trace = hashlib.sha256(self._started.run_id.encode()).digest()[:16]
        span = hashlib.sha256(f"{self._started.run_id}/{work.key}".encode()).digest()[:8]
        return SpanContext(
            int.from_bytes(trace), int.from_bytes(span), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
