"""The harness of the benchmarks: figures, merging, rendering, turns. No test says how long anything takes."""

from __future__ import annotations

import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from benchmarks import bench, cases, measure, peers, rendering, results, sampling, targets
from benchmarks.bench import Bench, Contender
from benchmarks.measure import BenchmarkError, Command, run_all
from benchmarks.results import CaseResult, Series, Spread, Table, Taken

FOLDER = Path(inspect.getfile(cases)).parents[1]
TAKEN = Taken("2026-01-01T00:00:00+00:00", "abc", "a machine", {"python": "3.11"}, quick=False)


def series(name: str, *seconds: float, **more: float) -> Series:
    """Make the figures of a contender."""
    return Series(name, tuple({"wall_seconds": each, **more} for each in seconds))


def case(name: str, *tables: Table) -> CaseResult:
    """Make a result."""
    return CaseResult(name, f"About {name}.", TAKEN, tables, ("Something holds.",))


def python(code: str, folder: Path) -> Command:
    """Make a process of a few milliseconds."""
    return Command([sys.executable, "-S", "-c", code], cwd=folder)


@pytest.mark.parametrize("module", [bench, results, rendering, targets], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module: ModuleType) -> None:
    """What a docstring shows is what comes out, and there is one to see."""
    told = doctest.testmod(module)
    assert told.attempted > 0 and told.failed == 0


def test_a_spread_is_of_the_rounds_that_have_the_figure() -> None:
    """Median, least and most leave out the rounds that lack a figure; without any there is no spread."""
    mixed = Series("ours", ({"wall_seconds": 4.0}, {"wall_seconds": 1.0, "calls": 7.0}, {"wall_seconds": 3.0}))
    assert mixed.spread("wall_seconds") == Spread(3.0, 1.0, 4.0, 3)
    assert mixed.spread("calls") == Spread(7.0, 7.0, 7.0, 1)
    assert mixed.spread("nothing") is None
    assert mixed.measures() == ("wall_seconds", "calls")


def test_results_are_merged_by_case(tmp_path: Path) -> None:
    """A case measured again takes the place of its older result; the others stay; what is read is what was written."""
    path = tmp_path / "results.json"
    old, other = case("one", Table("t", (series("ours", 1.0),))), case("two", Table("t", (series("ours", 2.0),)))
    new = case("one", Table("t", (series("ours", 3.0, 5.0),)), Table("u", ()))
    results.merge(path, old)
    results.merge(path, other)
    assert results.merge(path, new) == {"one": new, "two": other}
    assert results.load(path) == {"one": new, "two": other}


def test_results_of_another_format_are_refused(tmp_path: Path) -> None:
    """A file that this code did not write is not guessed at."""
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"format": 0, "cases": {}}))
    with pytest.raises(ValueError, match=r"format 0, not 1. To fix"):
        results.load(path)


def test_a_table_compares_everybody_with_the_first() -> None:
    """The last column divides by the first contender's median; a figure that somebody lacks is left blank."""
    table = Table("t", (series("ours", 2.0, 4.0, 3.0), series("dbt", 12.0, statements=1200.0)))
    assert rendering.table_rows(table) == [
        ["", "rounds", "wall", "statements", "÷ ours"],
        ["ours", "3", "3.00 s (2.00 s–4.00 s)", "", "1.00"],
        ["dbt", "1", "12.00 s", "1,200", "4.00"],
    ]


@pytest.mark.parametrize(
    "table",
    [Table("t", (series("ours", 2.0),)), Table("t", (Series("a", ({"x_ms": 1.0},)), Series("b", ({"x_ms": 2.0},))))],
)
def test_nothing_is_compared_where_there_is_nothing_to_compare(table: Table) -> None:
    """A single contender, and rows that are no processes, have no ratio."""
    assert not any("÷" in cell for row in rendering.table_rows(table) for cell in row)


def test_targets_say_reached_missed_or_not_measured() -> None:
    """Every target has a row; what was not measured says so instead of vanishing."""
    rows = rendering.targets_section({}).splitlines()[4:]
    assert len(rows) == len(targets.TARGETS)
    assert all("not measured" in row for row in rows)
    title = "2025-2029, 1,000 employees"
    five = case(
        "five_years",
        Table(title, (series("orchestrator", 10.0), series("dbt command line", 100.0), series("bare DuckDB", 0.5))),
    )
    first, second, third, *_ = rendering.targets_section({"five_years": five}).splitlines()[4:]
    assert "10.00 (100 / 10)" in first and first.endswith("| **reached** |")
    assert "allows 7.00 and 4.00 s" in second and second.endswith("| **missed** |")
    assert "not measured" in third


