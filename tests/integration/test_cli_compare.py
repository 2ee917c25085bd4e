"""``orchestrator compare``: scenarios, runs and sweeps side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from shutil import rmtree

import pytest

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.state import MemberState
from tests.support.cli_project import Cli
from tests.support.sweep_folders import FAILED, Rows, lay_sweep
from tests.support.ui import make_lakes

TWO = ("baseline", "wet")


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make a project of two simulated scenarios, ``baseline`` and ``wet``, and a copy of the second, ``flood``."""
    cli = make_lakes(tmp_path_factory.mktemp("compare") / "my lakes")
    (cli.root / "config" / "scenarios" / "baseline.yaml").write_text("description: As it rains.\n")
    wet = cli.root / "config" / "scenarios" / "wet.yaml"
    wet.write_text(wet.read_text() + "database: var/wet.duckdb\n")
    for args in ((), ("--scenario", "wet"), ("--as", "flood", "--set", "vars.rain_factor=3")):
        told = cli("simulate", *args)
        assert told.exit_code == 0, told.err
    return cli


@pytest.fixture
def sweeps(lakes: Cli) -> Iterator[Cli]:
    """Give the same, with a sweep ``rain`` of two factors and four seeds, one of them failed."""

    def rows(member: Member) -> Rows:
        factor = float(str(member.values["vars.rain_factor"]))
        return [(year, 2, 10 * factor + (member.seed or 0), 0.5) for year in (2000, 2001)]

    lay_sweep(
        lakes.root,
        "rain",
        rows,
        table="lake_summary",
        columns=summary_columns(lakes),
        years=(2000, 2001),
        vary={"vars.rain_factor": [1, 2.5]},
        seeds=(1, 2, 3, 4),
        states={3: FAILED},
    )
    yield lakes
    rmtree(lakes.root / "var" / "sweeps")


def summary_columns(cli: Cli) -> list[tuple[str, str]]:
    """Return names and types of the first columns of the closing table."""
    return [(str(row[0]), str(row[1])) for row in cli.sql("describe lake_summary")]


def test_scenarios_by_year(lakes: Cli) -> None:
    """What differs between them is on top; one that ``--as`` made is known by its run; no seed, no interval."""
    told = lakes("compare", "baseline", "wet", "flood", "--metric", "water", "--year", "2001")
    assert told.exit_code == 0, told.err
    assert [line.rstrip() for line in told.out.splitlines()] == [
        "baseline  scenario, one seed: 1",
        "wet       scenario, one seed: 1",
        "flood     scenario, one seed: 1",
        "",
        "Parameter         baseline  wet  flood",
        "vars.rain_factor  1         2    3",
        "",
        "Water",
        "Year  baseline  wet  flood  wet − baseline    in %  flood − baseline     in %",
        "2001       181  280    380           +99.8  +55.2%              +200  +110.4%",
    ]


def test_runs_and_documents(lakes: Cli) -> None:
    """A run is named by the beginning of its id; JSON, CSV and Markdown say the same."""
    runs = lakes("runs", "list", "--json").document()["runs"]
    assert isinstance(runs, list)
    ids = {run["scenario"]: run["run_id"] for run in runs}
    document = lakes("compare", ids["baseline"][:8], f"run:{ids['wet']}", "--json").document()
    assert (document["ok"], document["status"]) == (True, "compared")
    metrics = document["metrics"]
    assert isinstance(metrics, list)
    sides = metrics[1]["years"][0]["sides"]
    assert (sides[0]["mean"], sides[1]["mean"], sides[0]["change"]) == (142.5, 195.0, None)
    assert sides[1]["change"] == {
        "difference": 52.5,
        "percent": pytest.approx(36.842105),
        "low": None,
        "high": None,
        "count": 1,
        "paired": True,
    }
    lines = lakes("compare", "baseline", "wet", "--csv", "--year", "2000").out.splitlines()
    assert lines[3].startswith("water,Water,money,2000,baseline,142.5,,,1,")
    assert "| 2000 | 142 | 195 | +52.5 | +36.8% |" in lakes("compare", "baseline", "wet", "--md").out.splitlines()


