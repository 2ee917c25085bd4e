"""Views that something else than a build has replaced: what reads them shows other rows, and no row has changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator import Hook, HookContext, HookType, InitializationError, ViewReplaced
from orchestrator.core.events import RowsLost, StageFinished
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
FALSE_RAIN = "create or replace view stg_rain as select month, 999 as depth from rain"
SHOWN = """\
{{ config(materialized='view', tags=['FLOWS']) }}
select water_year, sum(volume) as volume from {{ ref('inflow') }} group by 1
"""


def run(workspace: Workspace, *hooks: Hook, end: int | None = None) -> list[int]:
    """Simulate from the first year with these hooks; return the years of which stages ran."""
    workspace.events.clear()
    with workspace.orchestrator() as orchestrator:
        for hook in hooks:
            orchestrator.hooks.register_hook(hook)
        orchestrator.execute_multi_year_simulation(None, end, forgo_years=True)
    return sorted({event.year for event in workspace.events if isinstance(event, StageFinished)})


def problems(workspace: Workspace) -> dict[str, str]:
    """Return what is wrong, by table."""
    with workspace.orchestrator() as orchestrator:
        return {one.table.name: one.problem.value for one in orchestrator.initializer.checker().findings()}


def test_a_replaced_view_of_the_foundation_is_built_again(simulated: Prepare) -> None:
    """It has drifted; it is as before afterwards, and finished years stay."""
    reservoir = simulated("reservoir")
    reservoir.complete()
    before = reservoir.digests()
    reservoir.sql(FALSE_RAIN)
    with reservoir.orchestrator() as orchestrator:
        (found,) = orchestrator.initializer.checker().findings()
        assert isinstance(found.seen, ViewReplaced)
        assert found.detail.startswith("is another view than when it was built on 20")
    with (
        reservoir.orchestrator(auto_initialize=False) as orchestrator,
        pytest.raises(InitializationError, match="stg_rain is another view"),
    ):
        orchestrator.execute_multi_year_simulation(fresh=True)
    assert run(reservoir) == []
    assert problems(reservoir) == {}
    assert reservoir.digests() == before


def test_a_view_that_a_hook_replaces_before_the_years_is_what_they_read(simulated: Prepare) -> None:
    """They begin anew because of it, once."""
    reservoir = simulated("reservoir")
    reservoir.complete()

    def replace(context: HookContext) -> None:
        context.execute(FALSE_RAIN)

    hook = Hook(HookType.PRE_SIMULATION, replace, name="replace")
    assert run(reservoir, hook, end=2000) == [2000]
    assert run(reservoir, hook, end=2000) == []


def test_a_replaced_view_is_built_again_where_there_are_no_years(fresh: Prepare) -> None:
    """And what is built from it."""
    plain = fresh("plain")
    with plain.orchestrator() as orchestrator:
        orchestrator.initializer.ensure_initialized()
    before = plain.digests()
    assert problems(plain) == {}
    plain.sql("create or replace view stg_orders as select 1 as nothing")
    assert problems(plain)["stg_orders"] == "drifted"
    with plain.orchestrator() as orchestrator:
        orchestrator.initializer.ensure_initialized()
    assert plain.digests() == before


def test_a_replaced_view_of_a_stage_is_built_again(fresh: Prepare) -> None:
    """By the year that built it last; one that hooks of dbt may replace is not compared, and is named."""
    reservoir = fresh("reservoir")
    model = reservoir.root / "dbt" / "models" / "yearly" / "shown.sql"
    model.write_text(SHOWN)
    run(reservoir, end=2001)
    before = reservoir.digests()
    assert run(reservoir, end=2001) == []
    reservoir.sql("create or replace view shown as select water_year, 0 as volume from inflow")
    assert run(reservoir, end=2001) == [2001]
    (lost,) = [event for event in reservoir.events if isinstance(event, RowsLost)]
    assert (lost.table, lost.year, lost.of) == ("shown", 2001, "view")
    assert reservoir.digests() == before

    level = model.with_name("lake_level.sql")
    replacing = "post_hook='create or replace view {{ ref(\"shown\") }} as select 1 as one', materialized"
    level.write_text(level.read_text().replace("materialized", replacing))
    assert run(reservoir, end=2000) == [2000]
    with reservoir.orchestrator() as orchestrator:
        result = orchestrator.execute_multi_year_simulation(None, 2000)
    assert result.nothing_to_do
    assert [one for one in result.not_compared if one.startswith("definition of shown ")] != []
