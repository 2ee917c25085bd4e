"""Five years of a generated project of 500 models: 100 foundation tables, 400 yearly models in four stages.

Each yearly model appends 100 rows a year; it reads one of the stage before and a foundation table. Ours against dbt's
command line, one `dbtRunner`, and the floor.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.generated import write, write_project
from benchmarks.march import March
from benchmarks.results import Table

FIRST_YEAR = 2025
STAGES = tuple(("run", f"tag:STAGE_{number}") for number in range(1, 5))


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure all; compare their tables."""
    models, years = (50, 2) if bench.quick else (500, 5)
    lay = partial(lay_project, models=models)
    march = March("many", lay, FIRST_YEAR, FIRST_YEAR + years - 1, STAGES, {}, seeds=False)
    contenders = march.all_contenders(bench)
    series = bench.compete(contenders)
    return [Table("5 years, 500 models", series)], [march.compare(bench, contenders)]


def lay_project(folder: Path, *, models: int) -> None:
    """Write the project: a fifth of the models are the foundation, the others stand in stages of equal size."""
    write_project(folder / "dbt", "many", f"vars: {{simulation_year: {FIRST_YEAR}}}\n")
    width = models // (len(STAGES) + 1)
    for number in range(width):
        sql = f"cast(range as integer) as id, cast(range * {number + 3} % 101 as integer) as value from range(100)"
        config = "{{ config(materialized='table', tags=['FOUNDATION']) }}"
        write(folder / "dbt" / "models" / "base" / f"base_{number:03}.sql", f"{config}\nselect {sql}\n")
    year = "{{ var('simulation_year') }}"
    for stage in range(1, len(STAGES) + 1):
        config = "materialized='incremental', incremental_strategy='append', on_schema_change='fail'"
        for number in range(width):
            before = f"base_{(number + 7) % width:03}" if stage == 1 else f"stage_{stage - 1}_{number:03}"
            only = "" if stage == 1 else f"where before.simulation_year = {year}"
            sql = f"""{{{{ config({config}, tags=['STAGE_{stage}']) }}}}
select
    cast({year} as integer) as simulation_year,
    base.id,
    cast((base.value * {year} + before.value) % 997 as integer) as value
from {{{{ ref('base_{number:03}') }}}} as base
inner join {{{{ ref('{before}') }}}} as before on base.id = before.id
{only}
"""
            write(folder / "dbt" / "models" / f"stage_{stage}" / f"stage_{stage}_{number:03}.sql", sql)
    settings = {
        "simulation": {"start_year": FIRST_YEAR, "end_year": FIRST_YEAR + 4},
        "database": "march.duckdb",
        "dbt": {"project_dir": "dbt"},
        "self_healing": {"timeout_seconds": 3600},
        "stages": [{"name": select.partition(":")[2].lower(), "select": select} for _, select in STAGES],
    }
    write(folder / "config" / "simulation.yaml", json.dumps(settings))
