"""What is varied, as a person types it: ``vars.growth=0.02,0.03``, ``0.01..0.05/0.01``, ``range(1,10)``."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from pydantic import JsonValue

from orchestrator.config.schema_fields import takes_text
from orchestrator.config.simulation import SimulationConfig
from orchestrator.config.yaml_file import parse_scalar
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import plural
from orchestrator.scenarios.plan import Variation

MOST_VALUES = 100_000
_STEPS = re.compile(r"\s*(?P<first>[-+]?[\d.]+?)\s*\.\.\s*(?P<last>[-+]?\d[\d.]*)\s*(?:/\s*(?P<step>[-+]?[\d.]+))?\s*")
_RANGE = re.compile(r"\s*range\(\s*(-?\d+)\s*(?:,\s*(-?\d+)\s*)?(?:,\s*(-?\d+)\s*)?\)\s*")
_SEEDS = re.compile(r"\s*(\d{1,19})\s*(?:-\s*(\d{1,19})\s*)?")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


def read_variation(text: str) -> Variation:
    """Read ``KEY=VALUES``; a key without a dot is a dbt variable.

    >>> read_variation("growth=0.02,0.03")
    Variation(key='vars.growth', values=(0.02, 0.03))
    >>> read_variation("vars.growth=0.01..0.03/0.01").values, read_variation("vars.n=range(1,4)").values
    ((0.01, 0.02, 0.03), (1, 2, 3))
    >>> read_variation("vars.x='a,b',null,[1, 2]").values
    ('a,b', None, [1, 2])

    Raises:
        ConfigurationError: it is written otherwise, holds no value, or one of them twice.
    """
    key, equals, written = text.partition("=")
    key = key.strip()
    if not equals or not key or not all(key.split(".")):
        raise not_key_and_values(text)
    full = varied_key(key)
    verbatim = takes_text(SimulationConfig, full.split("."))
    values = [value for part in _parts(written, key) for value in _values(part, key, verbatim=verbatim)]
    return variation(full, values)


def not_key_and_values(text: str) -> ConfigurationError:
    """Return the error for what is not written ``KEY=VALUES``, with the key where that is all that is there."""
    key = text.strip() if re.fullmatch(r"\w+(\.\w+)*", text.strip()) else "growth"
    fix = f"write --vary {key}=VALUE,VALUE, such as growth=0.02,0.03"
    return ConfigurationError(f"--vary {text!r} is not written KEY=VALUES.", to_fix=fix)


def variation(key: str, values: Sequence[JsonValue]) -> Variation:
    """Make a variation of a key and the values that it takes.

    Raises:
        ConfigurationError: there is no value, or one of them twice.
    """
    if not values:
        raise ConfigurationError(f"--vary {key} names no value.", to_fix=f"write --vary {key}=VALUE,VALUE")
    seen: set[str] = set()
    for value in values:
        shown = json.dumps(value, sort_keys=True)
        if shown in seen:
            raise ConfigurationError(f"--vary {key} names the value {shown} twice.", to_fix="leave one of them out")
        seen.add(shown)
    return Variation(varied_key(key), tuple(values))


def varied_key(key: str) -> str:
    """Return the full key: a bare name is a dbt variable, unless the configuration has a key of that name.

    >>> varied_key("growth"), varied_key("simulation.random_seed"), varied_key("database")
    ('vars.growth', 'simulation.random_seed', 'database')
    """
    return key if "." in key or key in SimulationConfig.model_fields else f"vars.{key}"


def read_seeds(text: str) -> tuple[int, ...]:
    """Read random seeds, ``1-100`` or ``1,5,9`` or both.

    >>> read_seeds("1-3,7")
    (1, 2, 3, 7)

    Raises:
        ConfigurationError: it is written otherwise, or names one twice.
    """
    found: list[int] = []
    for part in text.split(","):
        match = _SEEDS.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if last < first:
            raise ConfigurationError(f"--seeds is {text!r}, which is no list of seeds.", to_fix="write 1-100, or 1,5,9")
        _require_few("--seeds", last - first + 1)
        found += range(first, last + 1)
    double = next((seed for seed, count in Counter(found).items() if count > 1), None)
    if double is not None:
        raise ConfigurationError(f"--seeds names {double} twice.", to_fix="leave one of them out")
    return tuple(found)


def read_scenarios(text: str) -> tuple[str, ...]:
    """Read names of scenarios, with commas between them.

    >>> read_scenarios("baseline, high_growth")
    ('baseline', 'high_growth')

    Raises:
        ConfigurationError: there is none, or one of them twice.
    """
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    if not names:
        raise ConfigurationError("--scenarios names no scenario.", to_fix="write --scenarios baseline,high_growth")
    if _has_double(names):
        raise ConfigurationError(f"--scenarios {text} names a scenario twice.", to_fix="leave one of them out")
    return names


def _has_double(items: Sequence[object]) -> bool:
    return len(set(items)) < len(items)


def _parts(text: str, key: str) -> Iterator[str]:
    """Take a list apart at its commas, those in quotes and brackets left alone."""
    part, quote = "", ""
    open_brackets: list[str] = []
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif (letter in "'\"" and not part.strip()) or (letter in "'\"" and open_brackets):
            quote = letter
        elif letter in _CLOSING:
            open_brackets.append(_CLOSING[letter])
        elif open_brackets and letter == open_brackets[-1]:
            open_brackets.pop()
        elif letter == "," and not open_brackets:
            yield _not_empty(part, key, alone=False)
            part = ""
            continue
        part += letter
    yield _not_empty(part, key, alone="," not in text)


def _not_empty(part: str, key: str, *, alone: bool) -> str:
    if not part.strip():
        what = "names no value" if alone else "holds an empty value"
        fix = f"write --vary {key}=VALUE,VALUE" if alone else "remove the comma"
        raise ConfigurationError(f"--vary {key} {what}.", to_fix=f"{fix}, or write '' for empty text")
    return part


def _values(part: str, key: str, *, verbatim: bool) -> Iterator[JsonValue]:
    if found := _RANGE.fullmatch(part):
        yield from _counted(found, key)
    elif found := _STEPS.fullmatch(part):
        yield from _stepped(found, key, part)
    elif verbatim:
        yield part.strip()
    else:
        try:
            value = parse_scalar(part.strip())
        except ValueError as error:
            raise ConfigurationError(
                f"--vary {key}: {part.strip()!r} cannot be read: {error}", to_fix="put text into quotes: 'no', 'a, b'"
            ) from error
        yield json.loads(json.dumps(value))


def _counted(found: re.Match[str], key: str) -> range:
    numbers = [int(number) for number in found.groups() if number is not None]
    if numbers[2:] == [0]:
        raise ConfigurationError(f"--vary {key}: the step of {found[0].strip()} is 0.", to_fix="write another step")
    values = range(*numbers)
    if not values:
        raise ConfigurationError(
            f"--vary {key}: {found[0].strip()} holds no number; as in Python, its end is not included.",
            to_fix="write a later end",
        )
    _require_few(f"--vary {key}", len(values))
    return values


def _stepped(found: re.Match[str], key: str, part: str) -> Iterator[JsonValue]:
    """Yield numbers from first to last, both included, exact as decimals are."""
    try:
        first, last = Decimal(found["first"]), Decimal(found["last"])
        whole = "." not in found["first"] + found["last"]
        step = Decimal(found["step"]) if found["step"] else Decimal(1)
    except InvalidOperation:
        raise ConfigurationError(
            f"--vary {key}: {part.strip()!r} is no range of numbers.", to_fix="write FIRST..LAST/STEP, 0.01..0.05/0.01"
        ) from None
    if not found["step"] and not whole:
        raise ConfigurationError(
            f"--vary {key}: {part.strip()} needs a step.", to_fix=f"write {part.strip()}/STEP, such as /0.01"
        )
    if step == 0 or (last - first) * step < 0:
        raise ConfigurationError(
            f"--vary {key}: {part.strip()} holds no number: a step of {step} does not lead from {first} to {last}.",
            to_fix=f"write {found['first']}..{found['last']}/{_step_towards(step, first, last)}",
        )
    count = int((last - first) / step) + 1
    _require_few(f"--vary {key}", count)
    for number in range(count):
        value = first + number * step
        yield int(value) if whole and "." not in (found["step"] or "") else float(value)


def _step_towards(step: Decimal, first: Decimal, last: Decimal) -> str:
    """Return the step the other way round; a word where it is 0."""
    return str(abs(step).copy_sign(last - first)) if step else "STEP"


def _require_few(what: str, count: int) -> None:
    if count > MOST_VALUES:
        raise ConfigurationError(
            f"{what} has {plural(count, 'value')}, and a sweep takes at most {MOST_VALUES:,} of one key.",
            to_fix="name fewer",
        )
