"""Yearly models in every strategy of dbt, with years of every type: rows are those of dbt's command line.

Each project has yearly models in every strategy side by side, and is run three times over: three years in one go,
failed in the second year and resumed, and with a year that is run again. dbt's command line runs the same years from
nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb
import pytest

from orchestrator import Hook, HookContext, HookError, HookType
from orchestrator.core.errors import OtherYearsWrittenError
from tests.support.programs import run_python
from tests.support.written import Written

pytestmark = pytest.mark.slow

CONFIG = """\
simulation: {start_year: 2000, end_year: 2002, year_var: year, year_column: YEAR}
stages:
  - {name: moves, select: "tag:moves"}
  - {name: stock, select: "tag:stock"}
"""
YEAR_OF = {
    "integer": "{{ var('year') }}",
    "string": "'{{ var('year') }}'",
    "date": "make_date({{ var('year') }}, 12, 31)",
}
MOVES = (
    "{{ config(materialized='incremental', tags=['moves'], OPTIONS) }}\n"
    "{% set before = adapter.get_relation(database=this.database, schema=this.schema, identifier='stock_NAME') %}\n"
    "select YEAR as YEARCOLUMN, n.id as id, n.id * 10 "
    "{% if before %} + coalesce((select max(s.amount) from {{ before }} s where s.id = n.id), 0) {% endif %}"
    " as amount\n"
    "from range(1, 4) as n(id) where n.id <= {{ var('year') }} - 1999"
)
STOCK = (
    "{{ config(materialized='incremental', tags=['stock'], OPTIONS) }}\n"
    "select m.YEARCOLUMN, m.id, m.amount + 1 as amount from {{ ref('moves_NAME') }} m where m.YEARCOLUMN = YEAR\n"
    "{% if is_incremental() %}"
    "union all select YEAR, -1 - (select count(*) from {{ this }} where YEARCOLUMN < YEAR), 0\n"
    "{% endif %}"
)
STRATEGIES = {
    "append": "incremental_strategy='append'",
    "replace": "incremental_strategy='delete+insert', unique_key='YEARCOLUMN'",
    "merge": "incremental_strategy='merge', unique_key=['YEARCOLUMN', 'id']",
}


TABLES = tuple(f"{model}_{strategy}" for model in ("moves", "stock") for strategy in STRATEGIES)


def made(root: Path, kind: str) -> Written:
    """Make a simulation with two models of each strategy, whose years are of one type."""

    def filled(text: str, strategy: str) -> str:
        text = text.replace("OPTIONS", STRATEGIES[strategy]).replace("NAME", strategy)
        return text.replace("YEARCOLUMN", "at_year").replace("YEAR", YEAR_OF[kind])

    texts = {"moves": MOVES, "stock": STOCK}
    files = {f"models/{table}.sql": filled(texts[table[:5]], table[6:]) for table in TABLES}
    return written(root, files)


def written(root: Path, files: dict[str, str]) -> Written:
    """Make a simulation of these files."""
    return Written(root, CONFIG.replace("YEAR", "at_year"), files)


def rows(database: Path, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    """Return the sorted rows of tables."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return {table: sorted(connection.execute(f"from {table}").fetchall(), key=repr) for table in tables}


