"""One parse for all years gives the tables that plain dbt gives, which parses for each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.events import ProjectParsedAgain
from tests.support.programs import run_python
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

YEARS = (1, 2, 3)
LATE_NAME = """\
{% set parts = ['parts'] %}{% if var('yr') > 1 %}{% do parts.append('late') %}{% endif %}
{{ config(materialized='table', alias=parts | join('_'), tags=['GROW']) }} select {{ var('yr') }} as y
"""
FILLED_NAME = """\
{% set parts = ['filled'] %}{% set same = parts %}{{ add_year(same) }}
{{ config(materialized='table', alias=parts | join('_'), tags=['GROW']) }} select {{ var('yr') }} as y
"""
ADD_YEAR = "{% macro add_year(names) %}{% do names.append(context['var']('yr') | string) %}{% endmacro %}"
STOPPED_LOOP = """\
{{ config(materialized='incremental', incremental_strategy='append', tags=['GROW']) }}
{% for name in ['squares', 'start'] %}{% if var('yr') > 1 and name == 'start' %}{% break %}{% endif %}
{{ 'union all' if not loop.first }} select '{{ name }}' as name, {{ var('yr') }} as yr, count(*) as n
from {{ ref(name) }}
{% endfor %}
"""
GENERIC_TESTS = """\
models:
  - name: squares
    columns:
      - name: yr
        data_tests:
          - not_null
          - unique
          - accepted_values: {arguments: {values: [1, 2, 3], quote: false}}
      - name: square
        data_tests:
          - relationships: {arguments: {to: ref('squares'), field: square}}
"""
ORDINARY = """\
{{ config(materialized='incremental', incremental_strategy='append', tags=['GROW']) }}
{% set years = [] %}{% for y in range(1, var('yr') + 1) %}{% do years.append(y) %}{% endfor %}
select {{ var('yr') }} as yr, {{ years | sum }} as total, count(*) as n from {{ ref('squares') }}
"""


def plain_dbt(workspace: Workspace, database: Path) -> None:
    """Run the project with dbt itself, a process and a parse for each year."""
    environment = {**os.environ, "ORCHESTRATOR_DATABASE": str(database)}
    for year in YEARS:
        select = "*" if year == YEARS[0] else "tag:GROW"
        command = ["-m", "dbt.cli.main", "run", "--select", select]
        command += ["--vars", json.dumps({"yr": year}), "--target-path", str(database.parent / "target")]
        command += ["--profiles-dir", ".", "--log-path", str(database.parent / "logs")]
        done = run_python(command, cwd=workspace.root / "dbt", env=environment, dbt=True)
        assert done.returncode == 0, done.stdout


def tables(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the sorted rows of every table."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'main' order by 1"
        ).fetchall()
        return {name: connection.execute(f'select * from "{name}" order by all').fetchall() for (name,) in names}


def parsed_again(workspace: Workspace) -> list[str]:
    """Return why the project was parsed more than once."""
    return [event.reason for event in workspace.events if isinstance(event, ProjectParsedAgain)]


def test_a_name_put_together_under_a_condition_follows_the_year(
    fresh: Callable[[str], Workspace], tmp_path: Path
) -> None:
    """A list that is appended to only in late years gives the alias of late years, as in plain dbt."""
    workspace = fresh("ephemeral")
    (workspace.root / "dbt" / "models" / "parts.sql").write_text(LATE_NAME)
    workspace.simulate()
    plain_dbt(workspace, tmp_path / "plain.duckdb")
    found = tables(workspace.database)
    assert found == tables(tmp_path / "plain.duckdb")
    assert (found["parts"], found["parts_late"]) == ([(1,)], [(3,)])
    assert parsed_again(workspace) == ["parts: var('yr') > 1 is another in this year"]


def test_macros_and_jumps_that_depend_on_the_year_are_found(fresh: Callable[[str], Workspace], tmp_path: Path) -> None:
    """A macro that appends the year to its argument, and a loop left early, give plain dbt's tables."""
    workspace = fresh("ephemeral")
    (workspace.root / "dbt" / "macros").mkdir()
    (workspace.root / "dbt" / "macros" / "add_year.sql").write_text(ADD_YEAR)
    (workspace.root / "dbt" / "models" / "filled.sql").write_text(FILLED_NAME)
    (workspace.root / "dbt" / "models" / "stopped.sql").write_text(STOPPED_LOOP)
    workspace.simulate()
    plain_dbt(workspace, tmp_path / "plain.duckdb")
    found = tables(workspace.database)
    assert found == tables(tmp_path / "plain.duckdb")
    assert {"filled_1", "filled_2", "filled_3"} <= set(found)
    assert len(parsed_again(workspace)) == 2


def test_the_year_in_sql_and_dbts_own_tests_need_one_parse(fresh: Callable[[str], Workspace], tmp_path: Path) -> None:
    """All four generic tests on a model that reads the year, and a list made of it, share one parse."""
    workspace = fresh("ephemeral")
    (workspace.root / "dbt" / "models" / "squares.yml").write_text(GENERIC_TESTS)
    (workspace.root / "dbt" / "models" / "ordinary.sql").write_text(ORDINARY)
    workspace.simulate()
    plain_dbt(workspace, tmp_path / "plain.duckdb")
    assert tables(workspace.database) == tables(tmp_path / "plain.duckdb")
    assert parsed_again(workspace) == []
    with workspace.orchestrator() as orchestrator:
        kinds = [node.resource_type for node in orchestrator.runner.facts().nodes]
        assert kinds.count("test") == 4
        assert all(node.status == "pass" for node in orchestrator.runner.test("squares").nodes)
        assert not [node for node in orchestrator.runner.facts().nodes if node.reuse_blocker]
