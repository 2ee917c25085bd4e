"""Identity of what is built: by its relation, in a schema of the ledger that is nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import ConfigurationError
from orchestrator.core.events import RunResumed, StageFinished
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

CONFIGURATION = """\
simulation: {start_year: 2000, end_year: 2001, year_var: year, year_column: year}
database: var/both.duckdb
dbt: {project_dir: .}
stages: [{name: count, select: "counted"}]
"""
PROFILE = """\
both:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('ORCHESTRATOR_DATABASE') }}", schema: dev}
    prod: {type: duckdb, path: "{{ env_var('ORCHESTRATOR_DATABASE') }}", schema: prod}
"""
COUNTED = """\
{{ config(materialized='incremental') }}
select {{ var('year') }} as year, count(*) as boats from {{ ref('boats') }}
"""


@pytest.fixture
def both(tmp_path: Path) -> Workspace:
    """A simulation of two targets in one file."""
    for name, text in {
        "orchestrator.yaml": CONFIGURATION,
        "profiles.yml": PROFILE,
        "dbt_project.yml": "{name: harbour, version: '1.0', profile: both, vars: {year: 2000}}",
        "seeds/boats.csv": "boat\nana\nbea\n",
        "models/counted.sql": COUNTED,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return Workspace(tmp_path)


def boats(workspace: Workspace, schema: str) -> list[tuple[object, ...]]:
    """Return what was counted in a target."""
    return workspace.sql(f"select year, boats from {schema}.counted order by 1")


def test_two_targets_in_a_file_do_not_void_each_other(both: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own years, its own seeds, and its own changes."""
    both.simulate()
    monkeypatch.setenv("ORCHESTRATOR_DBT__TARGET", "prod")
    both.simulate(2000, 2000)
    monkeypatch.delenv("ORCHESTRATOR_DBT__TARGET")
    assert [len(boats(both, schema)) for schema in ("dev", "prod")] == [2, 1]
    with both.orchestrator() as orchestrator:
        assert orchestrator.initializer.ensure_initialized().tables_created == ()
        assert orchestrator.find_start(2000, 2001).changes == ()
    (both.root / "seeds" / "boats.csv").write_text("boat\nana\nbea\ncleo\n")
    both.simulate()
    assert boats(both, "dev") == [(2000, 3), (2001, 3)]
    assert boats(both, "prod") == [(2000, 2)]
    monkeypatch.setenv("ORCHESTRATOR_DBT__TARGET", "prod")
    both.events.clear()
    both.simulate()
    assert boats(both, "prod") == [(2000, 3), (2001, 3)]
    assert not [event for event in both.events if isinstance(event, RunResumed)]


def test_a_run_of_another_target_is_no_interruption(both: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on where it stopped, whatever was done in the other target meanwhile."""
    both.simulate(2000, 2000)
    monkeypatch.setenv("ORCHESTRATOR_DBT__TARGET", "prod")
    both.simulate()
    monkeypatch.delenv("ORCHESTRATOR_DBT__TARGET")
    both.events.clear()
    both.simulate()
    assert [event.year for event in both.events if isinstance(event, StageFinished)] == [2001]
    assert boats(both, "dev") == boats(both, "prod") == [(2000, 2), (2001, 2)]


def test_a_schema_of_the_users_is_never_written_into(both: Workspace) -> None:
    """Neither one that dbt builds in, nor one that holds tables of theirs; another name for ours solves it."""
    profile = both.root / "profiles.yml"
    profile.write_text(PROFILE.replace("schema: dev", "schema: Orchestrator"))
    with pytest.raises(ConfigurationError, match="this dbt project builds boats, counted in it") as caught:
        both.simulate()
    assert "ledger: {schema:" in str(caught.value)
    assert not both.database.exists()
    both.config.write_text(CONFIGURATION + "ledger: {schema: years_done}\n")
    both.simulate()
    assert boats(both, "orchestrator") == [(2000, 2), (2001, 2)]
    assert both.sql("select count(*) from years_done.stages") == [(2,)]
    both.config.write_text(CONFIGURATION)
    profile.write_text(PROFILE)
    with pytest.raises(ConfigurationError, match="already holds boats, counted, which the orchestrator did not make"):
        both.simulate()
    assert both.sql("select distinct lower(table_schema) from information_schema.tables order by 1") == [
        ("orchestrator",),
        ("years_done",),
    ]
