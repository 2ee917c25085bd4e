"""What the fingerprint of a node holds: everything that dbt lets it read, each kind with an edit of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import create_orchestrator
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.changes import changes
from orchestrator.ledger.wording import told_change

pytestmark = pytest.mark.slow

VIEW = "{{ config(materialized='view') }} "
FILES = {
    "dbt_project.yml": """
name: herbs
version: "1.0"
profile: herbs
flags: {send_anonymous_usage_stats: false}
vars: {price: 3, nothing: null, shelf: {height: 4}}
models:
  herbs:
    by_config: {+weight: "{{ var('size') }}"}
    by_env_config: {+weight: "{{ env_var('HERB_WEIGHT', '1') }}"}
""",
    "profiles.yml": """
herbs:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('ORCHESTRATOR_DATABASE') }}", settings: {default_order: asc}}
    prod: {type: duckdb, path: "{{ env_var('ORCHESTRATOR_DATABASE') }}", settings: {default_order: asc}}
""",
    "packages.yml": "packages: [{local: ../shelf}]\n",
    "orchestrator.yaml": "database: var/herbs.duckdb\ndbt: {project_dir: .}\nvars: {size: 2}\n",
    "data/mint.csv": "a\n1\n",
    "data/more/one.csv": "a\n1\n",
    "data/sage.csv": "a\n1\n",
    "data/out.csv": "a\n1\n",
    "data/by_hook.csv": "a\n1\n",
    "data/by_macro.csv": "a\n1\n",
    "seeds/thyme.csv": "id;n\n1;2\n",
    "seeds/s.yml": "seeds: [{name: thyme, config: {delimiter: ';', column_types: {n: integer}}}]\n",
    "macros/m.sql": "{% macro of_file() %}(from 'data/by_macro.csv'){% endmacro %}\n"
    "{% macro helper() %}{{ return(1) }}{% endmacro %}\n"
    "{% macro unused() %}1{% endmacro %}\n",
    "macros/own.sql": "{% materialization dried, default %}{% set n = helper() %}"
    "{% call statement('main') %}create or replace view {{ this }} as {{ sql }}{% endcall %}"
    "{{ return({'relations': [this]}) }}{% endmaterialization %}\n",
    "macros/as_view.sql": "{% macro duckdb__create_view_as(relation, sql) %}"
    "create or replace view {{ relation }} as {{ sql }}{% endmacro %}\n",
    "models/sources.yml": """
sources:
  - name: garden
    schema: main
    tables: [{name: rows, identifier: rows_a}, {name: sage, config: {meta: {external_location: "data/{name}.csv"}}}]
models:
  - {name: by_hook_of_python, config: {pre_hook: "set variable d = {{ var('size') }}"}}
  - name: by_header
    config: {sql_header: "create or replace temp macro h() as (select max(a) from 'data/by_header.csv');"}
  - {name: by_empty, config: {none: []}}
  - {name: by_order, config: {meta: {sizes: {small: 1, large: 2}}}}
  - {name: by_meta, description: d, config: {meta: {rate: 1}}}
  - {name: by_model, description: d, config: {meta: {rate: 1}}}
  - {name: said, description: d, config: {persist_docs: {relation: true}}}
