"""What people say, and what the rule-based assistant makes of it: right, or asked about, never silently wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.parameters import Parameter, ParameterList
from orchestrator.ui.assistants.base import Change, Message, Proposal
from orchestrator.ui.assistants.choose import choose_assistant
from orchestrator.ui.assistants.rules import RuleBasedAssistant

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
SAID = yaml.safe_load((HERE / "sentences.yaml").read_text())
FISHERY = yaml.safe_load((HERE / "fishery.yaml").read_text())
ADVERSARY = yaml.safe_load((HERE / "adversary.yaml").read_text())
SHIPPED = SimulationConfig.load(REPOSITORY / "config" / "simulation.yaml", environ={})
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
    return assistant_of(SHIPPED, defaults)


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


@pytest.mark.parametrize("case", ADVERSARY, ids=name_of)
def test_what_an_adversary_says(shipped: RuleBasedAssistant, case: dict[str, object]) -> None:
    """Nothing is silently wrong where somebody tries to make it so."""
    check(shipped, case)


@pytest.mark.parametrize("case", FISHERY["sentences"], ids=name_of)
def test_another_project(fishery: RuleBasedAssistant, case: dict[str, object]) -> None:
    """Nothing is made for one project: another with other words and units is understood as well."""
    check(fishery, case)


def test_every_part_of_a_message_is_answered(shipped: RuleBasedAssistant) -> None:
    """What becomes a change carries the user's own words; what does not is asked about or named."""
    found = answered(shipped, "Five percent growth, three bananas, and turnover between 1 and 2; call it odd")
    assert [(change.key, change.words) for change in found.changes] == [
        ("vars.target_growth_rate", "Five percent growth")
    ]
    assert found.name == "odd"
    assert any("turnover between 1 and 2" in text for text in found.questions)
    assert any("bananas" in text for text in (*found.questions, *found.not_understood))


def test_a_proposal_of_somebody_else_is_gone_on_with(shipped: RuleBasedAssistant) -> None:
    """A form or a model may have changed the scenario in between: it counts as it is, and can be undone."""
    theirs = Proposal("mine", (Change("vars.termination_multiplier", 2.0, "form"),))
    messages = [Message("user", "growth 5 %"), Message("assistant", "", theirs), Message("user", "seed 3")]
    *_, found = shipped.stream_chat(messages)
    assert isinstance(found, Proposal)
    assert (found.name, found.overlay) == ("mine", {"vars.termination_multiplier": 2.0, "simulation.random_seed": 3})
    *_, undone = shipped.stream_chat([*messages, Message("assistant", "", found), Message("user", "undo")])
    assert isinstance(undone, Proposal)
    assert undone.overlay == theirs.overlay


@pytest.mark.parametrize("text", ["growth 5 % " * 500, "x" * 100_000, "and " * 400, ";" * 1500, "1 " * 900, "(" * 1999])
def test_long_messages_are_asked_about_in_no_time(shipped: RuleBasedAssistant, text: str) -> None:
    """However long or odd: nothing changes, and something is asked."""
    found = answered(shipped, text)
    assert found.changes == ()
    assert found.questions or found.not_understood


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_no_text_breaks_it(shipped: RuleBasedAssistant, text: str) -> None:
    """Whatever is typed, there is an answer and a proposal; that all else stays is an answer, too."""
    *told, found = shipped.stream_chat([Message("user", text)])
    assert isinstance(found, Proposal)
    asked = found.changes or found.name or found.questions or found.not_understood
    assert asked or "Everything else stays as it is." in "".join(map(str, told))


def test_that_the_rest_stays_has_to_be_said(shipped: RuleBasedAssistant) -> None:
    """Words for the rest alone say nothing of it."""
    assert answered(shipped, "OTHER%VALUE").not_understood
    kept = answered(shipped, "everything else stays as it is")
    assert not (kept.changes or kept.questions or kept.not_understood)


SAYABLE = """
    growth turnover no not 5 % 3 to from 2027 by half double match stretch and , increase auto enrollment wait 30 days
    minimum age 25 seed call it undo if about until year every more than - of the for new hire 0.05 default yes
"""
WORDS = st.sampled_from(SAYABLE.split())


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=14))
def test_whatever_is_proposed_fits(shipped: RuleBasedAssistant, said: list[str]) -> None:
    """Words thrown together never give a value that the parameter does not take."""
    for change in answered(shipped, " ".join(said)).changes:
        section, _, name = change.key.partition(".")
        if section == "vars":
            assert SHIPPED.parameters[name].refusal(change.value) is None
            assert not SHIPPED.parameters[name].file


def test_a_project_without_parameters_has_years_and_a_seed() -> None:
    """And one that is no simulation has nothing to set."""
    assert answered(RuleBasedAssistant([], years=(2020, 2025)), "until 2030 with seed 1").overlay == {
        "simulation.end_year": 2030,
        "simulation.random_seed": 1,
    }
    found = answered(RuleBasedAssistant([]), "until 2030")
    assert found.changes == ()
    assert found.questions


def test_no_model_is_asked_for_unless_the_environment_names_one() -> None:
    """Rules are the default; a provider without a model is refused."""
    nothing = ParameterList((), ())
    assert isinstance(choose_assistant(SHIPPED, nothing, {}), RuleBasedAssistant)
    with pytest.raises(ConfigurationError, match="names no model"):
        choose_assistant(SHIPPED, nothing, {"ORCHESTRATOR_LLM_PROVIDER": "ollama"})
    assert SimulationConfig.load(
        REPOSITORY / "config" / "simulation.yaml", environ={"ORCHESTRATOR_LLM_PROVIDER": "ollama"}
    )
