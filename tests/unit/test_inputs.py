"""Inputs of a node: their kinds, the words for a change, and what templates and Python can read."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from dbt_common.clients.jinja import get_environment

from orchestrator.core.file_patterns import files_matching
from orchestrator.database.catalog import Catalog, Relation
from orchestrator.dbt_runner.analysis.named_files import NamedFiles
from orchestrator.dbt_runner.analysis.named_relations import CATALOG, COMPUTED, LOOKED_UP, relations_read
from orchestrator.dbt_runner.analysis.not_reproducible import CLOCK, RANDOM, not_reproducible, python_not_reproducible
from orchestrator.dbt_runner.analysis.python_code import names_in, python_parts, reads_anything
from orchestrator.dbt_runner.analysis.sql_parts import SqlParts
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.input_kinds import COMPARED, KINDS
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.ledger.changes import UNRECORDED, Change, changes
from orchestrator.ledger.watched import with_watched
from orchestrator.ledger.wording import told_change
from orchestrator.maintenance.doctor.inputs_check import check_inputs
from tests.unit.test_healing_plan import node, project

PAGE = Path(__file__).parents[2] / "docs" / "what-is-compared.md"
ENVIRONMENT = get_environment(None, capture_macros=True)


def test_every_kind_of_input_is_on_its_page() -> None:
    """The page has a row for each kind of the code, and for nothing else."""
    tables = PAGE.read_text(encoding="utf-8").partition("## What no fingerprint holds")[0]
    assert sorted(re.findall(r"^\| `([^`]+)` \|", tables, re.MULTILINE)) == sorted(KINDS)


def test_a_ledger_that_recorded_less_is_read() -> None:
    """What a version wrote that compared less has changed, and nothing more is said of it."""
    now = {"model a": "1", COMPARED: "2"}
    assert changes({"model a": "0"}, now) == (UNRECORDED,)
    assert [one.what for one in changes({"model a": "0", COMPARED: "2"}, now)] == ["model a"]


def test_parts_of_a_node_that_is_gone_are_not_told_one_by_one() -> None:
    """Its name says it all; that something in the project is another comes after what it is."""
    before = {"model a": "1", "config rate of a": "1", "place of a": "main.a", "the project": "1", "var x": "1"}
    now = {"the project": "2", "var x": "2"}
    assert [one.what for one in changes(before, now)] == ["model a", "var x", "the project"]


@pytest.mark.parametrize(
    ("what", "before", "after", "said"),
    [
        ("source ext.rates", "main.a", "main.b", "source ext.rates is now main.b (was main.a)"),
        ("target name", '"dev"', '"prod"', "target is now prod (was dev)"),
        ("target schema", '"a"', '"b"', "target schema is now b (was a)"),
        ("meta rate of x", None, "2", "meta rate of x is now 2 (was not set)"),
        ("config rate of x", "checksum 1", "checksum 2", "config rate of x changed"),
        ("config rate of x", None, "checksum 2", "config rate of x is new"),
        ("file data/rates.csv", "a1", "b2", "file data/rates.csv changed"),
        ("var RATE of the environment", "a1", "b2", "environment variable RATE changed"),
        ("profile setting nulls", "1", "2", "profile setting nulls is now 2 (was 1)"),
        ("rows of source ext.rates", "2", "3", "rows of source ext.rates is now 3 (was 2)"),
    ],
)
def test_a_change_is_told_in_words(what: str, before: str | None, after: str | None, said: str) -> None:
    """Values are shown where they say something; checksums never are."""
    assert told_change(Change.of(what, before, after)) == said


@pytest.mark.parametrize(
    ("code", "reads"),
    [
        ("{{ target['schema'] }}{{ target.get('threads') }}", {"target.schema", "target.threads"}),
        ("{% set t = target %}{{ t.name }}", {"target"}),
        ("{{ model.config.meta }}", {"model.config"}),
        ("{{ graph.nodes.values() }}", {"graph"}),
        ("{{ config.get('meta') }}", {"config"}),
        ("{% for name in context %}{{ name }}{% endfor %}", {"unknown"}),
        ("{% for one in results %}{{ one.node.name }}{% endfor %}{{ schemas | join }}", {"results", "schemas"}),
        ("{{ outer() }}", {"target.type"}),
        ("{{ of_dbt() }}", set()),
        ("{% set target = 1 %}{{ target }}", set()),
    ],
)  # fmt: skip
def test_what_a_template_reads_is_noted(code: str, reads: set[str]) -> None:
    """Macros of the project count with what they read; those of dbt go by its version."""
    of_dbt = "{% macro of_dbt() %}{{ model.alias }}{% endmacro %}"
    macros = [("outer", "{% macro outer() %}{{ target.type }}{% endmacro %}"), ("of_dbt", of_dbt)]
    assert TemplateAnalysis(ENVIRONMENT, macros, frozenset({"year"}), {of_dbt}).of(code).reads == reads


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("select * from read_csv_auto('a.csv', header=true)", {"a.csv"}),
        ("select * from read_parquet(['a.csv', 'b/*.csv'])", {"a.csv", "b/*.csv"}),
        ("from 'gone.parquet'", {"gone.parquet"}),
        ('select * from "a.csv" join "other"', {"a.csv"}),
        ("from read_json('b/{{ var(\"known\") }}.json')", {"b/k.json"}),
        ("from read_json('b/{{ year }}.json')", {"b/*.json"}),
        ("from '{{ one }}/{{ var(\"known\") }}.csv'", {"x/k.csv", "y/k.csv"}),
        ("{% set path = 'a.csv' %}", {"a.csv"}),
        ("select 'a.csv' as n, 'x' as m -- from 'c.csv'", {"a.csv"}),
        ("select 'not there.csv' as n, extract(year from '2020')", set()),
        ("attach 'a.duckdb'; from 'x.db'", set()),
        ("from $$a.csv$$", {"a.csv"}),
        ("from read_csv($q$a.csv$q$)", {"a.csv"}),
        ("select $$it's$$, $1, * from read_csv('a.csv')", {"a.csv"}),
        ("select E'it\\'s', * from read_csv(E'\\x61.csv')", {"a.csv"}),
        ("select * from query('select * from ''gone.csv'' ')", {"gone.csv"}),
        ("{% set p %}a.csv{% endset %}{{ p }}", {"a.csv"}),
        ("from ('a.csv')", {"a.csv"}),
        ("from gone.csv", {"gone.csv"}),
        ("from 'file:///a/b.csv'", {"/a/b.csv"}),
        ("from read_csv(['gone.csv', 'not there.csv'])", {"gone.csv", "not there.csv"}),
        ('{{ run_query("from read_csv(\'" ~ path ~ "\')") }}', set()),
    ],
)
def test_files_in_sql_are_found(sql: str, named: set[str], tmp_path: Path) -> None:
    """Where a file is read, its name counts; elsewhere only that of a file that is there."""
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one.csv").write_text("a")
    values = {'var("known")': ("k",), "year": ("*",), "one": ("x", "y")}
    found = NamedFiles.of(SqlParts.of(ENVIRONMENT, sql), values.get, tmp_path)
    assert found.patterns == named
    assert not found.computed


def test_files_elsewhere_and_without_a_name_are_told_apart(tmp_path: Path) -> None:
    """What cannot be read from here, and what cannot be told at all, are known as such."""
    parts = SqlParts.of(ENVIRONMENT, "from read_csv('https://a/b.csv'), read_csv('{{ x }}'); copy t to 'c.csv'")
    found = NamedFiles.of(parts, lambda _: None, tmp_path)
    assert found.computed
    assert set(found.remote) == {"https://a/b.csv"}
    assert set(found.written) == {"c.csv"}


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv(concat('data/', 'a.csv'))",
        "from read_csv('data/' || 'a.csv')",
        "from read_csv(getvariable('path'))",
        "from read_csv('a'\n'.csv')",
        "from query('from ' || x)",
        "from read_csv(list_value('a.csv'))",
        "{% set p = 'data/' ~ name ~ '.csv' %}from read_csv('{{ p }}')",
        '{{ run_query("from read_csv(\'data/" ~ name ~ "\')") }}',
        "{{ 'read_csv(' ~ (['data', name] | join('/')) ~ ')' }}",
        "from read_parquet('{{ folder() }}/a.parquet')",
        "{% set f = 'd' ~ 3 ~ '.csv' %}select * from '{{ f }}'",
        "select * from '{{ ['sub', 'd12.csv'] | join('/') }}'",
        "select * from '{{ 'D1.CSV' | lower }}'",
        "from read_json('b/{{ something }}.json')",
        "from read_csv(['a.csv', 'b/{{ something }}/a.csv'])",
        "from '{{ var(\"folder\") }}/a.csv'",
    ],
)
def test_names_that_are_computed_are_known_to_be(sql: str, tmp_path: Path) -> None:
    """What stands in the place of a file's name and is no literal may be any file."""
    assert NamedFiles.of(SqlParts.of(ENVIRONMENT, sql), lambda _: None, tmp_path).computed


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("select * from main.x", {"main.x"}),
        ("select 1 from x, main.y as z where a in (select b from q.r)", {"x", "main.y", "q.r"}),
        ("select a is distinct from b from {{ ref('a') }} as t, unnest(t.list)", set()),
        ("with recursive t(n) as (select 1 union all select n + 1 from t) select * from t", set()),
        ("select extract(year from d), trim(both ' ' from e), substring(f from 2) from {{ this }}", set()),
        ('select * from read_csv(\'a.csv\'), "main"."x"', {"main.x"}),
        ("select * from {{ target.schema }}.rates", {"*.rates"}),
        ("select * from {{ var('table') }}", {"the relation that table names"}),
        ("{{ run_query('select 1 from raw.t') }}", {"raw.t"}),
        ("{{ log('rows come from the table') }}", set()),
        ("select * from information_schema.tables, duckdb_tables()", {CATALOG}),
        ("{% set r = adapter.get_relation(database, schema, 'x') %}", {LOOKED_UP}),
        ("{% set r = adapter.get_relation(this.database, this.schema, this.name) %}", set()),
        ("-- from old\nselect 'from x' from {{ ref('a') }}", set()),
    ],
)
def test_relations_that_dbt_knows_no_edge_to_are_found(sql: str, named: set[str]) -> None:
    """What stands after FROM by its plain name counts, and none of the words that only look like it."""
    assert relations_read([SqlParts.of(ENVIRONMENT, sql)]) == named


