"""Lay a proposal over the configuration: what an assistant may set, whether it fits, the scenario file made of it.

Whatever an assistant says, only values get here. The configuration's own loader checks them, and the text of the file
is made here from the checked values.
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from orchestrator.config.finding import DBT_PROJECT
from orchestrator.config.layers import is_scenario_name, scenario_file, scenario_names
from orchestrator.config.paths import in_project
from orchestrator.config.yaml_file import read_yaml
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.files import replace_file
from orchestrator.core.masking import is_secret
from orchestrator.core.permissions import ANY_FILE, current_umask
from orchestrator.core.text import CONTROL, nearest
from orchestrator.reports.parameters import BESIDE_PARAMETERS
from orchestrator.ui.assistants.base import Change, Proposal

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.reports.parameters import ParameterList

SIMULATION_KEYS = ("simulation.start_year", "simulation.end_year", "simulation.random_seed")
LONGEST_TEXT = 200  # characters
_VARIABLE = "vars."
_OWN_KEYS = frozenset({"description", "database", "scenario"})  # of a scenario file, which each writes anew
_PATH_OR_CODE = re.compile(r"[/\\]|\{\{|\{%|\.\.")


@dataclass(frozen=True)
class CheckedChange:
    """A change with the value that the configuration has without it, None where none is known."""

    key: str
    before: object
    after: object
    words: str


@dataclass(frozen=True)
class CheckedProposal:
    """A proposal that the loader has checked.

    ``errors`` say what does not fit; with any, nothing can be saved. ``carried`` are the values of the scenario that it
    is laid over, by dotted key. ``database`` is the file of its own that the scenario gets, relative to the project
    root; None where the dbt profile names the database.
    """

    name: str | None
    changes: tuple[CheckedChange, ...]
    questions: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    carried: tuple[tuple[str, object], ...] = ()
    database: str | None = None

    @property
    def overlay(self) -> dict[str, object]:
        """The proposed values by dotted key."""
        return {change.key: change.after for change in self.changes}


def allowed_keys(parameters: ParameterList) -> dict[str, str | None]:
    """Return the keys that an assistant may set, each with None, and those of parameters that it may not, with why.

    Every key that is not among them is out of reach.
    """
    found: dict[str, str | None] = dict.fromkeys(SIMULATION_KEYS)
    for one in parameters.declared:
        found[f"{_VARIABLE}{one.name}"] = why_closed(one.name, secret=one.declared.secret, file=one.declared.file)
    for name in parameters.undeclared:
        if not is_secret(name):
            found[f"{_VARIABLE}{name}"] = None
    return found


def why_closed(name: str, *, secret: bool, file: bool) -> str | None:
    """Return why an assistant may not set a parameter, as the end of a sentence that begins with its name."""
    if secret or is_secret(name):
        return "is a secret, and only people set secrets: in the environment or the configuration file."
    if file:
        return "names a file, and only people name files: in the configuration file or with --set."
    return "is set by a section of its own." if name in BESIDE_PARAMETERS else None


def check_proposal(config: SimulationConfig, parameters: ParameterList, proposal: Proposal) -> CheckedProposal:
    """Lay a proposal over a configuration by the configuration's own loader; nothing is written."""
    words = {change.key: change.words for change in proposal.changes}
    overlay = proposal.overlay
    errors = _refused_keys(overlay, parameters) or _refused_values(overlay, parameters)
    database = None
    if proposal.name is not None:
        errors += _refused_name(proposal.name, config)
        if config.database is not None:
            database = f"var/{proposal.name}.duckdb"
    if not errors:
        try:
            config.with_overrides(_nested(overlay), database=database)
        except ConfigurationError as error:
            errors.append(str(error))
    carried: dict[str, object] = {}
    try:
        carried = _of_scenario(config)
    except ConfigurationError as error:
        errors.append(str(error))
    before = _values(config, parameters)
    changes = tuple(CheckedChange(key, before.get(key), value, words[key]) for key, value in overlay.items())
    return CheckedProposal(
        proposal.name,
        changes,
        proposal.questions,
        proposal.not_understood,
        tuple(errors),
        tuple(carried.items()),
        database,
    )


