"""Every error that this package raises on purpose.

::

    OrchestratorError                          exit code 1
    ├── ConfigurationError (ValueError)        2    a key, value, path or profile is wrong
    │   ├── DbtProjectError                    2    the dbt project cannot be parsed or its profile is missing
    │   ├── YearSequenceError                  2    the year before the first one asked for is not there
    │   └── YearsWouldBeLostError              2    finished years would go that are not simulated again
    ├── HookDefinitionError (TypeError)        2    a hook of the wrong shape was registered
    ├── HookError                              1    a hook stopped the run
    ├── DatabaseError                          1    the database file cannot be used
    │   ├── DatabaseLockedError (TimeoutError) 75   another process holds the database
    │   ├── DatabaseCorruptionError            1    the file is damaged or not a database
    │   ├── DatabasePermissionError (PermissionError) 1
    │   ├── DiskFullError (OSError)            1
    │   ├── StatementError (ValueError)        2    a statement of the user is wrong, or does more than to read
    │   └── TableNotFoundError (LookupError)   2    the database has no such table
    ├── DbtError                               1    dbt could not do what it was told
    │   ├── NodeFailedError                    1    models or seeds failed
    │   ├── TestFailedError                    1    dbt tests found failing rows
    │   ├── NothingSelectedError (LookupError) 1    a selector matched no node
    │   ├── DbtTimeoutError (TimeoutError)     124  a dbt command outlived its time
    │   └── DbtProcessError                    1    the dbt process died or would not start
    ├── InitializationError                    1    healing failed
    │   ├── ConcurrentInitializationError      75   (also a DatabaseLockedError)
    │   └── InitializationTimeoutError         124  (also a TimeoutError)
    ├── ContinuityError                        1    rows that a year left for the next one are gone
    ├── OtherYearsWrittenError                 1    a stage changed rows of other years than its own
    ├── RunCancelledError                      130  somebody cancelled the run
    ├── StorageError                           1    the history of runs cannot be used
    │   ├── StorageUnavailableError (ConnectionError) 1  the server is not there, or refuses
    │   ├── StoragePermissionError (PermissionError) 1
    │   ├── StorageFullError (OSError)         1
    │   ├── StorageCorruptionError             1    it is damaged, or not a run history
    │   ├── StorageVersionError                1    a newer version of this program wrote it
    │   ├── RunNotFoundError (LookupError)     2    there is no run of that id
    │   ├── ChatMessageError (ValueError)      2    a message of a conversation cannot be kept
    │   └── ChatSessionNotFoundError (LookupError) 2  there is no conversation of that id
    ├── BackupError                            1    a backup cannot be made or restored
    │   ├── BackupDamagedError                 1    it is not what was written
    │   └── BackupNotFoundError (LookupError)  2    there is none of that name
    ├── AssistantError                         1    a language model gave no answer that can be used
    │   ├── AssistantUnavailableError (ConnectionError) 1  it cannot be reached, or refuses
    │   └── AssistantTimeoutError (TimeoutError) 124    it was silent for too long
    ├── SweepError                             1    a sweep cannot go on
    │   ├── SweepBusyError (TimeoutError)      75   another process runs the sweep
    │   └── SweepNotFoundError (LookupError)   2    there is no sweep of that name
    ├── MissingExtraError (ImportError)        2    an optional package is not installed
    └── StageTimeoutError (TimeoutError)       124  a stage of a year outlived its time

Each error is one short paragraph that says what failed and where, and, where the cure is certain, a line
that begins with ``To fix:``. Errors pickle with all their fields, because they cross a process border.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path


class OrchestratorError(Exception):
    """Base of every error of this package; ``exit_code`` is what the command line returns for it."""

    exit_code = 1

    def __init__(self, message: str, *, to_fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.to_fix = to_fix

    def __str__(self) -> str:
        return self.message if self.to_fix is None else f"{self.message}\nTo fix: {self.to_fix}"

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(cls: type[OrchestratorError], args: tuple[object, ...], state: dict[str, object]) -> OrchestratorError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(OrchestratorError, ValueError):
    """Signals that a configuration key, value or path is wrong."""

    exit_code = 2


class DbtProjectError(ConfigurationError):
    """Signals that the dbt project cannot be read: no project, no profile, or it does not parse."""


class YearSequenceError(ConfigurationError):
    """Signals that a year was asked for whose predecessor is not in the database."""


class YearsWouldBeLostError(ConfigurationError):
    """Signals that a run would remove finished years that it does not build again: ``years``."""

    def __init__(self, message: str, *, years: Sequence[int], to_fix: str | None = None) -> None:
        super().__init__(message, to_fix=to_fix)
        self.years = tuple(years)


class HookDefinitionError(OrchestratorError, TypeError):
    """Signals that something that is not a hook was registered as one."""

    exit_code = 2


class HookError(OrchestratorError):
    """Signals that a hook stopped the run; ``__cause__`` is what the hook raised.

    Where the cause is an error of this package, :meth:`wrapping` makes an error that is an instance of both
    classes, so that ``except InitializationTimeoutError`` catches a healing that ran as a hook, too.
    """

    hook_name: str
    hook_type: str

    @classmethod
    def wrapping(cls, cause: BaseException, *, hook_name: str, hook_type: str, moment: str = "") -> HookError:
        """Make the error for ``cause``; it takes over the cause's fields, exit code and remedy.

        ``moment`` says when, such as ``2026, reporting``; it may be empty.
        """
        state: dict[str, object] = {"to_fix": None}
        if isinstance(cause, OrchestratorError):
            state |= cause.__dict__ | {"exit_code": cause.exit_code}
            reason = cause.message
        else:
            reason = f"{type(cause).__name__}: {cause}"
        if state["to_fix"] is None:
            state["to_fix"] = "correct the hook, or set on_error: warn so that runs continue when it fails"
        when = f" ({moment})" if moment else ""
        message = f"The {hook_type} hook {hook_name!r} stopped the run{when}. {reason}"
        state |= {"message": message, "hook_name": hook_name, "hook_type": hook_type}
        error = _rebuild(_hook_error_class(type(cause)), (message,), state)
        assert isinstance(error, HookError)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        causes = [base for base in type(self).__bases__ if not issubclass(base, HookError)]
        cause_class = causes[0] if causes and causes[0] is not OrchestratorError else Exception
        return (_rebuild_hook_error, (cause_class, self.args, self.__dict__.copy()))


_combined: dict[type[BaseException], type[HookError]] = {}


def _hook_error_class(cause: type[BaseException]) -> type[HookError]:
    if issubclass(cause, HookError):
        return cause
    if not issubclass(cause, OrchestratorError) or issubclass(HookError, cause):
        return HookError
    return _combined.setdefault(cause, type(f"Hook{cause.__name__}", (HookError, cause), {}))


def _rebuild_hook_error(
    cause: type[BaseException], args: tuple[object, ...], state: dict[str, object]
) -> OrchestratorError:
    return _rebuild(_hook_error_class(cause), args, state)


class DatabaseError(OrchestratorError):
    """Signals that the database file cannot be used as it is."""


class DatabaseLockedError(DatabaseError, TimeoutError):
    """Signals that another process holds the database.

    ``pid``, ``command``, ``host`` and ``since`` (aware UTC) are None where the holder left no note.
    """

    exit_code = 75

    def __init__(
        self,
        message: str,
        *,
        lock_path: Path | None = None,
        pid: int | None = None,
        command: str | None = None,
        host: str | None = None,
        since: datetime | None = None,
        to_fix: str | None = None,
    ) -> None:
        super().__init__(message, to_fix=to_fix)
        self.lock_path = lock_path
        self.pid = pid
        self.command = command
        self.host = host
        self.since = since


class DatabaseCorruptionError(DatabaseError):
    """Signals that the file is damaged, or is no database at all."""


class DatabasePermissionError(DatabaseError, PermissionError):
    """Signals that the database or its folder may not be read or written."""


class DiskFullError(DatabaseError, OSError):
    """Signals that the database could not grow: disk, quota or file-size limit."""


class StatementError(DatabaseError, ValueError):
    """Signals that the database refuses a statement that the user wrote, or that it does more than to read."""

    exit_code = 2


class TableNotFoundError(DatabaseError, LookupError):
    """Signals that the database has no table of a name that the user gave, or several."""

    exit_code = 2


class DbtError(OrchestratorError):
    """Signals that dbt could not do what it was told."""


class NodeFailedError(DbtError):
    """Signals that models or seeds failed; ``nodes`` holds their unique ids, the first failure first."""

    def __init__(self, message: str, *, nodes: Sequence[str], to_fix: str | None = None) -> None:
        super().__init__(message, to_fix=to_fix)
        self.nodes = tuple(nodes)


class TestFailedError(DbtError):
    """Signals that dbt tests found failing rows; ``nodes`` holds the tests' unique ids."""

    __test__ = False

    def __init__(self, message: str, *, nodes: Sequence[str], to_fix: str | None = None) -> None:
        super().__init__(message, to_fix=to_fix)
        self.nodes = tuple(nodes)


