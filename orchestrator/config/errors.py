"""Say in words what pydantic found wrong: where the key stands, what was found, what is allowed, what comes nearest."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.loading import (
    ENV_PREFIX,
    ENV_SEPARATOR,
    KeyPath,
    Layer,
    Origin,
    dotted,
    problems_error,
)
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest


def configuration_error(error: ValidationError, model: type[BaseModel], layer: Layer) -> ConfigurationError:
    """Turn all of pydantic's findings into one error that names file, key, value and what is allowed."""
    problems = [_problem(details, model, layer) for details in error.errors()]
    fixes = {fix for _, fix in problems}
    return problems_error(
        list(dict.fromkeys(text for text, _ in problems)),
        to_fix=fixes.pop() if len(fixes) == 1 else "correct each of them and run again",
    )


def _problem(details: ErrorDetails, model: type[BaseModel], layer: Layer) -> tuple[str, str]:
    path = _data_path(details, layer.data)
    context = details.get("ctx", {})
    path = (*path, *context.get("keys", ()))
    origin = layer.origin_of(path)
    where = "" if origin is None else f"{origin.label}: "
    name = dotted(path) or "the configuration"
    if details["type"] == "extra_forbidden":
        return _unknown_key(where, path, model, origin)
    meaning = _description(model, path)
    about = f" ({meaning})" if meaning else ""
    if details["type"] == "missing":
        return f"{where}{name} is missing{about}.", f"add {name}."
    message = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if details["type"] in {"value_error", "assertion_error", "config_key"}:
        return f"{where}{name} {message}", f"correct {name}{_place(origin)} and run again"
    expected = _EXPECTED.get(details["type"]) or message.removeprefix("Input should be ")
    if "auto" in _choices(model, path):
        expected += " or a list"
    guess = nearest(str(details["input"]), _choices(model, path))
    hint = f" Did you mean {guess!r}?" if guess else ""
    return (
        f"{where}{name} is {show(details['input'])}, but must be {expected}{about}.{hint}",
        f"write {name}: {guess}" if guess else f"give {name}{_place(origin)} {expected}",
    )


def _place(origin: Origin | None) -> str:
    return "" if origin is None else f" ({origin.label})"


_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "path_type": "a path",
    "dict_type": "a mapping of keys and values",
    "model_type": "a mapping of keys and values",
    "tuple_type": "a list",
    "too_short": "a list of at least one",
}


def _unknown_key(where: str, path: KeyPath, model: type[BaseModel], origin: Origin | None) -> tuple[str, str]:
    known = list(_fields(model, path[:-1]))
    if origin is not None and origin.kind == "environment":
        found = origin.label.rpartition(" ")[2]
        names = [ENV_PREFIX + ENV_SEPARATOR.join(leaf).upper() for leaf in leaf_paths(model)]
        guess = nearest(found, names)
    else:
        found = str(path[-1])
        guess = nearest(found, known) or _elsewhere(found, model)
    hint = f" Did you mean {guess!r}?" if guess else ""
    inside = dotted(path[:-1]) or "the top level"
    return (
        f"{where}{dotted(path)} is no known key.{hint} Allowed at {inside}: {', '.join(known)}.",
        f"write {guess} instead of {found}, or remove it." if guess else f"remove {found}.",
    )


def _data_path(details: ErrorDetails, data: object) -> KeyPath:
    """Drop from pydantic's location what is not a key of the data, such as the branch of a union."""
    path: KeyPath = ()
    location = details["loc"]
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if isinstance(data, Mapping) and (part in data or (last and details["type"] == "missing")):
            data = data.get(part)
        elif isinstance(data, (list, tuple)) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            continue
        path = (*path, part)
    return path


def show(value: object) -> str:
    """Show a value as it would be written in the file, cut to 80 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def leaf_paths(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that holds a value rather than a section; lists count as values."""
    for name, field in model.model_fields.items():
        inner = _section(field.annotation)
        if inner is None:
            yield (*above, name)
        else:
            yield from leaf_paths(inner, (*above, name))


def takes_text(model: type[BaseModel], path: Sequence[str]) -> bool:
    """Tell whether the key at ``path`` holds text or a file path, so that its value is taken as it is written."""
    *above, last = path
    for name in above:
        field = model.model_fields.get(name)
        inner = None if field is None else _section(field.annotation)
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


def _section(annotation: object) -> type[BaseModel] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def _item_section(annotation: object) -> type[BaseModel] | None:
    for member in _members(annotation):
        if typing.get_origin(member) is tuple:
            return _section(typing.get_args(member)[0])
    return None


def _annotation(model: type[BaseModel], path: KeyPath) -> tuple[object, str]:
    """Return the annotation and the description of the key at ``path``."""
    current: type[BaseModel] | None = model
    annotation: object = None
    description = ""
    for part in path:
        if isinstance(part, int):
            current = _item_section(annotation)
            continue
        field = current.model_fields.get(part) if current else None
        if field is None:
            return None, ""
        annotation, description = field.annotation, field.description or ""
        current = _section(annotation)
    return annotation, description


def _description(model: type[BaseModel], path: KeyPath) -> str:
    return _annotation(model, path)[1].rstrip(".")


def _fields(model: type[BaseModel], path: KeyPath) -> Sequence[str]:
    if not path:
        return list(model.model_fields)
    annotation, _ = _annotation(model, path)
    inner = _item_section(annotation) if isinstance(path[-1], int) else _section(annotation)
    return list(inner.model_fields) if inner else ()


def _elsewhere(word: str, model: type[BaseModel]) -> str | None:
    """Return the full path of a key of this very name in another section."""
    return next((".".join(path) for path in leaf_paths(model) if path[-1] == word), None)


def _choices(model: type[BaseModel], path: KeyPath) -> Sequence[str]:
    annotation, _ = _annotation(model, path)
    choices: list[str] = []
    for member in _members(annotation):
        if typing.get_origin(member) is typing.Literal:
            choices += [str(choice) for choice in typing.get_args(member)]
        elif isinstance(member, type) and issubclass(member, Enum):
            choices += [str(choice.value) for choice in member]
    return choices
