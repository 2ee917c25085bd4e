"""The request to cancel a run, made in one thread and heeded in another."""

from __future__ import annotations

from orchestrator.core.errors import RunCancelledError


class CancelToken:
    """Says whether a run was cancelled; every deadline of the run looks at it.

    It waits for nothing and takes no lock, so that a signal handler may cancel, too.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._cancelled = False

    def cancel(self) -> None:
        """Ask the run to stop; asking twice changes nothing."""
        self._cancelled = True

    def check(self) -> None:
        """Do nothing unless the run was cancelled.

        Raises:
            RunCancelledError: it was.
        """
        if self._cancelled:
            said = "The run was cancelled; the next one goes on where it stopped."
            raise RunCancelledError(said, run_id=self._run_id)
