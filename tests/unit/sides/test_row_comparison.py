"""Rows of two tables matched by key, by DuckDB itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.sides.records import rows_csv, rows_markdown, rows_record
from orchestrator.reports.sides.rows import RowChange, RowComparison, RowCounts, RowsOfSide, row_comparison


def written(folder: Path, name: str, sql: str) -> RowsOfSide:
    """Write the rows of a statement to a Parquet file."""
    with duckdb.connect() as connection:
        relation = connection.sql(sql)
        relation.write_parquet(str(folder / f"{name}.parquet"))
        columns = tuple(zip(relation.columns, map(str, relation.types), strict=True))
    return RowsOfSide(name, "levels", columns, folder / f"{name}.parquet")


@contextmanager
def compared(folder: Path, a: str, b: str, key: Sequence[str] = ("id",)) -> Iterator[RowComparison]:
    """Compare the rows of two statements."""
    with row_comparison(written(folder, "first", a), written(folder, "second", b), key, folder) as found:
        yield found


def test_added_removed_and_changed(tmp_path: Path) -> None:
    """Each is counted and listed, in the order of the key; equal rows are not."""
    a = "from (values (1, 'x', 1.5), (2, 'y', 2.5), (3, 'z', 3.5)) t(id, name, level)"
    b = "from (values (4, 'w', 0.5), (3, 'z', 3.5), (2, 'Y', 9.5)) t(id, name, level)"
    with compared(tmp_path, a, b) as found:
        assert found.counts == RowCounts(first=3, second=3, same=1, added=1, removed=1, changed=1)
        assert found.changed_values == {"name": 1, "level": 1}
        assert list(found.changes()) == [
            RowChange("added", ("4",)),
            RowChange("removed", ("1",)),
            RowChange("changed", ("2",), "name", "y", "Y"),
            RowChange("changed", ("2",), "level", "2.5", "9.5"),
        ]
        assert found.first(1, "changed") == [RowChange("changed", ("2",), "name", "y", "Y")]
        assert found.relation().columns == ["kind", "id", "column", "old", "new"]
        assert len(found.relation().fetchall()) == 4
        assert list(rows_csv(found))[:3] == ["kind,id,column,old,new", "added,4,,,", "removed,1,,,"]
        assert "| changed | 2 | name | y | Y |" in list(rows_markdown(found, 5))
        assert rows_record(found, 1)["changed_values"] == {"name": 1, "level": 1}


def test_null_is_a_value(tmp_path: Path) -> None:
    """NULL equals NULL, in the key and beside it, and nothing else; NaN equals NaN."""
    a = "from (values (null, null), (1, null), (2, 'nan'::double), (3, 0)) t(id, level)"
    b = "from (values (null, null), (1, 0), (2, 'nan'::double), (3, null)) t(id, level)"
    with compared(tmp_path, a, b) as found:
        assert found.counts == RowCounts(first=4, second=4, same=2, added=0, removed=0, changed=2)
        values = [(one.key, one.old, one.new) for one in found.changes()]
        assert values == [(("1",), None, "0.0"), (("3",), "0.0", None)]


def test_a_key_of_several_columns_some_null(tmp_path: Path) -> None:
    """All of them name a row."""
    a = "from (values (1, null, 'a'), (1, 2, 'b')) t(id, year, v)"
    b = "from (values (1, null, 'A'), (1, 3, 'b')) t(id, year, v)"
    with compared(tmp_path, a, b, ["ID", "year"]) as found:
        assert [(one.kind, one.key) for one in found.changes()] == [
            ("added", ("1", "3")),
            ("removed", ("1", "2")),
            ("changed", ("1", None)),
        ]


@pytest.mark.parametrize("side", ["first", "second"])
def test_a_key_that_is_not_unique_is_refused(side: str, tmp_path: Path) -> None:
    """With the side, and values that stand there several times."""
    twice, once = "from (values (1, null), (1, null), (2, 1)) t(id, year)", "from (values (1, null)) t(id, year)"
    a, b = (twice, once) if side == "first" else (once, twice)
    with pytest.raises(ConfigurationError) as caught, compared(tmp_path, a, b, ["id", "year"]):
        pass
    assert f"id, year is no key of levels of {side}: 2 rows have 1, NULL." in str(caught.value)
    assert caught.value.to_fix == "name more columns in --key, so that each row has values of its own"


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    """The nearest column is named."""
    row = "select 1 id, 2 v"
    with pytest.raises(ConfigurationError) as caught, compared(tmp_path, row, row, ["idd"]):
        pass
    assert caught.value.to_fix == "write id; there are: id, v"
    with pytest.raises(ConfigurationError, match="none is given"), compared(tmp_path, "select 1 a", "select 1 a", []):
        pass


def test_other_columns_and_types(tmp_path: Path) -> None:
    """What one side alone has is named; numbers of other types are numbers, all else is text."""
    a = "select 1::integer id, 5::bigint n, '7' t, date '2025-01-01' d, [1] l, 1 only_a"
    b = "select 1::bigint id, 5.0::decimal(9,2) n, 7 t, '2025-01-01' d, [1] l, 1 only_b"
    with compared(tmp_path, a, b) as found:
        assert found.counts.same == 1
        assert (found.columns.only_first, found.columns.only_second) == (("only_a",), ("only_b",))
        assert [name for name, *_ in found.columns.other_types] == ["id", "n", "t", "d"]
        assert [found.columns.as_text(name) for name in ("id", "n", "t", "d")] == [False, False, True, True]


def test_years_that_one_side_has_alone(tmp_path: Path) -> None:
    """They are named, so that their rows are not taken for changes; a table without years has none."""
    first = written(tmp_path, "first", "select unnest([2000, 2001, 2002]) y, 1 id")
    second = written(tmp_path, "second", "select unnest(['2001', '2005']) y, 1 id")
    with row_comparison(first, second, ["y"], tmp_path, year="Y") as found:
        assert found.notes == (
            "Only first has rows of 2000, 2002; --year compares one year.",
            "Only second has rows of 2005; --year compares one year.",
        )
        assert rows_record(found, 1)["notes"] == found.notes
        assert "Only second has rows of 2005; --year compares one year." in rows_markdown(found, 1)
    (tmp_path / "more").mkdir()
    with row_comparison(first, second, ["y"], tmp_path / "more", year="other") as found:
        assert found.notes == ()


def test_keys_of_other_types_match_as_text(tmp_path: Path) -> None:
    """A number in one and a text in the other."""
    with compared(tmp_path, "select 1 id, 2 v", "select '1' id, 3 v") as found:
        assert list(found.changes()) == [RowChange("changed", ("1",), "v", "2", "3")]


def test_the_key_alone_and_tables_without_rows(tmp_path: Path) -> None:
    """Nothing can change there; everything is added to an empty table."""
    with compared(tmp_path, "select 1 id where false", "select 1 id") as found:
        assert found.counts == RowCounts(first=0, second=1, same=0, added=1, removed=0, changed=0)
        assert found.first(5, "changed") == []


def test_odd_names(tmp_path: Path) -> None:
    """Quotes, blanks and words of SQL are names of columns like others."""
    a = 'select 1 "a ""key""", 2 "select", 3 "it\'s", 4 there, 5 state'
    b = 'select 1 "a ""key""", 2 "select", 4 "it\'s", 4 there, 6 state'
    with compared(tmp_path, a, b, ['a "key"']) as found:
        assert found.changed_values == {"it's": 1, "state": 1}
        assert [one.column for one in found.changes()] == ["it's", "state"]


@pytest.mark.parametrize("name", ["kind", "column", "old", "place", "state", "there", "a", "key id"])
def test_a_key_with_a_word_of_ours(name: str, tmp_path: Path) -> None:
    """It is a name like any other."""
    a, b = (f'from (values (1, 2), (null, {n})) t("{name}", v)' for n in (3, 4))
    with compared(tmp_path, a, b, [name]) as found:
        assert list(found.changes()) == [RowChange("changed", (None,), "v", "3", "4")]
        assert len(found.relation().fetchall()) == 1


def test_a_million_rows(tmp_path: Path) -> None:
    """Only what differs is brought to Python, and only the first of that."""
    a = "select range id, range % 7 v, 'text ' || range t from range(1000000)"
    later = a.replace("(1000000)", "(10, 1000010)")
    b = f"select id, case when id % 1000 = 0 then -1 else v end v, t from ({later}) t"
    with compared(tmp_path, a, b) as found:
        assert (found.counts.added, found.counts.removed, found.counts.changed) == (
            10,
            10,
            999,
        )  # 0 is gone, a million is new
        assert len(found.first(20, "changed")) == 20