def scenario_yaml(checked: CheckedProposal) -> str:
    """Return the text of the scenario file, made of checked values.

    Raises:
        ConfigurationError: the proposal does not fit.
    """
    if checked.errors:
        raise ConfigurationError("\n".join(checked.errors))
    values = _nested(dict(checked.carried) | checked.overlay)
    database = {} if checked.database is None else {"database": checked.database}
    content = {**database, **values}
    if not content:
        return "{}\n"
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=False)


def save_scenario(checked: CheckedProposal, config: SimulationConfig, *, replace: bool = False) -> Path:
    """Write the scenario file of a proposal that has a name, whole or not at all, and return its path.

    Raises:
        ConfigurationError: it has no name, does not fit, or the scenario exists and may not be replaced.
        OSError: the file cannot be written.
    """
    text = scenario_yaml(checked)
    if config.file is None or checked.name is None:
        raise ConfigurationError(
            "The scenario has no name." if checked.name is None else "There is no configuration file to put it beside.",
            to_fix="name it" if checked.name is None else "write a configuration file first",
        )
    folder = config.file.parent / "scenarios"
    existing = scenario_file(folder, checked.name)
    _require_base(config.file, config.root, folder, checked.name)
    path = folder / f"{checked.name}.yaml" if existing is None else existing
    folder.mkdir(exist_ok=True)
    mode = ANY_FILE & ~current_umask()
    if replace:
        replace_file(path, text.encode(), durable=True, mode=mode)
        return path
    written = folder / f".{checked.name}.{os.getpid()}-{threading.get_ident()}.new"
    replace_file(written, text.encode(), durable=True, mode=mode)
    try:
        if existing is not None:
            raise FileExistsError
        os.link(written, path)  # fails where somebody was faster
    except FileExistsError:
        raise ConfigurationError(
            f"There is a scenario {checked.name!r} already: {in_project(path, config.root)}.",
            to_fix="choose another name, or say that it may be replaced",
        ) from None
    finally:
        written.unlink(missing_ok=True)
    return path


def _refused_keys(overlay: Mapping[str, object], parameters: ParameterList) -> list[str]:
    allowed = allowed_keys(parameters)
    found = []
    for key in overlay:
        if key not in allowed:
            guess = nearest(key, [known for known, reason in allowed.items() if reason is None])
            hint = f" Did you mean {guess}?" if guess else ""
            found.append(f"{key} cannot be set by an assistant.{hint}")
        elif allowed[key] is not None:
            found.append(f"{key.removeprefix(_VARIABLE)} {allowed[key]}")
    return found


def _refused_values(overlay: Mapping[str, object], parameters: ParameterList) -> list[str]:
    """Return what the loader does not ask: values that are no scalars, and text that may be more than text."""
    declared = {f"{_VARIABLE}{one.name}": one for one in parameters.declared}
    found = []
    for key, value in overlay.items():
        one = declared.get(key)
        if value is None:
            if one is None or one.default is not None:
                found.append(f"{key} needs a value.")
        elif isinstance(value, float) and not math.isfinite(value):
            found.append(f"{key} is {value}, but must be a finite number.")
        elif isinstance(value, str):
            if one is None:
                found.append(f"{key} is not declared under parameters, so it takes numbers, true and false alone.")
            elif one.declared.type == "string" and (
                len(value) > LONGEST_TEXT or CONTROL.search(value) or "\n" in value or _PATH_OR_CODE.search(value)
            ):
                found.append(f"{key} takes a short text here, and none that may be a path or code.")
        elif not isinstance(value, (int, float)):
            found.append(f"{key} takes text, a number, true or false.")
    return found


