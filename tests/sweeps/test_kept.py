"""Members that are done are kept only while all that decides their rows is what it was."""

from __future__ import annotations

import pytest

from orchestrator.reports.sides.intervals import difference_of
from tests.sweeps.conftest import VARY, Swept, document

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODEL = """\
{{ config(materialized='table', tags=['BALANCE']) }}
select {{ var('water_year') }} as water_year, amount, '{{ var("label") }}' as label
from read_csv('data{{ var('part') }}/x.csv')
"""
HOOK = """\
import helper

def after(context):
    context.execute(f"update read_in set label = label || '{helper.MARK}'")
"""
SWEEP = ("--vary", "part=1,2", "--vary", "vars.label=\"{{ env_var('NOTE', 'none') }}\"", "--keep", "read_in")


def lay(swept: Swept) -> None:
    """Add a model that reads a file by a part of its name, a value that is a template, and a hook that imports."""
    (swept.root / "dbt" / "models" / "yearly" / "read_in.sql").write_text(MODEL)
    for part in (0, 1, 2):
        (swept.root / f"data{part}").mkdir()
        (swept.root / f"data{part}" / "x.csv").write_text(f"amount\n{part}\n")
    project = swept.root / "dbt" / "dbt_project.yml"
    project.write_text(project.read_text().replace("rain_factor: 1", "rain_factor: 1, part: 0, label: a"))
    config = swept.root / "config" / "simulation.yaml"
    config.write_text(config.read_text() + "hooks: [{type: post_stage, stage: balance, call: 'myhook:after'}]\n")
    (swept.root / "myhook.py").write_text(HOOK)
    (swept.root / "helper.py").write_text("MARK = '!'\n")


def test_what_decides_rows_decides_what_is_kept(swept: Swept) -> None:
    """A file whose name a variable is a part of, the environment behind a value, and a module that a hook imports."""
    lay(swept)
    sql = "select distinct part, amount, label_ from read_in order by 1"  # the varied key has the name
    expected: list[tuple[object, ...]] = [(1, 1, "one!"), (2, 2, "one!")]

    def run(note: str) -> int:
        found = document(swept.sweep(*SWEEP, "--workers", "1", "--json", env={"NOTE": note}))
        assert swept.results(sql) == expected
        assert isinstance(found["kept"], int)
        return found["kept"]

    assert run("one") == 0
    assert run("one") == 2
    (swept.root / "data2" / "x.csv").write_text("amount\n22\n")
    expected[1] = (2, 22, "one!")
    assert run("one") == 1
    expected[:] = [(1, 1, "two!"), (2, 22, "two!")]
    assert run("two") == 0
    (swept.root / "helper.py").write_text("MARK = '?'\n")
    expected[:] = [(1, 1, "two?"), (2, 22, "two?")]
    assert run("two") == 0
    assert run("two") == 2


def test_what_we_write_into_the_project_itself_is_no_change(swept: Swept) -> None:
    """Where the dbt project is the root, ``var`` lies in it, and reports may; a model is a change there as well."""
    for path in sorted((swept.root / "dbt").iterdir()):
        path.rename(swept.root / path.name)
    (swept.root / "dbt").rmdir()
    file = swept.root / "config" / "simulation.yaml"
    settings = file.read_text().replace("project_dir: dbt", "project_dir: .") + "storage: {url: sqlite:///history.db}\n"
    file.write_text(settings)
    (swept.root / "models" / "written.sql").write_text(
        "{{ config(materialized='external', location='written.csv') }} select 1 as one"
    )
    run = ("2000-2001", *VARY, "--workers", "1", "--json")
    assert document(swept.sweep(*run))["kept"] == 0
    assert document(swept("sweep", "resume", "s", "--json"))["kept"] == 2
    assert swept("simulate").exit_code == 0
    (swept.root / "report.html").write_text("figures")
    (swept.root / "charts").mkdir()
    (swept.root / "charts" / "level.svg").write_text("<svg/>")
    (file.parent / "scenarios" / "other.yaml").write_text("database: var/other.duckdb\n")
    (swept.root / "written.csv").write_text("one\n2\n")
    file.write_text(f"{settings}publish: p.db\n")
    assert document(swept("sweep", "resume", "s", "--json"))["kept"] == 2
    assert "not be what the project is now" not in swept("compare", "s", "baseline", "--json").out
    model = swept.root / "models" / "written.sql"
    model.write_text(model.read_text().replace("select 1", "select 2"))
    assert document(swept("sweep", "resume", "s", "--json"))["kept"] == 0


def test_a_seed_that_both_have_pairs_the_difference() -> None:
    """Values of other seeds, which the second side lost, are no part of it."""
    found = difference_of({1: 1.0}, {1: 1.0, 3: 3.0})
    assert (found.mean, found.count, found.paired) == (0.0, 1, True)
    assert found.low is None and found.high is None


WRITTEN = """\
{{ config(materialized='external', tags=['BALANCE'], location=LOCATION) }}
select {{ var('water_year') }} as water_year, {{ var('rain_factor') }} * 10 as amount
"""


def test_members_do_not_write_one_file(swept: Swept) -> None:
    """An external model of the years is refused before anything starts; with a file for each member, each has its own.

    A file of what no varied variable and no year reaches is the same for all.
    """
    model = swept.root / "dbt" / "models" / "yearly" / "written.sql"
    (swept.root / "dbt" / "models" / "same.sql").write_text(
        "{{ config(materialized='external', location='same.parquet') }} select 1 as one"
    )
    sweep = ("--vary", "rain_factor=1,2", "--workers", "1", "--keep", "written", "--json")
    model.write_text(WRITTEN.replace("LOCATION", "'written.parquet'"))
    told = swept.sweep(*sweep)
    error = told.error()
    assert told.exit_code == 2
    assert "Members would write one file" in str(error["message"]) and "external model written" in str(error["message"])
    remedy = str(error["to_fix"])
    location = remedy.split("location=")[1].split(" in the model")[0]
    model.write_text(WRITTEN.replace("LOCATION", location))
    told = swept.sweep(*sweep)
    assert told.exit_code == 0, told.err
    assert swept.results("select distinct rain_factor, amount from written order by all") == [(1, 10), (2, 20)]
    assert len(list(swept.root.rglob("*.written.parquet"))) == 2
