"""Tell runs that are in progress from those whose process is gone."""

from __future__ import annotations

from orchestrator.core.processes import ProcessIdentity
from orchestrator.storage.base import CRASHED, RUNNING
from orchestrator.storage.models import SessionState, WorkflowRun


def status_of(run: WorkflowRun, session: SessionState | None) -> str:
    """Return the status of a run as it is: ``crashed`` where it is running and its process is known to be gone.

    A process on another host cannot be looked for; its run stays ``running``.
    """
    if run.status != RUNNING or session is None:
        return run.status
    gone = ProcessIdentity(session.pid, session.host, session.process_started).is_gone()
    return CRASHED if gone else RUNNING
