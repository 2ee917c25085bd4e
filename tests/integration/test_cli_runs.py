"""``orchestrator runs``: the history of runs, as a user meets it."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from orchestrator import create_orchestrator
from orchestrator.core.events import Event, StageFinished
from orchestrator.storage.factory import create_storage_backend
from tests.faults.ground import DROP_RIGHTS
from tests.support.cli_project import Cli, Told
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

pytestmark = pytest.mark.slow

STAGES = ["flows", "balance", "checks"]


@pytest.fixture
def place(lakes: Cli) -> Cli:
    """Give the project without any history."""
    clear(lakes)
    return lakes


@pytest.fixture(scope="module")
def kept_run(healed_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate 2000 and 2001 once, and keep all that is left of it."""
    place = Cli(healed_home, healed_home / "var" / "reservoir.duckdb")
    clear(place)
    shutil.copy(healed_home / "healed.copy", place.database)
    done = place("simulate", "2000-2001")
    assert done.exit_code == 0, done.err
    kept = tmp_path_factory.mktemp("kept") / "var"
    shutil.copytree(healed_home / "var", kept)
    return kept


@pytest.fixture
def ran(kept_run: Path, place: Cli) -> Cli:
    """Give the project as it is after that one run."""
    shutil.copytree(kept_run, place.root / "var", dirs_exist_ok=True)
    return place


def clear(place: Cli) -> None:
    """Take every trace of runs away."""
    shutil.rmtree(place.root / "var" / "runs", ignore_errors=True)
    for file in (place.root / "var").glob("orchestrator*.db*"):
        file.unlink()


def documents(told: Told) -> list[dict[str, object]]:
    """Return the runs of a document."""
    assert told.exit_code == 0, told.err
    runs = told.document()["runs"]
    assert isinstance(runs, list)
    return runs


def only_run(place: Cli, *args: str) -> dict[str, object]:
    """Return the only run of the history, with all that belongs to it."""
    runs = documents(place("runs", "list", "--json", *args))
    assert len(runs) == 1
    shown = place("runs", "show", str(runs[0]["run_id"]), "--json", *args)
    assert shown.exit_code == 0, shown.err
    return shown.document()


def steps_of(run: dict[str, object], kind: str) -> list[dict[str, object]]:
    """Return the steps of one kind."""
    steps = run["steps"]
    assert isinstance(steps, list)
    return [step for step in steps if step["kind"] == kind]


def kill_after(place: Cli, year: int, stage: str) -> str:
    """Simulate until a hook behind a stage waits and the history knows of the stage, then kill the run.

    Return the setting of the hook, which waits no more: a hook that goes decides finished years.
    """
    held = place.root / "held"
    held.touch()
    (place.root / "waiting.py").write_text(
        "import time\nfrom pathlib import Path\ndef wait(context):\n"
        f"    time.sleep(600 if context.year == {year} and Path({str(held)!r}).exists() else 0)\n"
    )
    hook = f"hooks=[{{type: post_stage, stage: {stage}, call: 'waiting:wait'}}]"
    process = place.start("simulate", "--set", hook)

    def reached() -> bool:
        if not (place.root / "var" / "orchestrator.db").exists():
            return False
        runs = documents(place("runs", "list", "--status", "running", "--json"))
        return [run["reached"] for run in runs] == [{"year": year, "stage": stage}]

    wait_until(reached, f"the history knows of {stage} of {year}", 60)
    process.kill()
    process.communicate()
    held.unlink()
    return hook