""",
    "models/plain.sql": VIEW + "select 1 as a",
    "models/by_source.sql": VIEW + "select * from {{ source('garden', 'rows') }}",
    "models/by_location.sql": VIEW + "select * from {{ source('garden', 'sage') }}",
    "models/by_meta.sql": VIEW + "select {{ config.get('meta').rate }} as a",
    "models/by_model.sql": VIEW + "select '{{ model.description }}' as a",
    "models/by_config.sql": VIEW + "select {{ config.get('weight') }} as a",
    "models/by_env_config.sql": VIEW + "select {{ config.get('weight') }} as a",
    "models/by_target.sql": VIEW + "select '{{ target.name }}' as a",
    "models/by_target_item.sql": VIEW + "select '{{ target[\"name\"] }}{{ target.get('schema') }}' as a",
    "models/by_env.sql": VIEW + "select '{{ env_var('HERB_' ~ ('price' | upper), '') }}' as a",
    "models/by_file.sql": VIEW + "select * from read_csv('data/mint.csv')",
    "models/by_glob.sql": VIEW + "select * from read_csv('data/{{ 'mo' ~ 're' }}/*.csv')",
    "models/by_macro_file.sql": VIEW + "select * from {{ of_file() }}",
    "models/by_own_file.sql": VIEW
    + "{{ config(post_hook=\"copy (select 1) to 'data/out.csv'\") }} from 'data/out.csv'",
    "models/by_hook_file.sql": "{{ config(materialized='table', pre_hook=\"create or replace temp table t as "
    "from 'data/by_hook.csv'\") }} select 1 as a",
    "models/dried_one.sql": "{{ config(materialized='dried') }} select 1 as a",
    "models/by_graph.sql": VIEW + "select {{ graph.nodes | length }} as a",
    "models/by_project.sql": VIEW + "select '{{ project_name }}' as a",
    "models/said.sql": VIEW + "select 1 as a",
    "models/clock.sql": VIEW + "select now() as a, 'current_date' as b",
    "models/dice.sql": VIEW + "select random() as a -- now()",
    "models/afar.sql": VIEW + "select * from read_parquet('s3://herbs/all.parquet')",
    "models/frame.py": "import os\ndef model(dbt, session):\n    return session.sql('select 1 as a')\n",
    "models/plain_frame.py": "def model(dbt, session):\n    return session.sql('select 1 as a')\n",
    "models/by_sql_of_python.py": "def model(dbt, session):\n    name = 'mint'\n"
    "    return session.sql(f\"from 'data/{name}.csv'\")\n",
    "models/by_hook_of_python.py": "def model(dbt, session):\n"
    "    return session.query(\"select * from read_csv('data/mint.csv')\")\n",
    "models/by_query.sql": VIEW + "select * from query('from $$data/mint.csv$$')",
    "models/by_block.sql": VIEW + "{% set p %}data/mint.csv{% endset %} select * from read_csv('{{ p }}')",
    "models/by_escape.sql": VIEW + "select $$it's$$ as b, * from read_csv(E'data/\\x6dint.csv')",
    "data/by_folder/y=2020/a.csv": "a\n1\n",
    "data/by_header.csv": "a\n1\n",
    "models/by_folder.sql": VIEW + "select * from read_csv('data/by_folder/*/a.csv', hive_partitioning=true)",
    "models/by_header.sql": "{{ config(materialized='table') }} select h() as a",
    "models/by_order.sql": VIEW + "select '{% for k in config.get('meta')['sizes'] %}{{ k }}{% endfor %}' as a",
    "models/by_empty.sql": VIEW
    + "select {{ config.get('none', ['z']) | length }} as a, '{{ var('nothing', 7) }}' as b",
    "models/joined.sql": VIEW + "select * from read_csv(concat('data/', 'mint.csv'))",
    "models/joined_by_jinja.sql": VIEW
    + "{% set p = 'data/' ~ ('mint' | lower) ~ '.csv' %}select * from read_csv('{{ p }}')",
    "models/without_ref.sql": VIEW + "with a as (select 1 as a) select a.a from a, main.plain as p",
    "models/columns.sql": VIEW + "select count(*) as n from information_schema.columns",
    "models/opened.sql": "{{ config(materialized='table', pre_hook=\"attach 'other.db' as o\") }} select 1 as a",
    "../shelf/dbt_project.yml": "name: shelf\nversion: '1.0'\nvars: {depth: 5}\n",
    "../shelf/macros/s.sql": "{% macro board() %}{{ var('depth', 0) }}{% endmacro %}\n",
    "../shelf/models/on_shelf.sql": VIEW + "select {{ var('depth') }} as a, {{ var('height') }} as b",
    "models/by_package.sql": VIEW + "select {{ shelf.board() }} as a",
}
EDITS = {
    "dbt_project.yml": [("height: 4", "height: 40"), (" nothing: null,", "")],
    "data/mint.csv": [("1", "2")],
    "data/sage.csv": [("1", "2")],
    "data/out.csv": [("1", "2")],
    "data/by_hook.csv": [("1", "2")],
    "data/by_header.csv": [("1", "2")],
    "data/by_macro.csv": [("1", "2")],
    "seeds/s.yml": [("n: integer", "n: bigint")],
    "macros/m.sql": [("return(1)", "return(2)"), ("unused() %}1", "unused() %}2")],
    "macros/as_view.sql": [("create or", "create  or")],
    "models/sources.yml": [
        ("rows_a", "rows_b"),
        ("rate: 1", "rate: 2"),
        ("small: 1, large: 2", "large: 2, small: 1"),
        ("description: d", "description: e"),
        (", config: {none: []}", ""),
    ],
    "../shelf/dbt_project.yml": [("depth: 5", "depth: 50")],
    "../shelf/macros/s.sql": [("'depth', 0", "'depth', 1")],
}


@pytest.fixture(scope="module")
def herbs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which each model reads one thing; dbt's deps are a link, as for any local package."""
    root = tmp_path_factory.mktemp("garden") / "herbs"
    for name, text in FILES.items():
        path = (root / name).resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "dbt_packages").mkdir()
    (root / "dbt_packages" / "shelf").symlink_to(root.parent / "shelf")
    patch = pytest.MonkeyPatch()
    patch.setenv("HERB_WEIGHT", "1")
    patch.setenv("HERB_PRICE", "1")
    yield root
    patch.undo()


