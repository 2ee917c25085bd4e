"""What decides a finished year beside the nodes: which stage builds them, functions that are called, snapshots."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.core.events import ChangesFound, WholeRangeRun
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

FILES = {
    "orchestrator.yaml": """\
simulation: {start_year: 2000, end_year: 2002, year_var: year, year_column: year}
database: var/harbour.duckdb
dbt: {project_dir: .}
stages:
  - {name: first, select: "group:one"}
  - {name: second, select: "group:two", command: build}
hooks:
  - {type: post_year, call: "harbour_hooks:correct"}
""",
    "dbt_project.yml": "{name: harbour, version: '1.0', profile: harbour, vars: {year: 2000}}",
    "profiles.yml": "harbour: {target: dev, outputs: {dev: {type: duckdb, "
    "path: \"{{ env_var('ORCHESTRATOR_DATABASE') }}\"}}}",
    "harbour_hooks.py": "def correct(context):\n"
    "    context.execute(f'update tides set height = height + 1 where year = {context.year}')\n",
    "models/tides.sql": "{{ config(materialized='incremental', group='one') }} "
    "select {{ var('year') }} as year, {{ var('year') }} % 10 as height",
    "models/latest.sql": "{{ config(materialized='table', group='two') }} "
    "select 'gauge' as gauge, height from {{ ref('tides') }} where year = {{ var('year') }}",
    "models/seen.sql": "{{ config(materialized='table', group='two') }} select count(*) as n from latest "
    "-- depends_on: {{ ref('tides') }}",
    "models/models.yml": "groups: [{name: one, owner: {name: a}}, {name: two, owner: {name: b}}]",
    "snapshots/history.yml": "snapshots: [{name: history, relation: ref('latest'), "
    "config: {strategy: check, check_cols: all, unique_key: gauge, group: two}}]",
}
HISTORY = "select height, dbt_valid_to is null from history order by height"


@pytest.fixture
def harbour(tmp_path: Path) -> Workspace:
    """Lay the project and simulate it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    sys.modules.pop("harbour_hooks", None)  # that of another copy of the project
    workspace = Workspace(tmp_path)
    workspace.simulate()
    return workspace


def edited(workspace: Workspace, file: str, old: str, new: str) -> str:
    """Edit a file, run again, and return why it began again."""
    path = workspace.root / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation()
    (found,) = (event for event in workspace.events if isinstance(event, ChangesFound))
    return ", ".join(found.changes)


def test_a_snapshot_of_the_years_is_begun_again_with_them(harbour: Workspace) -> None:
    """No single year can be taken out of it: a later year that is run again would be in it twice."""
    once = harbour.sql(HISTORY)
    assert once == [(0, False), (1, False), (2, True)]
    harbour.simulate(2002, 2002, fresh=True)
    assert harbour.sql(HISTORY) == once
    assert [event.models for event in harbour.events if isinstance(event, WholeRangeRun)] == [("history",)]


def test_a_function_of_the_configuration_decides_the_years(harbour: Workspace) -> None:
    """Finished years are not those that the function makes now."""
    why = edited(harbour, "harbour_hooks.py", "height + 1", "height + 5")
    assert why == "hook harbour_hooks:correct at post_year changed"
    assert harbour.sql("select height from tides order by year") == [(5,), (6,), (7,)]


def test_the_stage_that_builds_a_node_decides_the_years(harbour: Workspace) -> None:
    """A model that moves to an earlier stage by its group sees what the stages had built until then."""
    why = edited(harbour, "models/seen.sql", "group='two'", "group='one'")
    assert "stage choice of seen is now group one" in why


def test_what_an_exposure_reads_decides_the_years(harbour: Workspace) -> None:
    """A stage that goes by it builds other nodes when it is edited."""
    exposure = "{name: weekly, type: dashboard, owner: {name: a}, depends_on: [ref('latest')]}"
    models, config = harbour.root / "models" / "models.yml", harbour.root / "orchestrator.yaml"
    models.write_text(f"{FILES['models/models.yml']}\nexposures: [{exposure}]\n")
    config.write_text(config.read_text().replace('"group:two"', '"+exposure:weekly,group:two"'))
    harbour.simulate()
    assert edited(harbour, "models/models.yml", "ref('latest')", "ref('latest'), ref('seen')") == (
        "stage choice of exposure weekly is now model.harbour.latest, model.harbour.seen (was model.harbour.latest)"
    )
