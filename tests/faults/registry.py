"""A fault is a test that says, for the table in the documentation, what it breaks and what must come of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest

from tests.faults.ground import Ground
from tests.support.cli_project import Told

Steps = Generator[Told, None, None]
Cause = Callable[..., Steps]
Test = Callable[..., None]

GROUPS = (
    "Kills",
    "Random kills",
    "Locks",
    "Disk and file",
    "Seeds and models",
    "Profile and configuration",
    "Hooks",
    "Interruptions",
)
KILLED = -9
SECONDS_FOR_SEVERAL = 900


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong, and what a user then sees.

    ``says`` are words of the message. ``check`` is how ``orchestrator check`` ends right afterwards, with the fault
    still there, None where that is not asked; ``afterwards`` says in words what stands. ``untouched`` promises that
    the database is byte for byte what it was, once the fault is taken away. ``given`` is what a test of several
    faults is told about this one.
    """

    what: str
    exit_code: int
    says: str | tuple[str, ...] = ()
    check: int | None = 0
    afterwards: str = "nothing was written"
    untouched: bool = False
    given: object = None

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of the message."""
        return (self.says,) if isinstance(self.says, str) else self.says


FAULTS: dict[str, list[Fault]] = {group: [] for group in GROUPS}


def fault(group: str, declared: Fault) -> Callable[[Cause], Test]:
    """Make a test of a generator that causes a fault, yields what the command said, and takes the fault away again.

    The test holds what was said to ``exit_code`` and ``says``, then that nothing of the run lives or is in the way,
    that ``check`` ends as declared, and, once the fault is taken away, that ``simulate`` gives the undisturbed rows.
    A database that is ``untouched`` needs no run to prove that: it is the one from which every other test starts.
    """
    FAULTS[group].append(declared)

    def make(cause: Cause) -> Test:
        @functools.wraps(cause)
        def test(ground: Ground, **fixtures: object) -> None:
            undergo(declared, ground, cause(ground, **fixtures))

        return test

    return make


def faults(group: str, *declared: Fault) -> Callable[[Cause], Test]:
    """Make one test of several faults of a kind, caused and judged one after the other, with one run at the end.

    The generator is called for each of them, with the ``Fault`` as its second argument.
    """
    FAULTS[group].extend(declared)

    def make(cause: Cause) -> Test:
        @pytest.mark.timeout(SECONDS_FOR_SEVERAL)
        @functools.wraps(cause)
        def test(ground: Ground) -> None:
            for one in declared:
                undergo(one, ground, cause(ground, one), recover=False)
            if not all(one.untouched for one in declared):
                ground.assert_recovers()

        del test.__wrapped__  # pytest would ask for a fixture "one"
        return test

    return make


def declared(group: str, *these: Fault) -> Callable[[Test], Test]:
    """List faults in the table whose test judges them itself."""
    FAULTS[group].extend(these)
    return lambda test: test


def undergo(one: Fault, ground: Ground, steps: Steps, *, recover: bool = True) -> None:
    """Go through a fault and its cure; ``recover`` runs to the end afterwards, unless the database is untouched."""
    ground.leave_open()
    before = ground.contents()
    try:
        judge(one, next(steps))
        ground.assert_nothing_left()
        if one.check is not None:
            checked = ground("check")
            assert checked.exit_code == one.check, checked
            assert "Traceback" not in checked.err, checked.err
            assert one.check in (0, 3) or "To fix:" in checked.err, checked.err
        assert next(steps, None) is None
    finally:
        steps.close()
    if one.untouched:
        assert ground.contents() == before
    elif recover:
        ground.assert_recovers()


def judge(one: Fault, told: Told) -> None:
    """Hold what a command said to what was declared."""
    assert told.exit_code == one.exit_code, told
    assert "Traceback" not in told.err, told.err
    said = " ".join((told.out + told.err).split())
    for words in one.words:
        assert words in said, told
    if one.exit_code not in (0, 3, 130):
        assert sum(line.startswith("Error: ") for line in told.err.splitlines()) == 1, told.err
        assert "To fix:" in told.err, told.err


def table() -> str:
    """Return the page of the documentation that lists all faults."""
    lines = [
        "# Faults on purpose",
        "",
        "Each row is a fault that a test in `tests/faults/` really causes, with processes, files and signals. This",
        "page is generated from those tests (`make faults-table`). After each fault, no process that the orchestrator",
        "started is still running, the lock is free, nothing temporary is left in the database, and every error says",
        "how to fix it. `check` is run while the fault is still there. Once the fault is removed, `simulate` exits",
        "with 0 and gives the same rows as an undisturbed run.",
        "",
        "`make faults` goes further: it kills runs at random moments for as long as you let it.",
    ]
    for group, found in FAULTS.items():
        lines += ["", f"## {group}", "", "| fault | exit | says | `check` | afterwards |", "|---|---|---|---|---|"]
        lines += [_row(one) for one in found]
    return "\n".join(lines) + "\n"


def _row(one: Fault) -> str:
    said = ", ".join(f"“{words}”" for words in one.words)
    ends = "SIGKILL" if one.exit_code == KILLED else str(one.exit_code)
    looked = "–" if one.check is None else str(one.check)
    cells = (one.what, ends, said, looked, one.afterwards)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
