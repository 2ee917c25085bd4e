"""The year decides branches of a project: one parse serves each, in all runs, with the rows of plain dbt."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.errors import DbtProjectError
from orchestrator.core.events import ProjectParsedAgain, StageFinished
from tests.support.programs import run_python
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

YEARS = (1, 2, 3, 4)
ONE_TEST = """\
models:
  - name: stock
    columns:
      - name: yr
        data_tests:
          - accepted_values: {arguments: {values: [1, 2, 3, "{{ var('yr') }}"], quote: false}}
"""


def plain_dbt(workspace: Workspace, database: Path) -> None:
    """Run the project with dbt itself, a process and a parse for each year."""
    environment = {**os.environ, "ORCHESTRATOR_DATABASE": str(database)}
    commands = [["seed"], *(["run", "--select", "tag:STOCKS"] for _ in YEARS)]
    for year, command in zip((1, *YEARS), commands, strict=True):
        options = ["--vars", json.dumps({"yr": year, "first_yr": 1}), "--profiles-dir", "."]
        options += ["--target-path", str(database.parent / "target"), "--log-path", str(database.parent / "logs")]
        args = ["-m", "dbt.cli.main", *command, *options]
        run_python(args, cwd=workspace.root / "dbt", env=environment, dbt=True, check=True)


def parsed_again(workspace: Workspace) -> list[str]:
    """Return why the project was parsed again since this was last asked."""
    found = [event.reason for event in workspace.events if isinstance(event, ProjectParsedAgain)]
    workspace.events.clear()
    return found


def replayed(workspace: Workspace) -> list[tuple[int, str, bool]]:
    """Return which stage of which year was replayed."""
    return [(one.year, one.stage, one.replayed) for one in workspace.events if isinstance(one, StageFinished)]


def without_hooks(workspace: Workspace) -> None:
    """Leave out the hooks, which dbt has to run, and the test whose condition has another text in each year."""
    dbt = workspace.root / "dbt"
    stock, project = dbt / "models" / "stock.sql", dbt / "dbt_project.yml"
    head, _, body = stock.read_text().partition(") }}\n{% set is_first")
    kept = "\n".join(line for line in head.splitlines() if "_hook" not in line)
    stock.write_text(f"{kept}) }}}}\n{{% set is_first{body}")
    project.write_text("\n".join(line for line in project.read_text().splitlines() if "pre-hook" not in line))
    (dbt / "models" / "models.yml").write_text(ONE_TEST)


def test_each_branch_is_parsed_once_and_has_the_rows_of_dbt(fresh: Callable[[str], Workspace], tmp_path: Path) -> None:
    """A ref of the first year alone, models that later years have, hooks and tests that read the year."""
    workspace = fresh("branches")
    workspace.simulate()
    first_run = parsed_again(workspace)
    digests = workspace.digests()
    plain_dbt(workspace, tmp_path / "plain.duckdb")
    assert digests == Workspace(tmp_path).digests()
    assert workspace.sql("select yr from told order by 1") == [(0,), (1,), (2,), (3,), (4,)]
    assert len(first_run) == 2  # one test asks for its own year, which dbt fixes while it parses
    assert all("var('yr') is another" in reason for reason in first_run)
    workspace.simulate(fresh=True)
    assert parsed_again(workspace) == []
    assert [row for row in workspace.sql("select yr, kind, stock from stock order by all") if row[0] == 4] == [
        (4, "a", 80),
        (4, "b", 540),
    ]


def test_years_of_a_branch_are_replayed(fresh: Callable[[str], Workspace], tmp_path: Path) -> None:
    """Each branch has recordings of its own: the second year of one is replayed, and all years of the next run."""
    workspace = fresh("branches")
    without_hooks(workspace)
    workspace.simulate()
    found = replayed(workspace)
    assert all(done for year, _, done in found if year == 4)
    (reason,) = parsed_again(workspace)  # the project was edited: its branch of later years is parsed before the first
    assert "(var('yr') | int) > 1" in reason
    plain_dbt(workspace, tmp_path / "plain.duckdb")
    assert workspace.digests() == Workspace(tmp_path).digests()
    workspace.simulate(fresh=True)
    assert all(done for *_, done in replayed(workspace))
    assert parsed_again(workspace) == []
    assert workspace.digests() == Workspace(tmp_path).digests()


def test_what_dbt_renders_while_it_parses_and_where_later_years_build(
    fresh: Callable[[str], Workspace], tmp_path: Path
) -> None:
    """A hook that dbt renders early has the year of each year; rows in the place of later years are built once."""
    workspace = fresh("branches")
    without_hooks(workspace)
    dbt = workspace.root / "dbt"
    project = dbt / "dbt_project.yml"
    alias = "{{ 'grown_to' if var('yr') | int > 2 else 'grown' }}"
    project.write_text(project.read_text().replace("    grown:\n", f'    grown:\n      +alias: "{alias}"\n'))
    hooks = ["create table if not exists told as select 0 as yr", "insert into told values ({{ var('yr') }})"]
    hooked = f"  - name: grown\n    config:\n      pre-hook: {json.dumps(hooks)}\n"
    (dbt / "models" / "models.yml").write_text(f"models:\n{hooked}")
    workspace.simulate()
    plain_dbt(workspace, tmp_path / "plain.duckdb")
    wanted = Workspace(tmp_path).digests()
    assert workspace.digests() == wanted
    assert workspace.sql("select yr from told order by 1") == [(0,), (2,), (3,), (4,)]
    workspace.simulate(4, 4, fresh=True)
    found = workspace.digests()
    assert [name for name in wanted if found[name] != wanted[name]] == [name for name in wanted if "told" in name]


def test_an_edit_of_a_later_branch_is_seen(fresh: Callable[[str], Workspace]) -> None:
    """What only later years read is part of the project: a changed rate is loaded, and the years are run again."""
    workspace = fresh("branches")
    without_hooks(workspace)
    workspace.simulate()
    (workspace.root / "dbt" / "seeds" / "rates.csv").write_text("kind,rate\na,3\nb,3\n")
    workspace.simulate()
    assert workspace.sql("select stock from stock where yr = 4 and kind = 'a'") == [(270,)]
    model = workspace.root / "dbt" / "models" / "grown.sql"
    model.write_text(model.read_text().replace("sum(stock)", "sum(stock) + 1"))
    workspace.simulate()
    assert workspace.sql("select stock from grown where yr = 4") == [(811,)]


def test_a_table_of_a_year_that_was_not_looked_at_is_refused_once(fresh: Callable[[str], Workspace]) -> None:
    """Where each year is a branch of its own, few are parsed beforehand; what else appears is known the next time."""
    workspace = fresh("branches")
    without_hooks(workspace)
    models = workspace.root / "dbt" / "models"
    (models / "named.sql").write_text("{{ config(alias='y' ~ var('yr'), tags=['STOCKS']) }} select 1 as one")
    (models / "models.yml").unlink()
    adds_rows = "materialized='incremental', incremental_strategy='append', tags=['STOCKS']"
    (models / "sixth.sql").write_text(
        f"{{{{ config({adds_rows}, enabled=var('yr') == 6) }}}} select {{{{ var('yr') }}}} as yr"
    )
    workspace.config.write_text(workspace.config.read_text().replace("end_year: 4", "end_year: 7"))
    with pytest.raises(DbtProjectError, match="adds rows to sixth") as refused:
        workspace.simulate()
    assert "run the same command again" in str(refused.value.to_fix)
    workspace.simulate()
    assert workspace.sql("select yr from sixth") == [(6,)]
    workspace.simulate(fresh=True)
    assert workspace.sql("select yr from sixth") == [(6,)]
