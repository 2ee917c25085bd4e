"""The form of the parameters: the fields it has, what was typed into them, and the proposal that this makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from orchestrator.config.parameters import ParameterSettings
from orchestrator.config.simulation import SimulationConfig
from orchestrator.reports.parameters import Parameter, ParameterList, shown_range, shown_value
from orchestrator.ui.assistants.base import Change, Proposal
from orchestrator.ui.assistants.overlay import CheckedProposal, check_proposal, why_closed

TYPED = "typed in the form"
PREFIX = "value."
YEARS = ("simulation.start_year", "simulation.end_year", "simulation.random_seed")
LABELS = ("First year", "Last year", "Random seed")
LIMITS = ((1, 9999), (1, 9999), (0, 2**63 - 1))


@dataclass(frozen=True)
class Field:
    """A field of the form: ``text`` is what stands in it, ``before`` the value in force, as text.

    ``kind`` is number, text, date or choice; ``step`` is that of a number. ``closed`` says why it cannot be set here,
    ``error`` why what was typed does not fit.
    """

    key: str
    label: str
    kind: str
    text: str
    before: str
    about: str
    allowed: str
    choices: tuple[str, ...] = ()
    low: object = None
    high: object = None
    step: str = "any"
    closed: str | None = None
    error: str | None = None

    @property
    def name(self) -> str:
        """Return the name of the field in the form."""
        return f"{PREFIX}{self.key}"

    @property
    def changed(self) -> bool:
        """Tell whether something else was typed than the value in force."""
        return self.closed is None and self.text.strip() != self.before


@dataclass(frozen=True)
class FilledForm:
    """The fields, what the configuration's loader says of them together, and its answer where each of them fits."""

    fields: tuple[Field, ...]
    errors: tuple[str, ...]
    checked: CheckedProposal | None

    @property
    def fits(self) -> bool:
        """Tell whether everything that was typed is allowed."""
        return not self.errors and not any(field.error for field in self.fields)


def fields_of(config: SimulationConfig, parameters: ParameterList) -> tuple[Field, ...]:
    """Return the fields with the values in force."""
    found = [_field(one) for one in parameters.declared]
    if config.simulation is not None:
        years = config.simulation
        values = (years.start_year, years.end_year, years.random_seed)
        for key, label, value, (low, high) in zip(YEARS, LABELS, values, LIMITS, strict=True):
            text, allowed = str(value), "whole number"
            found.append(Field(key, label, "number", text, text, "", allowed, low=low, high=high, step="1"))
    return tuple(found)


def fill(config: SimulationConfig, parameters: ParameterList, typed: Mapping[str, str], name: str | None) -> FilledForm:
    """Take what was typed, and let the configuration's own loader check it."""
    declared = {f"vars.{one.name}": one.declared for one in parameters.declared}
    fields, changes = [], []
    for field in fields_of(config, parameters):
        filled = replace(field, text=typed.get(field.name, field.text))
        if filled.changed and filled.text.strip():
            value = _value(filled.text.strip(), declared.get(field.key))
            error = _refusal(value, declared.get(field.key))
            if error is None:
                changes.append(Change(field.key, value, TYPED))
            filled = replace(filled, error=error)
        fields.append(filled)
    if any(field.error for field in fields):
        return FilledForm(tuple(fields), (), None)
    checked = check_proposal(config, parameters, Proposal(name or None, tuple(changes)))
    return _placed(tuple(fields), checked)


def _placed(fields: tuple[Field, ...], checked: CheckedProposal) -> FilledForm:
    """Put each error of the loader beside the field that it names; those that name none stand above the form."""
    placed: dict[str, str] = {}
    others = []
    for error in checked.errors:
        named = next((f.key for f in fields if f.changed and f.key not in placed and f.key in error), None)
        if named is None:
            others.append(error)
        else:
            placed[named] = error
    with_errors = tuple(replace(field, error=placed.get(field.key)) for field in fields)
    return FilledForm(with_errors, tuple(others), checked)


def _field(one: Parameter) -> Field:
    declared = one.declared
    closed = why_closed(one.name, secret=declared.secret, file=declared.file)
    value = one.shown(one.value)
    text = value if isinstance(value, str) else "" if value is None else shown_value(value)
    choices = tuple(map(shown_value, declared.choices)) if declared.type == "choice" else ()
    if declared.type == "boolean":
        choices = ("true", "false")
    kind = {"number": "number", "integer": "number", "date": "date", "string": "text"}.get(declared.type, "choice")
    return Field(
        f"vars.{one.name}",
        one.name.replace("_", " ").capitalize(),
        kind,
        text,
        text,
        declared.description or "",
        "yes or no" if declared.type == "boolean" else shown_range(one),
        choices,
        declared.minimum,
        declared.maximum,
        "1" if declared.type == "integer" else "any",
        closed,
    )


def _value(text: str, declared: ParameterSettings | None) -> object:
    """Read what was typed as a value of its kind; as the text it is where it is none, for the check to refuse.

    >>> from orchestrator.config.parameters import ParameterSettings as P
    >>> _value("0.05", P(type="number")), _value("7", P(type="integer")), _value("x", P(type="number"))
    (0.05, 7, 'x')
    >>> _value("true", P(type="boolean")), _value("2", P(type="choice", choices=(1, 2)))
    (True, 2)
    """
    kind = "integer" if declared is None else declared.type
    if declared is not None and kind == "choice":
        return next((choice for choice in declared.choices if shown_value(choice) == text), text)
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in ("number", "integer"):
        try:
            return int(text)
        except ValueError:
            return _float(text) if kind == "number" else text
    return text


def _float(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _refusal(value: object, declared: ParameterSettings | None) -> str | None:
    reason = None
    if declared is not None:
        reason = declared.refusal(value)
    elif not isinstance(value, int):
        reason = f"is {value!r}, but must be a whole number."
    return None if reason is None else f"{reason[0].upper()}{reason[1:]}"
