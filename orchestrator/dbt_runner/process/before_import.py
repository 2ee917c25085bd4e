"""What is set before dbt is imported.

Locks: dbt asks for its locks in a ``multiprocessing`` context of the kind ``spawn``. Each is a semaphore of the whole
system with a name, and Python starts an interpreter that does nothing but remember those names (``resource_tracker``):
one more process for each dbt process, and its CPU. Nothing in dbt hands such a lock to another process; threads alone
fight for them.

Serializers: mashumaro makes those of its own JSON schemas while it is imported, a tenth of what importing dbt takes;
dbt uses one method of eight classes. Its option ``lazy_compilation`` makes each when it is called, as dbt has it for
all classes of its own.
"""

from __future__ import annotations

import threading
from importlib import import_module
from multiprocessing.context import SpawnContext

import dbt.mp_context
from mashumaro.config import BaseConfig


class ThreadLocks(SpawnContext):
    """A context whose locks are those of threads; in all else it is that of dbt."""

    def Lock(self) -> threading.Lock:  # type: ignore[override]  # noqa: N802 - the name that dbt calls
        """Return a lock that any thread of this process may free."""
        return threading.Lock()

    def RLock(self) -> threading.RLock:  # type: ignore[override]  # noqa: N802
        """Return a lock that its own thread may take again."""
        return threading.RLock()


def prepare_import() -> None:
    """Let dbt make locks of threads, which its manifest asks for when it is imported, and serializers when used."""
    dbt.mp_context._MP_CONTEXT = ThreadLocks()
    before, BaseConfig.lazy_compilation = BaseConfig.lazy_compilation, True
    try:
        import_module("mashumaro.jsonschema")
    finally:
        BaseConfig.lazy_compilation = before
