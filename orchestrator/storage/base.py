"""The interface of a store of run history, whatever database is behind it.

Every method is one transaction. What is returned is detached: changing it changes nothing that is stored.
All times are aware UTC.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from orchestrator.core.annotations import Annotations

if TYPE_CHECKING:
    from orchestrator.storage.models import (
        Base,
        ChatMessage,
        ChatSession,
        ExecutionState,
        SessionState,
        SweepRecord,
        WorkflowOutput,
        WorkflowRun,
        WorkflowStep,
    )

PENDING, RUNNING, COMPLETED, FAILED = "pending", "running", "completed", "failed"
INTERRUPTED, CANCELLED = "interrupted", "cancelled"  # by Ctrl-C or a signal, and by the program that runs it
REFUSED = "refused"  # before its first year: somebody else has the database, or it cannot begin as it is asked for
IN_PROGRESS, USER, ASSISTANT = "in_progress", "user", "assistant"
CRASHED = "crashed"  # never stored: a run that is running although its process is gone
STATUSES = (PENDING, RUNNING, COMPLETED, FAILED, INTERRUPTED, CANCELLED, REFUSED)
ENDED = (COMPLETED, FAILED, INTERRUPTED, CANCELLED, REFUSED)
RUNS_TO_LEARN_FROM = 10
CHAT_STATUSES = (IN_PROGRESS, COMPLETED)
CHAT_ROLES = (USER, ASSISTANT)
MOST_OF_A_MESSAGE = 100_000  # characters of a text, or of what belongs to it as JSON
MOST_OF_A_NAME = 200  # characters


@dataclass(frozen=True)
class RunRecord:
    """A run with all that belongs to it, steps and states in their order."""

    run: WorkflowRun
    steps: tuple[WorkflowStep, ...]
    states: tuple[ExecutionState, ...]
    outputs: tuple[WorkflowOutput, ...]
    session: SessionState | None
    annotations: Annotations = field(default_factory=Annotations)


class AbstractWorkflowRunRepository(ABC):
    """The runs themselves."""

    @abstractmethod
    def add(self, run: WorkflowRun) -> WorkflowRun:
        """Store a new run.

        Raises:
            StorageError: there is a run of that id already.
        """

    @abstractmethod
    def get(self, run_id: str) -> WorkflowRun | None:
        """Return a run, None when there is none of that id."""

    @abstractmethod
    def find(self, beginning: str, limit: int = 10) -> list[WorkflowRun]:
        """Return runs whose id begins so, newest first."""

    @abstractmethod
    def list_by_workflow(self, workflow_name: str, limit: int = 100) -> list[WorkflowRun]:
        """Return the runs of a workflow, newest first."""

    @abstractmethod
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
        """Return runs of all workflows that fit every filter given, newest first.

        Without ``members``, runs of members of sweeps are left out.
        """

    @abstractmethod
    def update_status(
        self,
        run_id: str,
        status: str,
        *,
        outputs: dict[str, object] | None = None,
        error_message: str | None = None,
    ) -> WorkflowRun:
        """Set the status of a run; one that ends it also sets ``completed_at`` and ``duration_seconds``.

        ``outputs`` and ``error_message`` are left as they are where they are None.

        Raises:
            RunNotFoundError: there is no such run.
            ValueError: there is no such status.
        """

    @abstractmethod
    def delete(self, run_id: str) -> bool:
        """Remove a run and all that belongs to it; tell whether it was there."""

    @abstractmethod
    def save(self, records: Sequence[Base], *, of: str | None = None) -> bool:
        """Store records of any kind, in the place of those with the same key: doing it twice changes nothing.

        ``of`` is the id of a run that has to be stored already; where it is not, nothing is done, and False returned.
        """

    @abstractmethod
    def replace(self, record: RunRecord) -> None:
        """Store a run with all that belongs to it, in the place of all that is stored of that id.

        A note and tags that are stored already are kept: somebody may have written them since.
        """


class AbstractWorkflowStepRepository(ABC):
    """The steps of runs: healing, purge, stages, hooks."""

    @abstractmethod
    def list_by_run(self, run_id: str) -> list[WorkflowStep]:
        """Return the steps of a run in their order."""

    @abstractmethod
    def last_stages(self, run_ids: Sequence[str]) -> dict[str, WorkflowStep]:
        """Return the stage that each of these runs began last, by run id; a run without any is not there."""

    @abstractmethod
    def stage_seconds(self, workflow_name: str, scenario: str, runs: int) -> list[tuple[int, str, float]]:
        """Return (year, stage, seconds) of completed stages in the newest ``runs`` runs of a workflow and scenario."""


class AbstractExecutionStateRepository(ABC):
    """Checkpoints: what a run had reached."""

    @abstractmethod
    def save_state(self, run_id: str, state_data: dict[str, object], node_id: str | None = None) -> ExecutionState:
        """Append a state to a run; ``node_id`` says where in the run it was taken.

        Raises:
            RunNotFoundError: there is no such run.
        """

    @abstractmethod
    def get_latest_state(self, run_id: str) -> dict[str, object] | None:
        """Return the data of the state that was saved last, None where there is none."""

    @abstractmethod
    def get_state_history(self, run_id: str) -> list[ExecutionState]:
        """Return all states of a run in the order in which they were saved."""


class AbstractWorkflowOutputRepository(ABC):
    """The named results of runs."""

    @abstractmethod
    def list_by_run(self, run_id: str) -> list[WorkflowOutput]:
        """Return the outputs of a run by key."""


class AbstractSessionStateRepository(ABC):
    """The processes that runs run in."""

    @abstractmethod
    def get(self, run_id: str) -> SessionState | None:
        """Return the process of a run, None where it is not known."""

    @abstractmethod
    def of_runs(self, run_ids: Iterable[str]) -> dict[str, SessionState]:
        """Return the processes of several runs by run id."""


class AbstractAnnotationRepository(ABC):
    """Notes and tags that people give runs."""

    @abstractmethod
    def of_runs(self, run_ids: Iterable[str]) -> dict[str, Annotations]:
        """Return notes and tags by run id; a run without any is not there."""

    @abstractmethod
    def set_note(self, run_id: str, text: str | None) -> None:
        """Give a run a note in place of its old one; None removes it.

        Raises:
            RunNotFoundError: there is no such run.
        """

    @abstractmethod
    def set_tags(self, run_id: str, tags: Iterable[str]) -> None:
        """Give a run these tags in place of its old ones.

        Raises:
            RunNotFoundError: there is no such run.
        """


class AbstractSweepRepository(ABC):
    """Sweeps, each as it was run last; its members are runs."""

    @abstractmethod
    def save(self, sweep: SweepRecord) -> None:
        """Store a sweep in the place of the one of its workflow and name."""

    @abstractmethod
    def list_sweeps(self, limit: int | None = None) -> list[SweepRecord]:
        """Return sweeps of all workflows, newest first."""

    @abstractmethod
    def delete(self, workflow_name: str, name: str) -> bool:
        """Remove a sweep; its runs stay. Tell whether it was there."""


class ChatSessionRepository(ABC):
    """Conversations in which configurations are made, with all that was said in them."""

    @abstractmethod
    def create_session(self, user_identifier: str) -> str:
        """Begin a conversation of somebody; return its id, which nobody can guess.

        Raises:
            ChatMessageError: the name is empty or too long.
        """

    @abstractmethod
    def get_session(self, session_id: str) -> ChatSession | None:
        """Return a conversation, None when there is none of that id."""

    @abstractmethod
    def add_message(
        self, session_id: str, role: str, content: str, metadata: Mapping[str, object] | None = None
    ) -> ChatMessage:
        """Append what one of :data:`CHAT_ROLES` said; the conversation becomes the newest of its user.

        Raises:
            ChatSessionNotFoundError: there is no such conversation.
            ChatMessageError: there is no such role, or it is longer than :data:`MOST_OF_A_MESSAGE`.
        """

    @abstractmethod
    def get_messages(self, session_id: str, limit: int | None = None) -> list[ChatMessage]:
        """Return what was said, oldest first; with ``limit`` the newest of them. Of an unknown conversation nothing."""

    @abstractmethod
    def update_config(self, session_id: str, generated_config: object | None, *, status: str | None = None) -> None:
        """Store what the conversation has led to, a JSON value; None removes it. ``status`` stays where it is None.

        Raises:
            ChatSessionNotFoundError: there is no such conversation.
            ChatMessageError: there is no such status, or it is longer than :data:`MOST_OF_A_MESSAGE` as JSON.
        """

    @abstractmethod
    def list_recent_sessions(self, user_identifier: str, limit: int = 10) -> list[ChatSession]:
        """Return the conversations of somebody, the one that was changed last first."""

    @abstractmethod
    def delete_session(self, session_id: str) -> bool:
        """Remove a conversation with all that was said; tell whether it was there."""


@dataclass(frozen=True)
class StorageBackend:
    """A store, ready to use; ``url`` has its password masked. Close it, or use it as a context manager."""

    url: str
    runs: AbstractWorkflowRunRepository
    steps: AbstractWorkflowStepRepository
    states: AbstractExecutionStateRepository
    outputs: AbstractWorkflowOutputRepository
    sessions: AbstractSessionStateRepository
    annotations: AbstractAnnotationRepository
    sweeps: AbstractSweepRepository
    chat_sessions: ChatSessionRepository
    release: Callable[[], None]

    def close(self) -> None:
        """Close every connection."""
        self.release()

    def __enter__(self) -> StorageBackend:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def stage_seconds(self, root: str, scenario: str) -> list[tuple[int, str, float]]:
        """Return (year, stage, seconds) of what stages took lately in the project at ``root``."""
        return self.steps.stage_seconds(workflow_name(root), scenario, RUNS_TO_LEARN_FROM)

    def record(self, run: WorkflowRun) -> RunRecord:
        """Return all that belongs to a run."""
        return RunRecord(
            run,
            tuple(self.steps.list_by_run(run.id)),
            tuple(self.states.get_state_history(run.id)),
            tuple(self.outputs.list_by_run(run.id)),
            self.sessions.get(run.id),
            self.annotations.of_runs([run.id]).get(run.id, Annotations()),
        )


def workflow_name(root: str) -> str:
    """Return the name under which the runs of a project are kept: that of the folder that is its root.

    >>> workflow_name("/home/me/my lakes")
    'my lakes'
    """
    return PurePath(root).name or "simulation"