def _refused_name(name: str, config: SimulationConfig) -> list[str]:
    if not is_scenario_name(name):
        return [f"{name!r} cannot be the name of a scenario: use letters, digits, underscores, dots and hyphens."]
    own = config.database_path
    taken = own is not None and own == config.resolve(Path("var") / f"{name}.duckdb")
    if taken and name != config.scenario:
        return [
            f"var/{name}.duckdb is the configured database, and a scenario needs one of its own: choose another name."
        ]
    return []


def _of_scenario(config: SimulationConfig) -> dict[str, object]:
    """Return the values that the configuration's own scenario file sets, by dotted key."""
    file = None if config.file is None else scenario_file(config.file.parent / "scenarios", config.scenario)
    if file is None:
        return {}
    layer = read_yaml(file, in_project(file, config.root))
    found: dict[str, object] = {}
    others = []
    for section, values in layer.data.items():
        if section in _OWN_KEYS:
            continue
        if section not in ("vars", "simulation") or not isinstance(values, Mapping):
            others.append(section)
            continue
        for name, value in values.items():
            key = f"{section}.{name}"
            secret = section == "vars" and is_secret(name)
            if secret or (section == "simulation" and key not in SIMULATION_KEYS):
                others.append(key)
            found[key] = value
    if others:
        raise ConfigurationError(
            f"The scenario {config.scenario} also sets {', '.join(others)}, which a scenario made here would not have.",
            to_fix=f"start from another scenario, or copy {in_project(file, config.root)}",
        )
    return found


def _values(config: SimulationConfig, parameters: ParameterList) -> dict[str, object]:
    found: dict[str, object] = {f"{_VARIABLE}{name}": value for name, value in config.vars.items()}
    found |= {f"{_VARIABLE}{one.name}": one.shown(one.value) for one in parameters.declared}
    if config.simulation is not None:
        years = config.simulation
        found |= dict(zip(SIMULATION_KEYS, (years.start_year, years.end_year, years.random_seed), strict=True))
    return found


def _nested(overlay: Mapping[str, object]) -> dict[str, object]:
    """Return values by dotted key as sections; a name behind the first dot is one name, whatever is in it."""
    found: dict[str, dict[str, object]] = {}
    for key, value in overlay.items():
        section, _, name = key.partition(".")
        found.setdefault(section, {})[name] = value
    return dict(found)


def _require_base(file: Path, root: Path, folder: Path, name: str) -> None:
    """Refuse the first scenario beside a base file that would not load any more: a name without a file of its own."""
    if file.name == DBT_PROJECT or scenario_names(folder):
        return
    base = read_yaml(file, in_project(file, root)).data.get("scenario", "baseline")
    if base in ("baseline", name):
        return
    raise ConfigurationError(
        f"{in_project(file, root)} calls itself the scenario {base!r}, and beside other scenarios it needs a file of "
        "that name.",
        to_fix=f"write {in_project(folder, root)}/{base}.yaml first; a description in it is enough",
    )


def accepted(config: SimulationConfig, parameters: ParameterList, proposal: Proposal) -> CheckedProposal:
    """Return a proposal without what the loader refuses, which becomes questions: what is left can be saved."""
    checked = check_proposal(config, parameters, proposal)
    if not checked.errors:
        return checked
    questions = list(proposal.questions)
    kept: list[Change] = []
    name = proposal.name
    if name is not None and (refused := check_proposal(config, parameters, Proposal(name, ())).errors):
        questions += refused
        name = None
    for change in proposal.changes:
        one_by_one = Proposal(None, (*kept, change))
        refused = check_proposal(config, parameters, one_by_one).errors
        questions += refused
        kept += [] if refused else [change]
    found = check_proposal(config, parameters, Proposal(name, tuple(kept)))
    asked = (*questions, *(error for error in found.errors if error not in questions))
    return replace(found, questions=tuple(dict.fromkeys(asked)), not_understood=proposal.not_understood)
