"""The findings of an examination, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from orchestrator.core.errors import OrchestratorError
from orchestrator.pipeline.resume import Loss
from orchestrator.self_healing.initialization_state import TableFinding


class Status(str, Enum):
    """The gravity of a diagnosis; only a problem makes a workspace unhealthy."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Diagnosis:
    """The finding of one check about one ``subject``, such as a table, a file or a stage; None speaks of the whole.

    ``remedy`` is what to do about a problem; a note may have one, what is well has none. ``about`` is what was found as
    a value, where it is one: of a required table, or of rows that are gone.
    """

    check: str
    status: Status
    subject: str | None
    detail: str
    remedy: str | None = None
    about: TableFinding | Loss | None = None


@dataclass(frozen=True)
class Report:
    """All that was found, in the order of the checks; every check has at least one diagnosis."""

    diagnoses: tuple[Diagnosis, ...]

    @property
    def healthy(self) -> bool:
        """Tell whether nothing is a problem."""
        return not self.problems

    @property
    def problems(self) -> tuple[Diagnosis, ...]:
        """Return what is to be mended."""
        return tuple(d for d in self.diagnoses if d.status is Status.PROBLEM)


def check_passed(check: str, detail: str, *, subject: str | None = None) -> Diagnosis:
    """Say that a check found nothing to mend."""
    return Diagnosis(check, Status.OK, subject, detail)


def worth_noting(check: str, detail: str, *, subject: str | None = None, remedy: str | None = None) -> Diagnosis:
    """Say something worth knowing that is no problem."""
    return Diagnosis(check, Status.NOTE, subject, detail, remedy)


def problem_found(
    check: str,
    detail: str,
    remedy: str | None,
    *,
    subject: str | None = None,
    about: TableFinding | Loss | None = None,
) -> Diagnosis:
    """Say what is wrong and what to do about it."""
    return Diagnosis(check, Status.PROBLEM, subject, detail, remedy, about)


def from_error(
    check: str, error: OrchestratorError, remedy: str | None = None, *, subject: str | None = None
) -> Diagnosis:
    """Say what an error says; ``remedy`` serves where it names none of its own."""
    return problem_found(check, error.message, error.to_fix or remedy, subject=subject)


def size(count: int) -> str:
    """Say a number of bytes in its fitting unit.

    >>> size(512), size(2_000_000), size(3_500_000_000)
    ('512 bytes', '2.0 MB', '3.5 GB')
    """
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{count} bytes" if unit == "bytes" else f"{amount:,.1f} {unit}"