def check_whole(run: dict[str, object]) -> None:
    """Make sure that a run of 2000 and 2001 is there with all that belongs to it."""
    assert (run["status"], run["years"], run["error"]) == ("completed", [2000, 2001], None)
    stages = [(step["year"], step["name"], step["status"]) for step in steps_of(run, "stage")]
    assert stages == [(year, stage, "completed") for year in (2000, 2001) for stage in STAGES]
    checkpoints, outputs = run["checkpoints"], run["outputs"]
    assert isinstance(checkpoints, list)
    assert isinstance(outputs, dict)
    assert [state["node_id"] for state in checkpoints] == [
        f"{year}/{stage}" for year in (2000, 2001) for stage in ("flows", "balance")
    ]
    assert {table["table"]: table["rows"] for table in checkpoints[1]["tables"]} == {"lake_level": 2}
    assert outputs["years"] == [2000, 2001]
    assert outputs["fingerprint"] == run["fingerprint"]


def test_a_run_is_in_the_history_without_any_set_up(place: Cli) -> None:
    """One simulation, one completed run, with healing steps, stages, checkpoints and results."""
    place.sql("drop table rain")
    done = place("simulate", "2000-2001", "--config", "config/simulation.yaml")
    assert done.exit_code == 0, done.err
    assert done.err == ""
    run = only_run(place)
    check_whole(run)
    command = f"orchestrator runs show {str(run['run_id'])[:8]} --config config/simulation.yaml"
    assert f"history   {command}\n" in done.out
    assert {"check_tables", "load_seeds", "verify"} <= {str(step["name"]) for step in steps_of(run, "healing")}
    assert [step["name"] for step in steps_of(run, "start")] == ["start dbt"]
    versions, config = run["versions"], run["config"]
    assert isinstance(versions, dict)
    assert isinstance(config, dict)
    assert {"python", "dbt-core", "duckdb"} <= set(versions)
    assert config["root"] == str(place.root)
    told = place("runs", "list")
    assert [line.split()[:3] for line in told.out.splitlines()] == [
        ["Run", "Status", "Scenario"],
        [str(run["run_id"])[:8], "completed", "baseline"],
    ]


def test_the_same_on_postgresql(place: Cli, server: PostgresServer) -> None:
    """A URL is all that changes; the password is written nowhere."""
    url = server.make_database()
    done = place("simulate", "2000-2001", "--set", f"storage.url={url}")
    assert done.exit_code == 0, done.err
    assert done.err == ""
    assert not (place.root / "var" / "orchestrator.db").exists()
    run = only_run(place, "--set", f"storage.url={url}")
    check_whole(run)
    kept = [path for path in (place.root / "var").rglob("*") if path.is_file() and path.suffix != ".duckdb"]
    assert len(kept) > 1
    secret = url.split(":")[2].split("@")[0].encode()
    assert [path for path in kept if secret in path.read_bytes()] == []
    assert secret.decode() not in json.dumps(run)


def test_a_killed_run_is_called_crashed(place: Cli) -> None:
    """With the stage it had reached; the run that goes on from it says so."""
    hook = kill_after(place, 2001, "balance")
    crashed = only_run(place)
    assert crashed["status"] == "crashed"
    assert crashed["reached"] == {"year": 2001, "stage": "balance"}
    shown = place("runs", "show")
    assert "crashed" in shown.out.splitlines()[0]
    assert "2001 balance" in shown.out
    assert "cut off" in shown.out
    assert place("runs", "list").out.splitlines()[1].split()[1] == "crashed"
    assert place("simulate", "--set", hook).exit_code == 0
    newest, oldest = documents(place("runs", "list", "--json"))
    assert (newest["status"], oldest["status"]) == ("completed", "crashed")
    assert newest["resumed_from"] == oldest["run_id"]
    assert [run["run_id"] for run in documents(place("runs", "list", "--status", "crashed", "--json"))] == [
        oldest["run_id"]
    ]
    assert documents(place("runs", "list", "--status", "running", "--json")) == []
    assert documents(place("runs", "import", "--json")) == [
        {"run_id": run["run_id"], "outcome": "already there", "detail": None}
        for run in sorted((newest, oldest), key=lambda run: str(run["run_id"]))
    ]