class NothingSelectedError(DbtError, LookupError):
    """Signals that a selector matched no node, or fewer than it names; dbt itself calls that a success."""


class DbtTimeoutError(DbtError, TimeoutError):
    """Signals that a dbt command outlived its ``timeout`` (seconds) and was stopped."""

    exit_code = 124

    def __init__(self, message: str, *, timeout: float, to_fix: str | None = None) -> None:
        super().__init__(message, to_fix=to_fix)
        self.timeout = timeout


class DbtProcessError(DbtError):
    """Signals that the dbt process died or would not start."""


class InitializationError(OrchestratorError):
    """Signals that healing failed at ``step``; ``tables`` are the ones concerned."""

    def __init__(
        self,
        message: str,
        *,
        step: str | None = None,
        tables: Sequence[str] = (),
        exit_code: int | None = None,
        to_fix: str | None = None,
    ) -> None:
        super().__init__(message, to_fix=to_fix)
        self.step = step
        self.tables = tuple(tables)
        if exit_code is not None:
            self.exit_code = exit_code


class ConcurrentInitializationError(InitializationError, DatabaseLockedError):
    """Signals that another process held the mutex longer than the healing was ready to wait."""

    exit_code = 75

    def __init__(
        self,
        message: str,
        *,
        lock_path: Path | None = None,
        pid: int | None = None,
        command: str | None = None,
        host: str | None = None,
        since: datetime | None = None,
        to_fix: str | None = None,
    ) -> None:
        DatabaseLockedError.__init__(
            self,
            message,
            lock_path=lock_path,
            pid=pid,
            command=command,
            host=host,
            since=since,
            to_fix=to_fix,
        )
        self.step = None
        self.tables = ()


