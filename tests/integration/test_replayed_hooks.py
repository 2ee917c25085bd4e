"""Hooks of nodes and of commands, indexes and docs in a replayed year do what they do when dbt runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.errors import DbtError
from orchestrator.core.events import ReplayDeclined, StageFinished
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

Fresh = Callable[[str], Workspace]
REPLAYED = {"cleared", "logged", "rebuilt", "described", "indexed", "joined"}
COMMENTS = """
select table_name, column_name, comment from duckdb_columns() where comment is not null
union all select table_name, '', comment from duckdb_tables() where comment is not null order by all
"""
INDEXES = "select table_name, expressions from duckdb_indexes() order by all"


def contents(workspace: Workspace) -> dict[str, object]:
    """Return all rows, those of the tables of hooks too, comments, and which columns have an index."""
    names = workspace.tables()
    rows: dict[str, object] = {
        name: workspace.sql(f'select count(*), bit_xor(hash(t)), sum(hash(t)) from "{name}" t')
        for name in sorted(names)
    }
    return {**rows, "comments": workspace.sql(COMMENTS), "indexes": workspace.sql(INDEXES)}


def stages(workspace: Workspace) -> dict[str, tuple[bool, ...]]:
    """Return by stage whether each year was replayed."""
    found: dict[str, tuple[bool, ...]] = {}
    for event in workspace.events:
        if isinstance(event, StageFinished):
            found[event.stage] = (*found.get(event.stage, ()), event.replayed)
    return found


@pytest.fixture(scope="module")
def by_dbt(prepared: object, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """Run all years twice with replay off; return what is in the database after each run."""
    workspace = prepared.lay("hooks", simulated=False)  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORCHESTRATOR_EXECUTION__REPLAY", "off")
        found = []
        for _ in range(2):
            workspace.simulate(fresh=True)
            found.append(contents(workspace))
    return found


def test_hooks_do_the_same_in_replayed_years(fresh: Fresh, by_dbt: list[dict[str, object]]) -> None:
    """All tables are those of dbt, those that hooks fill included; what breaks a condition is named."""
    workspace = fresh("hooks")
    workspace.simulate(fresh=True)
    assert contents(workspace) == by_dbt[0]
    found = stages(workspace)
    assert {name for name, years in found.items() if years[3:] == (True, True)} == REPLAYED
    assert {event.reason for event in workspace.events if isinstance(event, ReplayDeclined)} == {
        "outside has a hook outside its transaction",
        "asking: it queries the database with run_query()",
        "temporary: of its hooks, it makes something temporary",
        "committing: of its hooks, it sends COMMIT",
        "renamed has indexes, which dbt gives new names each time",
        "a hook of sometimes says something in one year and nothing in another",
        "becomes_temporary: of its hooks, it makes something temporary",
        "the query of fed gives other columns or types than its table has",
        "widened: of its hooks, it sends ALTER",
    }
    workspace.events.clear()
    workspace.simulate(fresh=True)
    assert contents(workspace) == by_dbt[1]
    again = stages(workspace)
    assert {name for name, years in again.items() if all(years[1:])} == REPLAYED


def test_an_edited_hook_is_sent_as_it_is_now(fresh: Fresh) -> None:
    """Its recording is void, also where the SQL of the node is what it was."""
    workspace = fresh("hooks")
    only(workspace, "logged", "cleared")
    workspace.simulate(1, 3, fresh=True)
    model = workspace.root / "dbt" / "models" / "logged.sql"
    model.write_text(model.read_text().replace("'again', sum(amount)", "'edited', min(amount)"))
    workspace.simulate(1, 3, fresh=True)
    assert workspace.sql("select yr, rows_there from log where source = 'edited' order by all") == [
        (1, 10),
        (2, 10),
        (3, 10),
    ]


def test_a_variable_of_a_hook_is_that_of_the_run(fresh: Fresh) -> None:
    """Recordings of another value serve; what hooks print is the value of this run."""
    workspace = fresh("hooks")
    only(workspace, "logged", "cleared")
    workspace.simulate(1, 3, fresh=True)
    with workspace.config.open("a") as file:
        file.write("vars: {source: survey}\n")
    workspace.simulate(1, 3, fresh=True)
    for table in ("log", "begun", "ended"):
        assert workspace.sql(f"select distinct yr from {table} where source = 'survey' order by 1") == [
            (1,),
            (2,),
            (3,),
        ]


def test_a_node_that_is_left_to_dbt_does_not_run_the_first_hooks_twice(fresh: Fresh, tmp_path: Path) -> None:
    """They were sent already; the last ones run once, at the end."""
    workspace = fresh("hooks")
    only(workspace, "cleared", "logged")
    model = workspace.root / "dbt" / "models" / "logged.sql"
    model.write_text(model.read_text().replace("amount from", "{{ wide() }} from"))
    (workspace.root / "dbt" / "macros" / "wide.sql").write_text(
        "{% macro wide() %}amount{% if var('yr') == 4 %}::hugeint as amount{% endif %}{% endmacro %}\n"
    )
    config = workspace.config.read_text()
    workspace.config.write_text(
        config.replace("{name: cleared, select: cleared}", "{name: both, select: cleared logged}")
    )
    only(workspace, "both")
    workspace.simulate(1, 5, fresh=True)
    assert stages(workspace)["both"] == (False, False, True, False, True)
    counts = "select yr, count(*) from {} group by yr order by yr"
    assert workspace.sql(counts.format("begun")) == [(1, 2), (2, 1), (3, 1), (4, 1), (5, 1)]  # the first with the seed
    assert workspace.sql(counts.format("ended")) == [(1, 2), (2, 1), (3, 1), (4, 1), (5, 1)]


@pytest.mark.parametrize("kind", ["on-run-start", "on-run-end"])
def test_a_hook_that_fails_in_a_replayed_year_does_what_it_does_in_dbt(fresh: Fresh, kind: str) -> None:
    """It is named, what it did before stays, and dbt builds the nodes all the same."""
    found = []
    for replay in ("off", "auto"):
        workspace = fresh("hooks")
        only(workspace, "cleared")
        project = workspace.root / "dbt" / "dbt_project.yml"
        fails = "{{ note('begun') }}; select {% if var('yr') > 3 %}error('no room'){% else %}1{% endif %}"
        before, line, after = project.read_text().partition(f"{kind}:\n")
        project.write_text(f'{before}{line}  - "{fails}"\n{after}'.replace("on-run-start:\n", CREATED, 1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCHESTRATOR_EXECUTION__REPLAY", replay)
            with pytest.raises(DbtError, match=r"no room") as caught:
                workspace.simulate(1, 5, fresh=True)
        assert stages(workspace)["cleared"][2] == (replay == "auto")
        ended = [event for event in workspace.events if isinstance(event, StageFinished)]
        assert (ended[-1].year, ended[-1].success) == (4, False)
        found.append((contents(workspace), caught.value.to_fix))
    assert found[0] == found[1]


CREATED = """on-run-start:
  - "create table if not exists {{ target.schema }}.begun (yr integer, source varchar)"
