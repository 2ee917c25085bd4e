"""``orchestrator new``: what is found in dbt projects of several habits, and what is written of it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestrator.config.simulation import SimulationConfig
from tests.support.cli_project import Cli, Told
from tests.support.programs import run_python
from tests.support.terminal import Terminal
from tests.support.workspaces import PROJECTS, REPOSITORY

pytestmark = pytest.mark.slow

CONFIGURATIONS = ("orchestrator.yaml", "config")
Rows = dict[str, list[tuple[object, ...]]]


def bare(name: str, root: Path) -> Cli:
    """Lay out a project of the tests without its configuration."""
    shutil.copytree(PROJECTS / name, root)
    for one in CONFIGURATIONS:
        if (root / one).is_dir():
            shutil.rmtree(root / one)
        else:
            (root / one).unlink(missing_ok=True)
    return Cli(root, root / f"{name}.duckdb")


def rows_of(database: Path) -> Rows:
    """Return the rows of every table and view of a database, in an order of their own."""
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute("select table_name from information_schema.tables where table_schema = 'main'")
        tables = [name for (name,) in names.fetchall()]
        return {name: connection.execute(f"from {name} order by all").fetchall() for name in tables}


def dbt(root: Path, *args: str) -> None:
    """Run dbt's own command line in a project."""
    done = run_python(["-m", "dbt.cli.main", *args], cwd=root, dbt=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cli, Told]:
    """A project that has none of the shipped one's habits, in a folder with a space and an umlaut, adopted."""
    cli = bare("fleet", tmp_path_factory.mktemp("adopted") / "our flöte of buses")
    return cli, cli("new", "--yes", "--json")


def test_a_project_of_other_habits_is_understood(fleet: tuple[Cli, Told]) -> None:
    """The year has no name that says so, its column another, and there are no tags: the graph tells all of it."""
    _, told = fleet
    assert told.exit_code == 0, told.err
    found = told.document()["proposal"]
    assert isinstance(found, dict)
    assert (found["year_var"], found["year_column"]) == ("period", "fiscal")
    assert (found["start_year"], found["end_year"]) == (2031, 2034)
    assert [(stage["name"], stage["nodes"]) for stage in found["stages"]] == [
        ("accumulate", ["stock", "upkeep", "worn"]),
        ("report", ["budget", "oldest"]),
        ("tests", ["assert_period_is_costed"]),
    ]
    assert found["foundation"] == ["rates"]
    assert found["carried"] == ["stock, through `this` (models/vehicles/stock.sql:7)"]
    assert not [one for one in found["changes"] if one["needed"]]
    assert ("dbt_project.yml", 9) in [(one["file"], one["line"]) for one in found["changes"]]


def test_what_is_written_is_what_was_told_and_loads(fleet: tuple[Cli, Told]) -> None:
    """With remarks; and the plan of it is part of the answer."""
    cli, told = fleet
    document = told.document()
    text = (cli.root / "orchestrator.yaml").read_text(encoding="utf-8")
    assert document["configuration"] == text and text.count("#") > 5
    config = SimulationConfig.load(cli.root / "orchestrator.yaml", environ={})
    assert config.years() == (2031, 2032, 2033, 2034)
    plan = document["plan"]
    assert isinstance(plan, dict)
    assert [len(year["stages"]) for year in plan["years"]] == [3] * 4
    assert document["plan_refused"] is None


def test_its_years_are_those_of_dbt(fleet: tuple[Cli, Told], tmp_path: Path) -> None:
    """Three years with what was written hold the rows that dbt's own command line makes, stage by stage."""
    cli, _ = fleet
    told = cli("simulate", "2031-2033")
    assert told.exit_code == 0, told.err
    root = tmp_path / "by hand"
    shutil.copytree(PROJECTS / "fleet", root)
    dbt(root, "seed")
    march_by_hand(cli, root)
    assert rows_of(cli.database) == rows_of(root / "fleet.duckdb")


def march_by_hand(cli: Cli, root: Path) -> None:
    """Build the foundation of the fleet and three years in a copy, with a dbt command for each stage."""
    config = yaml.safe_load((cli.root / "orchestrator.yaml").read_text(encoding="utf-8"))
    dbt(root, "run", "--select", "rates")
    for year in (2031, 2032, 2033):
        for stage in config["stages"]:
            if stage.get("command", "run") == "run":
                dbt(root, "run", "--vars", json.dumps({"period": year}), "--select", *stage["select"])


