"""A selector that matches nothing is told before anything is removed or run."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from orchestrator import ConfigurationError
from orchestrator.core.events import StageStarted, StepStarted, YearsPurged
from tests.support.cli_project import Cli
from tests.support.workspaces import Workspace

Fresh = Callable[[str], Workspace]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("tag:CHECKZ", "Stage checks: tag:CHECKZ matches no test."),
        ("tagg:CHECKS", "Stage checks: tagg:CHECKS is refused by dbt:"),
    ],
)
def test_a_mistyped_selector_costs_no_year(simulated: Fresh, written: str, said: str) -> None:
    """Finished years stay as they are, nothing is healed or run, and stage, selector and line are named."""
    workspace = simulated("reservoir")
    before = workspace.digests()
    workspace.sql("alter table lake_level add column note varchar")  # healing would build it anew, its rows being spent
    config = workspace.config.read_text()
    workspace.config.write_text(config.replace("tag:CHECKS", written))
    with pytest.raises(ConfigurationError, match=said) as caught:
        workspace.simulate()
    assert caught.value.exit_code == 2
    assert "simulation.yaml, line 8" in str(caught.value)
    assert not [e for e in workspace.events if isinstance(e, (StageStarted, StepStarted, YearsPurged))]
    workspace.sql("alter table lake_level drop column note")
    assert workspace.digests() == before
    assert workspace.sql("select count(*) from orchestrator.stages") == [(9,)]


def test_a_selector_that_only_dbt_understands_is_no_mistake(simulated: Fresh) -> None:
    """What the facts cannot settle is settled by dbt, and the run goes on."""
    workspace = simulated("reservoir")
    config = workspace.config.read_text()
    workspace.config.write_text(config.replace('"tag:FLOWS"', '"config.materialized:incremental,tag:FLOWS"'))
    workspace.simulate(2000, 2000)
    assert [event.stage for event in workspace.events if isinstance(event, StageStarted)] == [
        "flows",
        "balance",
        "checks",
    ]


def test_the_plan_warns_of_a_stage_without_nodes(lakes: Cli) -> None:
    """The plan ends well and says which stage a run would refuse."""
    stages = [{"name": "flows", "select": "tag:FLOWS"}, {"name": "out", "select": "tag:OUTT", "command": "build"}]
    told = lakes("plan", "2000", "--set", f"stages={json.dumps(stages)}")
    assert told.exit_code == 0, told.err
    assert "! stage out: tag:OUTT matches no node, so `simulate` would refuse to start" in told.out
