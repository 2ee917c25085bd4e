"""What an assistant may set, and the scenario file that is made of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.config.parameters import ParameterSettings
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.parameters import Parameter, ParameterList
from orchestrator.ui.assistants.base import Change, Proposal
from orchestrator.ui.assistants.overlay import (
    CheckedProposal,
    accepted,
    allowed_keys,
    check_proposal,
    save_scenario,
    scenario_yaml,
)

BASE = """\
simulation: {start_year: 2025, end_year: 2029}
database: var/simulation.duckdb
vars: {catch: 0.3, vessel_key: "s3cr3t!"}
parameters:
  catch: {type: number, minimum: 0, maximum: 1}
  quota: {type: integer, minimum: 0}
  gear: {type: choice, choices: [nets, lines]}
  note: {type: string}
  landings: {type: string, file: true}
  vessel_key: {type: string, secret: true}
stages: [{name: fishing, select: "tag:FISHING"}]
"""


def project(tmp_path: Path, text: str = BASE, **scenarios: str) -> Path:
    """Write a configuration with scenarios; return its file."""
    folder = tmp_path / "config" / "scenarios"
    folder.mkdir(parents=True)
    for name, overlay in scenarios.items():
        (folder / f"{name}.yaml").write_text(overlay)
    file = tmp_path / "config" / "simulation.yaml"
    file.write_text(text)
    return file


def listed(config: SimulationConfig, **defaults: object) -> ParameterList:
    """Return the parameters that a configuration declares, and one that the project reads besides."""

    def row(name: str, declared: ParameterSettings) -> Parameter:
        value = config.vars.get(name, defaults.get(name))
        return Parameter(name, declared, value, "x", defaults.get(name), ())

    return ParameterList(tuple(row(*item) for item in config.parameters.items()), ("fleet",))


def checked(
    file: Path, overlay: dict[str, object], *, name: str | None = None, scenario: str | None = None
) -> CheckedProposal:
    """Check a proposal of these values."""
    config = SimulationConfig.load(file, environ={}, scenario=scenario)
    changes = tuple(Change(key, value, "words") for key, value in overlay.items())
    return check_proposal(config, listed(config, quota=10, catch=0.2), Proposal(name, changes))


def test_a_change_has_its_value_before(tmp_path: Path) -> None:
    """It is the configuration's, else the project's own, None where neither is known."""
    overlay: dict[str, object] = {"vars.catch": 0.5, "vars.quota": 20, "vars.fleet": 3, "simulation.end_year": 2035}
    found = checked(project(tmp_path), overlay)
    assert [(one.before, one.after) for one in found.changes] == [(0.3, 0.5), (10, 20), (None, 3), (2029, 2035)]
    assert found.errors == ()
    assert found.overlay == overlay


@pytest.mark.parametrize(
    "key",
    [
        "hooks",
        "storage.url",
        "publish",
        "dbt.project_dir",
        "dbt.threads",
        "database",
        "vars",
        "vars.",
        "simulation",
        "simulation.year_var",
        "vars.random_seed",
        "vars.start_year",
        "vars.simulation_year",
        "vars.unknown",
        "stages",
        "parameters.catch.maximum",
        "vars.landings",
        "vars.vessel_key",
    ],
)
def test_everything_else_is_out_of_reach(tmp_path: Path, key: str) -> None:
    """No assistant sets it, whatever it proposes."""
    (error,) = checked(project(tmp_path), {key: "x"}).errors
    assert key.removeprefix("vars.") in error


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("vars.catch", 2),
        ("vars.catch", "0.5"),
        ("vars.catch", True),
        ("vars.catch", None),
        ("vars.catch", float("nan")),
        ("vars.catch", [0.5]),
        ("vars.quota", 1.5),
        ("vars.quota", None),
        ("vars.gear", "dynamite"),
        ("vars.fleet", "x"),
        ("vars.note", "../../etc/passwd"),
        ("vars.note", "{{ env_var('HOME') }}"),
        ("vars.note", "a\nhooks: []"),
        ("vars.note", "a" * 201),
        ("simulation.end_year", 2020),
        ("simulation.end_year", "2030"),
        ("simulation.random_seed", -1),
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path: Path, key: str, value: object) -> None:
    """The loader's words say why, and nothing can be made of the proposal."""
    found = checked(project(tmp_path), {key: value})
    assert len(found.errors) == 1
    with pytest.raises(ConfigurationError):
        scenario_yaml(found)