def test_a_run_has_the_variables_that_the_project_set(lakes: Cli) -> None:
    """They are in the ledger, not in the configuration of the run; nothing is called different that is the same."""
    project = lakes.root / "dbt" / "dbt_project.yml"
    before = project.read_text()
    assert "rain_factor: 1" in before
    try:
        assert lakes("simulate", "-q", "--as", "plain").exit_code == 0
        runs = lakes("runs", "list", "--scenario", "plain", "--json").document()["runs"]
        assert isinstance(runs, list)
        run = str(runs[0]["run_id"])
        assert lakes("compare", run, "plain", "--json").document()["parameters"] == []
        project.write_text(before.replace("rain_factor: 1", "rain_factor: 4"))
        named = lakes("compare", run, "plain", "wet", "--json").document()["parameters"]
        assert named == [{"name": "vars.rain_factor", "values": [1, 1, 2]}]
    finally:
        project.write_text(before)
        (lakes.root / "var" / "plain.duckdb").unlink()


def test_what_was_set_for_all_members_is_a_setting(sweeps: Cli) -> None:
    """A sweep that was begun with ``--set`` was made of that, not of what the configuration says."""
    folder = SweepFolder.of(sweeps.root, "rain")
    replace(SweepPlan.read(folder.plan), overrides=("vars.drought=true", "simulation.random_seed=9")).write(folder.plan)
    config = sweeps.root / "config" / "simulation.yaml"
    before = config.read_text()
    try:
        config.write_text(before + "vars: {drought: false}\n")
        document = sweeps("compare", "rain[rain_factor=1]", "rain[rain_factor=2.5]", "wet", "--json").document()
        named = document["parameters"]
        assert isinstance(named, list)
        assert {"name": "vars.drought", "values": [True, True, False]} in named
    finally:
        config.write_text(before)


def test_a_sweep_by_groups(sweeps: Cli) -> None:
    """Seeds are repetitions; differences are paired, and what is not done is told."""
    told = sweeps("compare", "rain", "--metric", "water", "--year", "2000")
    assert told.exit_code == 0, told.err
    lines = [line.rstrip() for line in told.out.splitlines()]
    assert lines[:2] == [
        "A  rain[rain_factor=1]    sweep, 3 seeds: 1–3",
        "B  rain[rain_factor=2.5]  sweep, 4 seeds: 1–4",
    ]
    # 11, 12, 13: s = 1, half = 4.303/√3 = 2.48; 26 to 29: mean 27.5, s = 1.29, half = 3.182 · 0.6455 = 2.05
    assert [line.split() for line in lines[7:9]] == [
        ["Year", "A", "B", "B", "−", "A", "in", "%"],
        ["2000", "12", "±", "2.5", "27.5", "±", "2.1", "+15", "±", "0", "+125.0%"],
    ]
    assert "Sweep rain: 7 of 8 members are done (1 failed); the others are left out." in lines
    assert "paired by seed" in lines[-1]
    one = sweeps("compare", "rain[rain_factor=1]", "baseline", "--metric", "water", "--json").document()
    named = one["sides"]
    assert isinstance(named, list)
    assert [side["name"] for side in named] == ["rain[rain_factor=1]", "baseline"]
    assert sweeps("compare", "rain[rain_factor=1]").exit_code == 2


def test_databases_of_members_are_read_where_no_table_was_kept(lakes: Cli) -> None:
    """The rows are the same."""
    shared = {"table": "lake_summary", "columns": summary_columns(lakes), "years": (2000, 2000), "seeds": (1, 2)}
    made = {"kept": {"parquet": True}, "files": {"parquet": False, "databases": True}, "gone": {"parquet": False}}
    try:
        for name, how in made.items():
            lay_sweep(lakes.root, name, lambda member: [(2000, 2, member.seed, None)], **shared, **how)  # type: ignore[arg-type]
        document = lakes("compare", "kept", "files", "--year", "2000", "--json").document()
        metrics = document["metrics"]
        assert isinstance(metrics, list)
        sides = metrics[1]["years"][0]["sides"]
        assert [side["mean"] for side in sides] == [1.5, 1.5]
        assert sides[1]["change"]["low"] == 0
        assert [side["null"] for side in metrics[2]["years"][0]["sides"]] == [2, 2]
        told = lakes("compare", "kept", "gone")
        assert told.exit_code == 2
        assert "Sweep gone has kept no results." in told.err
    finally:
        rmtree(lakes.root / "var" / "sweeps")


