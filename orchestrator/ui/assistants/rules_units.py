"""Units: what people write behind a number, what a parameter is measured in, and how one becomes the other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.reports.parameters import Parameter
from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_words import PARTS, stem

PERCENT, POINTS, TIMES = "percent", "percentage points", "times"
RATIO = "such a share"  # two thirds, one in eight, by a factor of two: asked about


@dataclass(frozen=True)
class Unit:
    """A unit of a ``family``, within which units convert; one of it is ``size`` of the family's smallest."""

    name: str
    family: str
    size: float


def _family(family: str, **sizes: float) -> dict[str, Unit]:
    return {name: Unit(name, family, size) for name, size in sizes.items()}


# Within a family every conversion is exact; a month is no number of days, so calendar units are a family of their own.
_UNITS = {
    **_family("time", second=1, sec=1, minute=60, hour=3600, hr=3600, day=86400, d=86400, week=604800, wk=604800,
    fortnight=1209600),
    **_family("calendar", month=1, quarter=3, year=12, yr=12, y=12, yo=12, mo=1, decade=120),
    **_family("length", mm=1, millimetre=1, millimeter=1, cm=10, centimetre=10, centimeter=10, metre=1000, meter=1000,
    km=1e6, kilometre=1e6, kilometer=1e6),
    **_family("mass", g=1, gram=1, kg=1e3, kilogram=1e3, kilo=1e3, t=1e6, ton=1e6, tonne=1e6),
    **_family("energy", wh=1, kwh=1e3, mwh=1e6, gwh=1e9, twh=1e12),
    **_family("power", w=1, watt=1, kw=1e3, kilowatt=1e3, mw=1e6, megawatt=1e6, gw=1e9, gigawatt=1e9),
    **_family("eur", eur=1, euro=1), **_family("usd", usd=1, dollar=1), **_family("gbp", gbp=1, pound=1),
    **_family("temperature", celsius=1),
}  # fmt: skip
_SIGNS = {"€": "eur", "$": "usd", "£": "gbp", "°": "celsius"}
_PLURALS = {unit: unit for unit in _UNITS} | {f"{unit}s": unit for unit in _UNITS if len(unit) > 1}
_PERCENT_WORDS = frozenset({"%", "percent", "pct", "percents", "pc", "prozent"})
_POINT_WORDS = frozenset({"pp", "ppt", "ppts", "pps", "point", "points"})
_BASIS_WORDS = frozenset({"bp", "bps"})
_SHARE_WORDS = frozenset(map(stem, ("share", "fraction", "proportion", "portion")))


@dataclass(frozen=True)
class Quantity:
    """A number as somebody wrote it: its ``readings``, its unit if it has one, and the tokens ``start`` to ``end``.

    ``unit`` is a :class:`Unit`, one of the words above, or None; of ``5 basis points`` the readings are points.
    """

    readings: tuple[float, ...]
    unit: Unit | str | None
    start: int
    end: int
    signed: bool = False

    @property
    def is_percent(self) -> bool:
        """Tell whether it is so many percent."""
        return self.unit == PERCENT


def quantities_of(tokens: Sequence[Token]) -> list[Quantity]:
    """Return the numbers of a clause with their units."""
    found = []
    for place, token in enumerate(tokens):
        if token.kind != "number":
            continue
        before = tokens[place - 1] if place else None
        sign = before is not None and before.text in ("minus", "negative")
        readings = tuple(-one for one in token.readings) if sign else token.readings
        start = place - 1 if sign else place
        unit, end, scale = _unit_behind(tokens, place + 1)
        start, unit, end = _share_of(tokens, start, unit, end)
        if start and unit is None and tokens[start - 1].text in _SIGNS:
            start, unit = start - 1, _UNITS[_SIGNS[tokens[start - 1].text]]
        found.append(Quantity(tuple(one * scale for one in readings), unit, start, end, token.signed or sign))
    return found


def _share_of(
    tokens: Sequence[Token], start: int, unit: Unit | str | None, end: int
) -> tuple[int, Unit | str | None, int]:
    """Return where a number begins and ends and its unit, where it is a part of something: ``two thirds``."""
    before = [token.text for token in tokens[max(start - 3, 0) : start]]
    behind = tokens[end].text if end < len(tokens) else ""
    one_in = before[-2:] in (["one", "in"], ["one", "of"]) or before[-3:] == ["one", "out", "of"]
    if one_in and unit is None:
        return start - (3 if "out" in before else 2), RATIO, end
    if before[-2:] == ["factor", "of"] and before[:-2] in (["a"], ["by"]):
        return start, RATIO, end
    if unit is None and stem(behind) in {stem(part) for part in PARTS}:
        return start, RATIO, end + 1
    if isinstance(unit, Unit) and unit.name == "quarter" and behind == "of":
        return start, RATIO, end
    return start, unit, end


