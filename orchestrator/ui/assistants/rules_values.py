"""The value that a number becomes: for the parameter's own unit and range, and for what it is now."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from orchestrator.ui.assistants.base import Change
from orchestrator.ui.assistants.rules_outcome import Outcome, about, asked, cited, limits_of, shown
from orchestrator.ui.assistants.rules_subjects import Subject
from orchestrator.ui.assistants.rules_units import PERCENT, POINTS, TIMES, Quantity, Unit, tidy, unit_name


@dataclass(frozen=True)
class Wanted:
    """What a clause wants of a parameter: ``words`` are the user's, ``current`` its value now, None where unknown.

    ``direction`` is 1 for up and -1 for down; ``moves`` tells that the number says by how much. ``based`` tells that
    the base is named beside it, ``of_now`` that today's value is. ``sign`` of a growth is -1 where something shrinks.
    """

    words: str
    current: float | None
    direction: int = 0
    moves: bool = False
    based: bool = False
    of_now: bool = False
    sign: int = 1


Reads = Callable[[float], float | str]


def value_of(subject: Subject, quantity: Quantity, wanted: Wanted) -> Outcome:
    """Return the change that a number makes, or the question that it raises."""
    percent = _perhaps_percent(subject, quantity, wanted)
    if percent is not None:
        return percent
    reads = _moved if wanted.moves else _placed
    found: list[float | str] = [reads(subject, quantity, one, wanted) for one in quantity.readings]
    values = [one for one in found if isinstance(one, float)]
    fitting = [one for one in dict.fromkeys(values) if _fits(subject, one) is None]
    if len(fitting) > 1 and fitting[0] < fitting[1]:  # 1.200; of 1,200 the thousands are what English means
        return asked(wanted.words, f"Is that {' or '.join(shown(one) for one in fitting)}?", subject.key)
    if fitting and (values.index(fitting[0]) == 0 or subject.parameter.declared.type == "integer"):
        outcome = settled(subject, fitting[0], wanted, percent=quantity.is_percent)
        return replace(outcome, notes=_conversion(subject, quantity, fitting[0], wanted))
    if fitting:
        return confirmed(subject, fitting[0], wanted, f"Is that {shown(fitting[0], subject.scale)}?")
    if not values:
        return asked(wanted.words, str(found[0]), subject.key, direction=wanted.direction)
    return settled(subject, values[0], wanted, percent=quantity.is_percent)


def _conversion(subject: Subject, quantity: Quantity, value: float, wanted: Wanted) -> tuple[str, ...]:
    """Return a sentence that says so where a number was converted to another unit."""
    own, unit = subject.scale.unit, quantity.unit
    if own is None or not isinstance(unit, Unit) or unit == own:
        return ()
    return (f"{cited(wanted.words)}: converted from {unit_name(unit)} to {unit_name(own)}.",)


def settled(subject: Subject, value: float, wanted: Wanted, *, percent: bool = False) -> Outcome:
    """Return the change to a value, or the question where it does not fit, or goes the other way than was said."""
    reason = _fits(subject, value)
    if reason is not None:
        return asked(wanted.words, reason, subject.key)
    against = wanted.current is not None and wanted.direction * (value - wanted.current) < 0
    if against and not wanted.moves:
        said = "up" if wanted.direction > 0 else "down"
        now = shown(wanted.current, subject.scale)
        return confirmed(
            subject, value, wanted, f"{subject.parameter.name} is {now} now, so that is not {said}. Is it meant?"
        )
    change = Change(subject.key, _typed(subject, value), wanted.words)
    return Outcome(
        changes=(change,), keys=(subject.key,), percent=percent, moved=wanted.moves, direction=wanted.direction
    )


def confirmed(subject: Subject, value: object, wanted: Wanted, text: str) -> Outcome:
    """Return a question that ``yes`` answers."""
    typed = _typed(subject, value) if isinstance(value, float) else value
    if subject.parameter.declared.refusal(typed) is not None:
        return asked(wanted.words, f"What should {about(subject)} be, {limits_of(subject)}?", subject.key)
    offers = (Change(subject.key, typed, wanted.words),)
    return asked(wanted.words, text, subject.key, offers=offers, direction=wanted.direction)


def scaled(subject: Subject, factor: float, wanted: Wanted) -> Outcome:
    """Return the change to a multiple of the value that it has now."""
    if wanted.current is None:
        return asked(
            wanted.words, f"{about(subject)} has no value now. What should it be, {limits_of(subject)}?", subject.key
        )
    base = 1.0 if wanted.based and subject.scale.kind == "factor" else wanted.current
    return settled(subject, tidy(base * factor), wanted)


def _typed(subject: Subject, value: float) -> object:
    """Return a value as the parameter takes it: 2 and not 2.0 where its own value is a whole number, too."""
    whole = subject.parameter.declared.type == "integer" or (
        type(subject.parameter.value) is int and value.is_integer()
    )
    return int(value) if whole else tidy(value)


def _fits(subject: Subject, value: float) -> str | None:
    declared = subject.parameter.declared
    if declared.type == "integer" and value != int(value):
        return f"{about(subject)} takes whole numbers, and that would be {value:g}. What should it be?"
    if declared.refusal(_typed(subject, value)) is None:
        return None
    return f"{about(subject)} must be {limits_of(subject)}, and that would be {value:g}. What should it be?"


def _placed(subject: Subject, quantity: Quantity, number: float, wanted: Wanted) -> float | str:
    """Return the value that a number stands for, or what to ask."""
    kind, unit = subject.scale.kind, quantity.unit
    number = number * wanted.sign + 0.0  # no negative zero
    if unit == TIMES:
        return _times(subject, number, wanted)
    if kind == "fraction" and unit in (PERCENT, POINTS):
        return tidy(number / 100)
    if kind == "percent" and unit in (PERCENT, POINTS):
        return number
    if unit is None:
        if kind == "percent" and 0 < abs(number) < 1:
            return f"{subject.parameter.name} is in percent: is that {number:g} % or {number * 100:g} %?"
        return number
    if unit == PERCENT and kind != "fraction":
        return _share(subject, number, wanted)
    return _converted(subject, unit, number)


def _perhaps_percent(subject: Subject, quantity: Quantity, wanted: Wanted) -> Outcome | None:
    """Ask whether a bare number is meant in percent, where a fraction of that size is unlikely."""
    if subject.scale.kind != "fraction" or quantity.unit is not None or wanted.moves:
        return None
    number = tidy(quantity.readings[0] * wanted.sign)
    now = abs(wanted.current or 0)
    unlikely = number != 0 and now > 0 and abs(math.log(abs(number) / now)) > abs(math.log(abs(number) / 100 / now))
    if abs(number) < 1 and not unlikely:
        return None
    value = tidy(number / 100)
    text = f"Is that {number:g} %, so {value:g}? {about(subject)} takes {limits_of(subject)}."
    if _fits(subject, value) is not None:
        return asked(wanted.words, f"{about(subject)} takes {limits_of(subject)}. What should it be?", subject.key)
    return confirmed(subject, value, wanted, text)


def _share(subject: Subject, number: float, wanted: Wanted) -> float | str:
    """Return so many percent of the base, or of today's value, or what to ask."""
    if wanted.based and subject.scale.kind == "factor":
        return tidy(number / 100)
    if (wanted.based or wanted.of_now) and wanted.current is not None and subject.scale.kind != "unclear":
        return tidy(wanted.current * number / 100)
    return _percent_of(subject, number, wanted)


