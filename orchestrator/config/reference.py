"""The reference of the configuration: ``docs/configuration.md``, made of the schema.

``python -m orchestrator.config.reference PAGE`` writes it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.config.reference_text import CLOSING, INTRODUCTION, NOTES
from orchestrator.config.simulation import SimulationConfig

Json = Mapping[str, object]

NAME = "growth"  # stands for the name that a user gives an entry
_KINDS = {"integer": "whole number", "number": "number", "boolean": "true or false", "string": "text"}
_UNKNOWN = "anything that JSON can say"
_WIDE = 2**31  # numbers from here on are a limit of the computer, not of the key


@dataclass(frozen=True)
class Key:
    """A key of the configuration, as the page shows it.

    ``example`` is the configuration that sets it, with whatever must stand beside it.
    """

    path: str
    section: str
    meaning: str
    value: str
    default: str
    example: Json


@dataclass(frozen=True)
class SectionPart:
    """A section of the page: the keys that stand in one place of the file."""

    path: str
    meaning: str
    keys: tuple[Key, ...]


def sections() -> tuple[SectionPart, ...]:
    """Return all that may be said in a configuration, in the order of the schema."""
    schema = SimulationConfig.model_json_schema()
    return tuple(_Reader(schema["$defs"]).sections(schema, (), "Keys that are in no section."))


def page() -> str:
    """Return ``docs/configuration.md``."""
    parts = [INTRODUCTION]
    for section in sections():
        title = f"`{section.path}`" if section.path else "At the top level"
        parts.append(f"## {title}\n\n{section.meaning}\n")
        if section.path in NOTES:
            parts.append(NOTES[section.path])
        if not section.keys:
            continue
        rows = ["| key | means | value | by default | example |", "|---|---|---|---|---|"]
        rows += [
            f"| `{key.path}` | {_cell(key.meaning)} | {_cell(key.value)} | {_cell(key.default)} "
            f"| `{_cell(written(key.example))}` |"
            for key in section.keys
        ]
        parts.append("\n".join(rows) + "\n")
    return "\n".join([*parts, CLOSING])


def written(example: Json) -> str:
    """Write a configuration of one key as a line of YAML.

    >>> written({"self_healing": {"timeout_seconds": 120}})
    'self_healing: {timeout_seconds: 120}'
    """
    ((key, value),) = example.items()
    return f"{key}: {_flow(value)}"


def _flow(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")


class _Reader:
    """Reads a JSON Schema as pydantic makes it; ``definitions`` are its ``$defs``."""

    def __init__(self, definitions: Mapping[str, Json]) -> None:
        self._definitions = definitions

    def sections(self, schema: Json, above: tuple[str, ...], meaning: str) -> Iterator[SectionPart]:
        """Yield a section, and then those within it; sections within are no keys of their own."""
        keys, inner = [], []
        for name, field in _fields(schema).items():
            path = (*above, name)
            found = self._section_in(field)
            if found is not None:
                step, section = found
                inner.append(((*path, step) if step else path, section, str(field["description"])))
            if found is None or found[0]:
                keys.append(self._key(schema, name, field, above))
        yield SectionPart(_dotted(above), meaning, tuple(keys))
        for path, section, about in inner:
            yield from self.sections(section, path, about)

    def _key(self, section: Json, name: str, field: Json, above: tuple[str, ...]) -> Key:
        return Key(
            path=_dotted((*above, name)),
            section=_dotted(above),
            meaning=str(field["description"]),
            value=self._value(field),
            default=_default(section, name, field),
            example=_placed(above, self._beside(section, name, field)),
        )

    def _beside(self, section: Json, name: str, field: Json) -> dict[str, object]:
        """Return the example of a key, with those of the keys that must be there too."""
        properties = _fields(section)
        needed = [key for key in _needed(section) if key != name]
        beside = {key: self._example(properties[key]) for key in needed} | _mapping(field.get("beside", {}))
        whole = {**beside, name: self._example(field)}
        return {key: whole[key] for key in properties if key in whole}

    def _example(self, field: Json) -> object:
        examples = field.get("examples")
        if isinstance(examples, list):
            return examples[0]
        found = self._section_in(field)
        assert found is not None, f"a key has no example: {field}"
        step, section = found
        properties = _fields(section)
        return _placed_in(step, {key: self._example(properties[key]) for key in _needed(section)})

    def _section_in(self, field: Json) -> tuple[str, Json] | None:
        """Return the section that a key is, or holds, and how it is stepped into; None where it is a plain value."""
        for one in self._branches(field):
            for step, held in (("", one), ("[]", one.get("items")), ("*", one.get("additionalProperties"))):
                resolved = self._resolved(_mapping(held)) if isinstance(held, Mapping) else {}
                if "properties" in resolved:
                    return step, resolved
        return None

    def _branches(self, field: Json) -> list[Json]:
        """Return the kinds of value that a key takes, null left out."""
        several = field.get("anyOf") or field.get("oneOf") or [field]
        assert isinstance(several, list)
        unit = {"unit": field["unit"]} if "unit" in field else {}
        return [{**self._resolved(one), **unit} for one in several if one.get("type") != "null"]

    def _resolved(self, schema: Json) -> Json:
        name = schema.get("$ref")
        return {**self._definitions[str(name).rpartition("/")[2]], **schema} if name is not None else schema

    def _value(self, field: Json) -> str:
        if "form" in field:
            return str(field["form"])
        words = list(dict.fromkeys(self._one_value(one) for one in self._branches(field)))
        return " or ".join(words)

    def _one_value(self, one: Json) -> str:
        if "form" in one:
            return str(one["form"])
        if "properties" in one:
            return "keys and values, see below"
        if "enum" in one or "const" in one:
            choices = one.get("enum", [one.get("const")])
            assert isinstance(choices, list)
            return ", ".join(f"`{choice}`" for choice in choices)
        if one.get("type") == "array":
            return f"list of {self._many(_mapping(one['items']))}"
        if one.get("type") == "object":
            return f"names and values, each {self._many(_mapping(one['additionalProperties']))}"
        word = "path" if one.get("format") == "path" else _KINDS.get(str(one.get("type")), _UNKNOWN)
        unit = f", {one['unit']}" if "unit" in one else ""
        return f"{word}{_range(one)}{unit}"

    def _many(self, held: Json) -> str:
        resolved = self._resolved(held)
        return "keys and values, see below" if "properties" in resolved else self._one_value(resolved)


def _range(one: Json) -> str:
    low, high = one.get("minimum"), one.get("maximum")
    if isinstance(high, int) and high >= _WIDE:
        high = None
    if "exclusiveMinimum" in one:
        return f", more than {one['exclusiveMinimum']}"
    if low is not None and high is not None:
        return f", {low} to {high}"
    return "" if low is None else f", {low} or more"


def _default(section: Json, name: str, field: Json) -> str:
    if name in _needed(section):
        return "**required**"
    if field.get("default") is None and "default" in field:
        return "not set"
    return f"`{json.dumps(field.get('default', {}), ensure_ascii=False)}`"


def _placed(above: tuple[str, ...], value: dict[str, object]) -> dict[str, object]:
    """Put the keys of a section into their place of a whole configuration."""
    placed: object = value
    for part in reversed(above):
        placed = _placed_in(part, placed) if part in ("[]", "*") else {part: placed}
    assert isinstance(placed, dict)
    return placed


def _placed_in(step: str, value: object) -> object:
    return {"": value, "[]": [value], "*": {NAME: value}}[step]


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join("<name>" if part == "*" else part for part in path).replace(".[]", "[]")


def _mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _fields(section: Json) -> dict[str, Json]:
    return {name: _mapping(field) for name, field in _mapping(section["properties"]).items()}


def _needed(section: Json) -> list[str]:
    needed = section.get("required", [])
    assert isinstance(needed, list)
    return needed


def main(target: str) -> None:
    """Write the page to a file."""
    Path(target).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/configuration.md")