@pytest.mark.parametrize(
    "sql",
    [
        "from (select 1 as z) t, main.rates r",
        "from (values (1)) t(z), main.rates r",
        "select 1 from {{ ref('a') }} a join {{ ref('b') }} b on a.x=b.x, main.rates r",
        "from 'd1.csv' f, main.rates r",
        "from unnest([1]) with ordinality t(q,i), main.rates r",
        "select exists (select 1 from (select 1) s, rates r)",
        "unpivot main.rates on x",
        "table main.rates",
        "select * from (\tmain.rates)",
        "{% set x=run_query('table main.rates') %}",
        "{{run_query('summarize main.rates')}}",
        "select * from query('from main.rates')",
        "select * from query_table('rates')",
        "merge into {{ this }} using rates on true",
        "{% set t='main.rates' %}select * from {{ t }}",
        "select * from {{ 'main.' ~ 'rates' }}",
        "select * from {{ ref('base').replace_path(identifier='rates') }}",
        "{% for t in ['rates'] %}select * from {{ t }}{% endfor %}",
        "from r: main.rates",
        "select * from {{ config.get('reads') }}",
        "select 1 from duckdb_sequences()",
        "{% set t = var('rel') %}from {{ t }}",
        "select * from {{ this | string | replace('a','b') }}",
        "select x from (select x from {{ ref('a') }}) t, main.rates",
    ],
)
def test_no_relation_is_overlooked(sql: str) -> None:
    """However it is written, or computed: something is named."""
    assert relations_read([SqlParts.of(ENVIRONMENT, sql)])


