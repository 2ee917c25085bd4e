"""What stands before the first year: selected in dbt's words, and checked against the year."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator import ConfigurationError, NodeFailedError
from tests.support.cli_project import Cli
from tests.support.written import Written

pytestmark = pytest.mark.slow

CONFIG = """\
simulation: {start_year: 2000, end_year: 2002, year_var: year, year_column: year}
self_healing: {foundation: "tag:static,config.materialized:table path:models/base"}
stages: [{name: yearly, select: "tag:yearly"}]
"""
TABLE = "{{ config(materialized='table', tags=TAGS) }} select "
FILES = {
    "seeds/mills.csv": "id\n1\n2\n",
    "models/base/shape.sql": "select id, id * 10 as width from {{ ref('mills') }}",
    "models/wide.sql": TABLE.replace("TAGS", "['static']") + "* from {{ ref('shape') }} where width > 10",
    "models/loose.sql": TABLE.replace("TAGS", "[]") + "1 as a",
    "models/base/of_year.sql": TABLE.replace("TAGS", "['yearly']") + "{{ var('year') }} as year, {{ factor() }} as f",
    "models/below.sql": TABLE.replace("TAGS", "['static', 'yearly']") + "* from {{ ref('of_year') }}",
    "models/flour.sql": "{{ config(materialized='incremental', tags=['yearly']) }} "
    "select {{ var('year') }} as year, w.id, b.f from {{ ref('wide') }} w cross join {{ ref('below') }} b",
    "macros/factor.sql": "{% macro factor() %}2{% endmacro %}",
}
OF_YEAR = "of_year (matches tag:static,config.materialized:table path:models/base, but reads the year"
BELOW = "below (matches tag:static,config.materialized:table path:models/base, but is built from of_year"


@pytest.fixture
def mill(tmp_path: Path) -> Written:
    """A simulation with a selector of its own for its foundation, which catches two yearly models."""
    return Written(tmp_path, CONFIG, FILES)


def cli(mill: Written) -> Cli:
    """Return the command line in this project."""
    return Cli(mill.root, mill.database)


def test_members_of_the_years_are_named_and_built_by_them(mill: Written) -> None:
    """A selector of dbt's own language is the foundation; what reads the year is named, and healed by no repair."""
    orchestrator = cli(mill)
    checked = orchestrator("check", "--json").document()
    assert isinstance(checked["tables"], list) and isinstance(checked["left_out"], list)
    assert [(table["name"], table["tier"]) for table in checked["tables"]] == [
        ("mills", "seed"),
        ("shape", "foundation"),
        ("wide", "foundation"),
    ]
    why = {one["name"]: one["why"] for one in checked["left_out"]}
    assert why["loose"] == "not matched by self_healing.foundation"
    assert why["flour"] == "built during each year"
    assert why["of_year"].endswith("but reads the year, so it is no foundation: a stage has to build it")
    planned = orchestrator("plan", "2000")
    assert OF_YEAR in planned.out and BELOW in planned.out, planned.out
    simulated = orchestrator("simulate")
    assert simulated.exit_code == 0, simulated.err
    assert OF_YEAR in simulated.out
    assert mill.sql("select year, id, f from flour order by all") == [(2000, 2, 2), (2001, 2, 2), (2002, 2, 2)]
    examined = orchestrator("doctor")
    assert examined.exit_code == 0, examined.out
    assert "of_year" in examined.out and "take it out of the selection" in " ".join(examined.out.split())


def test_what_reads_the_year_behind_a_macro(mill: Written) -> None:
    """A macro that reads it counts; one whose names nobody can tell leaves the model where the user put it."""
    mill.write("macros/factor.sql", "{% macro factor() %}{{ var('ye' ~ 'ar') }}{% endmacro %}")
    mill.write("models/wide.sql", FILES["models/wide.sql"].replace("where", "where {{ factor() }} > 0 and"))
    with mill.orchestrator() as orchestrator:
        assert {table.name for table in orchestrator.initializer.checker().required} == {"mills", "shape", "wide"}
        mill.write("macros/factor.sql", "{% macro factor() %}{{ var('year') }}{% endmacro %}")
        assert {table.name for table in orchestrator.initializer.checker().required} == {"mills", "shape"}


def test_another_selector_needs_no_parse(mill: Written) -> None:
    """The selector is no part of the project: the parse that was kept serves."""
    orchestrator = cli(mill)
    assert orchestrator("check").exit_code == 3
    again = orchestrator("check", "--json", "--set", "self_healing.foundation=[loose, wide]")
    tables = again.document()["tables"]
    assert isinstance(tables, list) and {table["name"] for table in tables} == {"mills", "loose", "wide"}
    first, second = (path.read_bytes() for path in (mill.root / "var/dbt").glob("*.msgpack"))
    assert first == second  # a manifest holds when it was parsed


@pytest.mark.parametrize(
    ("selector", "says"),
    [
        ("tag:statik", "self_healing.foundation: tag:statik matches no model"),
        ("tagg:static", "self_healing.foundation: tagg:static is refused by dbt: .*'tagg' is not a valid method name"),
    ],
)
def test_a_selector_that_finds_nothing(mill: Written, selector: str, says: str) -> None:
    """It is named, and nothing is run."""
    with (
        mill.orchestrator(overrides={"self_healing.foundation": selector}) as orchestrator,
        pytest.raises(ConfigurationError, match=says),
    ):
        orchestrator.execute_multi_year_simulation()
    assert not mill.database.exists()


def test_a_written_list_is_the_word_of_the_user(mill: Written) -> None:
    """Leaving the yearly member out of it heals, simulates and contents the doctor: no advice leads in a circle."""
    text = "{{ config(materialized='table', tags=['FOUNDATION', 'yearly']) }} select {{ var('year') }} as year, 2 as f"
    mill.write("models/base/of_year.sql", text)
    listed = "required_tables: [{name: mills, tier: seed}, {name: wide, tier: foundation}]"
    mill.configure('self_healing: {foundation: "tag:static,config.materialized:table path:models/base"}', listed)
    orchestrator = cli(mill)
    assert orchestrator("simulate").exit_code == 0
    examined = orchestrator("doctor")
    assert examined.exit_code == 0, examined.out
    mill.configure(listed, "required_tables: auto")
    mill.write("models/wide.sql", FILES["models/wide.sql"].replace("static", "FOUNDATION"))
    told = orchestrator("simulate", "--fresh")
    assert told.exit_code == 0 and "of_year (matches tag:FOUNDATION, but reads the year" in told.out, told.err


def test_a_yearly_member_that_no_stage_builds(mill: Written) -> None:
    """The first year fails at what reads it, with the model that is missing and what has to build it."""
    mill.write("models/base/of_year.sql", FILES["models/base/of_year.sql"].replace("'yearly'", ""))
    with pytest.raises(NodeFailedError) as caught:
        mill.simulate()
    assert "Model below reads model of_year (models/base/of_year.sql), which is not in the database" in str(
        caught.value
    )
    assert caught.value.to_fix is not None and "stage select of_year" in caught.value.to_fix
