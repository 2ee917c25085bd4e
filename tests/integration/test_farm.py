"""A project whose year has another name, as a person who does not know ours would write it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import HookError, NodeFailedError
from tests.integration.conftest import Workspace
from tests.integration.test_staleness import edit

Fresh = Callable[[str], Workspace]
SUMMARY = """models:
  - name: by_year
    config: {meta: {summary: true}}
    columns:
      - {name: water, meta: {label: Water}}
      - {name: WATER_YEAR, meta: {label: Season}}
"""


def test_a_year_under_another_name_is_looked_for_in_the_configuration(simulated: Fresh) -> None:
    """When no model reads the year variable of the configuration, that is where the mistake is."""
    workspace = simulated("reservoir")
    workspace.database.unlink()
    edit(workspace, "dbt_project.yml", "water_year: 2000, ", "")
    config = workspace.config.read_text()
    workspace.config.write_text(config.replace("year_var: water_year", "year_var: saison"))
    with pytest.raises((NodeFailedError, HookError)) as caught:
        workspace.simulate()
    assert "Required var 'water_year' not found" in str(caught.value)
    assert "set simulation.year_var to water_year in the configuration: it supplies the year as saison" in str(
        caught.value
    )


def test_the_year_column_of_the_summary_keeps_its_label(simulated: Fresh) -> None:
    """The closing table is headed by the project's own words, and the year has no comma."""
    workspace = simulated("reservoir")
    models = workspace.root / "dbt" / "models"
    (models / "by_year.sql").write_text(
        "{{ config(materialized='view', tags=['BALANCE']) }}\n"
        "select water_year, sum(level) as water from {{ ref('lake_level') }} group by 1\n"
    )
    (models / "by_year.yml").write_text(SUMMARY)
    with workspace.orchestrator() as orchestrator:
        summary = orchestrator.execute_multi_year_simulation(2000, 2000).summary
    assert summary is not None
    assert [(column.label, column.format) for column in summary.columns] == [("Season", "text"), ("Water", "integer")]