@pytest.fixture(scope="module")
def before(herbs: Path) -> ProjectFacts:
    """The facts of the project as it is written."""
    return parsed(herbs)


@pytest.fixture(scope="module")
def after(herbs: Path, before: ProjectFacts) -> ProjectFacts:
    """The facts after every edit at once, with another target and environment."""
    for name, edits in EDITS.items():
        path = (herbs / name).resolve()
        text = path.read_text()
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text)
    shutil.copy(herbs / "data" / "more" / "one.csv", herbs / "data" / "more" / "two.csv")
    (herbs / "data" / "by_folder" / "y=2020").rename(herbs / "data" / "by_folder" / "y=2021")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HERB_WEIGHT", "7")
        patch.setenv("HERB_PRICE", "7")
        return parsed(herbs, {"dbt.target": "prod", "vars.size": 20})


def parsed(root: Path, overrides: dict[str, object] | None = None) -> ProjectFacts:
    """Parse a project."""
    with create_orchestrator(root / "orchestrator.yaml", overrides=overrides or {}) as orchestrator:
        return orchestrator.runner.facts()


def told(name: str, before: ProjectFacts, after: ProjectFacts) -> list[str]:
    """Say what differs of a node."""
    then, now = before.buildable(name), after.buildable(name)
    assert then is not None and now is not None
    variables = (
        {f"var {one}": value for one, value in facts.inputs_of(node).items()}
        for facts, node in ((before, then), (after, now))
    )
    found = changes(before.decided_by(then), after.decided_by(now)) + changes(*variables)
    return [told_change(change) for change in found if change.what != "macro duckdb__create_view_as"]