def test_the_worst_reading_decides() -> None:
    """A target of two readings is missed when one misses, and not measured while one is not there."""
    figures = {name: targets.Figure("c", "t", name) for name in ("a", "b", "lacking")}
    measured = {"c": case("c", Table("t", (series("a", 1.0), series("b", 3.0))))}
    good, bad = (targets.plain(figures[name], "s", 2.0, 1.0) for name in ("a", "b"))
    lacking = targets.plain(figures["lacking"], "s", 2.0, 1.0)
    told = targets.worst(good, bad)(measured)
    assert told is not None and (told.text, told.verdict) == ("1.00 s; 3.00 s", "missed")
    assert targets.worst(good, lacking)(measured) is None


def test_the_document_holds_notes_and_names_what_is_not_measured(tmp_path: Path) -> None:
    """A note stands in its case's section; known cases come in their order; the rest is named."""
    (tmp_path / "two.md").write_text("It was a warm day.\n")
    document = rendering.document({"one": case("one"), "two": case("two")}, tmp_path, ["two", "three", "one"])
    assert document.index("## two") < document.index("It was a warm day.") < document.index("## one")
    assert "Not measured yet: `three`." in document
    assert "commit abc; a machine; python 3.11" in document


def test_results_are_rendered_and_not_written_by_hand() -> None:
    """RESULTS.md is what results.json and the notes render to."""
    text = rendering.document(results.load(FOLDER / "results.json"), FOLDER / "notes", cases.NAMES)
    assert (FOLDER / "RESULTS.md").read_text(encoding="utf-8") == text


def test_every_module_of_a_case_is_listed_and_says_what_it_compares() -> None:
    """A new file in cases/ is a new case, with a docstring and ``run(bench)``."""
    files = {path.stem for path in (FOLDER / "cases").glob("*.py")} - {"__init__"}
    assert files == set(cases.NAMES) and len(cases.NAMES) == len(files) and files >= cases.LONG
    for name in cases.NAMES:
        loaded = cases.load(name)
        assert loaded.about.splitlines()[0].endswith((".", ":"))
        assert list(inspect.signature(loaded.run).parameters) == ["bench"]
    assert {path.stem for path in (FOLDER / "notes").glob("*.md")} <= set(cases.NAMES)


def test_the_figures_of_targets_are_those_of_known_cases() -> None:
    """A target that no case can ever fill is a slip of the pen; replay is a case still to come."""
    text = inspect.getsource(targets)
    named = {name for name in (*cases.NAMES, "replay") if f'"{name}"' in text}
    assert {"five_years", "peers", "cold_init", "check", "start", "year_cost", "memory", "hundred_thousand"} <= named


def test_contenders_take_turns(tmp_path: Path) -> None:
    """A warm-up of each, then round by round; what is prepared and read belongs to each round."""
    order: list[str] = []

    def contender(name: str) -> Contender:
        command = python(f"open('out', 'a').write({name!r})", tmp_path)
        return Contender(
            name,
            [command, command],
            before=lambda: order.append(f"before {name}"),
            figures=lambda cost: {"length": float(len((tmp_path / "out").read_text()))},
            after=lambda: order.append(f"after {name}"),
        )

    said: list[str] = []
    found = Bench(tmp_path, rounds=2, say=said.append).compete([contender("a"), contender("b")])
    assert order == [f"{when} {name}" for _ in range(3) for name in "ab" for when in ("before", "after")]
    assert [each.name for each in found] == ["a", "b"]
    assert [values["length"] for values in found[0].rounds] == [6.0, 10.0]
    assert all({"wall_seconds", "cpu_seconds", "peak_bytes"} <= set(values) for each in found for values in each.rounds)
    assert len(said) == 6


def test_a_process_that_fails_fails_its_case(tmp_path: Path) -> None:
    """A contender that does nothing in no time is no result: its exit code and last words are told."""
    with pytest.raises(BenchmarkError, match=r"(?s)ended with 3.*no such table"):
        run_all([python("import sys; print('no such table'); sys.exit(3)", tmp_path)], tmp_path / "log")


def test_costs_add_up_but_memory_does_not(tmp_path: Path) -> None:
    """Seconds of several processes are added; the peak is that of the largest one, however large we are ourselves."""
    ours = bytearray(400_000_000)
    small, large = python("pass", tmp_path), python("x = bytearray(200_000_000)", tmp_path)
    one = run_all([large], tmp_path / "log")
    both = run_all([small, large, small], tmp_path / "log")
    assert 200_000_000 < one.peak_bytes < 250_000_000
    assert abs(both.peak_bytes - one.peak_bytes) < 20_000_000 and len(ours)
    assert both.cpu_seconds > 0 and both.wall_seconds > 0


