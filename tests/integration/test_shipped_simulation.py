"""The workforce simulation that ships: the same rows on every way to them, and clear words on bad input."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import ConfigurationError
from orchestrator.core.events import ProjectParsedAgain
from tests.support.workspaces import REPOSITORY, Workspace

pytestmark = pytest.mark.slow

Clone = Callable[[str], Workspace]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Copy the shipped project into a folder of its own, with a space in its name."""

    def copy(name: str) -> Workspace:
        root = tmp_path_factory.mktemp("shipped") / f"{name} copy"
        for folder in ("dbt", "config"):
            shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("target", "logs"))
        return Workspace(root)

    return copy


@pytest.fixture(scope="module")
def undisturbed(clone: Clone) -> Workspace:
    """Three years in one go."""
    workspace = clone("undisturbed")
    workspace.simulate(2025, 2027)
    return workspace


def test_a_run_in_parts_with_more_threads_gives_the_same_rows(undisturbed: Workspace, clone: Clone) -> None:
    """Another fresh database, four threads, two ranges, and the last year twice: every table is equal."""
    other = clone("other")
    with other.orchestrator(overrides={"dbt.threads": 4}) as orchestrator:
        orchestrator.execute_multi_year_simulation(2025, 2026)
        orchestrator.execute_multi_year_simulation(2027, 2027)
        orchestrator.execute_multi_year_simulation(2027, 2027, fresh=True)
    assert len(undisturbed.digests()) > 30
    assert other.digests() == undisturbed.digests()


def test_another_seed_gives_other_people(undisturbed: Workspace, clone: Clone) -> None:
    """The digests are no constant: another random seed changes who leaves."""
    other = clone("seed")
    other.simulate(2025, 2025, overrides={"simulation.random_seed": 43})
    query = "select employee_id from fct_yearly_events where simulation_year = 2025 order by all"
    assert other.sql(query) != undisturbed.sql(query)


def test_one_parse_serves_all_years(undisturbed: Workspace) -> None:
    """The shipped project keeps the year out of everything that dbt freezes."""
    assert not [event for event in undisturbed.events if isinstance(event, ProjectParsedAgain)]


def test_a_dropped_foundation_table_costs_no_simulated_row(undisturbed: Workspace, clone: Clone) -> None:
    """Healing rebuilds the one table, and every year stays as it was."""
    before = undisturbed.digests()
    undisturbed.sql("drop table int_baseline_workforce")
    with undisturbed.orchestrator() as orchestrator:
        result = orchestrator.initializer.ensure_initialized()
    assert result.tables_created == ("int_baseline_workforce",)
    assert undisturbed.digests() == before


def test_a_missing_census_file_is_named(clone: Clone) -> None:
    """A census_path that leads nowhere is told with the path and what to do."""
    workspace = clone("census")
    missing = Path("/no/such/census.csv")
    with (
        workspace.orchestrator(overrides={"vars.census_path": str(missing)}) as orchestrator,
        pytest.raises(ConfigurationError, match="there is no such file") as caught,
    ):
        orchestrator.initializer.ensure_initialized()
    assert caught.value.exit_code == 2
    assert "correct vars.census_path" in str(caught.value.to_fix)