def test_an_untouched_project_has_the_same_inputs(herbs: Path, before: ProjectFacts) -> None:
    """A parse from nothing finds the very inputs that the first one found, also in nodes that may read anything."""
    shutil.rmtree(herbs / "var" / "dbt")
    again = parsed(herbs)
    assert [(node.name, node.code, node.inputs, node.reads) for node in again.nodes] == [
        (node.name, node.code, node.inputs, node.reads) for node in before.nodes
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("plain", []),
        ("by_source", ["source garden.rows is now main.rows_b (was main.rows_a)"]),
        ("by_location", ["file data/sage.csv changed"]),
        ("by_meta", ["meta rate of by_meta is now 2 (was 1)"]),
        ("by_model", ["entry of by_model changed", "meta rate of by_model is now 2 (was 1)"]),
        ("by_config", ["config weight of by_config is now 20 (was 2)"]),
        ("by_env_config", ["config weight of by_env_config changed"]),
        ("by_target", ["target is now prod (was dev)"]),
        ("by_target_item", ["target is now prod (was dev)"]),
        ("by_env", ["environment variable HERB_PRICE changed", "environment variable HERB_WEIGHT changed"]),
        ("by_file", ["file data/mint.csv changed"]),
        ("by_glob", ["file data/more/*.csv changed"]),
        ("by_macro_file", ["file data/by_macro.csv changed"]),
        ("by_own_file", []),
        ("by_hook_file", ["file data/by_hook.csv changed"]),
        ("dried_one", ["macro helper changed"]),
        ("by_project", []),
        ("said", ["description of said changed"]),
        ("thyme", ['config column_types of thyme is now {"n": "bigint"} (was {"n": "integer"})']),
        ("plain_frame", []),
        ("by_empty", ["config none of by_empty is now not set (was [])", "var nothing is gone"]),
        ("by_folder", ["file data/by_folder/*/a.csv changed"]),
        ("by_header", ["file data/by_header.csv changed"]),
        ("by_order", ['meta sizes of by_order is now {"large": 2, "small": 1} (was {"small": 1, "large": 2})']),
        ("by_sql_of_python", ["file data/*.csv changed"]),
        ("by_hook_of_python", ["file data/mint.csv changed", "var size changed from 2 to 20"]),
        ("by_query", ["file data/mint.csv changed"]),
        ("joined_by_jinja", ["file data/mint.csv changed"]),
        ("by_block", ["file data/mint.csv changed"]),
        ("by_escape", ["file data/mint.csv changed"]),
        ("on_shelf", ["var depth changed from 5 to 50", "var height changed from 4 to 40"]),
        ("by_package", ["macro board changed"]),
    ],
)
def test_an_edit_is_told_of_the_node_that_reads_it(
    name: str, said: list[str], before: ProjectFacts, after: ProjectFacts
) -> None:
    """Each node differs in what it reads, and in nothing else."""
    assert told(name, before, after) == said


def test_a_macro_in_the_place_of_dbts_own_counts_where_a_materialization_calls_it(
    before: ProjectFacts, after: ProjectFacts
) -> None:
    """What replaces a part of the materialization ``view`` is an input of views, and not of tables and seeds."""
    own = "macro duckdb__create_view_as"
    differ = {
        node.name
        for node in before.nodes
        if dict(node.code).get(own) != {one.name: dict(one.code) for one in after.nodes}[node.name].get(own)
    }
    assert "plain" in differ
    assert differ.isdisjoint({"thyme", "frame", "plain_frame"})


@pytest.mark.parametrize("name", ["by_graph", "frame"])
def test_what_may_read_anything_changes_with_anything(name: str, before: ProjectFacts, after: ProjectFacts) -> None:
    """Where it cannot be told what a node reads, the whole project is an input of it."""
    assert "something in the project, all of which may be read, changed" in told(name, before, after)


def test_what_no_fingerprint_holds_is_named(before: ProjectFacts) -> None:
    """The clock, random numbers and files elsewhere are known of each node, and not found in comments."""
    assert {node.name: node.unseen for node in before.nodes if node.unseen} == {
        "clock": ("the clock",),
        "dice": ("random numbers",),
        "afar": ("files at s3://herbs/all.parquet",),
        "frame": ("what its Python may open, as it imports os",),
        "by_block": ("files whose names are computed",),
        "by_sql_of_python": ("files whose names are computed",),
        "joined": ("files whose names are computed",),
        "without_ref": ("main.plain without ref() or source()",),
        "columns": ("the catalog of the database",),
        "opened": ("the database at other.db",),
    }


def test_the_time_zone_counts_where_times_with_a_zone_may_stand(tmp_path: Path) -> None:
    """DuckDB takes it from the environment, and turns such times into dates by it; a number has no zone."""
    for name in ("dbt_project.yml", "profiles.yml", "orchestrator.yaml"):
        (tmp_path / name).write_text(FILES[name])
    (tmp_path / "models").mkdir()
    model = tmp_path / "models" / "a.sql"
    found = []
    for sql in ("select 1 as a", "select cast('2025-01-01' as timestamptz)::date as a"):
        model.write_text(sql)
        for zone in ("", "Asia/Tokyo"):
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TZ", zone)
                found.append(parsed(tmp_path))
    assert told("a", found[0], found[1]) == []
    assert told("a", found[2], found[3]) == ["environment variable TZ is new"]


def test_values_of_the_environment_are_written_nowhere(herbs: Path, after: ProjectFacts) -> None:
    """Of what comes out of the environment, a checksum is kept."""
    node = after.buildable("by_env_config")
    assert node is not None
    assert dict(node.reads)["config weight of by_env_config"].startswith("checksum ")