def test_a_failed_run_keeps_its_error(place: Cli) -> None:
    """Message and traceback of the run, and the step that failed."""
    model = place.root / "dbt" / "models" / "yearly" / "inflow.sql"
    text = model.read_text()
    try:
        model.write_text(text.replace("select", "select 1 / 'nothing' as broken,", 1))
        assert place("simulate", "2000").exit_code == 1
    finally:
        model.write_text(text)
    run = only_run(place)
    assert (run["status"], run["reached"]) == ("failed", {"year": 2000, "stage": "flows"})
    assert "inflow" in str(run["error"])
    assert "NodeFailedError" in str(run["traceback"])
    assert [(step["name"], step["status"]) for step in steps_of(run, "stage")] == [("flows", "failed")]
    shown = place("runs", "show")
    assert "✗ 2000 flows" in shown.out
    assert "Error: " in shown.out


@contextmanager
def file_for_a_folder(folder: Path) -> Iterator[None]:
    """Have a file where the folder of the store is to be."""
    folder.write_text("")
    try:
        yield
    finally:
        folder.unlink()


@contextmanager
def closed_folder(folder: Path) -> Iterator[None]:
    """Have a folder that may be read and not written."""
    folder.mkdir(mode=0o500)
    try:
        yield
    finally:
        shutil.rmtree(folder)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Have a file system there on which a store finds no room."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        if not mounted:
            pytest.skip("mounting is not permitted here")
        yield
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.parametrize("broken", [file_for_a_folder, closed_folder, full_disk])
def test_a_broken_store_stops_nothing(
    place: Cli, broken: Callable[[Path], AbstractContextManager[None]], tmp_path: Path
) -> None:
    """The simulation ends well and says once what is missing; ``runs import`` brings it in afterwards."""
    folder = tmp_path / "store"
    with broken(folder):
        options = ("--set", f"storage.url=sqlite:///{folder}/runs.db")
        done = place("simulate", "2000-2001", *options, python=("-c", DROP_RIGHTS))
    assert done.exit_code == 0, done.err
    assert done.err.count("missing from the run history") == 1
    assert "orchestrator runs import" in done.err
    assert documents(place("runs", "list", "--json")) == []
    imported = documents(place("runs", "import", "--json"))
    assert [run["outcome"] for run in imported] == ["imported"]
    check_whole(only_run(place))


def test_a_server_that_never_answers_delays_nothing(place: Cli) -> None:
    """A store that hangs costs a few seconds at the end at most, not its time limit."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = place("simulate", "2000", "--set", f"storage.url=postgresql://a:b@127.0.0.1:{port}/runs")
    assert done.exit_code == 0, done.err
    assert done.err.count("missing from the run history") == 1


def test_a_server_that_stops_in_the_middle(
    place: Cli, server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The run ends well and warns once; when the server is back, its events are imported."""
    url = server.make_database()

    def begun() -> bool:
        with create_storage_backend(url) as backend:
            return bool(backend.runs.list_runs())

    def stop(event: Event) -> None:
        if isinstance(event, StageFinished) and (event.year, event.stage) == (2000, "balance"):
            wait_until(begun, "the run is in the history", 60)  # what writes it there has a thread of its own
            server.stop()

    config = place.root / "config" / "simulation.yaml"
    try:
        with create_orchestrator(config, overrides={"storage.url": url}, listeners=[stop]) as orchestrator:
            result = orchestrator.execute_multi_year_simulation(2000, 2001)
    finally:
        server.start()
    assert result.status == "completed"
    warnings = [record.getMessage() for record in caplog.records if "run history" in record.getMessage()]
    assert len(warnings) == 1
    assert "runs import" in warnings[0]
    with create_storage_backend(url) as backend:
        assert [run.status for run in backend.runs.list_runs()] == ["running"]
    imported = documents(place("runs", "import", "--json", "--set", f"storage.url={url}"))
    assert [run["outcome"] for run in imported] == ["imported"]
    check_whole(only_run(place, "--set", f"storage.url={url}"))


