"""The fields of the schema, found by the path of a key."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path

from pydantic import BaseModel

from orchestrator.config.origins import KeyPath


def leaf_paths(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that holds a value rather than a section; lists count as values."""
    for name, field in model.model_fields.items():
        inner = section_in(field.annotation)
        if inner is None:
            yield (*above, name)
        else:
            yield from leaf_paths(inner, (*above, name))


def takes_text(model: type[BaseModel], path: Sequence[str]) -> bool:
    """Tell whether the key at ``path`` holds text or a file path, so that its value is taken as it is written."""
    *above, last = path
    for name in above:
        field = model.model_fields.get(name)
        inner = None if field is None else section_in(field.annotation)
        if inner is None:
            return False
        model = inner
    field = model.model_fields.get(last)
    if field is None:
        return False
    words = typing.get_origin(field.annotation) is typing.Literal
    kinds = map(type, typing.get_args(field.annotation)) if words else _members(field.annotation)
    return set(kinds) <= {str, Path, types.NoneType}


def _members(annotation: object) -> Iterator[object]:
    """Yield what an annotation is made of, unions and ``Annotated`` opened."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(annotation)[0])
    elif origin in {typing.Union, types.UnionType}:
        for member in typing.get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def section_in(annotation: object) -> type[BaseModel] | None:
    """Return the section that an annotation is, or may be, None where it is none."""
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def item_section_in(annotation: object) -> type[BaseModel] | None:
    """Return the section that each item of a list is, None where the annotation is no list of sections."""
    return section_in(_item_in(annotation))


def _item_in(annotation: object) -> object:
    """Return what each item of a list is, None where the annotation is no list."""
    lists = [member for member in _members(annotation) if typing.get_origin(member) is tuple]
    return typing.get_args(lists[0])[0] if lists else None


def value_section_in(annotation: object) -> type[BaseModel] | None:
    """Return the section that each value of a mapping is, None where the annotation is no mapping of sections."""
    for member in _members(annotation):
        if typing.get_origin(member) is dict:
            return section_in(typing.get_args(member)[1])
    return None


def _annotation(model: type[BaseModel], path: KeyPath) -> tuple[object, str]:
    """Return the annotation and the description of the key at ``path``."""
    current: type[BaseModel] | None = model
    annotation: object = None
    description = ""
    for part in path:
        if isinstance(part, int):
            annotation = _item_in(annotation)
            current = section_in(annotation)
            continue
        inner = value_section_in(annotation) if current is None else None
        if inner is not None:  # the name of an entry, which the user chooses
            annotation, current = inner, inner
            continue
        field = current.model_fields.get(part) if current else None
        if field is None:
            return None, ""
        annotation, description = field.annotation, field.description or ""
        current = section_in(annotation)
    return annotation, description


def description_at(model: type[BaseModel], path: KeyPath) -> str:
    """Return the description of the key at ``path``, without its full stop; empty where there is none."""
    return _annotation(model, path)[1].rstrip(".")


def fields_at(model: type[BaseModel], path: KeyPath) -> Sequence[str]:
    """Return the keys that are allowed below ``path``, none where it holds no section."""
    if not path:
        return list(model.model_fields)
    annotation, _ = _annotation(model, path)
    inner = section_in(annotation)
    return list(inner.model_fields) if inner else ()


def elsewhere(word: str, model: type[BaseModel]) -> str | None:
    """Return the full path of a key of this very name in another section."""
    return next((".".join(path) for path in leaf_paths(model) if path[-1] == word), None)


def choices_at(model: type[BaseModel], path: KeyPath) -> Sequence[str]:
    """Return the words that the key at ``path`` takes, none where it takes more than words of a list."""
    annotation, _ = _annotation(model, path)
    choices: list[str] = []
    for member in _members(annotation):
        if typing.get_origin(member) is typing.Literal:
            choices += [str(choice) for choice in typing.get_args(member)]
        elif isinstance(member, type) and issubclass(member, Enum):
            choices += [str(choice.value) for choice in member]
    return choices
