"""The run history on SQLAlchemy, one implementation for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import TypeVar

from sqlalchemy import ColumnElement, Executable, Select, Table, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import RunNotFoundError, StorageError
from orchestrator.storage.annotations import annotation_records, annotations_of
from orchestrator.storage.base import (
    COMPLETED,
    ENDED,
    STATUSES,
    AbstractExecutionStateRepository,
    AbstractSessionStateRepository,
    AbstractWorkflowOutputRepository,
    AbstractWorkflowRunRepository,
    AbstractWorkflowStepRepository,
    RunRecord,
)
from orchestrator.storage.error_translation import translate_errors
from orchestrator.storage.models import (
    Base,
    ExecutionState,
    RunTag,
    SessionState,
    WorkflowOutput,
    WorkflowRun,
    WorkflowStep,
)
from orchestrator.storage.store import CHUNK, Store

T = TypeVar("T")
TRIES = 20


class WorkflowRunRepository(Store, AbstractWorkflowRunRepository):
    """Runs in ``workflow_runs``."""

    def add(self, run: WorkflowRun) -> WorkflowRun:
        """Store a new run."""
        with self._session() as session:
            session.add(run)
            try:
                session.commit()
            except IntegrityError as error:
                raise StorageError(f"The run history holds run {run.id} already.") from error
            session.expunge(run)
        return run

    def get(self, run_id: str) -> WorkflowRun | None:
        """Return a run, None when there is none of that id."""
        with self._session() as session:
            return session.get(WorkflowRun, run_id)

    def find(self, beginning: str, limit: int = 10) -> list[WorkflowRun]:
        """Return runs whose id begins so, newest first."""
        return self._list(_newest().where(WorkflowRun.id.startswith(beginning, autoescape=True)).limit(limit))

    def list_by_workflow(self, workflow_name: str, limit: int = 100) -> list[WorkflowRun]:
        """Return the runs of a workflow, newest first."""
        return self._list(_newest().where(WorkflowRun.workflow_name == workflow_name).limit(limit))

    def list_runs(
        self,
        *,
        scenario: str | None = None,
        statuses: Iterable[str] = (),
        since: datetime | None = None,
        tag: str | None = None,
        sweep: str | None = None,
        members: bool = True,
        limit: int | None = None,
    ) -> list[WorkflowRun]:
        """Return runs of all workflows that fit every filter given, newest first."""
        wanted: list[ColumnElement[bool]] = []
        if scenario is not None:
            wanted.append(WorkflowRun.scenario == scenario)
        if statuses := list(statuses):
            wanted.append(WorkflowRun.status.in_(statuses))
        if since is not None:
            wanted.append(WorkflowRun.started_at >= since)
        if tag is not None:
            wanted.append(WorkflowRun.id.in_(select(RunTag.run_id).where(RunTag.tag == tag)))
        if sweep is not None:
            wanted.append(WorkflowRun.sweep == sweep)
        if not members:
            wanted.append(WorkflowRun.sweep.is_(None))
        return self._list(_newest().where(*wanted).limit(limit))

    def update_status(
        self,
        run_id: str,
        status: str,
        *,
        outputs: dict[str, object] | None = None,
        error_message: str | None = None,
    ) -> WorkflowRun:
        """Set the status of a run."""
        if status not in STATUSES:
            raise ValueError(f"There is no status {status!r}; there are {', '.join(STATUSES)}.")
        with self._session() as session:
            run = session.get(WorkflowRun, run_id, with_for_update=True)
            if run is None:
                raise RunNotFoundError(f"The run history holds no run {run_id}.")
            run.status = status
            run.completed_at = utc_now() if status in ENDED else None
            run.duration_seconds = (
                None if run.completed_at is None else (run.completed_at - run.started_at).total_seconds()
            )
            if outputs is not None:
                run.outputs = outputs
            if error_message is not None:
                run.error_message = error_message
            session.commit()
            return run

    def delete(self, run_id: str) -> bool:
        """Remove a run; the database removes what belongs to it."""
        with self._session() as session:
            removed = session.execute(delete(WorkflowRun).where(WorkflowRun.id == run_id).returning(WorkflowRun.id))
            found = removed.first() is not None
            session.commit()
            return found

    def save(self, records: Sequence[Base], *, of: str | None = None) -> bool:
        """Store records in the place of those with the same key; see the interface."""
        in_order = sorted(records, key=lambda record: not isinstance(record, WorkflowRun))  # its parts come after a run
        with translate_errors(self._url), self._engine.begin() as connection:
            stored = select(WorkflowRun.id).where(WorkflowRun.id == of)
            if of is not None and connection.execute(stored).first() is None:
                return False
            for kind, alike in groupby(in_order, type):
                rows = [{column.name: getattr(one, column.name) for column in one.__table__.columns} for one in alike]
                connection.execute(_putting(kind, self._engine.dialect.name), rows)
        return True

    def replace(self, record: RunRecord) -> None:
        """Store a run with all that belongs to it in one transaction; its own note and tags stay where it is stored."""
        parts: tuple[Base, ...] = (*record.steps, *record.states, *record.outputs)
        with self._session() as session:
            stored = session.get(WorkflowRun, record.run.id) is not None
            annotations = annotations_of(session, record.run.id) if stored else record.annotations
            session.expunge_all()
            session.execute(delete(WorkflowRun).where(WorkflowRun.id == record.run.id))
            session.merge(record.run)
            session.flush()
            for part in (*parts, *((record.session,) if record.session is not None else ())):
                session.merge(part)
            session.add_all(annotation_records(record.run.id, annotations))
            session.commit()

    def _list(self, query: Select[WorkflowRun]) -> list[WorkflowRun]:
        with self._session() as session:
            return list(session.scalars(query))


class WorkflowStepRepository(Store, AbstractWorkflowStepRepository):
    """Steps in ``workflow_steps``."""

    def list_by_run(self, run_id: str) -> list[WorkflowStep]:
        """Return the steps of a run in their order."""
        with self._session() as session:
            query = select(WorkflowStep).where(WorkflowStep.run_id == run_id).order_by(WorkflowStep.number)
            return list(session.scalars(query))

    def last_stages(self, run_ids: Sequence[str]) -> dict[str, WorkflowStep]:
        """Return the stage that each of these runs began last."""
        found: dict[str, WorkflowStep] = {}
        with self._session() as session:
            for start in range(0, len(run_ids), CHUNK):
                last = (
                    select(WorkflowStep.run_id, func.max(WorkflowStep.number).label("number"))
                    .where(WorkflowStep.kind == "stage", WorkflowStep.run_id.in_(run_ids[start : start + CHUNK]))
                    .group_by(WorkflowStep.run_id)
                    .subquery()
                )
                same = (WorkflowStep.run_id == last.c.run_id) & (WorkflowStep.number == last.c.number)
                found |= {step.run_id: step for step in session.scalars(select(WorkflowStep).join(last, same))}
        return found

    def stage_seconds(self, workflow_name: str, scenario: str, runs: int) -> list[tuple[int, str, float]]:
        """Return (year, stage, seconds) of completed stages in the newest runs of a workflow and scenario."""
        alike = (WorkflowRun.workflow_name == workflow_name, WorkflowRun.scenario == scenario)
        newest = _in_order(select(WorkflowRun.id)).where(*alike).limit(runs)
        query = (
            select(WorkflowStep.year, WorkflowStep.stage, WorkflowStep.seconds)
            .where(WorkflowStep.run_id.in_(newest.scalar_subquery()))
            .where(WorkflowStep.kind == "stage", WorkflowStep.status == COMPLETED)
        )
        with self._session() as session:
            rows = session.execute(query).all()
        return [(y, s, t) for y, s, t in rows if y is not None and s is not None and t is not None]


class ExecutionStateRepository(Store, AbstractExecutionStateRepository):
    """Checkpoints in ``execution_states``."""

    def save_state(self, run_id: str, state_data: dict[str, object], node_id: str | None = None) -> ExecutionState:
        """Append a state; of two at once, one takes the next number."""
        for _ in range(TRIES):
            with self._session() as session:
                if session.get(WorkflowRun, run_id) is None:
                    raise RunNotFoundError(f"The run history holds no run {run_id}.")
                last = session.scalar(select(func.max(ExecutionState.number)).where(ExecutionState.run_id == run_id))
                state = ExecutionState(run_id, (last or 0) + 1, state_data, node_id)
                session.add(state)
                try:
                    session.commit()
                except IntegrityError:
                    continue
                return state
        raise StorageError(
            f"A state of run {run_id} could not be saved: another process took its number {TRIES} times."
        )

    def get_latest_state(self, run_id: str) -> dict[str, object] | None:
        """Return the data of the state that was saved last, None where there is none."""
        query = select(ExecutionState).where(ExecutionState.run_id == run_id)
        with self._session() as session:
            last = session.scalars(query.order_by(ExecutionState.number.desc()).limit(1)).first()
        return None if last is None else last.state_data

    def get_state_history(self, run_id: str) -> list[ExecutionState]:
        """Return all states of a run in the order in which they were saved."""
        query = select(ExecutionState).where(ExecutionState.run_id == run_id).order_by(ExecutionState.number)
        with self._session() as session:
            return list(session.scalars(query))


class WorkflowOutputRepository(Store, AbstractWorkflowOutputRepository):
    """Results in ``workflow_outputs``."""

    def list_by_run(self, run_id: str) -> list[WorkflowOutput]:
        """Return the outputs of a run by key."""
        query = select(WorkflowOutput).where(WorkflowOutput.run_id == run_id).order_by(WorkflowOutput.key)
        with self._session() as session:
            return list(session.scalars(query))


class SessionStateRepository(Store, AbstractSessionStateRepository):
    """Processes in ``session_state``."""

    def get(self, run_id: str) -> SessionState | None:
        """Return the process of a run, None where it is not known."""
        with self._session() as session:
            return session.get(SessionState, run_id)

    def of_runs(self, run_ids: Iterable[str]) -> dict[str, SessionState]:
        """Return the processes of several runs by run id."""
        wanted, found = list(run_ids), {}
        with self._session() as session:
            for start in range(0, len(wanted), CHUNK):
                chunk = wanted[start : start + CHUNK]
                for one in session.scalars(select(SessionState).where(SessionState.run_id.in_(chunk))):
                    found[one.run_id] = one
        return found


@cache
def _putting(kind: type[Base], dialect: str) -> Executable:
    """Return the statement that stores a record in the place of one with its key; what refers to that one stays."""
    table = kind.__table__
    assert isinstance(table, Table)
    insert = sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in keys}
    if not others:
        return insert.on_conflict_do_nothing(index_elements=keys)
    return insert.on_conflict_do_update(index_elements=keys, set_=others)


def _newest() -> Select[WorkflowRun]:
    return _in_order(select(WorkflowRun))


def _in_order(query: Select[T]) -> Select[T]:
    return query.order_by(WorkflowRun.started_at.desc(), WorkflowRun.id)
