"""Turn the events of a run into records: what the history keeps of it, live as well as from its JSON lines."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.core.annotations import Annotations, kept_of
from orchestrator.core.events import (
    HEALING_HOOK,
    DbtReady,
    DbtStarted,
    Event,
    HookFinished,
    HookStarted,
    LockAcquired,
    RunFinished,
    RunResumed,
    RunStarted,
    StageCheckpointed,
    StageFinished,
    StageStarted,
    StartFound,
    StepFinished,
    StepStarted,
    YearsPurged,
)
from orchestrator.storage.annotations import annotation_records
from orchestrator.storage.base import COMPLETED, FAILED, RUNNING, RunRecord, workflow_name
from orchestrator.storage.models import (
    Base,
    ExecutionState,
    SessionState,
    WorkflowOutput,
    WorkflowRun,
    WorkflowStep,
)
from orchestrator.storage.sweeps import member_of

RECORDED = (
    RunStarted,
    RunFinished,
    RunResumed,
    StartFound,
    DbtStarted,
    DbtReady,
    LockAcquired,
    StepStarted,
    StepFinished,
    YearsPurged,
    HookStarted,
    HookFinished,
    StageStarted,
    StageFinished,
    StageCheckpointed,
)
SECONDS_WORTH_A_STEP = 0.5  # of waiting for the database


class RunRecorder:
    """Collects what the events of one run say; its records are updated as more is known."""

    def __init__(self) -> None:
        self._run: WorkflowRun | None = None
        self._session: SessionState | None = None
        self._steps: list[WorkflowStep] = []
        self._states: list[ExecutionState] = []
        self._outputs: list[WorkflowOutput] = []
        self._annotations = Annotations()

    def record(self) -> RunRecord | None:
        """Return what is known of the run, None before its first event."""
        if self._run is None:
            return None
        parts = tuple(self._steps), tuple(self._states), tuple(self._outputs)
        return RunRecord(self._run, *parts, self._session, self._annotations)

    def take(self, event: Event) -> list[Base]:
        """Take one event; return the records that are new or changed by it."""
        if isinstance(event, RunStarted):
            return self._start(event)
        if self._run is None or self._session is None:
            return []
        changed = self._take(self._run, event)
        if changed:
            self._session.seen_at = event.at
            changed.append(self._session)
        return changed

    def _start(self, event: RunStarted) -> list[Base]:
        inputs = {"years": event.years, "stages": event.stages, "fresh": event.fresh, "command": event.command}
        sweep, member = member_of(event.database)
        self._run = WorkflowRun(
            workflow_name=workflow_name(str(event.config.get("root", ""))),
            id=event.run_id,
            status=RUNNING,
            scenario=event.scenario,
            database=event.database,
            config_snapshot=event.config,
            inputs=inputs,
            versions=event.versions,
            started_at=event.at,
            sweep=sweep,
            member=member,
        )
        self._session = SessionState(event.run_id, event.pid, event.host, event.process_started, event.at)
        self._annotations = kept_of(event.note, event.tags)
        return [self._run, self._session, *annotation_records(event.run_id, self._annotations)]

    def _take(self, run: WorkflowRun, event: Event) -> list[Base]:
        match event:
            case StartFound():
                run.fingerprint = event.fingerprint
                return [run]
            case RunResumed():
                run.resumed_from = event.previous_run_id
                return [run]
            case StageCheckpointed():
                data: dict[str, object] = {"year": event.year, "stage": event.stage, "tables": event.tables}
                where = f"{event.year}/{event.stage}"
                self._states.append(ExecutionState(run.id, len(self._states) + 1, data, where, event.at))
                return [self._states[-1]]
            case RunFinished():
                return self._finish(run, event)
            case _:
                return self._step(run.id, event)

    def _step(self, run_id: str, event: Event) -> list[Base]:
        match event:
            case DbtStarted():
                return self._begin(run_id, "start", "start dbt", event.at)
            case DbtReady():
                return self._end("start", event.at, None, detail=f"{event.nodes} nodes, {event.adapter}")
            case StepStarted():
                return self._begin(run_id, "healing", event.step, event.at)
            case StepFinished():
                return self._end("healing", event.at, event.seconds, event.error, event.detail, ok=event.success)
            case StageStarted():
                return self._begin(run_id, "stage", event.stage, event.at, event.year, event.stage)
            case StageFinished():
                how = f"{event.nodes} nodes{', replayed' if event.replayed else ''}"
                return self._end("stage", event.at, event.seconds, event.error, how, ok=event.success)
            case HookStarted() | HookFinished():
                return self._hook(run_id, event)
            case LockAcquired() if event.seconds >= SECONDS_WORTH_A_STEP:
                return self._past(run_id, "waiting", "wait for database", event.at, event.seconds, None)
            case YearsPurged():
                detail = f"{event.rows:,} rows of {event.from_year} and later"
                return self._past(run_id, "purge", "purge", event.at, event.seconds, detail)
            case _:
                return []

    def _hook(self, run_id: str, event: HookStarted | HookFinished) -> list[Base]:
        if event.name == HEALING_HOOK:  # its steps are told
            return []
        if isinstance(event, HookStarted):
            return self._begin(run_id, "hook", event.name, event.at, event.year, event.stage)
        return self._end("hook", event.at, event.seconds, event.error, event.hook_type, ok=event.success)

    def _begin(
        self, run_id: str, kind: str, name: str, at: datetime, year: int | None = None, stage: str | None = None
    ) -> list[Base]:
        self._steps.append(WorkflowStep(run_id, len(self._steps) + 1, name, kind, RUNNING, at, year, stage))
        return [self._steps[-1]]

    def _end(
        self,
        kind: str,
        at: datetime,
        seconds: float | None,
        error: str | None = None,
        detail: str | None = None,
        *,
        ok: bool = True,
    ) -> list[Base]:
        step = next((s for s in reversed(self._steps) if s.kind == kind and s.status == RUNNING), None)
        if step is None:
            return []
        step.status = COMPLETED if ok else FAILED
        step.completed_at = at
        step.seconds = (at - step.started_at).total_seconds() if seconds is None else seconds
        step.error, step.detail = error, detail
        return [step]

    def _past(self, run_id: str, kind: str, name: str, at: datetime, seconds: float, detail: str | None) -> list[Base]:
        """Add a step of which only the end is told."""
        self._begin(run_id, kind, name, at - timedelta(seconds=seconds))
        return self._end(kind, at, seconds, detail=detail)

    def _finish(self, run: WorkflowRun, event: RunFinished) -> list[Base]:
        run.status, run.error_message, run.traceback = event.status, event.error, event.traceback
        run.completed_at, run.duration_seconds = event.at, event.seconds
        run.outputs = event.outputs
        self._outputs = [
            WorkflowOutput(run.id, key, value, _json_type(value)) for key, value in (event.outputs or {}).items()
        ]
        cut_off = [step for step in self._steps if step.status == RUNNING]
        for step in cut_off:
            step.status, step.error, step.completed_at = FAILED, event.error, event.at
            step.seconds = (event.at - step.started_at).total_seconds()
        failed = [step for step in self._steps if step.status == FAILED][-1:]
        for step in failed:
            step.traceback = event.traceback
        return [run, *cut_off, *failed, *self._outputs]


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((str, "string"), ((int, float), "number"), (dict, "object"), ((list, tuple), "array")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "string"
