"""A configuration with parameters, without a dbt project: what conversations are tried on."""

from __future__ import annotations

from pathlib import Path

from orchestrator.config.parameters import ParameterSettings
from orchestrator.config.simulation import SimulationConfig
from orchestrator.reports.parameters import Parameter, ParameterList
from orchestrator.ui.assistants.schema import ConfigSchema

SECRET = "s3cr3t-harbour"  # noqa: S105  # of nothing
FISHERY = f"""\
simulation: {{start_year: 2025, end_year: 2029, random_seed: 42}}
database: var/simulation.duckdb
vars: {{catch: 0.3, vessel_key: {SECRET}}}
parameters:
  catch:
    {{type: number, minimum: 0, maximum: 1, unit: of the stock, description: Share caught in a year, words: [harvest]}}
  quota: {{type: integer, minimum: 0, unit: tonnes, description: Most that may be landed}}
  gear: {{type: choice, choices: [nets, lines], description: What is fished with}}
  note: {{type: string}}
  landings: {{type: string, file: true}}
  vessel_key: {{type: string, secret: true}}
stages: [{{name: fishing, select: "tag:FISHING"}}]
"""
DEFAULTS: dict[str, object] = {"quota": 10, "gear": "nets", "note": ""}


def make_fishery(folder: Path, text: str = FISHERY) -> ConfigSchema:
    """Write the configuration, and return what a conversation may configure in it."""
    file = folder / "config" / "simulation.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return ConfigSchema(lambda: SimulationConfig.load(file, environ={}), parameters)


def parameters(config: SimulationConfig) -> ParameterList:
    """Return the parameters that the configuration declares, and one that the project reads besides."""

    def row(name: str, declared: ParameterSettings) -> Parameter:
        value = config.vars.get(name, DEFAULTS.get(name))
        return Parameter(name, declared, value, "x", DEFAULTS.get(name), ())

    return ParameterList(tuple(row(*item) for item in config.parameters.items()), ("fleet",))