"""


def test_a_sequence_counts_as_it_does_in_dbt(fresh: Fresh) -> None:
    """No transaction takes its numbers back, so nothing that may use one is tried out."""
    found = []
    for replay in ("off", "auto"):
        workspace = fresh("hooks")
        only(workspace, "rebuilt", "cleared", "logged")
        (workspace.root / "dbt" / "models" / "cleared.sql").write_text(COUNTED)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ORCHESTRATOR_EXECUTION__REPLAY", replay)
            workspace.sql("create sequence numbers")
            workspace.sql("create table counted (n integer default nextval('numbers'), yr integer)")
            workspace.simulate(1, 4, fresh=True)
        assert not stages(workspace)["cleared"][3]
        found.append(workspace.sql("from counted order by all"))
    assert found[0] == found[1]


COUNTED = """
{{ config(materialized='incremental', pre_hook="insert into counted (yr) values ({{ var('yr') }})") }}
select {{ var('yr') }} as yr, id, amount{% if var('yr') == 4 %}::hugeint as amount{% endif %} from {{ ref('start') }}
"""


def only(workspace: Workspace, *names: str) -> None:
    """Leave these stages alone in the configuration."""
    lines = workspace.config.read_text().splitlines()
    kept = [line for line in lines if "{name:" not in line or line.split("name: ")[1].split(",")[0] in names]
    workspace.config.write_text("\n".join(kept) + "\n")