def _percent_of(subject: Subject, number: float, wanted: Wanted) -> str:
    now = "" if wanted.current is None else f" It is {shown(wanted.current)} now."
    if subject.scale.kind == "factor":
        return f"{about(subject)} is a factor.{now} Do you mean {tidy(number / 100):g}, or a change by {number:g} %?"
    return f"{about(subject)} is not in percent, but {limits_of(subject)}.{now} What should it be?"


def _times(subject: Subject, number: float, wanted: Wanted) -> float | str:
    if subject.scale.kind == "factor" and (wanted.based or wanted.current == 1):
        return number
    if wanted.current is None or subject.scale.kind == "factor":
        return f"Should {subject.parameter.name} be {number:g}, or {number:g} times what it is now?"
    return tidy(wanted.current * number)


def _converted(subject: Subject, unit: Unit | str | None, number: float) -> float | str:
    own = subject.scale.unit
    if isinstance(unit, Unit):
        if own is not None and unit.family == own.family:
            return tidy(number * unit.size / own.size)
        if own is None and unit.name in subject.unit:
            return number
        if own is not None and {unit.family, own.family} == {"time", "calendar"}:
            wanted = unit_name(own)
            return f"How many {wanted} is that for {about(subject)}? It takes {limits_of(subject)}."
    unit_text = "percent" if unit in (PERCENT, POINTS) else unit_name(unit)
    return f"{about(subject)} takes {limits_of(subject)}, and no {unit_text}. What should it be?"


def _moved(subject: Subject, quantity: Quantity, number: float, wanted: Wanted) -> float | str:
    """Return the value that is so much more or less than now, or what to ask."""
    kind, unit, current = subject.scale.kind, quantity.unit, wanted.current
    name, step = subject.parameter.name, wanted.direction * number
    if wanted.based and kind == "factor" and unit == PERCENT:
        return tidy(1 + step / 100)
    if current is None:
        return f"{about(subject)} has no value now. What should it be, {limits_of(subject)}?"
    if unit == TIMES:
        return f"Should {name} be {tidy(current * number):g}, {number:g} times what it is now?"
    if kind in ("fraction", "percent"):
        return _moved_share(subject, quantity, step, current)
    if unit == PERCENT:
        return tidy(current * (1 + step / 100))
    if unit == POINTS:
        return f"{about(subject)} is not in percent. What should it become, {limits_of(subject)}?"
    if unit is None:
        if kind != "factor" or abs(number) < 1:
            return tidy(current + step)
        return f"{name} is {shown(current)} now. Should it become {tidy(current + step):g}, or change by {number:g} %?"
    found = _converted(subject, unit, number)
    return tidy(current + wanted.direction * found) if isinstance(found, float) else found


def _moved_share(subject: Subject, quantity: Quantity, step: float, current: float) -> float | str:
    """Return a share that is so many points more or less; percent of a share may mean two things."""
    kind, name = subject.scale.kind, subject.parameter.name
    points = step / 100 if kind == "fraction" else step
    if quantity.unit == POINTS:
        return tidy(current + points)
    if quantity.unit == PERCENT:
        added, scaled_up = (
            shown(tidy(value), subject.scale) for value in (current + points, current * (1 + step / 100))
        )
        more, size = ("more" if step > 0 else "less"), abs(step)
        return (
            f"{name} is {shown(current, subject.scale)} now. Should it become {added}, that is {size:g} percentage "
            f"points {more}, or {scaled_up}, that is {size:g} % {more} than now?"
        )
    if quantity.unit is None and kind == "fraction" and abs(step) < 1:
        return tidy(current + step)
    return f"{name} is {shown(current, subject.scale)} now. What should it become, {limits_of(subject)}?"