def test_members_that_were_simulated(lakes: Cli) -> None:
    """A member's own database gives the rows of the same scenario run alone, and tells what it was made of."""
    members = tuple(Member.of("baseline", seed, {"vars.rain_factor": 2}) for seed in (1, 2))
    plan = SweepPlan(
        *("real", "2026-11-29T20:00:00+00:00", 2000, 2002, (Variation("vars.rain_factor", (2,)),)),
        *(("baseline",), (1, 2), members),
    )
    folder = SweepFolder.of(lakes.root, "real")
    try:
        for member in members:
            own = folder.member(member.key)
            own.path.mkdir(parents=True)
            given = [f"{key}={value}" for key, value in member.overrides().items()]
            told = lakes(
                "simulate", "-q", "--database", str(own.database), *(w for one in given for w in ("--set", one))
            )
            assert told.exit_code == 0, told.err
            MemberState("done").write(own.state)
        plan.write(folder.plan)
        document = lakes("compare", "wet", "real", "--json").document()
        assert document["parameters"] == []
        metrics = document["metrics"]
        assert isinstance(metrics, list)
        changes = [side["change"] for metric in metrics for year in metric["years"] for side in year["sides"][1:]]
        assert len(changes) == 9 and {change["difference"] for change in changes} == {0}
        rows = ("--rows", "lake_level", "--key", "lake,water_year")
        counts = lakes("compare", "wet", "real[seed=2]", *rows, "--json").document()["counts"]
        assert counts == {"first": 6, "second": 6, "same": 6, "added": 0, "removed": 0, "changed": 0}
        assert lakes("report", "real", "-q").exit_code == 0
        page = (lakes.root / "report.html").read_text(encoding="utf-8")
        assert "seed rain" in page and "What these were made of is not known" not in page
    finally:
        rmtree(lakes.root / "var" / "sweeps")
        (lakes.root / "report.html").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("args", "message", "to_fix"),
    [
        (
            ["baselin", "wet"],
            "There is no scenario, run or sweep 'baselin'.",
            "write baseline; there are: baseline, wet, rain",
        ),
        (["baseline"], "There is nothing to compare baseline with.", "name another scenario"),
        (["sweep:rian", "wet"], "There is no sweep 'rian'.", "write rain; there are: rain"),
        (["scenario:rain", "wet"], "There is no scenario 'rain'.", "there are: baseline, wet"),
        (
            ["rain[rain_factor=7]", "wet"],
            "Sweep rain has no member with rain_factor=7.",
            "choose one of these values: 1, 2.5",
        ),
        (
            ["rain[rain_facto=1]", "wet"],
            "Sweep rain does not vary 'rain_facto'.",
            "write rain_factor; its conditions are on",
        ),
        (
            ["rain[rain_factor=1,seed=4]", "wet"],
            "Sweep rain has no results yet: 0 of 1 member is done",
            "run the same",
        ),
        (["run:ffff", "wet"], "holds no run ffff", "see `orchestrator runs list`"),
        (
            [*TWO, "--metric", "watr"],
            "There is no metric 'watr'.",
            "write water; there are: lakes, water, fullness",
        ),
        ([*TWO, "--year", "1999"], "There are no results of 1999.", "2000, 2001, 2002"),
        ([*TWO, "--rows", "lake_level"], "--rows needs the columns", "add --key K"),
        ([*TWO, "--key", "lake"], "--key names the rows", "add --rows TABLE"),
        ([*TWO, "--csv", "--md"], "--csv and --md cannot be used together.", "leave out one of them"),
        ([*TWO, "flood", "--rows", "lakes", "--key", "lake"], "not of 3", "name two of them"),
        ([*TWO, "--rows", "lake_levle", "--key", "lake"], "no table 'lake_levle'", "write lake_level"),
        (
            [*TWO, "--rows", "lakes", "--key", "laek"],
            "lakes of baseline has no column 'laek'.",
            "write lake;",
        ),
        (
            [*TWO, "--rows", "lake_level", "--key", "lake"],
            "lake is no key of lake_level",
            "name more columns",
        ),
        (
            ["rain", "wet", "--rows", "lake_summary", "--key", "water_year"],
            "stands for 7 finished members",
            "rain[rain_factor=1,seed=1]",
        ),
    ],
)
def test_what_cannot_be_compared(sweeps: Cli, args: list[str], message: str, to_fix: str) -> None:
    """It ends with 2, and says what to do."""
    told = sweeps("compare", *args, "--json")
    assert told.exit_code == 2, told.err
    assert message in told.error()["message"]
    assert to_fix in told.error()["to_fix"]


