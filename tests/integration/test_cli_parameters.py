"""``orchestrator parameters``, and variables that nothing reads."""

from __future__ import annotations

import json

from tests.support.cli_project import Cli

WORDS = "parameters.rain_factor={type: number, words: [precipitations]}"
DECLARED = ("--set", "parameters.rain_factor={type: number, minimum: 0, maximum: 9, description: Factor on all rain}")


def test_parameters_are_listed(lakes: Cli) -> None:
    """In words, as JSON with the project's own value and the readers, and as a schema."""
    told = lakes("parameters", *DECLARED, "--set", "vars.rain_factor=2")
    assert told.exit_code == 0, told.err
    assert "rain_factor      2  0 to 9  --set vars.rain_factor  Factor on all rain" in told.out
    document = lakes("parameters", *DECLARED, "--set", "vars.rain_factor=2", "--json").document()
    assert isinstance(document["parameters"], list)
    (only,) = document["parameters"]
    assert only["value"] == 2
    assert only["default"] == 1
    assert only["origin"] == "--set vars.rain_factor"
    assert only["read_by"] == ["stg_rain"]
    schema = json.loads(lakes("parameters", *DECLARED, "--schema").out)
    assert schema["properties"]["rain_factor"]["maximum"] == 9
    undeclared = lakes("parameters")
    assert "The configuration declares no parameters.\nNot declared: rain_factor\n" in undeclared.out


def test_a_variable_that_nothing_reads_is_refused_by_every_command(lakes: Cli) -> None:
    """Wherever it was set; nothing is run."""
    for command in ("simulate", "check", "init", "plan", "parameters"):
        told = lakes(command, env={"ORCHESTRATOR_VARS__RAIN_FACTR": "2"})
        assert told.exit_code == 2, told.out
        assert 'nothing in the dbt project reads the variable "rain_factr"' in told.err
        assert "To fix: write vars.rain_factor" in told.err
        assert "ORCHESTRATOR_VARS__RAIN_FACTR" in told.err
    assert lakes.sql("select count(*) from lake_level") == [(0,)]
    told = lakes("check", "--set", "vars.precipitation=2", "--set", WORDS)
    assert "Did you mean 'rain_factor'?" in told.err, "by the words that people use for it"
    told = lakes("doctor", "--set", "vars.rain_factr=2")
    assert told.exit_code == 3
    assert 'reads the variable "rain_factr"' in told.out
