"""What is said of failed nodes."""

from __future__ import annotations

import textwrap
from pathlib import Path

import duckdb
import pytest

from orchestrator.dbt_runner.answers import cleaned
from orchestrator.dbt_runner.failures import raise_for_failures
from orchestrator.dbt_runner.results import DbtResult, NodeResult
from orchestrator.exceptions import NodeFailedError


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
    node = NodeResult(
        unique_id="seed.lakes.rain",
        name="rain",
        resource_type="seed",
        status="error",
        seconds=0.1,
        rows=None,
        message=message,
        file="seeds/rain.csv",
        sql=None,
    )
    with pytest.raises(NodeFailedError) as caught:
        raise_for_failures(DbtResult("seed", (node,), 0.1, replayed=False), Path(project), None, None)
    assert caught.value.to_fix is not None and remedy in caught.value.to_fix


def test_the_pointer_of_the_database_points_at_what_is_wrong() -> None:
    """DuckDB underlines a part of the line of SQL above; dbt indents both."""
    with pytest.raises(duckdb.Error) as caught:
        duckdb.sql("select\n    1 as n,,\n    2 as m")
    wrapped = "Runtime Error in model flock (models/flock.sql)\n" + textwrap.indent(str(caught.value), "  ")
    lines = (cleaned(wrapped) or "").splitlines()
    (pointer,) = (number for number, line in enumerate(lines) if line.strip("^ ") == "")
    column = lines[pointer].index("^")
    assert lines[pointer - 1][column:].startswith(",")
