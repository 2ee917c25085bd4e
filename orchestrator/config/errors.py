"""Say in words what pydantic found wrong: where the key stands, what was found, what is allowed, what comes nearest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.config.origins import ENV_PREFIX, ENV_SEPARATOR, KeyPath, Layer, Origin, dotted
from orchestrator.config.schema_fields import choices_at, description_at, elsewhere, fields_at, leaf_paths
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest, on_one_line


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
        return _unknown_key(where, path, model, layer)
    meaning = description_at(model, path)
    about = f" ({meaning})" if meaning else ""
    if details["type"] == "missing":
        return f"{where}{name} is missing{about}.", f"add {name}."
    message = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if details["type"] in {"value_error", "assertion_error", "config_key"}:
        return f"{where}{name} {message}", f"correct {name}{_place(origin)} and run again"
    expected = _EXPECTED.get(details["type"]) or message.removeprefix("Input should be ")
    if "auto" in choices_at(model, path):
        expected += " or a list"
    guess = nearest(str(details["input"]), choices_at(model, path))
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
    "invalid-json-value": "what JSON can say: text, a number, true, false, null, a list or a mapping",
}


def _unknown_key(where: str, path: KeyPath, model: type[BaseModel], layer: Layer) -> tuple[str, str]:
    known = list(fields_at(model, path[:-1]))
    origin = layer.origin_of(path)
    if origin is not None and origin.kind == "environment":
        found = origin.label.rpartition(" ")[2]
        names = [ENV_PREFIX + ENV_SEPARATOR.join(leaf).upper() for leaf in leaf_paths(model)]
        guess = nearest(found, names)
    else:
        found = on_one_line(str(path[-1]))
        variable = _variable(found, layer) if len(path) == 1 else None
        own = variable if variable == f"vars.{found}" else None
        guess = own or nearest(found, known) or variable or elsewhere(found, model)
        if origin is not None and origin.kind == "override" and guess in known:
            found, guess = dotted(path), dotted((*path[:-1], guess))
    hint = f" Did you mean {guess!r}?" if guess else ""
    may_be = f"write vars.{found} if it is a variable of dbt, or remove it." if len(path) == 1 else f"remove {found}."
    inside = f"in {dotted(path[:-1])}" if path[:-1] else "at the top level"
    return (
        f"{where}{dotted(path)} is not a known key.{hint} Keys allowed {inside}: {', '.join(known)}.",
        f"write {guess} instead of {found}, or remove it." if guess else may_be,
    )


def _variable(found: str, layer: Layer) -> str | None:
    """Return the variable that a key at the top level may be meant for."""
    parts = (layer.data.get(part) for part in ("parameters", "vars"))
    guess = nearest(found, [str(key) for part in parts if isinstance(part, Mapping) for key in part])
    return f"vars.{guess}" if guess else None


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


def problems_error(problems: Sequence[str], *, to_fix: str | None = None) -> ConfigurationError:
    """Make one error of one or more problems, all of them told at once."""
    if len(problems) == 1:
        return ConfigurationError(problems[0], to_fix=to_fix)
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return ConfigurationError(
        f"The configuration has {len(problems)} problems:\n{lines}", to_fix="correct each of them."
    )
