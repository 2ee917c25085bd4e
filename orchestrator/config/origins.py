"""The keys of a configuration and where each of them came from.

A layer is a nested mapping with an :class:`Origin` per key: a YAML file (with the line), an environment
variable, or an override. Later layers win; mappings merge key by key, lists and everything else replace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from orchestrator.core.text import on_one_line

ENV_PREFIX = "ORCHESTRATOR_"
ENV_SEPARATOR = "__"
RESERVED_NAMES = frozenset({"ORCHESTRATOR_CONFIG", "ORCHESTRATOR_UI_PASSWORD_HASH", "ORCHESTRATOR_ZYGOTE"})
RESERVED_PREFIXES = ("ORCHESTRATOR_PG_", "ORCHESTRATOR_TEST_", "ORCHESTRATOR_LLM_")

KeyPath = tuple[str | int, ...]
OriginKind = Literal["file", "environment", "override"]


@dataclass(frozen=True)
class Origin:
    """The place of a key, in words that a user can act on: ``config/simulation.yaml, line 3``."""

    label: str
    kind: OriginKind


@dataclass
class Layer:
    """A nested mapping and the origin of its keys, by path from the top."""

    data: dict[str, object] = field(default_factory=dict)
    origins: dict[KeyPath, Origin] = field(default_factory=dict)

    def origin_of(self, path: KeyPath) -> Origin | None:
        """Return the origin of the key at ``path``, or of the nearest key above it."""
        for length in range(len(path), -1, -1):
            found = self.origins.get(path[:length])
            if found is not None:
                return found
        return None

    def put(self, path: Sequence[str], value: object, origin: Origin) -> None:
        """Set one key, making the mappings above it."""
        for key in reversed(path[1:]):
            value = {key: value}
        above = Layer({path[0]: value}, {tuple(path[:n]): origin for n in range(1, len(path) + 1)})
        self.merge(above)

    def merge(self, later: Layer) -> None:
        """Lay ``later`` over this layer."""
        _merge((), self, self.data, later, later.data)
        if () not in self.origins and () in later.origins:
            self.origins[()] = later.origins[()]


def _merge(path: KeyPath, base: Layer, into: dict[str, object], later: Layer, data: Mapping[str, object]) -> None:
    for key, value in data.items():
        here = (*path, key)
        present = into.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            _merge(here, base, present, later, value)
            continue
        for old in [known for known in base.origins if known[: len(here)] == here]:
            del base.origins[old]
        into[key] = plain(value)
        for new, origin in later.origins.items():
            if new[: len(here)] == here:
                base.origins[new] = origin


def plain(value: object) -> object:
    """Copy mappings to dicts and other sequences to lists, so that layers can merge them."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def dotted(path: KeyPath) -> str:
    """Write a path as a user does.

    >>> dotted(("stages", 0, "select"))
    'stages[0].select'
    """
    text = ""
    for part in path:
        name = part if isinstance(part, int) else on_one_line(part)
        text += f"[{name}]" if isinstance(name, int) else (f".{name}" if text else name)
    return text
