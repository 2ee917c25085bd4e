"""The parameters of a configuration with the values that a run would use, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.masking import MASK
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.variables import readers_of, require_variables_fit

if TYPE_CHECKING:
    from orchestrator.config.parameters import ParameterSettings
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.dbt_runner.project.facts import ProjectFacts

OF_PROJECT = "dbt project"
BESIDE_PARAMETERS = frozenset({"start_year", "random_seed"})
"""Variables that sections of their own set."""


@dataclass(frozen=True)
class Parameter:
    """A declared parameter: its ``value`` and where that was set, and the dbt project's own value for it.

    ``read_by`` are the names of the models and other nodes that read it.
    """

    name: str
    declared: ParameterSettings
    value: object
    origin: str
    default: object
    read_by: tuple[str, ...]

    def shown(self, value: object) -> object:
        """Return one of its values as it may be shown."""
        return MASK if self.declared.secret and value is not None else value

    def json_schema(self) -> dict[str, object]:
        """Return what its values are as JSON Schema, with the default unless that is a secret."""
        default = {} if self.declared.secret else {"default": self.default}
        return {**self.declared.json_schema(), **default}


@dataclass(frozen=True)
class ParameterList:
    """The ``declared`` parameters, and the names of other variables that the project has."""

    declared: tuple[Parameter, ...]
    undeclared: tuple[str, ...]


def list_parameters(config: SimulationConfig, facts: ProjectFacts) -> ParameterList:
    """Return the parameters of a configuration, in its order.

    Raises:
        ConfigurationError: the configuration sets a variable that nothing reads.
    """
    require_variables_fit(config, facts)
    defaults = {name: json.loads(text) for name, text in facts.var_defaults}
    readers = readers_of(facts)
    found = tuple(
        Parameter(
            name,
            declared,
            config.vars.get(name, defaults.get(name)),
            config.origin_of("vars", name) if name in config.vars else OF_PROJECT,
            defaults.get(name),
            readers.get(name, ()),
        )
        for name, declared in config.parameters.items()
    )
    year_var = set() if config.simulation is None else {config.simulation.year_var}
    others = {*readers, *defaults} - {ANY_VAR} - set(config.parameters) - year_var - BESIDE_PARAMETERS
    return ParameterList(found, tuple(sorted(others)))


def parameters_record(parameters: ParameterList) -> dict[str, object]:
    """Return the parameters for JSON."""
    return {
        "parameters": [
            {
                "name": one.name,
                "value": one.shown(one.value),
                "origin": one.origin,
                "default": one.shown(one.default),
                "secret": one.declared.secret,
                "type": one.declared.type,
                "minimum": one.declared.minimum,
                "maximum": one.declared.maximum,
                "choices": list(one.declared.choices) or None,
                "unit": one.declared.unit,
                "description": one.declared.description,
                "words": list(one.declared.words),
                "read_by": list(one.read_by),
            }
            for one in parameters.declared
        ],
        "undeclared": list(parameters.undeclared),
    }


def parameters_schema(parameters: ParameterList) -> dict[str, object]:
    """Return what ``vars`` of a configuration may hold, as JSON Schema (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Parameters",
        "type": "object",
        "properties": {one.name: one.json_schema() for one in parameters.declared},
        "additionalProperties": False,
    }


def shown_range(one: Parameter) -> str:
    """Say in words what a parameter may be."""
    declared = one.declared
    unit = f" {declared.unit}" if declared.unit else ""
    if declared.choices:
        return ", ".join(map(shown_value, declared.choices))
    if declared.minimum is not None and declared.maximum is not None:
        return f"{declared.minimum} to {declared.maximum}{unit}"
    if declared.minimum is not None:
        return f"{declared.minimum} or more{unit}"
    if declared.maximum is not None:
        return f"{declared.maximum} or less{unit}"
    return f"{declared.type}{unit}"


def shown_value(value: object) -> str:
    """Write a value of a parameter as the configuration has it."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
