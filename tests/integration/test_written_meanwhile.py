"""Files of the project that somebody writes while a run goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator import SimulationResult, create_orchestrator
from orchestrator.core.errors import DbtProjectError
from orchestrator.core.events import InputsChanged, RowsLost, StageFinished, YearFinished
from tests.support.cli_project import Cli
from tests.support.workspaces import Workspace, state_notes

pytestmark = pytest.mark.slow

Prepare = Callable[[str], Workspace]
Edits = dict[int, Callable[[], object]]
RATED = """\
{{ config(materialized='incremental', incremental_strategy='append', tags=['FLOWS']) }}
select {{ var('water_year') }} as water_year, rate from read_csv('rates.csv')
"""
SUMMARY = """\
models:
  - name: rated
    meta: {summary: true}
    columns: [{name: water_year, meta: {label: Year}}, {name: rate, meta: {label: Rate}}]
"""
OF_EACH_YEAR = """\
models:
  - name: of_year
    config: {kept_year: "{{ var('yr') }}"}
"""


def simulate(workspace: Workspace, edits: Edits | None = None) -> SimulationResult:
    """Simulate all years, and edit files after some of them, as a person would in another window."""
    workspace.events.clear()

    def edit(event: object) -> None:
        if edits and isinstance(event, YearFinished) and event.year in edits:
            edits[event.year]()

    with create_orchestrator(workspace.config, listeners=[workspace.events.append, edit]) as orchestrator:
        return orchestrator.execute_multi_year_simulation()


def rated(workspace: Workspace) -> Path:
    """Add a model of the years that reads a file; return the file."""
    models = workspace.root / "dbt" / "models" / "yearly"
    (models / "rated.sql").write_text(RATED)
    (models / "rated.yml").write_text(SUMMARY)
    file = workspace.root / "rates.csv"
    file.write_text("rate\n1\n")
    return file


def years_run(workspace: Workspace) -> list[int]:
    """Return the years of which the last run ran stages."""
    return sorted({event.year for event in workspace.events if isinstance(event, StageFinished)})


def test_a_file_that_was_written_and_put_back_is_noticed(fresh: Prepare) -> None:
    """Nothing tells afterwards which rows are of which state: the run says so, and the next one repairs it."""
    reservoir = fresh("reservoir")
    file = rated(reservoir)
    kept = file.stat()

    def put_back() -> None:
        file.write_text("rate\n1\n")
        os.utime(file, ns=(kept.st_atime_ns, kept.st_mtime_ns))

    done = simulate(reservoir, {2000: lambda: file.write_text("rate\n7\n"), 2001: put_back})
    assert done.changed_files == ("rates.csv",)
    (seen,) = (event for event in reservoir.events if isinstance(event, InputsChanged))
    assert (seen.files, seen.year, seen.stage) == (("rates.csv",), 2001, "flows")
    assert reservoir.sql("from rated order by 1") == [(2000, 1), (2001, 7), (2002, 1)]
    assert any("rates.csv was written while the run of 2001 read it" in note for note in state_notes(reservoir))
    assert simulate(reservoir).changed_files == ()
    assert years_run(reservoir) == [2001, 2002]
    assert [(e.table, e.year) for e in reservoir.events if isinstance(e, RowsLost) and e.of == "read"] == [
        ("rates.csv", 2001),
        ("rates.csv", 2002),
    ]
    assert reservoir.sql("from rated order by 1") == [(2000, 1), (2001, 1), (2002, 1)]
    assert simulate(reservoir).nothing_to_do
    assert state_notes(reservoir) == ()


def test_what_no_stage_read_meanwhile_costs_no_year(fresh: Prepare) -> None:
    """A file written after its last reader, and a model that dbt had read before: only what differs is named."""
    reservoir = fresh("reservoir")
    file = rated(reservoir)
    model = file.with_name("dbt") / "models" / "yearly" / "inflow.sql"
    code = model.read_text()
    edits: Edits = {2000: lambda: model.write_text(f"{code}\n-- another"), 2002: lambda: file.write_text("rate\n1\n")}
    done = simulate(reservoir, edits)
    assert (done.changed_files, done.edited_files) == ((), ("dbt/models/yearly/inflow.sql",))
    model.write_text(code)
    assert simulate(reservoir).nothing_to_do


def test_a_project_that_changed_is_not_read_for_a_later_year(fresh: Prepare) -> None:
    """Where dbt has to read it again, the year would be of another project than those before it."""
    parity = fresh("year_in_config")
    models = parity.root / "dbt" / "models"
    (models / "kept.yml").write_text(OF_EACH_YEAR)
    settings = parity.config.read_text()
    parity.config.write_text(settings.replace("end_year: 2012", "end_year: 2017"))
    model = models / "of_year.sql"
    code = model.read_text()
    with pytest.raises(DbtProjectError, match=r"dbt/models/of_year\.sql changed while the run went on") as caught:
        simulate(parity, {2010: lambda: model.write_text(f"{code}\n-- another")})
    assert "run the same command again" in str(caught.value.to_fix)
    first = years_run(parity)
    assert first[0] == 2010 and first[-1] < 2017
    model.write_text(code)
    simulate(parity)
    assert years_run(parity) == list(range(first[-1], 2018))


def test_the_command_line_says_it_at_the_end(fresh: Prepare) -> None:
    """Where the run has many lines, the last ones are read; a script finds it in the record."""
    reservoir = fresh("reservoir")
    file = rated(reservoir)
    hook = "def write(context):\n    (context.config.root / 'rates.csv').write_text('rate\\n7\\n')\n"
    (reservoir.root / "own_hooks.py").write_text(hook)
    with reservoir.config.open("a") as config:
        config.write("hooks: [{type: post_year, call: 'own_hooks:write'}]\n")
    cli = Cli(reservoir.root, reservoir.database)
    told = cli("simulate", "2000-2001")
    assert "! rates.csv was written while the run read it: rows of 2001 and later years may be of either" in told.out
    assert "changed   rates.csv, while the run went on" in told.out
    assert "rates.csv was written while the run of 2001 read it" in cli("plan", "2000-2001").out
    assert file.read_text() == "rate\n7\n"
