"""``orchestrator ask``: a sentence in, a scenario out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.cli_project import Cli
from tests.support.programs import start_python

DECLARED = (
    "--set",
    "parameters.rain_factor={type: number, minimum: 0, maximum: 9, unit: times the usual, words: [rain]}",
)


def test_a_sentence_becomes_a_scenario(lakes: Cli) -> None:
    """Shown with before, after and the words; written only when it is asked for, and never over another."""
    shown = lakes("ask", *DECLARED, "double the rain with seed 7, call it soaked")
    assert shown.exit_code == 0, shown.err
    assert "vars.rain_factor" in shown.out
    assert "double the rain" in shown.out
    assert "rain_factor: 2" in shown.out
    file = lakes.root / "config" / "scenarios" / "soaked.yaml"
    assert not file.exists()
    saved = lakes("ask", *DECLARED, "double the rain with seed 7, call it soaked", "--save", "--json")
    assert saved.exit_code == 0, saved.err
    assert saved.document() == {
        "ok": True,
        "status": "saved",
        "name": "soaked",
        "overlay": {"vars.rain_factor": 2, "simulation.random_seed": 7},
        "questions": [],
        "not_understood": [],
    }
    assert file.read_text().startswith("database: var/soaked.duckdb\nvars:\n  rain_factor: 2\n")
    again = lakes("ask", *DECLARED, "rain of 3", "--name", "soaked", "--save")
    assert again.exit_code == 2
    assert "There is a scenario 'soaked' already" in again.err
    replaced = lakes("ask", *DECLARED, "rain of 3", "--name", "soaked", "--save", "--yes")
    assert replaced.exit_code == 0, replaced.err
    assert "rain_factor: 3\n" in file.read_text()
    listed = lakes("parameters", *DECLARED, "--scenario", "soaked")
    assert listed.exit_code == 0, listed.err
    assert listed.out.split("rain_factor")[1].split()[0] == "3"


def test_a_question_is_no_error_but_is_not_saved(lakes: Cli) -> None:
    """What is open is told; a scenario of half a sentence is not written."""
    asked = lakes("ask", *DECLARED, "--json", "rain between 2 and 3")
    assert asked.exit_code == 0
    document = asked.document()
    assert (document["ok"], document["status"], document["overlay"]) == (True, "open", {})
    assert document["questions"]
    kept = lakes("ask", *DECLARED, "rain between 2 and 3", "--save", "--name", "half")
    assert kept.exit_code == 2
    assert not (lakes.root / "config" / "scenarios" / "half.yaml").exists()
    assert lakes("ask", *DECLARED, "double the rain", "--save").exit_code == 2
    assert "cannot be the name" in lakes("ask", *DECLARED, "double the rain", "--name", "../x").err


def test_a_project_without_parameters_is_told_how_to_declare_them(lakes: Cli) -> None:
    """The years can be set all the same."""
    told = lakes("ask", "until 2009 and double the rain")
    assert told.exit_code == 0, told.err
    assert "To declare one: parameters:" in told.out
    assert "simulation.end_year" in told.out


def test_a_pipe_is_read(lakes: Cli) -> None:
    """As one message, however many lines it has."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    process = start_python(
        ["-m", "orchestrator", "ask", *DECLARED, "--json"],
        cwd=lakes.root,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdin=subprocess.PIPE,
    )
    out, err = process.communicate("rain of 2\nseed 3\n", timeout=120)
    assert process.returncode == 0, err
    assert '"vars.rain_factor": 2' in out
    assert '"simulation.random_seed": 3' in out


def test_no_dbt_is_started_for_an_unchanged_project(lakes: Cli) -> None:
    """What the last parse found is enough."""
    lakes("parameters")
    told = lakes("ask", "seed 9")
    assert "start dbt" not in told.out + told.err
