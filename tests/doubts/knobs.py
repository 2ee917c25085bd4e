"""Everything that is drawn about a dbt project, as knobs: each has a few values, and a change turns one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Knobs = Mapping[str, str]


@dataclass(frozen=True)
class Part:
    """A part of a project that reads something of its own.

    ``knobs`` are what may be turned, with all their values. ``render`` adds to a project what it takes to have the part
    with knobs of these values. ``years`` tells whether it needs a simulation; None: either way.
    """

    name: str
    knobs: Mapping[str, tuple[str, ...]]
    render: Callable[[Project, Knobs], None]
    years: bool | None = None


@dataclass
class Project:
    """A dbt project as text: ``files`` by name, its variables, environment and target."""

    years: bool
    files: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    package_variables: dict[str, dict[str, int]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, object] = field(default_factory=dict)
    target: str = "dev"
    sources: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    start: list[str] = field(default_factory=list)

    def model(self, name: str, select: str, config: str = "") -> None:
        """Add a model; in a simulation it is incremental and has a column for the year."""
        if self.years:
            select = f"select {{{{ var('year') }}}} as year, q.* from ({select}) as q"
            config = f"{config}, materialized='incremental'" if "materialized" not in config else config
        config = config.strip(", ")
        self.files[f"models/{name}.sql"] = f"{{{{ config({config}) }}}}\n{select}\n" if config else f"{select}\n"


def _seed(project: Project, knobs: Knobs) -> None:
    project.files["seeds/boats.csv"] = knobs["rows"]
    if knobs["types"]:
        project.seeds.append(f"  - {{name: boats, config: {{column_types: {{crew: {knobs['types']}}}}}}}")
    project.model("fleet", "select boat, crew, typeof(crew) as kind from {{ ref('boats') }}")


def _kinds(project: Project, knobs: Knobs) -> None:
    config = f"materialized='{knobs['kind']}'" if not project.years else ""
    project.model("base", f"select 1 as a, '{knobs['text']}' as t", config)
    project.model("above", "select a + 1 as a, t from {{ ref('base') }}")


def _meta(project: Project, knobs: Knobs) -> None:
    read = {
        "config": "{{ config.get('meta', {}).get('rate', 0) }}",
        "model": "{{ model.config.meta.rate if execute else 0 }}",
    }[knobs["by"]]
    project.model("by_meta", f"select {read} as rate")
    where = knobs["where"]
    if where == "yaml":
        project.models.append(f"  - {{name: by_meta, config: {{meta: {{rate: {knobs['rate']}}}}}}}")
    elif where == "project":
        project.settings["models"] = {"harbour": {"+meta": {"rate": int(knobs["rate"])}}}
    else:
        path = "models/by_meta.sql"
        project.files[path] = f"{{{{ config(meta={{'rate': {knobs['rate']}}}) }}}}\n{project.files[path]}"


def _variables(project: Project, knobs: Knobs) -> None:
    project.variables["toll"] = knobs["toll"]
    read = {"plain": "{{ var('toll') }}", "computed": "{{ var('to' ~ 'll') }}", "macro": "{{ toll() }}"}[knobs["read"]]
    project.files["macros/toll.sql"] = "{% macro toll() %}{{ var('toll', 0) }}{% endmacro %}"
    project.model("tolls", f"select {read} as toll")


def _yaml_variable(project: Project, knobs: Knobs) -> None:
    project.variables["depth"] = knobs["depth"]
    project.models.append("  - {name: depths, config: {meta: {depth: \"{{ var('depth') }}\"}}}")
    project.model("depths", "select {{ config.get('meta').depth }} as depth")


def _environment(project: Project, knobs: Knobs) -> None:
    project.environment["HARBOUR_WIND"] = knobs["wind"]
    read = {
        "plain": "{{ env_var('HARBOUR_WIND', '0') }}",
        "computed": "{{ env_var('HARBOUR_' ~ 'wind' | upper, '0') }}",
        "loop": "{% for n in ['WIND'] %}{{ env_var('HARBOUR_' ~ n, '0') }}{% endfor %}",
        "macro": "{{ wind() }}",
    }[knobs["read"]]
    project.files["macros/wind.sql"] = "{% macro wind() %}{{ env_var('HARBOUR_WIND', '0') }}{% endmacro %}"
    project.model("winds", f"select {read} as wind")


def _target(project: Project, knobs: Knobs) -> None:
    project.target = knobs["target"]
    read = {"name": "'{{ target.name }}'", "threads": "{{ target.threads }}", "whole": "'{{ target['name'] }}'"}
    project.model("targets", f"select {read[knobs['read']]} as t")


def _source(project: Project, knobs: Knobs) -> None:
    project.sources.append(
        f"  - {{name: ext, schema: outside, tables: [{{name: rates, identifier: {knobs['identifier']}}}]}}"
    )
    project.model("from_source", "select r from {{ source('ext', 'rates') }}")


def _macro(project: Project, knobs: Knobs) -> None:
    where = {"own": "macros/wave.sql", "package": "dbt_packages/sea/macros/wave.sql"}[knobs["where"]]
    project.files["dbt_packages/sea/dbt_project.yml"] = "{name: sea, version: '1.0', config-version: 2}"
    project.files[where] = f"{{% macro wave() %}}{knobs['height']}{{% endmacro %}}"
    call = "sea.wave()" if knobs["where"] == "package" else "wave()"
    project.model("waves", f"select {{{{ {call} }}}} as height")


def _materialization(project: Project, knobs: Knobs) -> None:
    project.files["macros/salt.sql"] = f"{{% macro salt() %}}{knobs['salt']}{{% endmacro %}}"
    project.files["macros/salted.sql"] = """\
{% materialization salted, adapter='duckdb' %}
  {% set target_relation = this.incorporate(type='table') %}
  {% call statement('main') %}
    create or replace table {{ this }} as select *, {{ salt() }} as salt from ({{ sql }})
  {% endcall %}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