def test_no_setting_of_ours_reaches_a_contender(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in the environment would change what is measured; nobody sends telemetry."""
    monkeypatch.setenv("ORCHESTRATOR_DATABASE", "mine.duckdb")
    monkeypatch.setenv("DBT_PROFILES_DIR", "/somewhere")
    made = measure.environment({"ORCHESTRATOR_DATABASE": "theirs.duckdb"})
    assert made["ORCHESTRATOR_DATABASE"] == "theirs.duckdb" and "DBT_PROFILES_DIR" not in made
    assert made["SQLMESH__DISABLE_ANONYMIZED_ANALYTICS"] == "1"


def test_tables_are_compared_by_rows_and_types_whatever_their_order(tmp_path: Path) -> None:
    """Equal rows in another order are equal; a changed value, type or table is named."""
    paths = {name: tmp_path / f"{name}.duckdb" for name in ("a", "turned", "value", "type", "more")}
    sql = {
        "a": "create table t as select range as id from range(100)",
        "turned": "create table t as select range as id from range(100) order by 1 desc",
        "value": "create table t as select case range when 7 then 8 else range end as id from range(100)",
        "type": "create table t as select range::integer as id from range(100)",
        "more": "create table t as select range as id from range(100); create view v as select 1 as one",
    }
    for name, path in paths.items():
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql[name])
    judge = Bench(tmp_path)
    assert judge.equal({"a": paths["a"], "turned": paths["turned"]}).startswith("1 tables and views are equal")
    for name, table in (("value", "t"), ("type", "t"), ("more", "v")):
        with pytest.raises(BenchmarkError, match=f"a and {name} differ in {table}"):
            judge.equal({"a": paths["a"], name: paths[name]})


def test_the_floor_executes_a_recording_up_to_a_command(tmp_path: Path) -> None:
    """Statements run in order with their bound values; those of later commands are left out; look-ups are counted."""
    lines = [
        [0, "create table t (id integer)", None],
        [0, "insert into t values (?)", [1]],
        [1, "select * from information_schema.tables", None],
        [2, "drop table t", None],
    ]
    recording, told = tmp_path / "recording.jsonl", tmp_path / "told.json"
    recording.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = bench.program("floor.py", str(recording), str(tmp_path / "x.duckdb"), "2", str(told))
    Bench(tmp_path).quietly(command)
    assert json.loads(told.read_text()).items() >= {"statements": 3, "catalog_queries": 1}.items()
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as connection:
        assert connection.execute("from t").fetchall() == [(1,)]


def test_memory_is_the_last_sample_by_a_moment() -> None:
    """What is sampled after a year's end belongs to the next year."""
    sampler = sampling.MemorySampler()
    sampler.samples = [sampling.Sample(float(at), at, 2 * at) for at in (1, 2, 3)]
    assert sampler.at(2.5) == sampling.Sample(2.0, 2, 4)


def test_the_pipeline_of_the_peers_is_the_promised_one(tmp_path: Path) -> None:
    """Ten views, eight tables, twelve events, fact, snapshot, eight marts; nothing is left unwritten in any tool."""
    kinds = [node.kind for node in peers.nodes(10)]
    assert [kinds.count(kind) for kind in ("view", "table", "event", "fact", "snapshot", "mart")] == [
        10,
        8,
        12,
        1,
        1,
        8,
    ]
    peers.write_dbt(tmp_path / "ours", 10)
    peers.write_sqlmesh(tmp_path / "theirs", 10)
    peers.write_sql(tmp_path / "bare.jsonl", 10, 2)
    written = [*tmp_path.rglob("*.sql"), tmp_path / "bare.jsonl"]
    assert len(written) == 2 * len(kinds) + 1
    for path in written:
        assert "$" not in path.read_text(), path


def test_the_process_that_measures_stays_small() -> None:
    """A new process begins with the peak memory of the one that starts it, so this one imports nothing large."""
    names = [f"benchmarks.cases.{name}" for name in cases.NAMES]
    large = ["dbt", "duckdb", "pydantic", "sqlmesh"]
    code = f"import importlib, sys; [importlib.import_module(n) for n in {names} + ['benchmarks.__main__']];"
    code += f"print(sorted(set({large}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=FOLDER.parent)
    assert done.stdout.strip() == "[]"
