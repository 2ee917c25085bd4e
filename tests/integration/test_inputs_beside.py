"""What decides rows beside a node's own text: folders that Jinja prints, files that macros write, plugins, flags."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import create_orchestrator
from orchestrator.dbt_runner.project.facts import ProjectFacts
from tests.integration.test_inputs_of_nodes import parsed, told
from tests.unit.test_source_modules import edit_unseen

pytestmark = pytest.mark.slow

TABLE = "{{ config(materialized='table') }} "
READ = TABLE + "select * from read_csv('data/%s/a.csv')"
SETS = "{%% set where = 'deep' %%}{%% for folder in ['deep/er'] %%}%s{%% endfor %%}"
EXPORT = "{%% call statement('x') %%}copy {{ rel }} to 'data/out/%s.csv' (header){%% endcall %%}"
PRINTED = {
    "by_keyword": '{{ var("dir", default="deep/er") }}',
    "by_item": '{{ var("places")["dir"] }}',
    "by_attribute": '{{ var("places").dir }}',
    "by_filter": '{{ var("loud") | lower }}',
    "by_environment": '{{ env_var("MILL_FOLDER") | trim }}',
    "by_either": '{{ var("nothing", none) or var("folder") }}',
    "joined": "{{ 'deep' ~ '/' ~ 'er' }}",
    "set_once": "{{ where ~ '/er' }}",
    "by_loop": "{{ folder }}",
}
UNKNOWN = {
    "by_nothing_known": "{% for d in modules.re.split(',', 'deep/er') %}" + READ % "{{ d }}" + "{% endfor %}",
    "by_macro": TABLE + "select * from {{ of_folder('deep/er') }}",
    "by_reference": READ % "{{ this.name }}",
}
PLUGIN = """
from dbt.adapters.duckdb.plugins import BasePlugin
from duckdb import DuckDBPyConnection
import rate
class Plugin(BasePlugin):
    def configure_connection(self, conn: DuckDBPyConnection):
        conn.create_function("rate", lambda: rate.now(), [], "BIGINT")
"""
FILES = {
    "dbt_project.yml": """
name: mill
version: "1.0"
profile: mill
flags: {send_anonymous_usage_stats: false, populate_cache: true}
vars: {places: {dir: deep/er}, loud: DEEP/ER, folder: deep/er}
""",
    "profiles.yml": """
mill:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('ORCHESTRATOR_DATABASE') }}"
      module_paths: [mods]
      plugins: [{module: myplug}]
""",
    "orchestrator.yaml": "database: var/mill.duckdb\ndbt: {project_dir: .}\n",
    "mods/myplug.py": PLUGIN,
    "mods/rate.py": "def now():\n    return int(open('rate.txt').read())\n",
    "mods/other.py": "import os\n",
    "rate.txt": "3",
    "data/deep/er/a.csv": "a\n1\n",
    "data/in2/a.csv": "a\n1\n",
    "data/out/sure.csv": "a\n1\n",
    "data/out/one.csv": "a\n1\n",
    "macros/m.sql": "{% macro of_folder(d) %}read_csv('data/{{ d }}/a.csv'){% endmacro %}\n"
    "{% macro never(rel, name) %}{% call statement('x') %}copy {{ rel }} to 'data/in2/{{ name }}.csv' (header)"
    "{% endcall %}{% endmacro %}\n"
    "{% macro save(rel, name) %}" + EXPORT % "{{ name }}" + "{% endmacro %}\n"
    "{% macro save_surely(rel) %}" + EXPORT % "sure" + "{% endmacro %}\n",
    "models/saving.sql": "{{ config(materialized='table', "
    "post_hook=\"{{ save(this, 'one') }}{{ save_surely(this) }}\") }} select 1 as a",
    "models/never_written.sql": TABLE + "select * from read_csv('data/in2/a.csv')",
    "models/surely_written.sql": TABLE + "select * from read_csv('data/out/sure.csv')",
    "models/perhaps_written.sql": TABLE + "select * from read_csv('data/out/one.csv')",
    "models/m.yml": "sources: [{name: r, schema: main, "
    "tables: [{name: events, config: {event_time: d}}, {name: Old}]}]\n",
    "models/quoted.sql": TABLE + "select * from {{ source('r', 'Old') }}",
    "models/plain.sql": TABLE + "select * from {{ source('r', 'events') }}",
    "models/batches.sql": "{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', "
    "batch_size='day', begin='2026-11-29') }} select d as ts from {{ source('r', 'events') }}",
    **{f"models/{name}.sql": SETS % (READ % folder) for name, folder in PRINTED.items()},
    **{f"models/{name}.sql": text for name, text in UNKNOWN.items()},
}
COMPUTED = "files whose names are computed"
BY_PLUGIN = "what mods/rate.py may open, as it calls open"


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which each model reads one thing that its text does not spell out."""
    root = tmp_path_factory.mktemp("mill")
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILL_FOLDER", " deep/er ")
        yield root


