"""What a database can do is told in one place, and asked for there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from orchestrator.database.capabilities import Capabilities, capabilities_of
from orchestrator.database.catalog import Catalog
from orchestrator.dbt_runner.replay.database_state import DatabaseState

PACKAGE = Path(__file__).parents[2] / "orchestrator"
THE_ONE_PLACE = PACKAGE / "database" / "capabilities.py"
HISTORY = PACKAGE / "storage"  # the URL of the history names a kind of server, which is no adapter of dbt
ADAPTERS = {"duckdb", "postgres", "redshift", "snowflake", "bigquery", "databricks", "spark", "trino", "sqlserver"}


def names_of_adapters(tree: ast.AST) -> Iterator[int]:
    """Yield the line of every comparison with the name of an adapter, of every case and key that is one."""
    for node in ast.walk(tree):
        parts: list[ast.expr | None] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            parts = [node.value]
        elif isinstance(node, ast.Dict):
            parts = node.keys
        inner = [one for part in parts if part is not None for one in ast.walk(part)]
        if any(isinstance(one, ast.Constant) and one.value in ADAPTERS for one in inner):
            yield getattr(node, "lineno", 0)


def test_no_adapter_is_asked_for_by_name() -> None:
    """Code asks what a database can do, never which one it is."""
    files = [path for path in PACKAGE.rglob("*.py") if path != THE_ONE_PLACE and HISTORY not in path.parents]
    assert [f"{path}:{line}" for path in files for line in names_of_adapters(ast.parse(path.read_text()))] == []


@pytest.mark.parametrize(
    "code",
    ["a.type != 'duckdb'", "adapter in ('postgres', b)", "{'duckdb': 1}[adapter]", "match a:\n case 'spark': pass"],
)
def test_the_rule_can_be_broken(code: str) -> None:
    """The reader above sees the forms in which a name is asked for."""
    assert list(names_of_adapters(ast.parse(code))) in ([1], [2])


def test_of_an_unknown_adapter_nothing_is_claimed() -> None:
    """Whoever is not known goes the slow and careful way."""
    unknown = capabilities_of("some_new_one")
    assert unknown == Capabilities()
    assert not any(getattr(unknown, field.name) for field in fields(unknown) if field.type == "bool")
    assert (unknown.type_name_sql, unknown.row_digest_sql) == (None, "null")


def test_every_claim_has_a_reader() -> None:
    """A field that no code asks for is not there yet."""
    attributes = {
        node.attr
        for path in PACKAGE.rglob("*.py")
        if path != THE_ONE_PLACE
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert [field.name for field in fields(Capabilities) if field.name not in attributes] == []


class AnotherDatabase:
    """A database that knows nothing of DuckDB's functions."""

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Refuse what only DuckDB understands."""
        raise AssertionError(sql)

    def catalog(self) -> Catalog:
        """Return what is in it: nothing."""
        return Catalog()


def test_a_database_without_replay_is_not_asked_what_only_duckdb_knows() -> None:
    """The look before a stage works on any database; why nothing is replayed is said afterwards."""
    assert DatabaseState.of(AnotherDatabase(), capabilities_of("postgres")) == DatabaseState(Catalog(), frozenset())
