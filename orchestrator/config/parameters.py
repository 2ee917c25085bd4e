"""Parameters: the dbt variables that people may vary, and the values that each of them takes."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, JsonValue, StrictFloat, StrictInt, StrictStr, model_validator

from orchestrator.config.schema import Flag, Section, Text, finding_at
from orchestrator.core.masking import MASK
from orchestrator.core.text import nearest

ParameterType = Literal["number", "integer", "string", "boolean", "date", "choice"]
Limit = StrictInt | StrictFloat | StrictStr

_MEASURED = ("number", "integer", "date")
_KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "string": "text",
    "boolean": "true or false",
    "date": "a date such as 2025-12-31",
}


class ParameterSettings(Section):
    """A dbt variable that people may vary."""

    type: ParameterType = Field(
        description="Kind of its values: number, integer, string, boolean, date (YYYY-MM-DD) or choice.",
        examples=["number"],
    )
    minimum: Limit | None = Field(
        None, description="Lowest value of a number, an integer or a date, itself allowed.", examples=[-0.5]
    )
    maximum: Limit | None = Field(
        None, description="Highest value of a number, an integer or a date, itself allowed.", examples=[1]
    )
    choices: tuple[JsonValue, ...] = Field(
        (),
        description="Values that a choice takes; needed there, and allowed nowhere else.",
        examples=[["low", "high"]],
        json_schema_extra={"beside": {"type": "choice"}},
    )
    unit: Text | None = Field(
        None, description="Unit of its values, such as years or percent.", examples=["of the stock"]
    )
    description: Text | None = Field(
        None, description="What it means, in one sentence.", examples=["Growth of the stock in a year"]
    )
    words: tuple[Text, ...] = Field(
        (), description="Other words that people use for it, such as growth.", examples=[["growth"]]
    )

    secret: Flag = Field(
        default=False,
        description="Whether its values are secrets, shown as *** in output, events, the history and hints; text of "
        "fewer than 6 characters is masked only where its name stands before it.",
        examples=[True],
    )

    file: bool = Field(
        default=False,
        description="Whether a text is the name of a file, relative to the project root, which must be there; "
        "an empty text names none.",
        examples=[True],
        json_schema_extra={"beside": {"type": "string"}},
    )

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        if (self.type == "choice") != bool(self.choices):
            raise finding_at(
                "is missing; a choice lists its values." if self.type == "choice" else "belongs to type choice only.",
                "choices",
            )
        if self.file and self.type != "string":
            raise finding_at("belongs to type string only.", "file")
        for key, limit in (("minimum", self.minimum), ("maximum", self.maximum)):
            if limit is None:
                continue
            if self.type not in _MEASURED:
                raise finding_at("belongs to a number, an integer or a date only.", key)
            if _measure(limit, self.type) is None:
                raise finding_at(f"is {limit!r}, but must be {_KINDS[self.type]}.", key)
        low, high = self._limits()
        if high < low:
            raise finding_at(f"is {self.maximum}, but must be {self.minimum} (minimum) or more.", "maximum")
        return self

    def refusal(self, value: object) -> str | None:
        """Return why a value does not fit, as the end of a sentence that begins with its name, None where it does."""
        if self.type == "choice":
            if any(value == choice and type(value) is type(choice) for choice in self.choices):
                return None
            listed = ", ".join(map(_shown, self.choices))
            guess = nearest(str(value), [str(choice) for choice in self.choices])
            hint = f" Did you mean {guess!r}?" if guess and not self.secret else ""
            return f"is {self._given(value)}, but must be one of {listed}{self._about()}.{hint}"
        found = _measure(value, self.type)
        if found is None:
            return f"is {self._given(value)}, but must be {_KINDS[self.type]}{self._about()}."
        low, high = self._limits()
        fits = low <= found <= high
        return None if fits else f"is {self._given(value)}, but must be {self._range()}{self._about()}."

    def _given(self, value: object) -> str:
        return MASK if self.secret else _shown(value)

    def _limits(self) -> tuple[float, float]:
        low, high = _measure(self.minimum, self.type), _measure(self.maximum, self.type)
        return -math.inf if low is None else low, math.inf if high is None else high

    def _range(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        if self.maximum is None:
            return f"{self.minimum}{unit} or more"
        if self.minimum is None:
            return f"{self.maximum}{unit} or less"
        return f"between {self.minimum} and {self.maximum}{unit}"

    def _about(self) -> str:
        meaning = (self.description or "").rstrip(".")
        return f" ({meaning})" if meaning else ""

    def json_schema(self) -> dict[str, object]:
        """Return what its values are as JSON Schema (draft 2020-12); the unit stands in ``x-unit``."""
        found: dict[str, object] = {"description": self.description} if self.description else {}
        if self.type == "choice":
            found["enum"] = list(self.choices)
        elif self.type == "date":
            found |= {"type": "string", "format": "date"}
        else:
            found["type"] = self.type
        limits = ("minimum", "maximum") if self.type != "date" else ("formatMinimum", "formatMaximum")
        for name, limit in zip(limits, (self.minimum, self.maximum), strict=True):
            if limit is not None:
                found[name] = limit
        found |= {"x-unit": self.unit} if self.unit else {}
        return found | ({"writeOnly": True} if self.secret else {})


def secret_names(data: Mapping[str, object]) -> tuple[str, ...]:
    """Return the parameters of a configuration, not checked yet, that are declared to be secrets."""
    declared = data.get("parameters")
    found = declared.items() if isinstance(declared, Mapping) else ()
    return tuple(str(name) for name, one in found if isinstance(one, Mapping) and one.get("secret") is True)


def require_values_fit(parameters: Mapping[str, ParameterSettings], variables: Mapping[str, object]) -> None:
    """Refuse the first value of a declared parameter that is of another type, or out of its range.

    ``null`` is left to the project: whether a variable may be without a value is known there.
    """
    for name, value in variables.items():
        declared = parameters.get(name)
        reason = None if declared is None or value is None else declared.refusal(value)
        if reason is not None:
            raise finding_at(reason, "vars", name)


def _measure(value: object, kind: str) -> float | None:
    """Return a value as a number that limits are compared with, None where it is not of that kind."""
    if kind == "boolean":
        return float(value) if isinstance(value, bool) else None
    if kind == "string":
        return 0.0 if isinstance(value, str) else None
    if kind == "date":
        return _day(value)
    if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:  # a whole number of some hundred digits
        return None
    return found if math.isfinite(found) else None


def _day(value: object) -> float | None:
    if not isinstance(value, str) or len(value) != len("2025-12-31"):
        return None
    try:
        return float(dt.date.fromisoformat(value).toordinal())
    except ValueError:
        return None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else repr(value) if isinstance(value, str) else str(value)
