"""The locks that dbt makes, as those of threads: dbt starts no process of its own.

dbt asks for its locks in a ``multiprocessing`` context of the kind ``spawn``. Each is a semaphore of the whole system
with a name, and Python starts an interpreter that does nothing but remember those names (``resource_tracker``): one
more process for each dbt process, and its CPU. Nothing in dbt hands such a lock to another process; threads alone
fight for them.
"""

from __future__ import annotations

import threading
from multiprocessing.context import SpawnContext

import dbt.mp_context


class ThreadLocks(SpawnContext):
    """A context whose locks are those of threads; in all else it is that of dbt."""

    def Lock(self) -> threading.Lock:  # type: ignore[override]  # noqa: N802 - the name that dbt calls
        """Return a lock that any thread of this process may free."""
        return threading.Lock()

    def RLock(self) -> threading.RLock:  # type: ignore[override]  # noqa: N802
        """Return a lock that its own thread may take again."""
        return threading.RLock()


def use_thread_locks() -> None:
    """Let dbt make locks of threads; of use only before dbt's manifest is imported, which asks for one at once."""
    dbt.mp_context._MP_CONTEXT = ThreadLocks()