class InitializationTimeoutError(InitializationError, TimeoutError):
    """Signals that the whole initialization took longer than its ``timeout_seconds`` and was stopped."""

    exit_code = 124


class ContinuityError(OrchestratorError):
    """Signals that the rows which a year left for the next one were changed by somebody else."""


class OtherYearsWrittenError(OrchestratorError):
    """Signals that a stage changed rows of other years than the one it builds, which could not be undone."""


class RunCancelledError(OrchestratorError):
    """Signals that the run ``run_id`` was cancelled and has stopped; what it finished is kept."""

    exit_code = 130

    def __init__(self, message: str, *, run_id: str | None = None, to_fix: str | None = None) -> None:
        super().__init__(message, to_fix=to_fix)
        self.run_id = run_id


class StageTimeoutError(OrchestratorError, TimeoutError):
    """Signals that a stage of a year outlived its ``timeout_seconds`` and was stopped."""

    exit_code = 124


class StorageError(OrchestratorError):
    """Signals that the history of runs cannot be read or written."""


class StorageUnavailableError(StorageError, ConnectionError):
    """Signals that the server of the run history is not there, refuses the user, or is busy for too long."""


class StoragePermissionError(StorageError, PermissionError):
    """Signals that the run history may not be written by this user."""


class StorageFullError(StorageError, OSError):
    """Signals that there is no room for the run history."""


class StorageCorruptionError(StorageError):
    """Signals that the run history is damaged, or that something else lies in its place."""


class StorageVersionError(StorageError):
    """Signals that a newer version of this program wrote the run history."""


class RunNotFoundError(StorageError, LookupError):
    """Signals that the history holds no run of that id, or several that begin so."""

    exit_code = 2


class ChatMessageError(StorageError, ValueError):
    """Signals that what was said in a conversation cannot be kept: it is too long, or of an unknown role."""

    exit_code = 2


class ChatSessionNotFoundError(StorageError, LookupError):
    """Signals that there is no conversation of that id."""

    exit_code = 2


class AssistantError(OrchestratorError):
    """Signals that a language model gave no answer that can be used."""


class AssistantUnavailableError(AssistantError, ConnectionError):
    """Signals that a language model cannot be reached, or refuses to answer."""


class AssistantTimeoutError(AssistantError, TimeoutError):
    """Signals that a language model was silent for too long."""

    exit_code = 124


class SweepError(OrchestratorError):
    """Signals that a sweep cannot begin or go on; what its members have finished is kept."""


class SweepBusyError(SweepError, TimeoutError):
    """Signals that another process runs the sweep; ``pid`` is None where it left no note."""

    exit_code = 75

    def __init__(self, message: str, *, pid: int | None = None, to_fix: str | None = None) -> None:
        super().__init__(message, to_fix=to_fix)
        self.pid = pid


class SweepNotFoundError(SweepError, LookupError):
    """Signals that there is no sweep of that name."""

    exit_code = 2


class MissingExtraError(OrchestratorError, ImportError):
    """Signals that an optional package is not installed."""

    exit_code = 2


class BackupError(OrchestratorError):
    """Signals that a backup cannot be made, found or restored."""


class BackupDamagedError(BackupError):
    """Signals that a backup is not what was written."""


class BackupNotFoundError(BackupError, LookupError):
    """Signals that there is no backup of that name."""

    exit_code = 2
