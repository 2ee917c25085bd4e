"""A project whose year has another name, as a person who does not know ours would write it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import ConfigurationError
from orchestrator.maintenance.doctor.examination import examine
from tests.integration.test_staleness import edit
from tests.support.workspaces import Workspace

Fresh = Callable[[str], Workspace]
SUMMARY = """models:
  - name: by_year
    config: {meta: {summary: true}}
    columns:
      - {name: water, meta: {label: Water}}
      - {name: WATER_YEAR, meta: {label: Season}}
"""


@pytest.mark.parametrize("default", ["water_year: 2000, ", ""], ids=["default", "none"])
def test_a_year_that_nobody_reads_is_looked_for_in_the_configuration(simulated: Fresh, default: str) -> None:
    """Every year would be built alike, and where the project gives the real variable a default, without a word."""
    workspace = simulated("reservoir")
    before = workspace.digests()
    edit(workspace, "dbt_project.yml", "water_year: 2000, ", default)
    config = workspace.config.read_text()
    workspace.config.write_text(config.replace("year_var: water_year", "year_var: wateryear"))
    with pytest.raises(ConfigurationError, match="reads wateryear, the variable that holds the year") as caught:
        workspace.simulate()
    assert caught.value.to_fix is not None and "to water_year, or read the year with" in caught.value.to_fix
    assert workspace.digests() == before
    with workspace.orchestrator() as orchestrator:
        found = [one for one in examine(orchestrator).problems if "holds the year" in one.detail]
    assert [one.check for one in found] == ["registry"]


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
        summary = orchestrator.execute_multi_year_simulation(2000, 2000, forgo_years=True).summary
    assert summary is not None
    assert [(column.label, column.format) for column in summary.columns] == [("Season", "text"), ("Water", "integer")]