@pytest.fixture(scope="module")
def before(mill: Path) -> ProjectFacts:
    """The facts of the project as it is written."""
    return parsed(mill)


@pytest.fixture(scope="module")
def after(mill: Path, before: ProjectFacts) -> ProjectFacts:
    """The facts after every file of data, and what the source says of its rows, is another."""
    for file in (mill / "data").rglob("*.csv"):
        file.write_text("a\n2\n")
    (mill / "rate.txt").write_text("4")
    sources = FILES["models/m.yml"].replace("event_time: d", "event_time: e")
    (mill / "models" / "m.yml").write_text(sources.replace("name: Old", "name: Old, quoting: {identifier: false}"))
    return parsed(mill)


RATE = "file rate.txt changed"


@pytest.mark.parametrize("name", PRINTED)
def test_a_folder_that_jinja_prints_is_filled_in(name: str, before: ProjectFacts, after: ProjectFacts) -> None:
    """Variables and texts are known beforehand, also with defaults, items and filters: the file itself is compared."""
    assert told(name, before, after) == ["file data/deep/er/a.csv changed", RATE]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("never_written", ["file data/in2/a.csv changed", RATE]),
        ("surely_written", [RATE]),
        ("perhaps_written", [RATE]),
        ("plain", [RATE]),
        ("quoted", [RATE, "source r.Old is now main.Old, unquoted identifier (was main.Old)"]),
        ("batches", [RATE, "settings of source r.events changed"]),
    ],
)
def test_what_stands_beside_the_text_is_compared(
    name: str, said: list[str], before: ProjectFacts, after: ProjectFacts
) -> None:
    """A file is left out only where something of the project writes it; batches depend on the time of their source."""
    assert told(name, before, after) == said


def test_what_cannot_be_told_is_named(before: ProjectFacts) -> None:
    """A folder that is not known may lie anywhere, and a plugin that configures the connection serves every node."""
    assert {node.name: node.unseen for node in before.nodes if node.unseen != (BY_PLUGIN,)} == {
        **dict.fromkeys(UNKNOWN, (COMPUTED, BY_PLUGIN)),
        "perhaps_written": ("files that a macro or a hook may write, under a name that is computed", BY_PLUGIN),
    }


def test_a_flag_counts_where_it_may_change_rows_and_is_not_what_dbt_takes(mill: Path, after: ProjectFacts) -> None:
    """A package's materialization may take the place of dbt's own by one; what only says what is usual is none."""
    flags = "populate_cache: true, require_explicit_package_overrides_for_builtin_materializations: false"
    project = mill / "dbt_project.yml"
    project.write_text(FILES["dbt_project.yml"].replace("populate_cache: true", flags))
    assert told("plain", after, parsed(mill)) == [
        "dbt flag require_explicit_package_overrides_for_builtin_materializations is new"
    ]


def test_a_plugin_is_what_its_files_say(tmp_path: Path) -> None:
    """Byte code of an earlier state of a module, with the time and size of the file, gives no rows."""
    for name in ("profiles.yml", "orchestrator.yaml", "mods/myplug.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(FILES[name])
    (tmp_path / "dbt_project.yml").write_text("name: mill\nversion: '1.0'\nprofile: mill\n")
    (tmp_path / "mods" / "rate.py").write_text("def now():\n    return 3\n")
    edit_unseen(tmp_path / "mods" / "rate.py", "3", "4")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text(TABLE + "select rate() as a")
    with create_orchestrator(tmp_path / "orchestrator.yaml") as orchestrator:
        orchestrator.initialize()
        assert orchestrator.runner.query("select a from main.a") == [(4,)]
