"""What dbt reads in the folder of its functions, what only functions read, and what a package has dbt ignore."""

from __future__ import annotations

import pytest

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from tests.integration.test_inputs_of_nodes import parsed, told
from tests.support.written import Written

pytestmark = pytest.mark.slow

CONFIG = """\
simulation: {start_year: 2000, end_year: 2001, year_var: year, year_column: year}
stages: [{name: all, select: "yearly", command: build}]
"""
TABLE = "{{ config(materialized='table') }} "
FUNCTION = "  - {name: NAME, arguments: [{name: n, data_type: integer}], returns: {data_type: integer}}\n"
FILES = {
    "functions/props.yml": "models:\n  - {name: yearly, config: {step: \"{{ var('year') }}\"}}\n"
    "  - {name: varied, config: {step: \"{{ var('knob', 3) }}\"}}\nfunctions:\n"
    + "".join(FUNCTION.replace("NAME", name) for name in ("twice", "zoned")),
    "functions/twice.sql": "n * {% if execute %}{{ env_var('MILL_FACTOR', '2') }}{% else %}2{% endif %}",
    "functions/zoned.sql": "n + epoch(timestamptz '2000-01-01')",
    "models/yearly.sql": TABLE + "select {{ config.get('step') }} as year",
    "models/varied.sql": TABLE + "select {{ config.get('step') }} as n",
    "models/doubled.sql": TABLE + "select {{ function('twice') }}(1) as n",
    "models/knows_all.sql": TABLE + "select {{ graph.functions | length }} as n",
    "models/called.sql": TABLE + "select {{ is_incremental() }} as n",
    "models/py.py": "def model(dbt, link):\n    return link.sql('select 1 as n')\n",
    "macros/own.sql": "{% macro is_incremental() %}{{ return(execute and var('year') | int > 2000) }}{% endmacro %}\n"
    "{% macro ref(name) %}{% do return(builtins.ref(name).include(database=false)) %}{% endmacro %}",
    "dbt_packages/lib/dbt_project.yml": "{name: lib, version: '1.0'}",
    "dbt_packages/lib/models/of_lib.sql": "select 1 as n",
    "dbt_packages/lib/functions/lib.yml": "models: [{name: of_lib, config: {step: \"{{ var('of_lib', 1) }}\"}}]",
}


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A project whose functions' folder has YAML about models."""
    return Written(tmp_path_factory.mktemp("mill"), CONFIG, FILES)


@pytest.fixture(scope="module")
def before(mill: Written) -> ProjectFacts:
    """The facts of the project as it is written."""
    return parsed(mill.root)


def named(facts: ProjectFacts, name: str) -> NodeFacts:
    """Return the node of a name."""
    return next(node for node in facts.nodes if node.name == name)


def test_yaml_there_may_be_about_anything(before: ProjectFacts) -> None:
    """The year is found in it, and so are variables, in the project and in its packages."""
    assert "var('year')" in dict(before.decided)
    assert {"year", "knob", "of_lib"} <= set(before.vars_elsewhere)


def test_what_a_package_lets_dbt_ignore(mill: Written, before: ProjectFacts) -> None:
    """Each package has a ``.dbtignore`` of its own."""
    ignored = mill.root / "dbt_packages" / "lib" / ".dbtignore"
    ignored.write_text("models/\n")
    after = parsed(mill.root)
    ignored.unlink()
    assert "of_lib" in {node.name for node in before.nodes} - {node.name for node in after.nodes}


def test_times_with_a_zone_may_stand_in_a_function(mill: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time zone of the environment decides them."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert "var TZ of the environment" in dict(named(parsed(mill.root), "zoned").reads)


def test_what_only_a_function_reads_of_the_environment(
    mill: Written, before: ProjectFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept parse is not taken for it, although dbt met no such variable while it parsed."""
    monkeypatch.setenv("MILL_FACTOR", "3")
    after = parsed(mill.root)
    assert told("twice", before, after) == ["environment variable MILL_FACTOR changed"]
    assert named(before, "doubled").upstream != named(after, "doubled").upstream


def test_the_whole_project_holds_the_texts_of_functions(mill: Written, before: ProjectFacts) -> None:
    """A model that looks at all of it may read one."""
    mill.write("functions/zoned.sql", FILES["functions/zoned.sql"] + " + 1")
    after = parsed(mill.root)
    mill.write("functions/zoned.sql", FILES["functions/zoned.sql"])
    assert "something in the project, all of which may be read, changed" in told("knows_all", before, after)


def test_a_macro_that_models_call_counts_where_it_is_called(before: ProjectFacts) -> None:
    """An ``is_incremental`` of the project is none of what dbt calls for every node, Python models aside."""
    reading = {node.name for node in before.nodes if node.names_year}
    assert reading == {"called", "py"}
