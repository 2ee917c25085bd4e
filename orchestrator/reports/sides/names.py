"""What a person writes for a side: a scenario, a run, a sweep or a group of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.config.yaml_file import parse_scalar
from orchestrator.core.errors import ConfigurationError

KINDS = ("scenario", "run", "sweep")
_FORM = re.compile(r"(?:(scenario|run|sweep):)?([^\[\]]+?)(?:\[(.*)\])?", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A condition on the members of a sweep: a key, or its last part, and the value that it has to have."""

    key: str
    value: object


@dataclass(frozen=True)
class SideName:
    """A name as it was written; ``kind`` is None where it may be any, ``conditions`` are those in brackets."""

    written: str
    kind: str | None
    name: str
    conditions: tuple[Condition, ...] = ()


def side_name(written: str) -> SideName:
    """Read a name such as ``baseline``, ``run:1f0c`` or ``growth[target=0.03,scenario=high]``.

    >>> side_name("sweep:growth[target=0.03,seed=1]")
    SideName(written='sweep:growth[target=0.03,seed=1]', kind='sweep', name='growth', \
conditions=(Condition(key='target', value=0.03), Condition(key='seed', value=1)))

    Raises:
        ConfigurationError: it is none, or a condition has no value.
    """
    found = _FORM.fullmatch(written.strip())
    if found is None:
        raise ConfigurationError(
            f"{written!r} names neither a scenario, a run nor a sweep.",
            to_fix="write baseline, run:1f0c, sweep:NAME or NAME[key=value]",
        )
    kind, name, inside = found.groups()
    if inside is not None and kind in ("scenario", "run"):
        raise ConfigurationError(
            f"{written!r}: only a sweep has groups, which conditions in brackets choose.", to_fix=f"write {kind}:{name}"
        )
    conditions = () if inside is None else tuple(_condition(part, written) for part in _parts(inside))
    return SideName(written, kind or ("sweep" if inside is not None else None), name, conditions)


def _condition(text: str, written: str) -> Condition:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigurationError(
            f"{written!r}: {text.strip()!r} is no condition.", to_fix="write key=value between the brackets"
        )
    try:
        return Condition(key.strip(), parse_scalar(value.strip()))
    except ValueError:  # no YAML, or a word such as no, which the configuration refuses as ambiguous
        return Condition(key.strip(), value.strip())


def _parts(text: str) -> Iterator[str]:
    """Yield the parts between commas, but for those in brackets of their own.

    >>> list(_parts("a=[1,2],b=3"))
    ['a=[1,2]', 'b=3']
    """
    depth, begin = 0, 0
    for place, letter in enumerate(text):
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            yield text[begin:place]
            begin = place + 1
    yield text[begin:]