def test_a_server_that_comes_back_in_time(place: Cli, server: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    """What could not be written is tried again, and in the end nothing is missing."""
    url = server.make_database()

    def restart(event: Event) -> None:
        if isinstance(event, StageFinished) and event.stage == "balance":
            if event.year == 2000:
                server.stop()
            else:
                server.start()

    config = place.root / "config" / "simulation.yaml"
    with create_orchestrator(config, overrides={"storage.url": url}, listeners=[restart]) as orchestrator:
        orchestrator.execute_multi_year_simulation(2000, 2001)
    assert [record for record in caplog.records if "run history" in record.getMessage()] == []
    check_whole(only_run(place, "--set", f"storage.url={url}"))


def test_two_runs_side_by_side(ran: Cli) -> None:
    """What differs is shown by kind; equal runs are called equal."""
    assert ran("simulate", "2000-2001", "--fresh").exit_code == 0
    assert ran("simulate", "2000-2001", "--set", "vars.rain_factor=3").exit_code == 0
    other, again, first = (str(run["run_id"]) for run in documents(ran("runs", "list", "--json")))
    same = ran("runs", "diff", first, again, "--json").document()
    assert same["same_result"] is True
    differences = same["differences"]
    assert isinstance(differences, dict)
    assert [one["name"] for one in differences["parameters"]] == ["fresh"]
    assert differences["rows"] == []
    told = ran("runs", "diff", first[:8], other[:8])
    assert told.exit_code == 0, told.err
    assert "vars.rain_factor" in told.out
    assert "Both left the same rows" in ran("runs", "diff", first, again).out


def test_filters_of_the_list(ran: Cli) -> None:
    """By status, scenario, moment and number; what is no filter is refused."""
    assert len(documents(ran("runs", "list", "--json", "--limit", "1"))) == 1
    assert len(documents(ran("runs", "list", "--json", "--since", "1h", "--status", "completed"))) == 1
    assert documents(ran("runs", "list", "--json", "--since", "2999-01-01")) == []
    assert documents(ran("runs", "list", "--json", "--scenario", "other")) == []
    for wrong in (("--since", "soon"), ("--status", "done"), ("--limit", "0")):
        told = ran("runs", "list", *wrong)
        assert told.exit_code == 2
        assert "To fix:" in told.err


def test_a_run_that_is_not_there(place: Cli) -> None:
    """An empty history and an unknown id are told, with what to do."""
    empty = place("runs", "show")
    assert empty.exit_code == 2
    assert "is empty" in empty.err
    assert "No run yet" in place("runs", "list").out
    unknown = place("runs", "show", "ffff", "--json")
    assert unknown.exit_code == 2
    assert unknown.error()["type"] == "RunNotFoundError"
    assert place("runs", "import", "ffff").exit_code == 2


def test_an_import_mends_what_is_there_in_part(ran: Cli) -> None:
    """The number of steps alone says nothing."""
    with closing(sqlite3.connect(ran.root / "var" / "orchestrator.db")) as connection:
        connection.execute("update workflow_steps set status = 'running', seconds = null where kind = 'stage'")
        connection.commit()
    assert [run["outcome"] for run in documents(ran("runs", "import", "--json"))] == ["imported"]
    check_whole(only_run(ran))


def test_a_history_that_is_taken_away_in_mid_run(place: Cli) -> None:
    """The rest of the run goes to a new one, and what came before with it."""

    def remove(event: Event) -> None:
        if isinstance(event, StageFinished) and (event.year, event.stage) == (2000, "checks"):
            wait_until(lambda: _steps(place) > 0, "the history has begun")
            (place.root / "var" / "orchestrator.db").unlink()

    config = place.root / "config" / "simulation.yaml"
    with create_orchestrator(config, listeners=[remove]) as orchestrator:
        orchestrator.execute_multi_year_simulation(2000, 2001)
    check_whole(only_run(place))


def _steps(place: Cli) -> int:
    file = place.root / "var" / "orchestrator.db"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        count: int = connection.execute("select count(*) from workflow_steps").fetchone()[0]
        return count


def test_nothing_is_deleted_by_an_empty_name(ran: Cli) -> None:
    """An unset variable of a shell is no run; neither is one letter."""
    run_id = str(only_run(ran)["run_id"])
    for name in ("", " ", run_id[:1]):
        told = ran("runs", "delete", name)
        assert told.exit_code == 2
        assert "too short" in told.err
    only_run(ran)


def test_a_run_of_another_machine_can_be_deleted(ran: Cli) -> None:
    """Nobody here can tell whether it goes on; --force decides."""
    with closing(sqlite3.connect(ran.root / "var" / "orchestrator.db")) as connection:
        connection.execute("update session_state set host = 'a container that is gone'")
        connection.execute("update workflow_runs set status = 'running'")
        connection.commit()
    run = only_run(ran)
    assert run["status"] == "running"
    refused = ran("runs", "delete", str(run["run_id"]))
    assert refused.exit_code == 2
    assert "--force" in refused.err
    assert ran("runs", "delete", "--force", str(run["run_id"])).exit_code == 0
    assert documents(ran("runs", "list", "--json")) == []


def test_a_deleted_run_can_be_imported_again(ran: Cli) -> None:
    """Its events stay; a run that is in progress is not deleted."""
    run_id = str(only_run(ran)["run_id"])
    assert run_id[:8] in ran("runs", "delete", run_id[:8]).out
    assert documents(ran("runs", "list", "--json")) == []
    assert ran("runs", "import", run_id).exit_code == 0
    check_whole(only_run(ran))


def test_events_that_cannot_be_read(ran: Cli) -> None:
    """A broken line is named with its file and number; a last line that was cut off is left out."""
    run_id = str(only_run(ran)["run_id"])
    events = ran.root / "var" / "runs" / run_id / "events.jsonl"
    broken = ran.root / "var" / "runs" / "broken"
    shutil.copytree(events.parent, broken)
    lines = events.read_text().splitlines()
    (broken / "events.jsonl").write_text("\n".join([*lines[:3], "{nonsense}", *lines[3:]]))
    assert ran("runs", "delete", run_id).exit_code == 0
    (ran.root / "var" / "runs" / "another").mkdir()
    shutil.copy(events, ran.root / "var" / "runs" / "another")
    odd = ran.root / "var" / "runs" / "odd" / "events.jsonl"
    odd.parent.mkdir()
    odd.write_text(events.read_text().replace(run_id, "odd").replace('"pid": ', '"pid": 99999999999999999999'))
    with events.open("a") as file:
        file.write('{"event": "StageCheckpointed", "tables": [{"table": "t"}')
    told = ran("runs", "import")
    assert told.exit_code == 1
    assert "broken/events.jsonl, line 4" in told.out
    assert "another/events.jsonl is of another run" in told.out
    assert "odd  unreadable" in told.out
    assert "[SQL" not in told.out
    check_whole(only_run(ran))


def test_no_history_is_kept_where_that_is_switched_off(place: Cli) -> None:
    """``storage.enabled: false`` leaves the JSON lines alone."""
    done = place("simulate", "2000", "--set", "storage.enabled=false")
    assert done.exit_code == 0, done.err
    assert "history" not in done.out
    assert not (place.root / "var" / "orchestrator.db").exists()
    assert len(list(Path(place.root / "var" / "runs").glob("*/events.jsonl"))) == 1


def test_the_plan_expects_what_runs_took(ran: Cli) -> None:
    """Also in a database that has not seen a run: the history has."""
    elsewhere = str(ran.root / "var" / "another.duckdb")
    document = ran("plan", "2000-2001", "--database", elsewhere, "--json").document()
    assert isinstance(document["expected_seconds"], float)
