"""Lay the layers of a configuration: base file, scenario file, environment, overrides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from orchestrator.config.errors import problems_error
from orchestrator.config.finding import DBT_PROJECT, bare_project, stands_at
from orchestrator.config.origins import (
    ENV_PREFIX,
    ENV_SEPARATOR,
    RESERVED_NAMES,
    RESERVED_PREFIXES,
    Layer,
    Origin,
    plain,
)
from orchestrator.config.paths import in_project
from orchestrator.config.schema_fields import takes_text
from orchestrator.config.yaml_file import parse_scalar, read_yaml
from orchestrator.config.yaml_values import MOST_DEPTH
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import did_you_mean, is_encodable

Overrides = Mapping[str, object] | Sequence[str]

_SUFFIXES = (".yaml", ".yml")
_SCENARIO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")  # a file of that name, with its ending


def load_layers(
    path: Path,
    root: Path,
    model: type[BaseModel],
    *,
    scenario: str | None,
    overrides: Overrides | None,
    environ: Mapping[str, str],
) -> Layer:
    """Read the file at ``path`` and lay everything over it that applies.

    Raises:
        ConfigurationError: a layer cannot be read, or the scenario does not exist.
    """
    layer = bare_project(path) if path.name == DBT_PROJECT else read_yaml(path, in_project(path, root))
    environment = environment_layer(environ, model, layer)
    given = override_layer(overrides, model)
    chosen, chosen_by = None, None
    sources = (
        (scenario, "--scenario"),
        (given.data.get("scenario"), "--set scenario"),
        (environment.data.get("scenario"), f"environment variable {ENV_PREFIX}SCENARIO"),
    )
    for candidate, source in sources:
        if candidate is not None:
            chosen, chosen_by = str(candidate), source
            break
    name = chosen if chosen is not None else layer.data.get("scenario", "baseline")
    if isinstance(name, str):
        layer.merge(_scenario_layer(path.parent / "scenarios", root, name, chosen_by, layer))
    layer.merge(environment)
    layer.merge(given)
    if scenario is not None:
        layer.put(["scenario"], scenario, Origin("--scenario", "override"))
    return layer


def _scenario_layer(folder: Path, root: Path, name: str, chosen_by: str | None, base: Layer) -> Layer:
    origin = base.origin_of(("scenario",))
    by = chosen_by or (origin.label if origin else "the default")
    existing = scenario_names(folder)
    file = scenario_file(folder, name)
    if file is not None:
        layer = read_yaml(file, in_project(file, root))
        named = layer.data.get("scenario", name)
        if named != name:
            where = layer.origin_of(("scenario",))
            raise ConfigurationError(
                f"{where.label if where else file}: scenario is {named!r}, but this file is the scenario {name!r}.",
                to_fix="remove the key: a scenario takes its name from its file.",
            )
        layer.put(["scenario"], name, layer.origins[()])
        return layer
    # Without an overlay the base file is the whole scenario, under whatever name it gives itself.
    if name == base.data.get("scenario", "baseline") and (not existing or name == "baseline"):
        return Layer()
    if any(file.stem == name for suffix in _SUFFIXES for file in folder.glob(f"*{suffix}")):
        raise ConfigurationError(
            f"{by}: {name!r} cannot be the name of a scenario.",
            to_fix="rename its file: letters, digits, underscores, dots and hyphens",
        )
    there = f"There are: {', '.join(existing)}." if existing else "There are none."
    raise ConfigurationError(
        f"{by}: there is no scenario {name!r} in {in_project(folder, root)}.{did_you_mean(name, existing)} {there}",
        to_fix="choose one of them." if existing else f"write the scenario into {in_project(folder, root)}/NAME.yaml.",
    )


def scenario_names(folder: Path) -> list[str]:
    """Return the names of the scenarios in a folder, sorted; a file whose name none may have is left out."""
    names = {file.stem for suffix in _SUFFIXES for file in folder.glob(f"*{suffix}")}
    return sorted(name for name in names if is_scenario_name(name))


def scenario_file(folder: Path, name: str) -> Path | None:
    """Return the file of a scenario, None where the base file is all that there is of it."""
    files = [folder / f"{name}{suffix}" for suffix in _SUFFIXES]
    return next((file for file in files if is_scenario_name(name) and stands_at(file)), None)


def is_scenario_name(name: str) -> bool:
    """Tell whether a scenario, and so its file and its database, may have this name.

    >>> is_scenario_name("slow_growth"), is_scenario_name("slow growth"), is_scenario_name("../x")
    (True, False, False)
    """
    return _SCENARIO_NAME.fullmatch(name) is not None


def require_fork(name: str, file: Path, database: Path | str | None, own: Path | None) -> None:
    """Make sure that a copy of a scenario may have this name; ``own`` is the database of the scenario itself.

    Raises:
        ConfigurationError: it is no name of a file, that of a scenario or of its database, or another database is named
            as well.
    """
    if database is not None:
        raise ConfigurationError(
            f"--as {name} and --database {database} each name a database.", to_fix="leave one of them out"
        )
    if not is_scenario_name(name) or name.endswith("."):
        raise ConfigurationError(
            f"--as: {name!r} cannot be the name of a scenario and of its database.",
            to_fix="use letters, digits, underscores, dots and hyphens, at most 200, and no dot at the end",
        )
    # On some file systems names that differ only in case are one file.
    if name.lower() in (one.lower() for one in scenario_names(file.parent / "scenarios")):
        raise ConfigurationError(
            f"--as: there is a scenario {name!r} already, with a database of its own.",
            to_fix=f"choose another name, or use --scenario {name}",
        )
    if own is not None and own.stem.lower() == name.lower() and own.parent.name == "var":
        raise ConfigurationError(
            f"--as: var/{name}.duckdb is the configured database, and a copy needs one of its own.",
            to_fix="choose another name",
        )


def environment_layer(environ: Mapping[str, str], model: type[BaseModel], base: Layer) -> Layer:
    """Read every ``ORCHESTRATOR_…`` variable but the reserved ones; an empty variable counts as not set."""
    layer = Layer()
    problems = []
    for variable in sorted(environ):
        text = environ[variable]
        if not variable.startswith(ENV_PREFIX) or not text.strip() or variable in RESERVED_NAMES:
            continue
        if variable.startswith(RESERVED_PREFIXES):
            continue
        label = f"environment variable {variable}"
        parts = variable.removeprefix(ENV_PREFIX).split(ENV_SEPARATOR)
        if len(parts) > MOST_DEPTH:
            problems.append(f"{label} names a key more than {MOST_DEPTH} levels deep.")
            continue
        path = _written_as(parts, base.data)
        if not is_encodable(variable + text):
            problems.append(f"{label} is not UTF-8 text.")
            continue
        try:
            value = text if takes_text(model, path) else parse_scalar(text)
        except ValueError as error:
            problems.append(f"{label}: {error}")
            continue
        layer.put(path, value, Origin(label, "environment"))
    if problems:
        raise problems_error(problems, to_fix="correct its value, written as YAML has it, or unset it")
    return layer


def _written_as(parts: Sequence[str], data: object) -> list[str]:
    """Find the keys that upper-case ``parts`` stand for: as the file writes them, else in lower case."""
    if not parts:
        return []
    if isinstance(data, Mapping):
        whole = ENV_SEPARATOR.join(parts).lower()
        for key in data:
            if str(key).lower() == whole:
                return [key]
        for key, value in data.items():
            if str(key).lower() == parts[0].lower():
                return [key, *_written_as(parts[1:], value)]
    return [parts[0].lower(), *_written_as(parts[1:], None)]


def override_layer(overrides: Overrides | None, model: type[BaseModel]) -> Layer:
    """Read overrides: ``["key.path=value", …]``, values as YAML, or a mapping, its keys dotted or nested.

    Raises:
        ConfigurationError: an override has no ``=``, no key, or a value that is no YAML.
    """
    layer = Layer()
    problems = []
    for label, key, value in _pairs(overrides):
        path = key.strip().split(".")
        origin = Origin(label, "override")
        if not all(path):
            problems.append(f"{label}: an override is written key.path=value.")
            continue
        if len(path) > MOST_DEPTH:
            problems.append(f"{label}: this key is more than {MOST_DEPTH} levels deep.")
            continue
        if isinstance(value, _Raw):
            try:
                value = _read_value(value, model, path)
            except ValueError as error:
                problems.append(f"{label}: {error}")
                continue
        layer.put(path, plain(value), origin)
    if problems:
        raise problems_error(
            problems,
            to_fix="write KEY.PATH=VALUE, with a value as YAML has it: simulation.end_year=2030, a.b=true, a.b='yes'",
        )
    return layer


class _Raw(str):
    """Text that is still to be read as YAML."""


def _read_value(text: _Raw, model: type[BaseModel], path: Sequence[str]) -> object:
    if not is_encodable(text):
        raise ValueError("is not UTF-8 text.")
    if takes_text(model, path):
        return str(text) if text.strip() and text.strip() != "null" else None
    return parse_scalar(text)


def _pairs(overrides: Overrides | None) -> Iterable[tuple[str, str, object]]:
    if overrides is None:
        return
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            yield f"override {key}", key, value
        return
    for item in [overrides] if isinstance(overrides, str) else overrides:
        key, equals, text = item.partition("=")
        yield f"--set {key if equals else item}", key if equals else "", _Raw(text)


def mapping_layer(data: Mapping[str, object]) -> Layer:
    """Make a layer of a mapping that a program hands over."""
    copied = plain(data)
    assert isinstance(copied, dict)
    return Layer(copied)
