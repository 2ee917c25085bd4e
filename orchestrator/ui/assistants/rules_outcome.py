"""What became of a clause."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.ui.assistants.base import Change
from orchestrator.ui.assistants.rules_units import Scale

if TYPE_CHECKING:
    from orchestrator.ui.assistants.rules_subjects import Subject

SHOWN_WORDS = 120  # characters of somebody's words in an answer


@dataclass(frozen=True)
class Years:
    """Years as a clause tells them: a first one, a last one, how many; ``places`` are the tokens that tell it.

    ``vague`` tells that a year is named without what it is; ``weak`` that only ``to`` stands before it.
    """

    places: frozenset[int]
    start: int | None = None
    end: int | None = None
    count: int | None = None
    vague: bool = False
    weak: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of one clause; each clause leads to at least one of these.

    ``offers`` are changes that a question asks about: ``yes`` takes them. ``keys`` are what the clause speaks of;
    ``percent`` tells that its number was written in percent, ``moved`` that it said by how much, ``loose`` that a
    number stands there of which nobody knows what it is for. ``waits`` is the subject that it names and says
    nothing of. ``years`` are the simulated years that it tells. ``asks_name`` tells that the question is for the name
    of the scenario, ``passing`` that it need not be answered, ``rest`` is what a question leaves out of what was said.
    """

    changes: tuple[Change, ...] = ()
    questions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    offers: tuple[Change, ...] = ()
    keys: tuple[str, ...] = ()
    name: str | None = None
    percent: bool = False
    moved: bool = False
    loose: bool = False
    direction: int = 0
    waits: Subject | None = None
    by_year: bool = False
    years: Years | None = None
    asks_name: bool = False
    passing: bool = False
    rest: tuple[str, ...] = ()


def asked(
    words: str, text: str, *keys: str, offers: tuple[Change, ...] = (), by_year: bool = False, direction: int = 0
) -> Outcome:
    """Return a question about somebody's words."""
    question = f"{cited(words)}: {text}" if words else text
    return Outcome(questions=(question,), keys=keys, offers=offers, by_year=by_year, direction=direction)


def cited(words: str) -> str:
    """Return somebody's words between quotation marks, cut where they are long."""
    return f"“{words if len(words) <= SHOWN_WORDS else words[: SHOWN_WORDS - 1] + '…'}”"


def shown(value: object, scale: Scale | None = None) -> str:
    """Return a value as it is written in a configuration, a fraction also in percent.

    >>> shown(True), shown("x"), shown(0.05, Scale("fraction"))
    ('true', 'x', '0.05 (5 %)')
    """
    if isinstance(value, str):
        return value
    text = f"{value:.12g}" if isinstance(value, float) else json.dumps(value)
    measured = scale is not None and scale.kind == "fraction" and isinstance(value, (int, float))
    return f"{text} ({value * 100:.6g} %)" if measured and isinstance(value, (int, float)) else text


def limits_of(subject: Subject) -> str:
    """Return what the values of a parameter are, for a question."""
    declared = subject.parameter.declared
    unit = f" {declared.unit}" if declared.unit else ""
    if declared.choices:
        return f"one of {', '.join(shown(choice) for choice in declared.choices)}"
    if declared.type == "boolean":
        return "on or off"
    if declared.type == "date":
        return "a date such as 2025-12-31"
    low, high = (
        shown(limit, subject.scale) if limit is not None else None for limit in (declared.minimum, declared.maximum)
    )
    if low is not None and high is not None:
        return f"between {low} and {high}{unit}"
    if low is not None:
        return f"{low}{unit} or more"
    if high is not None:
        return f"{high}{unit} or less"
    return (
        f"a {'whole ' if declared.type == 'integer' else ''}{'text' if declared.type == 'string' else 'number'}{unit}"
    )


def about(subject: Subject) -> str:
    """Return the name of a parameter with what it means."""
    meaning = (subject.parameter.declared.description or "").rstrip(".")
    return f"{subject.parameter.name} ({meaning})" if meaning else subject.parameter.name
