"""The tables of the run history.

Their keys are made of what they say (a run's id, a step's number), so that writing a record twice leaves one.
Change a table only together with a new migration in ``migrations/versions``; a test compares the two.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from orchestrator.core.clocks import utc_now
from orchestrator.storage.columns import CleanJson, CleanMapping, CleanText, Seconds, UtcDateTime, Whole

ID, WORD = String(36), String(32)
RunId = Annotated[str, mapped_column(ID, ForeignKey("workflow_runs.id", ondelete="CASCADE"), primary_key=True)]


class Base(MappedAsDataclass, DeclarativeBase):
    """Base of all tables."""


class WorkflowRun(Base):
    """One run; ``inputs`` are what it was asked for, ``outputs`` what it has to show.

    ``status`` is one of :data:`orchestrator.storage.base.STATUSES`. ``resumed_from`` is the id of the run that it
    goes on from; that one need not be stored. ``sweep`` and ``member`` are names, where the run is of a member of one.
    """

    __tablename__ = "workflow_runs"

    workflow_name: Mapped[str] = mapped_column(CleanText)
    id: Mapped[str] = mapped_column(ID, primary_key=True, default_factory=lambda: str(uuid4()))
    status: Mapped[str] = mapped_column(WORD, default="pending")
    scenario: Mapped[str | None] = mapped_column(CleanText, default=None)
    database: Mapped[str | None] = mapped_column(CleanText, default=None)
    fingerprint: Mapped[str | None] = mapped_column(CleanText, default=None)
    resumed_from: Mapped[str | None] = mapped_column(ID, default=None)
    config_snapshot: Mapped[dict[str, object]] = mapped_column(CleanMapping, default_factory=dict)
    inputs: Mapped[dict[str, object]] = mapped_column(CleanMapping, default_factory=dict)
    outputs: Mapped[dict[str, object] | None] = mapped_column(CleanMapping, default=None)
    versions: Mapped[dict[str, object]] = mapped_column(CleanMapping, default_factory=dict)
    error_message: Mapped[str | None] = mapped_column(CleanText, default=None)
    traceback: Mapped[str | None] = mapped_column(CleanText, default=None)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default_factory=utc_now)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    duration_seconds: Mapped[float | None] = mapped_column(Seconds, default=None)
    sweep: Mapped[str | None] = mapped_column(CleanText, default=None)
    member: Mapped[str | None] = mapped_column(CleanText, default=None)

    __table_args__ = (
        Index("workflow_runs_by_name", "workflow_name", "started_at"),
        Index("workflow_runs_by_sweep", "sweep", "started_at"),
        Index("workflow_runs_by_start", "started_at"),
    )


class WorkflowStep(Base):
    """One step of a run: ``kind`` is start, healing, purge, stage or hook; ``year`` and ``stage`` where it has them."""

    __tablename__ = "workflow_steps"

    run_id: Mapped[RunId]
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(CleanText)
    kind: Mapped[str] = mapped_column(WORD)
    status: Mapped[str] = mapped_column(WORD)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    year: Mapped[int | None] = mapped_column(Whole, default=None)
    stage: Mapped[str | None] = mapped_column(CleanText, default=None)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    seconds: Mapped[float | None] = mapped_column(Seconds, default=None)
    detail: Mapped[str | None] = mapped_column(CleanText, default=None)
    error: Mapped[str | None] = mapped_column(CleanText, default=None)
    traceback: Mapped[str | None] = mapped_column(CleanText, default=None)


class ExecutionState(Base):
    """The point that a run had reached at a moment; ``node_id`` says where that was, such as ``2026/validation``."""

    __tablename__ = "execution_states"

    run_id: Mapped[RunId]
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state_data: Mapped[dict[str, object]] = mapped_column(CleanMapping)
    node_id: Mapped[str | None] = mapped_column(CleanText, default=None)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default_factory=utc_now)


class WorkflowOutput(Base):
    """One result of a run; ``type`` is the kind of JSON value: object, array, string, number, boolean or null."""

    __tablename__ = "workflow_outputs"

    run_id: Mapped[RunId]
    key: Mapped[str] = mapped_column(CleanText, primary_key=True)
    value: Mapped[object | None] = mapped_column(CleanJson)
    type: Mapped[str] = mapped_column(WORD)


class RunNote(Base):
    """What somebody wrote about a run."""

    __tablename__ = "run_notes"

    run_id: Mapped[RunId]
    text: Mapped[str] = mapped_column(CleanText)


class RunTag(Base):
    """A word by which runs are found again."""

    __tablename__ = "run_tags"

    run_id: Mapped[RunId]
    tag: Mapped[str] = mapped_column(String(64), primary_key=True)

    __table_args__ = (Index("run_tags_by_tag", "tag"),)


class SessionState(Base):
    """The process that a run runs in; ``seen_at`` is when it wrote last."""

    __tablename__ = "session_state"

    run_id: Mapped[RunId]
    pid: Mapped[int] = mapped_column(Whole)
    host: Mapped[str] = mapped_column(CleanText)
    process_started: Mapped[str | None] = mapped_column(CleanText)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SweepRecord(Base):
    """A sweep as it was run last; ``counts`` are its members by status, ``plan`` what was varied, without the members.

    ``status`` is one of :data:`orchestrator.storage.base.STATUSES`.
    """

    __tablename__ = "sweeps"

    workflow_name: Mapped[str] = mapped_column(CleanText, primary_key=True)
    name: Mapped[str] = mapped_column(CleanText, primary_key=True)
    status: Mapped[str] = mapped_column(WORD)
    plan: Mapped[dict[str, object]] = mapped_column(CleanMapping, default_factory=dict)
    counts: Mapped[dict[str, object]] = mapped_column(CleanMapping, default_factory=dict)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default_factory=utc_now)
    completed_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    duration_seconds: Mapped[float | None] = mapped_column(Seconds, default=None)


class ChatSession(Base):
    """One conversation; ``generated_config`` is what it has led to so far, None where that is nothing.

    ``status`` is one of :data:`orchestrator.storage.base.CHAT_STATUSES`. Who knows ``session_id`` may read all of it,
    so it is drawn at random.
    """

    __tablename__ = "chat_sessions"

    user_identifier: Mapped[str] = mapped_column(CleanText)
    session_id: Mapped[str] = mapped_column(ID, primary_key=True, default_factory=lambda: str(uuid4()))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default_factory=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default_factory=utc_now)
    generated_config: Mapped[object | None] = mapped_column(CleanJson, default=None)
    status: Mapped[str] = mapped_column(WORD, default="in_progress")

    __table_args__ = (Index("chat_sessions_by_user", "user_identifier", "updated_at"),)


class ChatMessage(Base):
    """What somebody said in a conversation; ``id`` grows with the order in which it was said."""

    __tablename__ = "chat_messages"

    session_id: Mapped[str] = mapped_column(ID, ForeignKey("chat_sessions.session_id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(WORD)
    content: Mapped[str] = mapped_column(CleanText)
    id: Mapped[int] = mapped_column(Integer, primary_key=True, init=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default_factory=utc_now)
    details: Mapped[dict[str, object]] = mapped_column("metadata", CleanMapping, default_factory=dict)

    __table_args__ = (
        CheckConstraint("role in ('user', 'assistant')", name="chat_messages_role"),
        Index("chat_messages_by_session", "session_id", "id"),
    )