MILEAGE = "create or replace table mileage as select 'north' as depot, 120 as km union all select 'south', 80"
GARAGE = f'''"""The garage's own program, which tells how far vehicles of each depot went."""


def mileage(context):
    """Make the table of it."""
    context.execute("{MILEAGE}")
'''


def test_a_table_that_a_function_makes_takes_one_edited_line(tmp_path: Path) -> None:
    """A model of before the first year reads it: the source is named, with the line that has a function make it."""
    cli, root = bare("fleet", tmp_path / "fleet"), tmp_path / "by hand"
    (cli.root / "models" / "sources.yml").write_text(
        "sources: [{name: garage, schema: main, tables: [{name: mileage}]}]\n"
    )
    (cli.root / "models" / "money" / "rates.sql").write_text(
        "{{ config(materialized='table') }} select depot, bays * 100 + coalesce(sum(m.km), 0) as rent "
        "from {{ ref('depots') }} left join {{ source('garage', 'mileage') }} m using (depot) group by depot, bays"
    )
    (cli.root / "garage.py").write_text(GARAGE)
    shutil.copytree(cli.root, root)
    told = cli("new", "--yes", "--json")
    found = told.document()["proposal"]
    assert isinstance(found, dict)
    assert found["sources_before"] == [{"source": "garage.mileage", "read_by": "rates"}]
    assert any("who makes garage.mileage, which rates reads" in one for one in found["unknown"])
    written = cli.root / "orchestrator.yaml"
    text = written.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if "tier: hook" in line)
    edited = line.removeprefix("# ").replace("my_module:fill", "garage:mileage")
    written.write_text(text.replace("required_tables: auto\n", "").replace(line, edited), encoding="utf-8")
    told = cli("simulate", "2031-2033")
    assert told.exit_code == 0, told.err
    dbt(root, "seed")
    with duckdb.connect(str(root / "fleet.duckdb")) as connection:
        connection.execute(MILEAGE)
    march_by_hand(cli, root)
    rows = rows_of(cli.database)
    assert rows == rows_of(root / "fleet.duckdb")
    assert len(rows["mileage"]) == 2 and len(rows["worn"]) > 0


def test_nothing_is_overwritten(fleet: tuple[Cli, Told]) -> None:
    """A configuration that is there is refused, with a remedy that works."""
    cli, _ = fleet
    before = (cli.root / "orchestrator.yaml").read_bytes()
    told = cli("new", "--yes", "--json")
    assert told.exit_code == 2
    assert "is there already" in told.error()["message"]
    assert f"`orchestrator new FOLDER --from {cli.root}`" in told.error()["to_fix"]
    assert (cli.root / "orchestrator.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("reservoir", ("water_year", "water_year", "tags")),
        ("ephemeral", ("yr", "yr", "tags")),
    ],
)
def test_other_projects_of_the_tests(name: str, year: tuple[str, str, str], tmp_path: Path) -> None:
    """Their own configurations name the same."""
    cli = bare(name, tmp_path / name)
    told = cli("new", "--json")
    assert told.exit_code == 0, told.err
    found = told.document()["proposal"]
    assert isinstance(found, dict)
    assert (found["year_var"], found["year_column"], found["stages_by"]) == year
    assert told.document()["plan_refused"] is None


def test_a_project_without_years_gets_one_line(tmp_path: Path) -> None:
    """It is enough to build its tables."""
    cli = bare("plain", tmp_path / "plain")
    told = cli("new")
    assert told.exit_code == 0, told.err
    assert (cli.root / "orchestrator.yaml").read_text() == "dbt: {project_dir: .}\n"
    assert "no years" in told.out and "Run it: orchestrator init" in told.out