@pytest.mark.parametrize("name", ["../x", "a b", "", ".x", "a/b", "simulation", "x" * 201])
def test_names_that_cannot_be_files_are_refused(tmp_path: Path, name: str) -> None:
    """Nor can one whose database is the configured one."""
    assert checked(project(tmp_path), {"vars.catch": 0.5}, name=name).errors


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Not even as the value that it had."""
    assert "s3cr3t!" not in str(checked(project(tmp_path), {"vars.vessel_key": "mine"}))


def test_the_loader_reads_what_was_saved(tmp_path: Path) -> None:
    """The scenario has the proposed values, and a database of its own."""
    file = project(tmp_path)
    overlay: dict[str, object] = {"vars.note": "no: #1 'x'", "vars.catch": 0.5, "simulation.end_year": 2031}
    found = checked(file, overlay, name="lean")
    path = save_scenario(found, SimulationConfig.load(file, environ={}))
    assert path == file.parent / "scenarios" / "lean.yaml"
    config = SimulationConfig.load(file, environ={}, scenario="lean")
    assert config.vars == {"catch": 0.5, "vessel_key": "s3cr3t!", "note": "no: #1 'x'"}
    assert config.simulation is not None
    assert config.simulation.end_year == 2031
    assert config.database_path == tmp_path / "var" / "lean.duckdb"
    assert [one.name for one in path.parent.iterdir()] == ["lean.yaml"]


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    """Not a scenario that is there, whatever its ending is."""
    file = project(tmp_path, lean="vars: {catch: 0.1}\n")
    found = checked(file, {"vars.catch": 0.5}, name="lean")
    config = SimulationConfig.load(file, environ={})
    with pytest.raises(ConfigurationError, match=r"There is a scenario 'lean' already: config/scenarios/lean\.yaml"):
        save_scenario(found, config)
    assert SimulationConfig.load(file, environ={}, scenario="lean").vars["catch"] == 0.1
    save_scenario(found, config, replace=True)
    assert SimulationConfig.load(file, environ={}, scenario="lean").vars["catch"] == 0.5


def test_one_of_many_at_once_saves(tmp_path: Path) -> None:
    """All others are told that the scenario is there."""
    file = project(tmp_path)
    config = SimulationConfig.load(file, environ={})
    found = checked(file, {"vars.catch": 0.5}, name="lean")
    outcomes: list[str] = []

    def save() -> None:
        try:
            outcomes.append(save_scenario(found, config).name)
        except ConfigurationError:
            outcomes.append("refused")

    threads = [threading.Thread(target=save) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lean.yaml"] + ["refused"] * (len(threads) - 1)


def test_what_another_scenario_sets_is_carried_over(tmp_path: Path) -> None:
    """A scenario made from another one is whole, for scenarios are not laid over each other."""
    file = project(tmp_path, strict="description: x\ndatabase: var/strict.duckdb\nvars: {quota: 5, catch: 0.1}\n")
    found = checked(file, {"vars.catch": 0.2}, name="stricter", scenario="strict")
    assert scenario_yaml(found) == "database: var/stricter.duckdb\nvars:\n  quota: 5\n  catch: 0.2\n"


def test_a_scenario_of_more_than_values_is_not_carried_over(tmp_path: Path) -> None:
    """What would be lost is named."""
    file = project(tmp_path, odd="dbt: {threads: 1}\nvars: {quota: 5}\n")
    (error,) = checked(file, {"vars.catch": 0.2}, name="odder", scenario="odd").errors
    assert "also sets dbt" in error


def test_the_first_scenario_does_not_break_the_base(tmp_path: Path) -> None:
    """A base file that gives itself a name needs a file of it, once there are scenarios."""
    file = project(tmp_path, f"scenario: main\n{BASE}")
    config = SimulationConfig.load(file, environ={})
    with pytest.raises(ConfigurationError, match="calls itself the scenario 'main'"):
        save_scenario(checked(file, {"vars.catch": 0.5}, name="lean"), config)


def test_a_proposal_without_a_name_is_not_saved(tmp_path: Path) -> None:
    """Its YAML can be looked at."""
    file = project(tmp_path)
    found = checked(file, {"vars.catch": 0.5})
    assert scenario_yaml(found) == "vars:\n  catch: 0.5\n"
    with pytest.raises(ConfigurationError, match="has no name"):
        save_scenario(found, SimulationConfig.load(file, environ={}))


def test_allowed_keys_are_years_seed_and_variables(tmp_path: Path) -> None:
    """Files and secrets are named with why they are not."""
    allowed = allowed_keys(listed(SimulationConfig.load(project(tmp_path), environ={})))
    assert [key for key, reason in allowed.items() if reason is None] == [
        "simulation.start_year",
        "simulation.end_year",
        "simulation.random_seed",
        "vars.catch",
        "vars.quota",
        "vars.gear",
        "vars.note",
        "vars.fleet",
    ]


def test_what_does_not_fit_becomes_a_question(tmp_path: Path) -> None:
    """The rest of a proposal stays, and can be saved."""
    config = SimulationConfig.load(project(tmp_path), environ={})
    changes = (Change("vars.catch", 7, "x"), Change("vars.quota", 3, "y"), Change("hooks", "z", "w"))
    found = accepted(config, listed(config, quota=10), Proposal("simulation", changes, ("first?",)))
    assert found.errors == ()
    assert found.overlay == {"vars.quota": 3}
    assert found.name is None
    assert found.questions[0] == "first?"
    assert len(found.questions) == 4
