"""What of a recorded node is sent again, and what raises a doubt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.replay.node_sql import doubt_of_hook, joined
from orchestrator.dbt_runner.replay.recording import RecordedNode, Statement, created_within

COMMENT = '/* {"app": "dbt", "dbt_version": "1.11.2026"} */'
SQL = "select 2026 as year"
RESULT = NodeResult("model.p.m", "m", "model", "success", 0.1, None, "OK", "models/m.sql")
MODEL = RecordedNode(
    RESULT,
    RelationName.of("db", "main", "m"),
    SQL,
    (
        f"{COMMENT} select type from duckdb_databases()",
        f"{COMMENT} create temporary table m__dbt_tmp20261121124530123456 as ({SQL})",
        "BEGIN",
        f"{COMMENT} insert into m (year) (select year from m__dbt_tmp20261121124530123456)",
        "COMMIT",
    ),
)
TEST = replace(MODEL, relation=None, statements=("BEGIN", f"select count(*), false, false from ({SQL}) t", "ROLLBACK"))


def texts(statements: tuple[Statement, ...]) -> tuple[str, ...]:
    """Return what is sent."""
    return tuple(one.text for one in statements)


def test_the_sql_and_the_temporary_names_are_replaced() -> None:
    """Look-ups are left out; the rest is sent with the year's SQL and a new suffix."""
    assert MODEL.doubt(["2026"]) is None
    assert texts(MODEL.statements_for("select 2027 as year", "1" * 20)) == (
        f"{COMMENT} create temporary table m__dbt_tmp{'1' * 20} as (select 2027 as year)",
        "BEGIN",
        f"{COMMENT} insert into m (year) (select year from m__dbt_tmp{'1' * 20})",
        "COMMIT",
    )


def test_sql_that_looks_like_a_temporary_name_is_left_alone() -> None:
    """Only dbt's part of a statement has its suffix replaced."""
    tricky = "select 'm__dbt_tmp20200101010101010101' as a, {} as year"
    node = replace(MODEL, compiled=tricky.format(1), statements=(f"create table m as ({tricky.format(1)})",))
    assert node.doubt([]) is None
    assert texts(node.statements_for(tricky.format(2), "1" * 20)) == (f"create table m as ({tricky.format(2)})",)


def test_a_test_is_its_one_question() -> None:
    """Of a test only the query is sent."""
    assert TEST.doubt(["2026"]) is None
    assert texts(TEST.statements_for("select 1", "")) == ("select count(*), false, false from (select 1) t",)


@pytest.mark.parametrize(
    ("statement", "doubt"),
    [
        ("grant select on m to you", "it sends GRANT"),
        ("", "it sends nothing"),
        (f"create table m as ({SQL} union {SQL})", "its compiled SQL appears in an unexpected statement"),
        (f"delete from m where year in ({SQL})", "its compiled SQL appears in an unexpected statement"),
        (f"create table n as ({SQL})", "its compiled SQL is in 2 of its statements"),
        ("delete from m where year = 2026", "the year appears outside its compiled SQL"),
    ],
)
def test_what_is_not_explained_is_a_doubt(statement: str, doubt: str) -> None:
    """A statement that is not dbt's usual one, or not made of the compiled SQL alone, is left to dbt."""
    assert replace(MODEL, statements=(*MODEL.statements, statement)).doubt(["2026"]) == doubt


HOOKED = replace(
    MODEL,
    compiled=joined(SQL, ["", "delete from m where year = 2026", "insert into log values (2026)"]),
    statements=(
        "BEGIN",
        f"{COMMENT}\n\n        delete from m where year = 2026\n      ",
        f"{COMMENT} create table m as ({SQL})",
        f"{COMMENT}\n\n        insert into log values (2026)\n      ",
        "COMMIT",
    ),
)


def test_hooks_are_sent_with_their_own_text() -> None:
    """Whatever they do; one that says nothing has no statement."""
    assert HOOKED.doubt(["2026"]) is None
    other = joined("select 2027 as year", ["", "delete from m where year = 2027", "insert into log values (2027)"])
    assert texts(HOOKED.statements_for(other, "1" * 20)) == (
        "BEGIN",
        f"{COMMENT}\n\n        delete from m where year = 2027",
        f"{COMMENT} create table m as (select 2027 as year)",
        f"{COMMENT}\n\n        insert into log values (2027)",
        "COMMIT",
    )
    again = HOOKED.with_sql(other, "k")
    assert again.doubt(["2027"]) is None
    assert again.unfit(HOOKED.compiled) is None


@pytest.mark.parametrize(
    "hooks", [["", "", "insert into log values (1)"], ["select 1", "delete from m", "select 1"], []]
)
def test_a_hook_that_is_silent_in_one_year_has_no_place(hooks: list[str]) -> None:
    """Where it would stand in the other one, dbt alone can tell."""
    assert HOOKED.unfit(joined(SQL, hooks)) == "a hook of m says something in one year and nothing in another"