def test_a_name_of_two_things(sweeps: Cli) -> None:
    """A sweep that is called like a scenario has to be told from it."""
    folder = SweepFolder.of(sweeps.root, "rain").path
    folder.rename(folder.with_name("wet"))
    told = sweeps("compare", "wet", "baseline")
    assert (told.exit_code, told.err) == (
        2,
        "Error: wet is a scenario and a sweep.\nTo fix: write scenario:wet or sweep:wet\n",
    )
    assert sweeps("compare", "scenario:wet", "baseline").exit_code == 0


def test_rows_of_two_databases(sweeps: Cli) -> None:
    """Matched by key: counts of all, the first of each kind; CSV has all of them."""
    args = ("compare", "baseline", "wet", "--rows", "lake_level", "--key", "lake,water_year")
    told = sweeps(*args, "--year", "2001", "--limit", "1")
    assert told.exit_code == 0, told.err
    lines = [line.rstrip() for line in told.out.splitlines()]
    assert lines[0] == (
        "lake_level: 2 rows in baseline, 2 rows in wet; 0 alike, 0 only in wet, 0 only in baseline, 2 changed"
    )
    assert lines[1:4] == ["Changed values: level 2", "", "Changed from baseline to wet"]
    assert lines[4:6] == ["lake   water_year  column  baseline  wet", "lower  2001        level   115.1000  181.6000"]
    assert lines[-1] == "the first 1 of 2 values; --limit shows more"
    assert len(sweeps(*args, "--csv").out.splitlines()) == 1 + 6
    document = sweeps(*args, "--json").document()
    assert document["counts"] == {"first": 6, "second": 6, "same": 0, "added": 0, "removed": 0, "changed": 6}
    member = sweeps(
        *("compare", "rain[rain_factor=1,seed=1]", "baseline", "--rows", "lake_summary"),
        "--key",
        "water_year",
        "--json",
    ).document()
    assert member["counts"] == {"first": 2, "second": 3, "same": 0, "added": 1, "removed": 0, "changed": 2}


def test_rows_that_are_not_of_the_project_are_named(sweeps: Cli) -> None:
    """With what has changed, of scenarios as of members; two scenarios of one database are not compared."""
    rows = ("--rows", "lake_summary", "--key", "water_year")
    assert sweeps("compare", "baseline", "wet", *rows, "--json").document()["notes"] == []
    told = sweeps("compare", "baseline", "wet", *rows, "--set", "vars.rain_factor=4")
    assert "baseline is not what the project is now (2000–2002): var rain_factor changed from 1 to 4" in told.out
    found = sweeps("compare", "rain[rain_factor=1,seed=1]", "baseline", *rows, "--json").document()
    assert "rain[rain_factor=1,seed=1]: 1 member of 1 may not be what the project is now" in found["notes"][0]  # type: ignore[index]
    by_year = sweeps("compare", "rain[rain_factor=1,seed=1]", "rain[rain_factor=2.5,seed=1]").out
    assert "rain[rain_factor=2.5,seed=1]: 1 member of 1 may not be" in by_year
    same = sweeps.root / "config" / "scenarios" / "same.yaml"
    same.write_text("vars: {rain_factor: 1}\n")
    try:
        told = sweeps("compare", "baseline", "same", *rows)
    finally:
        same.unlink()
    assert told.exit_code == 2
    assert "baseline and same have one database" in told.err and "`database: var/NAME.duckdb`" in told.err