"""
    project.model("salty", "select 1 as a", "materialized='salted'")


def _overridden(project: Project, knobs: Knobs) -> None:
    project.files["macros/overridden.sql"] = (
        "{% macro duckdb__create_table_as(temporary, relation, compiled_code, language='sql', partitioned_by=none, "
        "sorted_by=none) %}\n"
        "create table {{ relation }} as select *, "
        f"{knobs['mark']} as mark from ({{{{ compiled_code }}}})\n{{% endmacro %}}"
    )
    project.model("marked", "select 1 as a", "materialized='table'")


def _snapshot(project: Project, knobs: Knobs) -> None:
    project.files["seeds/ranks.csv"] = "id,rank\n1,a\n"
    project.files["snapshots/kept.sql"] = (
        "{% snapshot kept %}{{ config(unique_key='id', strategy='check', check_cols='all', target_schema='main') }}\n"
        f"select id, rank, {knobs['text']} as more from {{{{ ref('ranks') }}}}\n{{% endsnapshot %}}"
    )


def _seed_as_source(project: Project, knobs: Knobs) -> None:
    project.files["seeds/piers.csv"] = knobs["piers"]
    project.sources.append("  - {name: own, schema: main, tables: [{name: piers}]}")
    project.model(
        "pier_count", "-- depends_on: {{ ref('piers') }}\nselect count(*) as n from {{ source('own', 'piers') }}"
    )


def _files(project: Project, knobs: Knobs) -> None:
    project.files["data/one.csv"] = f"v\n{knobs['v']}\n"
    if knobs["two"]:
        project.files["data/two.csv"] = f"v\n{knobs['two']}\n"
    read = {
        "literal": "read_csv('data/one.csv')",
        "glob": "read_csv('data/*.csv')",
        "from": "'data/one.csv'",
        "variable": 'read_csv(\'{{ var("folder", "data") }}/one.csv\')',
    }[knobs["read"]]
    project.model("from_file", f"select sum(v) as v from {read}")


def _external_location(project: Project, knobs: Knobs) -> None:
    project.files["data/tide/tides.csv"] = f"h\n{knobs['h']}\n"
    project.sources.append(
        "  - {name: files, schema: main, meta: {external_location: \"read_csv('data/tide/{name}.csv')\"}, "
        "tables: [{name: tides}]}"
    )
    project.model("tide", "select h from {{ source('files', 'tides') }}")


def _graph(project: Project, knobs: Knobs) -> None:
    project.model("counted", "select {{ graph.nodes | length if execute else 0 }} as n")
    if knobs["more"]:
        project.files["seeds/more.csv"] = "a\n1\n"


def _hook(project: Project, knobs: Knobs) -> None:
    project.start.append(f"create or replace table main.of_hook as select {knobs['x']} as x")
    project.model("after_hook", "select x from main.of_hook")


def _pre_hook(project: Project, knobs: Knobs) -> None:
    hook = f"create or replace table main.before_it as select {knobs['y']} as y"
    project.model("with_pre_hook", "select y from main.before_it", f'pre_hook="{hook}"')


def _enabled(project: Project, knobs: Knobs) -> None:
    project.environment["HARBOUR_OPEN"] = knobs["open"]
    project.model("is_open", "select 1 as a", "enabled=(env_var('HARBOUR_OPEN', 'yes') == 'yes')")
    project.model("always_open", "select 1 as a")


def _documentation(project: Project, knobs: Knobs) -> None:
    project.model("told", "select 1 as a")
    project.models.append(f"  - {{name: told, description: '{knobs['words']}'}}")


def _stock(project: Project, knobs: Knobs) -> None:
    project.model(
        "stock",
        f"select {knobs['growth']} + coalesce((select max(s) from {{{{ this }}}} where year = "
        "{{ var('year') }} - 1), 0) as s"
        if knobs["reads"] == "this"
        else f"select {knobs['growth']} * {{{{ var('year') }}}} as s",
        "materialized='incremental'",
    )
    path = "models/stock.sql"
    if knobs["reads"] == "this":
        start = "{% if not is_incremental() %}"
        first = f"select {{{{ var('year') }}}} as year, q.* from (select {knobs['growth']} as s) as q"
        config, select = project.files[path].split("\n", 1)
        project.files[path] = f"{config}\n{start}{first}{{% else %}}{select}{{% endif %}}\n"


def _unique_key(project: Project, knobs: Knobs) -> None:
    project.model(
        "keyed",
        f"select 'k' || i as k, i * {knobs['factor']} as v from range({knobs['rows']}) as r(i)",
        "materialized='incremental', unique_key=['year', 'k']",
    )


def _quoted_file(project: Project, knobs: Knobs) -> None:
    project.files["data/quay.csv"] = f"v\n{knobs['v']}\n"
    read = {
        "dollars": "read_csv($$data/quay.csv$$)",
        "escapes": "read_csv(E'data/\\x71uay.csv')",
        "query": "query('select * from ''data/quay.csv'' ')",
        "after dollars": "(select $$it's$$ as said, * from 'data/quay.csv')",
        "block": "read_csv('{% set path %}data/quay.csv{% endset %}{{ path }}')",
        "list": "read_csv(['data/quay.csv'])",
    }[knobs["quotes"]]
    project.model("quays", f"select sum(v) as v from {read}")


def _python_model(project: Project, knobs: Knobs) -> None:
    project.files["data/gulls.csv"] = f"v\n{knobs['v']}\n"
    read = {
        "literal": "session.sql(\"select sum(v) as v from 'data/gulls.csv'\")",
        "f-string": "session.sql(f\"select sum(v) as v from 'data/{name}.csv'\")",
        "connection": "session.execute(\"create or replace temp table t as from 'data/gulls.csv'\").sql('from t')",
        "hook": "session.sql('select v from main.of_python_hook')",
    }[knobs["read"]]
    if knobs["read"] == "hook":
        project.models.append(
            '  - {name: gulls, config: {pre_hook: "create or replace table main.of_python_hook as '
            "select {{ var('gull', 0) }} as v\"}}"
        )
    project.variables["gull"] = knobs["v"]
    project.files["models/gulls.py"] = (
        f"def model(dbt, session):\n    dbt.config(materialized='table')\n    name = 'gulls'\n    return {read}\n"
    )


def _zone(project: Project, knobs: Knobs) -> None:
    project.environment["TZ"] = knobs["zone"]
    project.model("dusk", "select cast(cast('2025-01-01 20:00:00+00' as timestamptz) as date) as day")


def _glob_variable(project: Project, knobs: Knobs) -> None:
    project.variables["crates"] = "data/crates/*.csv"
    project.files["data/crates/one.csv"] = f"v\n{knobs['v']}\n"
    if knobs["two"]:
        project.files["data/crates/two.csv"] = f"v\n{knobs['two']}\n"
    project.files["macros/crates.sql"] = (
        '{% macro crates(path) %}{{ return("read_csv(\'" ~ path ~ "\')") }}{% endmacro %}'
    )
    project.model("crates", "select sum(v) as v from {{ crates(var('crates')) }}")


def _package_variable(project: Project, knobs: Knobs) -> None:
    project.files["dbt_packages/bay/dbt_project.yml"] = (
        f"{{name: bay, version: '1.0', config-version: 2, vars: {{buoys: {knobs['own']}}}}}"
    )
    if knobs["ours"]:
        project.package_variables["bay"] = {"buoys": int(knobs["ours"])}
    project.files["dbt_packages/bay/models/buoys.sql"] = "select {{ var('buoys') }} as n"
    project.model("buoys_seen", "select n from {{ ref('buoys') }}")


PARTS = (
    Part("seed", {"rows": ("boat,crew\nana,1\n", "boat,crew\nana,2\n", "boat,crew\nana,1\nbea,3\n"),
                  "types": ("", "integer", "varchar")}, _seed),
    Part("kinds", {"kind": ("table", "view", "ephemeral", "incremental"), "text": ("x", "y")}, _kinds),
    Part("meta", {"where": ("yaml", "project", "model"), "rate": ("1", "2"), "by": ("config", "model")}, _meta),
    Part("variables", {"toll": ("1", "2"), "read": ("plain", "computed", "macro")}, _variables),
    Part("yaml variable", {"depth": ("3", "4")}, _yaml_variable),
    Part("environment", {"wind": ("5", "6"), "read": ("plain", "computed", "loop", "macro")}, _environment),
    Part("target", {"target": ("dev", "other"), "read": ("name", "threads", "whole")}, _target),
    Part("source", {"identifier": ("rates_a", "rates_b")}, _source),
    Part("macro", {"where": ("own", "package"), "height": ("1", "2")}, _macro),
    Part("materialization", {"salt": ("1", "2")}, _materialization, years=False),
    Part("overridden macro", {"mark": ("1", "2")}, _overridden, years=False),
    Part("snapshot", {"text": ("1", "1 + 0")}, _snapshot, years=False),
    Part("seed as source", {"piers": ("p\n1\n", "p\n1\n2\n")}, _seed_as_source),
    Part("files", {"v": ("1", "2"), "two": ("", "7"), "read": ("literal", "glob", "from", "variable")}, _files),
    Part("external location", {"h": ("1", "2")}, _external_location),
    Part("graph", {"more": ("", "yes")}, _graph),
    Part("on-run-start", {"x": ("1", "2")}, _hook),
    Part("pre-hook", {"y": ("1", "2")}, _pre_hook),
    Part("enabled", {"open": ("yes", "no")}, _enabled),
    Part("documentation", {"words": ("one", "two")}, _documentation),
    Part("stock", {"growth": ("1", "2"), "reads": ("this", "year")}, _stock, years=True),
    Part("quoted file", {"v": ("1", "2"), "quotes": ("dollars", "escapes", "query", "after dollars", "block", "list")},
         _quoted_file),
    Part("python model", {"v": ("1", "2"), "read": ("literal", "f-string", "connection", "hook")}, _python_model,
         years=False),
    Part("zone", {"zone": ("UTC", "Asia/Tokyo")}, _zone),
    Part("glob in a variable", {"v": ("1", "2"), "two": ("", "7")}, _glob_variable),
    Part("package variable", {"own": ("1", "2"), "ours": ("", "3")}, _package_variable, years=False),
    Part("unique key", {"factor": ("1", "2"), "rows": ("2", "3")}, _unique_key, years=True),
)  # fmt: skip


def render(parts: tuple[Part, ...], values: Mapping[tuple[str, str], str], *, years: bool) -> Project:
    """Return the project that has these parts, with a value for each of their knobs, by (part, knob)."""
    project = Project(years)
    for part in parts:
        part.render(project, {knob: values[part.name, knob] for knob in part.knobs})
    if not any(name.startswith("models/") for name in project.files):
        project.model("only", "select 1 as a")
    return project
