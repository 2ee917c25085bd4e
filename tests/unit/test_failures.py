"""What is said of failed nodes."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.errors import NodeFailedError
from orchestrator.dbt_runner.adapter.answers import cleaned
from orchestrator.dbt_runner.adapter.failed_nodes import failure_of
from orchestrator.dbt_runner.project.results import DbtResult, NodeResult
from orchestrator.dbt_runner.project.year_macros import told_year_macros
from orchestrator.self_healing.foundation import yearly_members
from tests.unit.test_healing_plan import node, project


def failed(kind: str, name: str, message: str, file: str) -> DbtResult:
    """Make the result of a command whose only node failed."""
    node = NodeResult(
        unique_id=f"{kind}.lakes.{name}",
        name=name,
        resource_type=kind,
        status="error",
        seconds=0.1,
        rows=None,
        message=message,
        file=file,
        sql=None,
    )
    return DbtResult(kind, (node,), 0.1, replayed=False)


@pytest.mark.parametrize(
    ("project", "message", "remedy"),
    [
        ("/home/ann/lakes", "Parser Error: unterminated string literal", "correct /home/ann/lakes/seeds/rain.csv"),
        ("/home/o'brien/lakes", "Parser Error: unterminated string literal", "without ' in its path"),
        ("/home/o'brien/lakes", "Could not convert string 'x'", "correct /home/o'brien/lakes/seeds/rain.csv"),
    ],
)
def test_a_seed_that_dbt_cannot_load(project: str, message: str, remedy: str) -> None:
    """The file is at fault, unless it is the quote in its path, which dbt-duckdb does not escape."""
    error = failure_of(failed("seed", "rain", message, "seeds/rain.csv"), Path(project), None, None)
    assert isinstance(error, NodeFailedError)
    assert error.to_fix is not None and remedy in error.to_fix


@pytest.mark.parametrize(
    ("reads_year", "year_vars", "remedy"),
    [
        (False, {"saison"}, "set simulation.year_var to season in the configuration: it supplies the year as saison"),
        (True, {"saison"}, "supply season under `vars:` in the configuration, or give var('season') a default in /p/"),
        (False, set(), "supply season under `vars:`"),
    ],
)
def test_a_variable_that_nobody_supplies(reads_year: bool, year_vars: set[str], remedy: str) -> None:
    """The configuration is at fault, above all where no model reads the year under the name that it has there."""
    facts = project([replace(node("births"), uses_year=reads_year)], ())
    message = "Required var 'season' not found in config:\nVars supplied to births = {}"
    error = failure_of(failed("model", "births", message, "models/births.sql"), Path("/p"), facts, None, year_vars)
    assert isinstance(error, NodeFailedError)
    assert error.to_fix is not None and remedy in error.to_fix


def test_an_error_in_a_macro_of_the_project(tmp_path: Path) -> None:
    """The macro's file is at fault; macros of dbt, and of packages, have theirs elsewhere."""
    message = "boom\n> in macro statement (macros/etc/statement.sql)\n> called by macro own (macros/own.sql)"
    result = failed("model", "births", message, "models/births.sql")
    elsewhere = failure_of(result, tmp_path, None, None)
    (tmp_path / "macros").mkdir()
    (tmp_path / "macros" / "own.sql").touch()
    here = failure_of(result, tmp_path, None, None)
    assert isinstance(elsewhere, NodeFailedError) and isinstance(here, NodeFailedError)
    assert elsewhere.to_fix == f"correct {tmp_path / 'models/births.sql'} and run again"
    assert here.to_fix == f"correct {tmp_path / 'macros/own.sql'} and run again"


def test_the_pointer_of_the_database_points_at_what_is_wrong() -> None:
    """DuckDB underlines a part of the line of SQL above; dbt indents both."""
    with pytest.raises(duckdb.Error) as caught:
        duckdb.sql("select\n    1 as n,,\n    2 as m")
    wrapped = "Runtime Error in model flock (models/flock.sql)\n" + textwrap.indent(str(caught.value), "  ")
    lines = (cleaned(wrapped) or "").splitlines()
    (pointer,) = (number for number, line in enumerate(lines) if line.strip("^ ") == "")
    column = lines[pointer].index("^")
    assert lines[pointer - 1][column:].startswith(",")


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("Catalog Error: Scalar Function with name scale does not exist!", True),
        ('Catalog Error: Table Function with name "scale" does not exist because', True),
        ("function main.scale(integer) does not exist", True),
        ("Catalog Error: Scalar Function with name other does not exist!", False),
    ],
)
def test_a_function_that_no_stage_builds(message: str, named: bool) -> None:
    """The stage is at fault, and not the model that calls it: `dbt run` builds no functions."""
    scale = replace(node("scale"), unique_id="function.p.scale", resource_type="function", file="functions/scale.sql")
    births = replace(node("births", parents=[scale.unique_id]), unique_id="model.lakes.births")
    result = failed("model", "births", message, "models/births.sql")
    error = failure_of(result, Path("/p"), project([scale, births], ()), None)
    assert isinstance(error, NodeFailedError) and error.to_fix is not None
    assert ("reads function scale (functions/scale.sql), which is not in the database" in error.message) is named
    assert ("let this or an earlier stage with `command: build` select scale" in error.to_fix) is named


def test_a_macro_keeps_a_model_out_of_the_foundation() -> None:
    """The macro is named: the model's own file says nothing of the year."""
    base = replace(node("base"), names_year=True, code=(("model base", "1"), ("macro create_table_as", "2")))
    births = replace(node("births", parents=[base.unique_id]), unique_id="model.lakes.births")
    message = "Catalog Error: Table with name base does not exist!"
    facts = project([base, births], ())
    error = failure_of(failed("model", "births", message, "models/births.sql"), Path("/p"), facts, None)
    why = "is built by the macro create_table_as, which reads the year"
    assert isinstance(error, NodeFailedError) and why in error.message
    assert [why in one.why for one in yearly_members(facts, ()) if one.node is base] == [True]
    two = replace(base, code=(*base.code, ("macro other", "3")))
    assert "(create_table_as, other, or one of them)" in str(told_year_macros(two))
    assert told_year_macros(replace(base, uses_year=True)) is None
