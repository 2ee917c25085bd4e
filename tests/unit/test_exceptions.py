"""The error tree: exit codes, builtin families, wording, pickling."""

from __future__ import annotations

import pickle
import re
from datetime import datetime, timezone
from pathlib import Path

import pytest

from orchestrator.core import errors
from orchestrator.core.errors import (
    ConcurrentInitializationError,
    ConfigurationError,
    DatabaseLockedError,
    DbtTimeoutError,
    HookError,
    InitializationError,
    InitializationTimeoutError,
    NodeFailedError,
    OrchestratorError,
    RunCancelledError,
    TestFailedError,
    YearsWouldBeLostError,
)

SINCE = datetime(2025, 1, 1, tzinfo=timezone.utc)
ARGUMENTS: dict[type[OrchestratorError], dict[str, object]] = {
    YearsWouldBeLostError: {"years": (2026, 2027)},
    DatabaseLockedError: {
        "lock_path": Path("x.lock"),
        "pid": 1,
        "command": "c",
        "host": "h",
        "since": SINCE,
    },
    ConcurrentInitializationError: {
        "lock_path": Path("x.lock"),
        "pid": 1,
        "command": "c",
        "host": "h",
        "since": SINCE,
    },
    NodeFailedError: {"nodes": ["model.p.a"]},
    RunCancelledError: {"run_id": "r"},
    TestFailedError: {"nodes": ["test.p.a"]},
    DbtTimeoutError: {"timeout": 1.5},
    InitializationError: {"step": "load_seeds", "tables": ["a"], "exit_code": 75},
    InitializationTimeoutError: {"step": "load_seeds", "tables": ["a"]},
}
ALL = sorted(
    (cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, OrchestratorError)),
    key=lambda cls: cls.__name__,
)


def make(cls: type[OrchestratorError]) -> OrchestratorError:
    """Make an error with every field it knows."""
    return cls("It failed.", to_fix="Mend it.", **ARGUMENTS.get(cls, {}))


@pytest.mark.parametrize("cls", ALL)
def test_every_error_survives_pickling(cls: type[OrchestratorError]) -> None:
    """Class, message, remedy, exit code and all fields come back."""
    error = make(cls)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is cls
    assert (str(back), back.__dict__, back.exit_code) == (
        str(error),
        error.__dict__,
        error.exit_code,
    )


@pytest.mark.parametrize("cls", [cls for cls in ALL if cls is not HookError])
def test_a_hook_error_is_what_its_cause_is(cls: type[OrchestratorError]) -> None:
    """Wrapped by a hook, an error keeps its class, fields, remedy and exit code, pickled or not."""
    cause = make(cls)
    wrapped = HookError.wrapping(cause, hook_name="n", hook_type="pre_year")
    for error in (wrapped, pickle.loads(pickle.dumps(wrapped))):
        assert isinstance(error, HookError)
        assert isinstance(error, cls)
        assert error.exit_code == cause.exit_code
        assert str(error) == "The pre_year hook 'n' stopped the run. It failed.\nTo fix: Mend it."
        for name, value in cause.__dict__.items():
            if name != "message":
                assert getattr(error, name) == value


def test_a_hook_error_of_a_foreign_cause_names_it() -> None:
    """An error that is not ours is told with its class, and is not one of its family."""
    error = HookError.wrapping(KeyError("k"), hook_name="n", hook_type="post_year")
    assert type(error) is HookError
    assert error.message == "The post_year hook 'n' stopped the run. KeyError: 'k'"
    assert error.to_fix is not None and "on_error: warn" in error.to_fix
    assert type(pickle.loads(pickle.dumps(error))) is HookError


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The drawing names every error once, under its parent, with its exit code."""
    drawing = re.findall(
        r"^([ │├└─]*)(\w+Error)(?: \((?:\w+|also a \w+)\))? +(?:exit code )?(\d+)",
        errors.__doc__ or "",
        re.MULTILINE,
    )
    parents: list[type[OrchestratorError]] = []
    for indent, name, code in drawing:
        cls = vars(errors)[name]
        depth = len(indent.replace("    ", "│   ")) // 4 - 1
        parents[depth:] = [cls]
        assert depth == 0 or parents[depth - 1] in cls.__mro__, name
        assert cls.exit_code == int(code), name
    assert sorted(name for _, name, _ in drawing) == [cls.__name__ for cls in ALL]


def test_the_remedy_is_a_line_of_its_own() -> None:
    """``str`` gives the message, and the remedy where there is one."""
    assert str(ConfigurationError("Wrong.")) == "Wrong."
    assert str(ConfigurationError("Wrong.", to_fix="Right it.")) == "Wrong.\nTo fix: Right it."