def test_rows_that_a_sweep_kept_are_those_of_its_members(lakes: Cli) -> None:
    """What the files of a sweep say of their member is no column of the table; names that it takes are given back."""
    made: dict[str, tuple[str, ...]] = {
        "kept": ("member varchar", "water_year integer", "seed_ integer", "status__ varchar"),
        "whole": ("water_year integer", "seed integer", "status_ varchar"),
    }
    try:
        for name, columns in made.items():
            head = ("the member",) if name == "kept" else ()
            lay_sweep(
                lakes.root,
                name,
                lambda _, head=head: [(*head, year, 7, "wet") for year in (2000, 2001)],  # type: ignore[misc]
                table="lake_level",
                columns=[(one.split()[0], one.split()[1]) for one in columns],
                years=(2000, 2001),
                seeds=(1, 2),
                parquet=name == "kept",
                databases=name == "whole",
            )
        args = ("--rows", "lake_level", "--key", "water_year")
        found = lakes("compare", "kept[seed=1]", "kept[seed=2]", *args, "--json").document()
        assert found["counts"] == {"first": 2, "second": 2, "same": 2, "added": 0, "removed": 0, "changed": 0}
        found = lakes("compare", "kept[seed=1]", "whole[seed=1]", *args, "--year", "2001", "--json").document()
        assert found["counts"] == {"first": 1, "second": 1, "same": 1, "added": 0, "removed": 0, "changed": 0}
        assert found["columns"]["only_first"] == found["columns"]["only_second"] == []  # type: ignore[index]
    finally:
        rmtree(lakes.root / "var" / "sweeps")


def test_a_table_without_years_has_no_rows_of_a_year(lakes: Cli) -> None:
    """It is said of a sweep's members as of scenarios."""
    shared = {"table": "lakes", "columns": [("lake", "varchar")], "years": (2000, 2001), "seeds": (1, 2)}
    try:
        lay_sweep(lakes.root, "kept", lambda _: [("upper",)], **shared)  # type: ignore[arg-type]
        lay_sweep(lakes.root, "files", lambda _: [("upper",)], parquet=False, databases=True, **shared)  # type: ignore[arg-type]
        for one in ("kept[seed=1]", "files[seed=1]", "wet"):
            told = lakes("compare", one, "kept[seed=2]", "--rows", "lakes", "--key", "lake", "--year", "2000", "--json")
            assert told.exit_code == 2
            assert "has no column water_year, which holds the year" in told.error()["message"]
            assert told.error()["to_fix"] == "leave out --year"
    finally:
        rmtree(lakes.root / "var" / "sweeps")


def test_a_database_in_use_and_one_that_is_out_of_date(lakes: Cli) -> None:
    """The holder is named and 75 returned; what was made of something else is told, and still compared."""
    with lakes.open_elsewhere():
        told = lakes("compare", "wet", "baseline")
    assert told.exit_code == 75
    assert "reservoir.duckdb is open in another program" in told.err
    told = lakes("compare", "wet", "baseline", "--set", "vars.rain_factor=4")
    assert told.exit_code == 0
    assert "vars.rain_factor  2    1" in told.out  # what they were made of, not what would be now
    assert "baseline is not what the project is now (2000–2002): var rain_factor changed from 1 to 4" in told.out


def test_a_run_whose_rows_are_gone(lakes: Cli) -> None:
    """Its results are in the history; its rows are not, once another run has used the database."""
    runs = lakes("runs", "list", "--scenario", "baseline", "--json").document()["runs"]
    assert isinstance(runs, list)
    old = runs[0]["run_id"][:8]
    rows = ("--rows", "lake_level", "--key", "lake,water_year")
    same = lakes("compare", f"run:{old}", "baseline", *rows, "--json").document()
    assert same["changed_values"] == {}
    assert lakes("simulate", "--from-year", "2002", "--yes").exit_code == 0
    told = lakes("compare", f"run:{old}", "baseline", *rows)
    assert told.exit_code == 2
    assert f"The rows of run {old} are not there any more" in told.err
    told = lakes("compare", f"run:{old}", "baseline")
    assert told.exit_code == 0, told.err
    assert "Parameter" not in told.out  # the variables that the project sets are the same, or not known