@pytest.mark.parametrize(
    "sql",
    [
        'select x as "from", x as "join" from {{ ref(\'a\') }}',
        'with "my cte" as (select 1) select * from "my cte" as "from x"',
        "with {% for n in ['aa','bb'] %}{{ n }} as (select 1),{% endfor %} z as (select 1) select * from aa join bb",
        "select 1 from b: {{ ref('a') }}",
        "from (from {{ ref('a') }} b select b.x) q select q.x",
        "with c as (select 1) select * from (pivot c on s using sum(x))",
        "select * from (describe select 1 from {{ ref('a') }})",
        "select x is distinct  from x from {{ ref('a') }}",
        "from d7.csv",
        "select (select max(x) from {{ ref('a') }}), b.y from {{ ref('b') }} b",
        "{% set r = ref('a') %}select * from {{ r }}",
        "{% for r in [ref('a'), ref('b')] %}select * from {{ r }}{% endfor %}",
        "select * from {{ dbt_utils.union_relations([ref('a')]) }}",
        "select sum(x) over (partition by y order by z), a.b from {{ref('a')}} a where x in (1,2)",
        "select * from generate_series(1,2) g, lateral (select g)",
        "select * from {{ this }} t where exists (select 1 from {{ ref('a') }} a where a.x=t.x), 3",
    ],
)
def test_nothing_is_taken_for_a_relation(sql: str) -> None:
    """Words, aliases, common table expressions and what ``ref`` gives are none."""
    assert relations_read([SqlParts.of(ENVIRONMENT, sql)]) == frozenset()


