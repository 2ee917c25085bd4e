"""What people say, and what the rule-based assistant makes of it: right, or asked about, never silently wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml

from orchestrator.config.simulation import SimulationConfig
from orchestrator.reports.parameters import Parameter
from orchestrator.ui.assistants.base import Message, Proposal
from orchestrator.ui.assistants.rules import RuleBasedAssistant

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SAID = yaml.safe_load((HERE / "sentences.yaml").read_text())
FISHERY = yaml.safe_load((HERE / "fishery.yaml").read_text())
SIMULATION = ("simulation.start_year", "simulation.end_year", "simulation.random_seed")


def assistant_of(config: SimulationConfig, defaults: dict[str, object]) -> RuleBasedAssistant:
    """Make the assistant of a project."""
    rows = [
        Parameter(name, declared, config.vars.get(name, defaults.get(name)), "x", defaults.get(name), ())
        for name, declared in config.parameters.items()
    ]
    years = config.simulation
    assert years is not None
    return RuleBasedAssistant(
        rows,
        years=(years.start_year, years.end_year),
        random_seed=years.random_seed,
        scenarios=("baseline", "high_growth"),
    )


@pytest.fixture(scope="module")
def shipped() -> RuleBasedAssistant:
    """Return the assistant of the shipped simulation."""
    project = yaml.safe_load((REPOSITORY / "dbt" / "dbt_project.yml").read_text())
    (defaults,) = project["vars"].values()
    return assistant_of(SimulationConfig.load(REPOSITORY / "config" / "simulation.yaml", environ={}), defaults)


@pytest.fixture(scope="module")
def fishery() -> RuleBasedAssistant:
    """Return the assistant of another project."""
    return assistant_of(SimulationConfig.from_mapping(FISHERY["project"], root="/p"), {})


def answered(assistant: RuleBasedAssistant, says: str | list[str]) -> Proposal:
    """Say one thing after the other; return what is proposed in the end."""
    messages: list[Message] = []
    proposal = Proposal(None, ())
    for text in [says] if isinstance(says, str) else says:
        messages.append(Message("user", text))
        *told, last = assistant.stream_chat(messages)
        assert isinstance(last, Proposal)
        assert told
        assert all(isinstance(part, str) for part in told)
        proposal = last
        messages.append(Message("assistant", "".join(map(str, told)), proposal))
    return proposal


def check(assistant: RuleBasedAssistant, case: dict[str, object]) -> None:
    """Hold an answer against what it must be."""
    says, becomes = case["says"], case.get("becomes", {})
    assert isinstance(says, (str, list))
    assert isinstance(becomes, dict)
    found = answered(assistant, says)
    expected = {
        key if key in SIMULATION else f"vars.{key}": str(value) if isinstance(value, dt.date) else value
        for key, value in becomes.items()
    }
    open_ends = [*found.questions, *found.not_understood]
    assert found.overlay == pytest.approx(expected) if _numbers(expected) else found.overlay == expected, open_ends
    assert found.name == case.get("name")
    assert bool(open_ends) == bool(case.get("asks", False)), open_ends


def _numbers(values: dict[str, object]) -> bool:
    return all(isinstance(value, (int, float)) for value in values.values())


def name_of(case: dict[str, object]) -> str:
    """Return what a case is called."""
    return str(case["says"])


@pytest.mark.parametrize("case", SAID, ids=name_of)
def test_the_shipped_simulation(shipped: RuleBasedAssistant, case: dict[str, object]) -> None:
    """Every sentence about the shipped parameters becomes what it means, or a question."""
    check(shipped, case)


@pytest.mark.parametrize("case", FISHERY["sentences"], ids=name_of)
def test_another_project(fishery: RuleBasedAssistant, case: dict[str, object]) -> None:
    """Nothing is made for one project: another with other words and units is understood as well."""
    check(fishery, case)
