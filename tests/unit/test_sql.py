"""Names and values as they are written into SQL."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from orchestrator.database.sql import literal, quoted_name

ODD = """it's "odd"; -- 'really' \\"""
NOON = datetime(2026, 7, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize("value", [ODD, "", True, False, 7, -0.25, None])
def test_a_value_comes_back_as_it_went(value: str | float | None) -> None:
    """Whatever a text holds, the database reads it as that text and nothing more."""
    with duckdb.connect() as connection:
        (found,) = connection.execute(f"select {literal(value)}").fetchall()[0]
    assert (float(found) if isinstance(value, float) else found) == value


def test_a_path_is_a_text_and_a_time_is_utc() -> None:
    """A path is quoted like any text; a time with a zone becomes the same moment in UTC."""
    with duckdb.connect() as connection:
        sql = f"select {literal(Path('/it is') / ODD)}, {literal(NOON)}"
        ((path, moment),) = connection.execute(sql).fetchall()
    assert (path, moment.replace(tzinfo=timezone.utc)) == (f"/it is/{ODD}", NOON)


def test_a_quoted_name_is_one_name() -> None:
    """A relation of any name can be made and read, with its schema and without."""
    with duckdb.connect() as connection:
        connection.execute(f"create schema {quoted_name(ODD)}")
        connection.execute(f"create table {quoted_name('memory', ODD, ODD)} as select 1 as {quoted_name(ODD)}")
        assert connection.execute(f"select {quoted_name(ODD)} from {quoted_name('', ODD, ODD)}").fetchall() == [(1,)]