PICK = "{% macro pick(relation, alias=none) %}select * from {{ relation }} {{ alias }}{% endmacro %}"
THROUGH = "{% macro through(table) %}{{ pick(relation=table) }}{% endmacro %}"
UNION = "{% macro union(tables) %}{% for one in tables %}select * from {{ one }} union all {% endfor %}{% endmacro %}"
SENT = "{% macro latest(table) %}{{ return(adapter.dispatch('latest', 'own')(table)) }}{% endmacro %}"
DEFAULT = "{% macro default__latest(table) %}select * from {{ table }}{% endmacro %}"
RENAMED = "{% macro pick(relation) %}{% set relation = relation ~ '_old' %}select * from {{ relation }}{% endmacro %}"


@pytest.mark.parametrize(
    "templates",
    [
        ["{{ pick(ref('a')) }}", PICK],
        ["{{ own.pick(source('a', 'b'), 'x') }} union all {{ pick(alias='y', relation=ref('a', v=2)) }}", PICK],
        ["{{ through(this) }}", THROUGH, PICK],
        ["{{ union([ref('a'), source('b', 'c'), this]) }}", UNION],
        ["{% set all = [ref('a'), ref('b')] %}{{ union(all) }}", UNION],
        ["{% set all = [] %}{% for one in [ref('a')] %}{{ pick(one) }}{% endfor %}", PICK],
        ["{{ latest(ref('a')) }}", SENT, DEFAULT],
    ],
)
def test_a_macro_that_is_handed_relations_computes_no_name(templates: list[str]) -> None:
    """Every call hands over what ``ref`` and ``source`` return, maybe through another macro: dbt knows the edge."""
    assert relations_read([SqlParts.of(ENVIRONMENT, one) for one in templates]) == frozenset()


@pytest.mark.parametrize(
    "templates",
    [
        [PICK],
        ["{{ pick('plain') }}", PICK],
        ["{{ pick(ref('a')) }} {{ pick('plain') }}", PICK],
        ["{{ pick(ref('a') ~ '_old') }}", PICK],
        ["{{ pick() }}", PICK],
        ["{{ pick(ref('a')) }}", RENAMED],
        ["{{ through('plain') }} {{ pick(ref('a')) }}", THROUGH, PICK],
        ["{{ union([ref('a'), 'plain']) }}", UNION],
        ["{% set all = [ref('a')] %}{% set all = all + ['b'] %}{{ union(all) }}", UNION],
        ["{{ latest(ref('a')) }} {{ adapter.dispatch('latest')('plain') }}", SENT, DEFAULT],
        ["{{ pick(ref('a')) }} {{ pick('(') }}", PICK],
        ["{{ pick(ref('a')) }} {% set other = pick %}{{ other('plain') }}", PICK],
        ["{{ pick(ref('a')) }} {{ context['pick']('plain') }}", PICK],
    ],
)
def test_a_macro_that_may_be_handed_a_text_computes_a_name(templates: list[str]) -> None:
    """One call is enough, and so is none that is seen."""
    assert relations_read([SqlParts.of(ENVIRONMENT, one) for one in templates]) == {COMPUTED}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import time as t\nt.ctime()", (CLOCK,)),
        ("f = date.today\nf()", (CLOCK,)),
        ("from random import random as r\nr()", (RANDOM,)),
        ("import random\nrandom.random()\ndbt.ref('my_seed')", (RANDOM,)),
        ("import random\nrandom.seed(1)\nrandom.random()", ()),
        ("dbt.ref('seed').df()", ()),
    ],
)
def test_what_is_not_reproducible_in_python_is_found(code: str, found: tuple[str, ...]) -> None:
    """Under whatever name it is imported; a seed that is set counts, and the word alone does not."""
    assert python_not_reproducible(code) == found


def test_docstrings_are_no_sql() -> None:
    """What a model is about is no SQL, a relation that is opened by its name is one."""
    code = 'def model(dbt, session):\n    """Select all from customers."""\n    return session.table("rates")'
    assert relations_read([python_parts(code)]) == {"rates"}


def test_data_frames_are_no_relations() -> None:
    """SQL in Python may read a variable by its name."""
    code = (
        "def model(dbt, session):\n    frame = dbt.ref('a').df()\n    return session.sql('select * from frame, other')"
    )
    assert relations_read([python_parts(code)], names_in(code)) == {"other"}