def _unit_behind(tokens: Sequence[Token], place: int) -> tuple[Unit | str | None, int, float]:
    """Return the unit that begins at a place, the place behind it, and what to multiply the number with."""
    first, second, *_ = [token.text for token in tokens[place : place + 2]] + ["", ""]
    share = _share_behind(first, second)
    if share is not None:
        unit, length, scale = share
        return unit, place + length, scale
    if first in ("times", "fold") or (first == "x" and second != "-"):
        return TIMES, place + 1, 1
    if first in _SIGNS:
        return _UNITS[_SIGNS[first]], place + (2 if (first, second) == ("°", "c") else 1), 1
    if first in _PLURALS:
        old = second == "old" and first.startswith("year")
        return _UNITS[_PLURALS[first]], place + (2 if old else 1), 1
    return None, place, 1


def _share_behind(first: str, second: str) -> tuple[str, int, float] | None:
    """Return whether words are percent or points, how many words these are, and what to multiply the number with."""
    points = second.startswith("point")
    if (first, second) == ("per", "cent"):
        return PERCENT, 2, 1
    if first in _PERCENT_WORDS or (first == "percentage" and points):
        return (POINTS, 2, 1) if points else (PERCENT, 1, 1)
    if first in ("‰", "permille", "promille") or (first, second) == ("per", "mille"):
        return PERCENT, 2 if first == "per" else 1, 0.1
    if first in _POINT_WORDS:
        return POINTS, 1, 1
    if first in _BASIS_WORDS:
        return POINTS, 1, 0.01
    return (POINTS, 2, 0.01) if first == "basis" and points else None


@dataclass(frozen=True)
class Scale:
    """What a parameter is measured in: ``kind`` is fraction, percent, factor, unit, plain, or unclear.

    A fraction of 0.05 is said as 5 %. A factor multiplies something. ``unit`` is that of kind unit.
    """

    kind: str
    unit: Unit | None = None


def scale_of(one: Parameter) -> Scale:
    """Tell what the numbers of a parameter are, by its unit, its range and its words."""
    declared = one.declared
    words = _stems(declared.unit or "")
    told = words | _stems(declared.description or "") | _stems(one.name)
    if re.search(r"percent|%|\bpct\b", f"{declared.unit or ''} {one.name}".lower().replace("_", " ")):
        return Scale("percent")
    if (declared.unit and declared.unit.lower().startswith("times")) or words & {stem("multiple")}:
        return Scale("factor")
    unit = unit_of(declared.unit or "")
    if unit is not None:
        return Scale("unit", unit)
    limits = [limit for limit in (declared.minimum, declared.maximum) if isinstance(limit, (int, float))]
    if declared.type == "number" and len(limits) == 2 and max(map(abs, limits)) <= 1:
        return Scale("fraction")
    if told & {"multipli", "multiplier", "factor"}:
        return Scale("factor")
    if told & _SHARE_WORDS and declared.type == "number":
        return Scale("fraction" if len(limits) == 2 else "unclear")
    if declared.unit or declared.type == "integer" or len(limits) == 2:
        return Scale("plain")
    return Scale("unclear")


def unit_of(text: str) -> Unit | None:
    """Return the unit that a parameter's own words begin with: ``EUR per litre`` is measured in euros."""
    first = re.match(r"[^\W\d_]+|[€$£°]", text.strip().lower())
    if first is None:
        return None
    if first[0] in _SIGNS:
        return _UNITS[_SIGNS[first[0]]]
    return _UNITS[_PLURALS[first[0]]] if first[0] in _PLURALS else None


def _stems(text: str) -> set[str]:
    return {stem(word) for word in re.findall(r"[^\W\d_]+", text)}


def unit_name(unit: Unit | str | None) -> str:
    """Return how a unit is called in an answer."""
    if isinstance(unit, Unit):
        return {"eur": "euros", "usd": "dollars", "gbp": "pounds", "celsius": "°C"}.get(unit.name, f"{unit.name}s")
    return unit or "nothing"


def tidy(value: float) -> float:
    """Drop what binary fractions add: 0.030000000000000002 is 0.03."""
    return float(f"{value:.12g}")