def by_command_line(project: Written, *selects: str, years: range = range(2000, 2003)) -> Path:
    """Run a copy of the project by dbt's command line, stage by stage, year by year; return its database."""
    root = project.root.parent / "by_dbt"
    shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("var"))
    database = root / "var" / "mill.duckdb"
    database.parent.mkdir()
    code = (
        "import sys, json\nfrom dbt.cli.main import dbtRunner\n"
        f"for year in {list(years)}:\n"
        f"    for select in {list(selects)}:\n"
        "        done = dbtRunner().invoke(['--no-use-colors', '--quiet', 'run', '--select', select, '--vars',"
        " json.dumps({'year': year})])\n"
        "        if not done.success: sys.exit(str(done.exception or done.result.results))\n"
    )
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "PYTEST"))}
    environment["ORCHESTRATOR_DATABASE"] = str(database)
    done = run_python(["-c", code], cwd=root, env=environment, dbt=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return database


@pytest.mark.parametrize("kind", YEAR_OF)
def test_rows_are_those_of_the_command_line(tmp_path: Path, kind: str) -> None:
    """In one go, resumed after a failure in the second year, and with the second year run again."""
    project = made(tmp_path / "mill", kind)
    expected = rows(by_command_line(project, "tag:moves", "tag:stock"), *TABLES)
    assert all(expected.values())
    project.simulate()
    assert rows(project.database, *TABLES) == expected

    def fails(context: HookContext) -> None:
        if context.year == 2001:
            raise OSError("no space")

    with pytest.raises(HookError):
        project.simulate(fresh=True, hooks=[Hook(HookType.PRE_STAGE, fails, "fails", stage="stock")])
    project.simulate()
    assert rows(project.database, *TABLES) == expected
    with project.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation(2000, 2002, from_year=2001)
    assert rows(project.database, *TABLES) == expected


def test_a_text_that_is_no_year(tmp_path: Path) -> None:
    """Rows whose year cannot be told from their text are not taken for rows of the year that is built."""
    text = (
        "{{ config(materialized='incremental', tags=['moves', 'stock']) }} select 'FY' || {{ var('year') }} as at_year"
    )
    project = written(tmp_path / "mill", {"models/moves.sql": text, "models/stock.sql": text})
    with pytest.raises(OtherYearsWrittenError, match=r"FY2000 \(0 rows before, now 1\)"):
        project.simulate()
    assert project.sql("select count(*) from moves") == [(0,)]


KEPT = {
    "merged by a key without the year": (
        "{{ config(materialized='incremental', incremental_strategy='merge', unique_key='id', tags=['stock']) }}\n"
        "select m.id, m.amount + coalesce((select count(*) from balance), 0) as amount, {{ var('year') }} as seen\n"
        "from {{ ref('moves') }} m where m.at_year = {{ var('year') }}"
    ).replace("balance", "{{ ref('moves') }}"),
    "deleted and inserted by a key without the year": (
        "{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='id', tags=['stock'])"
        " }}\n"
        "select {{ var('year') }} % 2 as id, 1 {% if is_incremental() %} + (select sum(amount) from {{ this }})"
        "{% endif %} as amount"
    ),
    "a table that adds to itself": (
        "{{ config(materialized='table', tags=['stock']) }}\n"
        "{% set old = adapter.get_relation(this.database, this.schema, this.identifier) %}\n"
        "select {{ var('year') }} as at_year, count(*) as amount from {{ ref('moves') }}\n"
        "{% if old %} union all select * from {{ this }} {% endif %}"
    ),
}


@pytest.mark.parametrize("habit", KEPT)
def test_what_carries_rows_over_without_a_year(tmp_path: Path, habit: str) -> None:
    """Its rows of one year cannot be taken out, so whatever happens to a run, they are made from the first year on."""
    moves = (
        "{{ config(materialized='incremental', tags=['moves']) }}\n"
        "select {{ var('year') }} as at_year, n as id, n * {{ var('year') }} as amount from range(1, 4) as r(n)"
    )
    project = written(tmp_path / "mill", {"models/moves.sql": moves, "models/stock.sql": KEPT[habit]})
    expected = rows(by_command_line(project, "tag:moves", "tag:stock"), "moves", "stock")
    project.simulate()
    assert rows(project.database, "moves", "stock") == expected

    def fails(context: HookContext) -> None:
        if context.year == 2001:
            raise OSError("no space")

    with pytest.raises(HookError):
        project.simulate(fresh=True, hooks=[Hook(HookType.POST_STAGE, fails, "fails", stage="stock")])
    project.simulate()
    assert rows(project.database, "moves", "stock") == expected
    with project.orchestrator() as orchestrator:
        orchestrator.execute_multi_year_simulation(2000, 2002, from_year=2001)
    assert rows(project.database, "moves", "stock") == expected
    project.simulate(2000, 2001)
    project.simulate(2000, 2002)
    assert rows(project.database, "moves", "stock") == expected