def test_a_pattern_stands_for_the_files_that_match_it(tmp_path: Path) -> None:
    """One name is one file, there or not; a glob is those that are there."""
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(name)
    assert [file.name for file in files_matching("*.csv", tmp_path)] == ["a.csv", "b.csv"]
    assert [file.name for file in files_matching("c.csv", tmp_path)] == ["c.csv"]


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select current_date, 'random()'", (CLOCK,)),
        ("{% set now = modules.datetime.datetime.utcnow() %}", (CLOCK,)),
        ("select {{ dbt.current_timestamp() }}", (CLOCK,)),
        ("select * from t using sample 10", (RANDOM,)),
        ("select * from t tablesample reservoir(10) repeatable (7)", ()),
        ("select setseed(0.5), random()", ()),
        ("select hash(a) from t /* now() */", ()),
    ],
)
def test_what_is_not_reproducible_is_found(sql: str, found: tuple[str, ...]) -> None:
    """Neither comments nor texts count, nor does what has a seed."""
    assert not_reproducible([SqlParts.of(ENVIRONMENT, sql)], seeded=False) == found


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("return dbt.ref('a').df()", None),
        ("import pandas\n    return dbt.config.get('a')", None),
        ("return open('a').read()", "it calls open"),
        ("import pandas as pd\n    return pd.read_csv('a')", "it calls read_csv"),
        ("from pathlib import Path", "it imports pathlib"),
        ("return dbt.anything()", "it reads dbt.anything"),
        ("return (", "it cannot be read"),
        ("return session.sql('select 1')", None),
        ("return session.sql(f'select {1}')", None),
        ("return session.sql('from ' + name)", "it calls sql with what it computes"),
        ("import duckdb\n    return duckdb.query(text)", "it calls query with what it computes"),
        ("return session.sql(query='select * from ' + t)", "it calls sql with what it computes"),
        ("run = session.sql\n    return run('from ' + t)", "it hands on sql"),
        ("return session.table('rates')", None),
        ("return session.table('ra' + 'tes')", "it calls table with what it computes"),
        ("from duckdb import sql as s\n    return s(q)", "it imports sql from duckdb"),
        ("import duckdb\n    return duckdb.connect('o.db').table('t')", "it calls connect"),
        ("return __builtins__['open']('a')", "it calls __builtins__"),
        ("import statistics\n    return statistics.sys.modules['os'].environ", "it calls environ"),
        ("return session.table_function('read_csv', ['a.csv'])", "it calls table_function with what it computes"),
    ],
)
def test_python_reads_anything_unless_it_is_known_not_to(body: str, why: str | None) -> None:
    """A python model of tables and config alone is known; every other may read the whole world."""
    assert reads_anything(f"def model(dbt, session):\n    {body}") == why


class Loaded:
    """A database that holds one table with three rows."""

    def __init__(self, source: SourceFacts) -> None:
        self.asked: list[str] = []
        self._catalog = Catalog({source.relation: Relation("table", ())})

    def query(self, sql: str) -> list[tuple[object, ...]]:
        """Count."""
        self.asked.append(sql)
        return [(3, 42 if "hash" in sql else None)]

    def catalog(self) -> Catalog:
        """Show it."""
        return self._catalog


@pytest.mark.parametrize(("watch", "value"), [("rows", "3"), ("content", "3, checksum 42"), (None, None)])
def test_rows_of_a_watched_source_are_an_input(watch: str | None, value: str | None) -> None:
    """They count for the nodes that read the source; of one that nobody watches, nothing is asked."""
    source = SourceFacts("source.p.ext.rates", "rates", "ext", "m.yml", "db", "main", "rates", None, watch)
    reader = node("reader", "table", ["source.p.ext.rates"])
    facts = project([reader, node("other")], (source,))
    database = Loaded(source)
    seen = with_watched(facts, database)
    read = dict(seen.nodes[0].reads)
    assert read.get("rows of source ext.rates") == value
    assert seen.nodes[1].reads == ()
    assert len(database.asked) == (watch is not None)
    assert seen.decided_by(reader) == {"model reader": "0", **read}
    gone = replace(source, identifier="gone")
    if watch is not None:
        assert dict(with_watched(project([reader], (gone,)), database).nodes[0].reads).popitem()[1] == "missing"


def test_doctor_names_what_is_not_compared() -> None:
    """Sources that others load, and nodes that are not reproducible, in one line each."""
    source = SourceFacts("source.p.ext.rates", "rates", "ext", "m.yml", "db", "main", "rates", None)
    watched = replace(source, unique_id="source.p.ext.b", name="b", identifier="b", watch="rows")
    clock = replace(node("clock"), unseen=(CLOCK,))
    first, second = check_inputs(project([clock], (source, watched)))
    assert first.detail.startswith("1 source of which the rows are not compared") and first.detail.endswith("ext.rates")
    assert second.detail == "not reproducible, reads the clock: clock"
    (fine,) = check_inputs(project([node("a")], (watched,)))
    assert fine.detail == "all that 1 node can read is compared, 1 source watched"