@pytest.mark.parametrize(
    ("hooks", "doubt"),
    [
        (["delete from m where year = 2026"], "the year appears outside its compiled SQL"),
        (
            ["delete from m where year = 2026", "insert into log values (2025)"],
            "its hooks are not sent once and as they are",
        ),
        (
            ["insert into log values (2026)", "delete from m where year = 2026"],
            "its hooks are not sent once and as they are",
        ),
        (["BEGIN"], "of its hooks, it sends BEGIN"),
    ],
    ids=["unknown", "other text", "other order", "transaction"],
)
def test_a_hook_that_is_not_found_is_a_doubt(hooks: list[str], doubt: str) -> None:
    """Each stands in one statement of its own, in their order."""
    assert replace(HOOKED, compiled=joined(SQL, hooks)).doubt(["2026"]) == doubt


def test_a_hook_of_a_command_is_its_text() -> None:
    """And sends nothing else."""
    hook = replace(
        MODEL, result=replace(RESULT, resource_type="operation"), relation=None, compiled="insert into a select 1"
    )
    sent = replace(hook, statements=(f"{COMMENT} insert into a select 1",))
    assert sent.doubt(["1"]) is None
    assert texts(sent.statements_for("insert into a select 2", "")) == (f"{COMMENT} insert into a select 2",)
    assert sent.unfit(" ") == "hook m says something in one year and nothing in another"
    assert sent.unfit("insert into a select 2; commit") == "hook m: it sends COMMIT"
    assert replace(hook, statements=("select 1", "insert into a select 1")).doubt([]) == "it sends more than its text"


def test_sql_that_is_nowhere_or_asked_twice_is_a_doubt() -> None:
    """A model whose SQL never appears, and a test with two queries, are left to dbt."""
    assert replace(MODEL, compiled="select 1").doubt([]) == "its compiled SQL is in 0 of its statements"
    assert replace(TEST, statements=TEST.statements * 2).doubt([]) == "its query is not sent exactly once on its own"


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (["BEGIN", 'create temp table "a__dbt_tmp1" as (select 1)', "commit"], (1, '"a__dbt_tmp1"')),
        (["/* x */ begin;", '/* x */\n create table "d"."s"."a b" as (\n select 1\n)'], (1, '"d"."s"."a b"')),
        (["begin", "create or replace view s.v as (select 1)"], (1, "s.v")),
        (["begin", "commit", "create table a as (select 1)"], None),
        (["create temp table a as (select 1)"], None),
        (["begin", "insert into a (select 1)"], None),
        (["begin", "create table a (x int) as (select 1)"], None),
        (["begin", "drop table a"], None),
    ],
)
def test_what_a_query_is_made_into_is_known_while_a_transaction_is_open(
    statements: list[str], found: tuple[int, str] | None
) -> None:
    """Its columns are looked at then, in place of those of the query, and nothing of it stays where they are others."""
    assert created_within([Statement(text) for text in statements], "select 1") == found


def test_a_hook_that_holds_the_query_is_not_taken_for_it() -> None:
    """Columns are looked at in what the materialization makes, however a hook is written."""
    statements = [Statement("BEGIN"), Statement("create table a as (select 1)", is_hook=True)]
    assert created_within([*statements, Statement("create table m as (select 1)")], "select 1") == (2, "m")


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("insert into l values ('one; two 1', $$ ; commit $$, \"a;b\")", None),
        ("create /* x */ temp table t as select 1", "it makes something temporary"),
        ("create -- x\n or replace temporary table t as select 1", "it makes something temporary"),
        ("select '--'; commit", "it sends COMMIT"),
        ("select e'\\'; commit; '", None),
        ("select 1 /* a /* b */; commit */", "it has a comment within a comment"),
        ("alter table stock add column z int", "it sends ALTER"),
        ("drop table stock", "it sends DROP"),
        ('create or replace view main."Stock" as select 1', "it makes main.stock, which the stage may build"),
        ("create view other as select * from stock", None),
        ("create unique index i on stock (id)", None),
        ("create function f() as 1", None),
        ("insert into l select nextval('s')", "it uses a sequence, which no transaction takes back"),
        ("set threads = 1", "it sends SET"),
    ],
)
def test_what_a_hook_may_say(text: str, doubt: str | None) -> None:
    """Quotes and comments hide nothing, and are taken for nothing else."""
    assert doubt_of_hook(text, {"stock"}) == doubt


def test_the_text_of_the_year_is_judged_and_not_that_of_the_recording() -> None:
    """A hook may say what it may not in one year alone."""
    other = joined(SQL, ["", "delete from m where year = 2027", "create temp table t as select 1"])
    assert HOOKED.unfit(other) == "m: of its hooks, it makes something temporary"