def test_an_example_is_laid_out(tmp_path: Path) -> None:
    """The files of the repository's own folders, without what dbt makes there."""
    cli = Cli(tmp_path, tmp_path / "none.duckdb")
    told = cli("new", "demo", "--example", "workforce", "--json")
    assert told.exit_code == 0, told.err
    files = {str(one.relative_to(tmp_path / "demo")) for one in (tmp_path / "demo").rglob("*") if one.is_file()}
    tracked = subprocess.run(
        ["git", "ls-files", "dbt", "config"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert files == {*tracked.stdout.split("\n")} - {""} | {".gitignore"}
    again = cli("new", "demo", "--example", "workforce", "--json")
    assert again.exit_code == 2
    assert "is not empty" in again.error()["message"]


def refused(cli: Cli, *args: str) -> str:
    """Return what a refusal says; nothing may have been written."""
    before = sorted(cli.root.rglob("*"))
    told = cli("new", *args, "--json")
    assert told.exit_code == 2, told.out
    assert sorted(cli.root.rglob("*")) == before
    return f"{told.error()['message']} To fix: {told.error()['to_fix']}"


def test_what_cannot_be_adopted_is_refused(tmp_path: Path) -> None:
    """A folder without a project, a project that does not parse, years where nothing reads any, an unknown example."""
    empty = tmp_path / "empty"
    empty.mkdir()
    nowhere = Cli(empty, empty / "none.duckdb")
    assert "has no dbt project in it" in refused(nowhere)
    assert "is not a dbt project" in refused(nowhere, "--from", str(empty))
    assert "There is no example 'workforcee'. Did you mean 'workforce'?" in refused(nowhere, "--example", "workforcee")
    plain = bare("plain", tmp_path / "plain")
    assert "profiles.yml cannot be written" in refused(plain, str(plain.root / "profiles.yml" / "x"), "--from", ".")
    assert "--years would change nothing" in refused(plain, "--years", "2025-2026")
    (plain.root / "models" / "broken.sql").write_text("select {{ ref('nowhere') }}")
    assert "nowhere" in refused(plain)


def test_what_keeps_a_project_from_running_is_named_by_line(tmp_path: Path) -> None:
    """A project that errs in every way that can be seen: each line with what to write there, and what is open."""
    cli = bare("orchard", tmp_path / "orchard")
    told = cli("new", "--json", "--years", "2041-2042")
    assert told.exit_code == 0, told.err
    found = told.document()["proposal"]
    assert isinstance(found, dict)
    needed = {
        "models/growth.sql:6": "compare season with the number, without quotes: 2040",
        "models/sources.yml:5": "add meta: {prior_year_of: crop} to the table crop",
    }
    better = {
        "models/growth.sql:3": "add season to unique_key, or set meta={'writes_other_years': true} in config()",
        "models/ledger_of_trees.sql:1": "materialize it as incremental, adding only the rows of its year",
    }
    listed = {f"{one['file']}:{one['line']}": (one["what"], one["needed"]) for one in found["changes"]}
    assert {where: what for where, (what, must) in listed.items() if must} == needed
    assert {where: what for where, (what, must) in listed.items() if not must}.items() >= better.items()
    assert found["hook_points"] == [{"stage": "accumulate", "source": "outside.frost"}]
    assert "the value of bonus (models/growth.sql:4): write it under vars" in found["unknown"]
    config = SimulationConfig.load(cli.root / "orchestrator.yaml", environ={})
    assert config.simulation is not None and config.simulation.random_seed == 7
    assert config.vars == {"first_season": 2041}  # what dbt compares with the number that it is given


def test_a_value_without_which_dbt_reads_nothing_is_asked_for(tmp_path: Path) -> None:
    """By its name, whether dbt says it or stumbles over nothing; given, it is the year where models use it so."""
    cli = bare("year_in_config", tmp_path / "parity")
    assert "add --set vars.yr=VALUE" in refused(cli)
    told = cli("new", "--set", "vars.yr=2010", "--json")
    assert told.exit_code == 0, told.err
    found = told.document()["proposal"]
    assert isinstance(found, dict)
    assert (found["year_var"], found["start_year"]) == ("yr", 2010)
    assert "takes variables alone" in refused(bare("plain", tmp_path / "plain"), "--set", "scenario=x")


def test_it_may_lie_beside_the_project(tmp_path: Path) -> None:
    """In a folder that is made for it, and from which the project is found."""
    bare("plain", tmp_path / "plain")
    told = Cli(tmp_path, tmp_path / "none.duckdb")("new", "runs of it", "--from", "plain", "--json")
    assert told.exit_code == 0, told.err
    assert (tmp_path / "runs of it" / "orchestrator.yaml").read_text() == "dbt: {project_dir: ../plain}\n"
    assert not (tmp_path / "plain" / "orchestrator.yaml").exists()


def test_the_questions_on_a_terminal(tmp_path: Path) -> None:
    """Each has what the project tells as its default; a wrong answer is explained and asked for again."""
    cli = bare("fleet", tmp_path / "fleet")
    terminal = Terminal(cli.root, "new")
    terminal.wait_for("Variable that carries the year, or none [period]: ")
    terminal.answer("perod")
    terminal.wait_for("Did you mean 'period'?")
    terminal.wait_for("[period]: ")
    terminal.answer("")
    terminal.wait_for("Column that holds the year [fiscal]: ")
    terminal.answer("")
    terminal.wait_for("Years [2031-2034]: ")
    terminal.answer("2031-soon")
    terminal.wait_for("which is not a range of years")
    terminal.wait_for("Years [2031-2034]: ")
    terminal.answer("2031-2032")
    terminal.wait_for("Stages of a year [layers]: ")
    terminal.answer("one")
    assert terminal.end() == 0, terminal.text
    assert "2031–2032  as answered" in terminal.text
    written = yaml.safe_load((cli.root / "orchestrator.yaml").read_text())
    assert written["simulation"] == {
        "start_year": 2031,
        "end_year": 2032,
        "year_var": "period",
        "year_column": "fiscal",
    }
    assert [stage["name"] for stage in written["stages"]] == ["years", "tests"]


def test_no_answer_writes_nothing(tmp_path: Path) -> None:
    """The terminal is closed while a question stands."""
    cli = bare("fleet", tmp_path / "fleet")
    terminal = Terminal(cli.root, "new")
    terminal.wait_for("Variable that carries the year, or none [period]: ")
    terminal.close_input()
    assert terminal.end() == 2, terminal.text
    assert "No answer came, so nothing was written." in terminal.text and "To fix: add --yes" in terminal.text
    assert not (cli.root / "orchestrator.yaml").exists()


def test_months_are_told_to_be_numbered(tmp_path: Path) -> None:
    """A variable that holds a month is no year that could be counted, and --years is no remedy."""
    cli = Cli(tmp_path, tmp_path / "months.duckdb")
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text("{name: months, profile: months, vars: {month: '2026-01'}}\n")
    (tmp_path / "profiles.yml").write_text(
        "months: {target: dev, outputs: {dev: {type: duckdb, path: months.duckdb}}}\n"
    )
    (tmp_path / "models" / "stock.sql").write_text(
        "{{ config(materialized='incremental') }} select '{{ var(\"month\") }}' as month, 1 as n"
    )
    told = cli("new", "--yes")
    assert told.exit_code == 0, told.err
    assert "The nearest is month" in told.out and "number the steps" in told.out and "add --years" not in told.out


def test_what_later_years_switch_on_gets_a_stage(tmp_path: Path) -> None:
    """Dbt leaves it out of the first year; a configuration that did so too would never build it, and exit with 0."""
    cli = Cli(tmp_path, tmp_path / "plan.duckdb")
    for name, text in SWITCHED_ON_LATER.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    told = cli("new", "--yes")
    assert told.exit_code == 0, told.err
    written = yaml.safe_load((tmp_path / "orchestrator.yaml").read_text())
    assert written["stages"] == [
        {"name": "accumulate", "select": "alive"},
        {"name": "report", "select": "later", "later_years_only": True},
    ]
    assert cli("simulate").exit_code == 0
    assert cli.sql("select yr, n from later order by yr") == [(2026, 1), (2027, 1), (2028, 1)]
    file = tmp_path / "orchestrator.yaml"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "report" not in line))
    unbuilt = "later (in no stage, so nothing builds it)"
    assert unbuilt in cli("plan").out
    assert unbuilt in cli("simulate", "--fresh").out
    assert "model later: in no stage, so nothing builds it" in cli("doctor").out


SWITCHED_ON_LATER = {
    "dbt_project.yml": "{name: plan, profile: plan, vars: {yr: 2026, horizon: 2028}}\n",
    "profiles.yml": "plan: {target: dev, outputs: {dev: {type: duckdb, path: plan.duckdb}}}\n",
    "models/alive.sql": "{{ config(materialized='incremental') }} select {{ var('yr') }} as yr, 1 as id",
    "models/later.sql": "{{ config(enabled=var('yr') > 2026, materialized='table') }} "
    "select yr, count(*) as n from {{ ref('alive') }} group by yr",
}
