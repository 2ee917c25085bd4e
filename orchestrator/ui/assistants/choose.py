"""Which assistant answers: the rule-based one, or a language model where the environment names one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.config.layers import scenario_file, scenario_names
from orchestrator.config.paths import in_project
from orchestrator.config.yaml_file import read_yaml
from orchestrator.core.errors import ConfigurationError
from orchestrator.ui.assistants.llm import create_llm
from orchestrator.ui.assistants.rules import RuleBasedAssistant
from orchestrator.ui.assistants.schema import ConfigSchema

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.reports.parameters import ParameterList
    from orchestrator.ui.assistants.base import Assistant

PROVIDER = "ORCHESTRATOR_LLM_PROVIDER"
MODEL = "ORCHESTRATOR_LLM_MODEL"
BASE_URL = "ORCHESTRATOR_LLM_BASE_URL"


def choose_assistant(
    config: SimulationConfig, parameters: ParameterList, environ: Mapping[str, str] | None = None
) -> Assistant:
    """Return the assistant of a configuration; without ``ORCHESTRATOR_LLM_PROVIDER`` no model and no network is used.

    Raises:
        ConfigurationError: a provider is named without a model.
    """
    environ = os.environ if environ is None else environ
    provider = environ.get(PROVIDER, "").strip()
    return _model(provider, environ, config, parameters) if provider else rule_based(config, parameters)


def rule_based(config: SimulationConfig, parameters: ParameterList) -> RuleBasedAssistant:
    """Return the assistant that reads by the words of the project."""
    years = config.simulation
    folder = None if config.file is None else config.file.parent / "scenarios"
    return RuleBasedAssistant(
        parameters.declared,
        years=None if years is None else (years.start_year, years.end_year),
        random_seed=None if years is None else years.random_seed,
        scenarios=() if folder is None else scenario_names(folder),
        texts=_descriptions(config),
    )


def _model(provider: str, environ: Mapping[str, str], config: SimulationConfig, parameters: ParameterList) -> Assistant:
    model = environ.get(MODEL, "").strip()
    if not model:
        raise ConfigurationError(f"{PROVIDER} is {provider}, but {MODEL} names no model.", to_fix=f"set {MODEL}")
    schema = ConfigSchema(lambda: config, lambda _: parameters)
    return create_llm(provider, model, environ.get(BASE_URL, "").strip() or None, schema=schema)


def _descriptions(config: SimulationConfig) -> list[tuple[str, Sequence[str]]]:
    """Return what the scenarios say of themselves, with the variables that each sets."""
    if config.file is None:
        return []
    folder = config.file.parent / "scenarios"
    found: list[tuple[str, Sequence[str]]] = []
    for name in scenario_names(folder):
        file = scenario_file(folder, name)
        if file is None:
            continue
        try:
            data = read_yaml(file, in_project(file, config.root)).data
        except ConfigurationError:
            continue  # whoever runs that scenario is told; for this one it is only a lack of words
        variables = data.get("vars")
        found.append((str(data.get("description", "")), list(variables) if isinstance(variables, dict) else []))
    return found
