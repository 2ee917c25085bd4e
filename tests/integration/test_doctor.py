"""``examine``: each fault is planted for real in a workspace that was simulated, and is the one that is found."""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch
from orchestrator.core.events import ignore
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.maintenance.doctor.database_check import check_file
from orchestrator.maintenance.doctor.diagnosis import Diagnosis, Report, Status
from orchestrator.maintenance.doctor.environment_check import LEAST_PYTHON, NEEDED
from orchestrator.maintenance.doctor.examination import CHECKS, examine
from orchestrator.maintenance.doctor.mending import mend
from orchestrator.maintenance.doctor.registry_check import check_registry
from orchestrator.maintenance.doctor.scan import query_interruptibly
from orchestrator.self_healing.evidence import Missing
from orchestrator.self_healing.initialization_state import TableFinding
from tests.support.cli_project import HOLD_FILE
from tests.support.processes import GENEROUS
from tests.support.programs import run_python, start_python
from tests.support.workspaces import REPOSITORY, WarmWorkspace

pytestmark = pytest.mark.slow

FILE_HEADERS = 3 * 4096
BLOCK = 262144
KEEP_NOTHING = "import duckdb, os, sys; c = duckdb.connect(sys.argv[1]); c.execute(sys.argv[2]); os._exit(1)"
HOLD_MUTEX = (
    "import sys, time; from orchestrator.database.mutex import DatabaseMutex; "
    "mutex = DatabaseMutex(sys.argv[1], run_id='r', command='orchestrator simulate'); mutex.acquire(); "
    "print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def place(warm: WarmWorkspace) -> Iterator[WarmWorkspace]:
    """Give the warm workspace, and remove afterwards what a test left beside its database."""
    yield warm
    for path in warm.database.parent.glob(f"{warm.database.name}?*"):
        path.unlink()


def found(report: Report) -> list[Diagnosis]:
    """Return all that is not as it should be."""
    return [diagnosis for diagnosis in report.diagnoses if diagnosis.status is not Status.OK]


def only(report: Report, check: str, status: Status = Status.PROBLEM) -> Diagnosis:
    """Return the one thing that is not as it should be."""
    (diagnosis,) = found(report)
    assert (diagnosis.check, diagnosis.status) == (check, status)
    return diagnosis


def start(code: str, *args: str) -> subprocess.Popen[str]:
    """Start a script and wait until it says that it holds what it is to hold."""
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = start_python(["-c", code, *args], stdin=subprocess.PIPE, stderr=None, env=env)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    """Kill a script."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_workspace_is_well_right_after_a_simulation(place: WarmWorkspace) -> None:
    """Every check says one thing, each is told as it is made, and the database is left byte for byte as it was."""
    before = place.database.read_bytes()
    told: list[Diagnosis] = []
    busy: list[str] = []
    report = examine(place.warm, tell=told.append, busy=busy.append)
    assert found(report) == [] and report.healthy
    assert tuple(diagnosis.check for diagnosis in report.diagnoses) == CHECKS
    assert tuple(told) == report.diagnoses
    assert any(re.fullmatch(r"reading inflow \(\d+ of 13 tables\)", words) for words in busy)
    assert place.database.read_bytes() == before
    assert sorted(path.name for path in place.database.parent.glob("reservoir*")) == [
        "reservoir.duckdb",
        "reservoir.duckdb.lock",
    ]


def test_ctrl_c_stops_a_long_read(place: WarmWorkspace) -> None:
    """DuckDB holds SIGINT back until a query ends; this one would take minutes."""
    place.warm.runner.release()
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    with DuckDBReader(place.database) as reader:
        timer.start()
        elapsed = stopwatch()
        with pytest.raises(KeyboardInterrupt):
            query_interruptibly(reader, "select bit_xor(hash(n)) from range(100000000000) t(n)")
        assert elapsed() < GENEROUS


def test_a_required_table_that_is_not_ready(place: WarmWorkspace) -> None:
    """It is named with its tier and problem, and init is the remedy."""
    place.sql("drop table rain")
    diagnosis = only(examine(place.warm), "tables")
    assert (diagnosis.subject, diagnosis.detail) == ("seed rain", "missing: does not exist")
    assert diagnosis.remedy is not None and "orchestrator init" in diagnosis.remedy
    assert isinstance(diagnosis.about, TableFinding) and diagnosis.about.seen == Missing()


def test_an_unreadable_block_is_found_by_reading_it(place: WarmWorkspace) -> None:
    """The file opens and counts its rows as ever; the scan names the tables with bytes in the damaged block."""
    place.sql("create table whole as select range as n from range(100000)", "checkpoint")
    storage = "select block_id, block_offset from pragma_storage_info('inflow') where block_id >= 0"
    block, offset = place.sql(storage)[0]
    assert isinstance(block, int) and isinstance(offset, int)
    with place.database.open("r+b") as file:
        file.seek(FILE_HEADERS + block * BLOCK + 8 + offset)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))
    with duckdb.connect(str(place.database), read_only=True) as connection:
        assert connection.execute("select count(*) from inflow").fetchall() == [(18,)]
    report = examine(place.warm)
    assert not report.healthy
    damaged = {d.subject: d for d in report.problems}
    assert {d.check for d in report.problems} == {"scan"} and "table inflow" in damaged
    assert "checksum" in damaged["table inflow"].detail
    remedy = damaged["table inflow"].remedy
    assert remedy is not None and "restore a backup" in remedy and "init --recreate" in remedy
    assert "table whole" not in damaged


@pytest.mark.parametrize("content", [b"", b"not a database" * 999])
def test_a_file_that_is_no_database(place: WarmWorkspace, content: bytes) -> None:
    """One problem with its remedy; what hangs on it is said not to have been examined."""
    place.database.write_bytes(content)
    report = examine(place.warm)
    (diagnosis,) = report.problems
    assert diagnosis.check == "scan" and str(place.database) in diagnosis.detail
    assert diagnosis.remedy is not None and "init --recreate" in diagnosis.remedy
    notes = [d.check for d in found(report) if d.status is Status.NOTE]
    assert notes == ["ledger", "tables"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_of_a_newer_duckdb(place: WarmWorkspace, whole: bool) -> None:
    """Its storage version is named, also where the header's checksum is wrong; it is not called damaged."""
    header = bytearray(place.database.read_bytes()[:4096])
    assert struct.unpack_from("<Q", header)[0] == checksum(header)
    struct.pack_into("<Q", header, 12, 4321)
    header[52:60] = b"v9.8.7\0\0"
    if whole:
        struct.pack_into("<Q", header, 0, checksum(header))
    with place.database.open("r+b") as file:
        file.write(header)
    (diagnosis,) = examine(place.warm).problems
    assert diagnosis.check == "scan" and "4321" in diagnosis.detail
    assert "damaged" not in diagnosis.detail
    assert diagnosis.remedy is not None and "install the DuckDB version that wrote it" in diagnosis.remedy


def checksum(block: bytes | bytearray) -> int:
    """Return what DuckDB writes in front of a block (``Checksum`` in its ``checksum.cpp``)."""
    result = 5381
    for (word,) in struct.iter_unpack("<Q", block[8:]):
        result ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return result


def test_a_leftover_of_dbt(place: WarmWorkspace) -> None:
    """A temporary relation is named with the statement that removes it."""
    place.sql("create table inflow__dbt_tmp as select 1 as n")
    diagnosis = only(examine(place.warm), "leftovers")
    assert diagnosis.subject == "table inflow__dbt_tmp"
    assert diagnosis.remedy is not None and diagnosis.remedy.startswith('drop table "main"."inflow__dbt_tmp"')
    place.sql(diagnosis.remedy.partition(",")[0])
    assert examine(place.warm).healthy


def test_a_leftover_of_nothing_that_is_known(place: WarmWorkspace) -> None:
    """It may be somebody's own: the remedy says so and promises nothing, and --fix leaves it and says that."""
    place.sql("create table old__dbt_tmp as select 1 as n", "alter table inflow rename to inflow__dbt_backup")
    backup, old = found(examine(place.warm))
    assert old.subject == "table old__dbt_tmp" and "nothing in this project builds" in old.detail
    assert old.remedy == 'drop table "main"."old__dbt_tmp", if nobody needs it'
    mended = mend(place.warm, emit=ignore)
    assert mended.done == ()
    assert mended.left == (
        "table inflow__dbt_backup: inflow itself is not there, so it may hold its only rows",
        "table old__dbt_tmp: nothing in this project builds old, so it may be somebody's own",
    )
    assert found(examine(place.warm)) == [backup, old]


def test_a_file_on_a_read_only_disk(tmp_path: Path) -> None:
    """No permission helps there, and none is advised."""
    mount = ["mount", "-t", "tmpfs", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted here")
    try:
        file = tmp_path / "lakes.duckdb"
        file.write_bytes(b"")
        subprocess.check_call(["mount", "-o", "remount,ro", str(tmp_path)])
        (diagnosis,) = check_file(file, simulates=True)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert diagnosis.detail == f"{file} and {tmp_path} are not writable"
    assert diagnosis.remedy is not None and "read-only file system" in diagnosis.remedy
    assert "chmod" not in diagnosis.remedy


def test_a_backup_that_holds_the_only_rows_is_not_to_be_dropped(place: WarmWorkspace) -> None:
    """Where the table itself is gone, the remedy gives the backup its name back."""
    place.sql("alter table inflow rename to inflow__dbt_backup")
    diagnosis = only(examine(place.warm), "leftovers")
    assert "only rows" in diagnosis.detail and diagnosis.remedy is not None
    place.sql(diagnosis.remedy)
    assert examine(place.warm).healthy


def test_a_relation_that_nothing_builds_is_a_note(place: WarmWorkspace) -> None:
    """It may be anybody's: told, without making the workspace ill."""
    place.sql("create view old_lakes as select 1 as n", "create schema mine", "create table mine.own as select 1 as n")
    report = examine(place.warm)
    diagnosis = only(report, "leftovers", Status.NOTE)
    assert report.healthy and "old_lakes" in diagnosis.detail and "own" not in diagnosis.detail


def test_a_log_that_was_not_written_into_the_database(place: WarmWorkspace) -> None:
    """Beside its database it is a note, and read along; without it, it may hold what nothing else does."""
    place.warm.runner.release()
    run_python(["-c", KEEP_NOTHING, str(place.database), "delete from rain"])
    log = Path(f"{place.database}.wal")
    assert log.exists()
    report = examine(place.warm)
    assert [(d.check, d.subject) for d in found(report)] == [("tables", "seed rain"), ("leftovers", str(log))]
    place.database.unlink()
    problems = {d.check: d for d in examine(place.warm).problems}
    assert problems.keys() == {"database", "leftovers"} and log.exists()
    assert problems["leftovers"].subject == str(log)
    place.restore()


def test_no_database_yet(place: WarmWorkspace) -> None:
    """A new workspace has one problem, which init or a run solves, and no file is made."""
    place.warm.runner.release()
    place.database.unlink()
    report = examine(place.warm)
    (diagnosis,) = report.problems
    assert (diagnosis.check, diagnosis.subject) == ("database", str(place.database))
    assert diagnosis.remedy is not None and "orchestrator init" in diagnosis.remedy
    assert not place.database.exists()
    place.restore()


def test_a_database_in_use_by_a_run_is_not_touched(place: WarmWorkspace) -> None:
    """That it could not be examined is said, with pid and command of the run."""
    place.warm.runner.release()
    run = start(HOLD_MUTEX, str(place.database))
    try:
        report = examine(place.warm)
    finally:
        end(run)
    (diagnosis,) = report.problems
    assert diagnosis.check == "scan" and diagnosis.detail.startswith("not examined")
    assert f"pid {run.pid}" in diagnosis.detail and "orchestrator simulate" in diagnosis.detail
    assert {d.check for d in found(report)} == {"locks", "scan", "ledger", "tables"}


def test_the_note_of_a_killed_run(place: WarmWorkspace) -> None:
    """A lock note of a process that is gone is found, with the file to delete."""
    end(run := start(HOLD_MUTEX, str(place.database)))
    note = Path(f"{place.database}.lock.json")
    diagnosis = only(examine(place.warm), "locks")
    assert diagnosis.subject == str(note) and f"a process that is gone: pid {run.pid}" in diagnosis.detail
    assert diagnosis.remedy is not None and f"rm '{note}'" in diagnosis.remedy
    note.unlink()
    assert examine(place.warm).healthy


def test_a_database_open_in_another_program(place: WarmWorkspace) -> None:
    """The program is named; a log that belongs to it is no leftover."""
    place.warm.runner.release()
    program = start(HOLD_FILE, str(place.database), "read_write")
    Path(f"{place.database}.wal").touch()
    try:
        report = examine(place.warm)
    finally:
        program.communicate("")
    (diagnosis,) = report.problems
    assert diagnosis.check == "scan" and f"pid {program.pid}" in diagnosis.detail
    assert diagnosis.remedy is not None and "close" in diagnosis.remedy
    assert "leftovers" not in {d.check for d in found(report)}


def test_a_ledger_of_a_newer_orchestrator(place: WarmWorkspace) -> None:
    """Its layout is named; the tables that hang on it are said not to have been examined."""
    place.sql("update orchestrator.ledger_version set version = 99")
    report = examine(place.warm)
    (diagnosis,) = report.problems
    assert diagnosis.check == "ledger" and "layout 99" in diagnosis.detail
    assert diagnosis.remedy is not None and "newer version" in diagnosis.remedy
    assert [d.check for d in found(report)] == ["ledger", "tables"]


def test_a_full_disk(place: WarmWorkspace) -> None:
    """There should be as much room as the database is large: here it says to be larger than what is free."""
    place.warm.runner.release()
    os.truncate(place.database, shutil.disk_usage(place.database.parent).free + 2_000_000_000)
    diagnosis = only(examine(place.warm), "disk")
    assert diagnosis.subject == str(place.database.parent)
    assert "only" in diagnosis.detail and diagnosis.remedy is not None and "free some space" in diagnosis.remedy


def test_a_folder_of_a_dbt_process_that_is_gone(place: WarmWorkspace) -> None:
    """One that stays is a problem; that of a process that lives is none."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = place.root / "var" / "dbt" / f"target-{gone.pid}"
    folder.mkdir()
    diagnosis = only(examine(place.warm), "leftovers")
    assert diagnosis.subject == str(folder) and diagnosis.remedy == f"delete it: rm -r '{folder}'"
    folder.rmdir()
    assert examine(place.warm).healthy


def test_what_init_recreate_moved_aside_is_a_note(place: WarmWorkspace) -> None:
    """The files are still there to be looked at, and named."""
    Path(f"{place.database}.corrupt-20250101T000000Z").write_bytes(b"old")
    diagnosis = only(examine(place.warm), "leftovers", Status.NOTE)
    assert "reservoir.duckdb.corrupt-20250101T000000Z" in diagnosis.detail and "3 bytes" in diagnosis.detail


def registry(place: WarmWorkspace, **overrides: object) -> list[Diagnosis]:
    """Hold another configuration against the project that is parsed."""
    config: SimulationConfig = place.warm.config.with_overrides(overrides)
    return check_registry(config, place.warm.runner, place.warm.runner.facts())


FOUNDATION = [{"name": name, "tier": "foundation"} for name in ("lake_shape", "stg_rain", "lake_shore")]
STATE = [{"name": "lake_level", "tier": "state"}]


def test_a_stage_that_matches_nothing(place: WarmWorkspace) -> None:
    """It is named with its selector and where that is written."""
    stages = [{"name": "flows", "select": "tag:FLOWS"}, {"name": "balance", "select": "tag:BALANCES"}]
    (diagnosis,) = registry(place, stages=stages)
    assert (diagnosis.status, diagnosis.subject) == (Status.PROBLEM, "stage balance")
    assert diagnosis.detail == "tag:BALANCES matches no model"
    assert diagnosis.remedy is not None and "orchestrator plan" in diagnosis.remedy


def test_one_selector_of_several_that_matches_nothing_is_a_note(place: WarmWorkspace) -> None:
    """The stage has nodes; the selector may be wrong all the same."""
    _, diagnosis, *unbuilt = registry(place, stages=[{"name": "both", "select": ["tag:FLOWS", "tag:FLOES"]}])
    assert diagnosis.status is Status.NOTE and "tag:FLOES" in diagnosis.detail
    assert unbuilt and {one.detail for one in unbuilt} == {"in no stage, so nothing builds it"}


def test_a_selector_that_dbt_refuses(place: WarmWorkspace) -> None:
    """dbt's reason is told."""
    (diagnosis,) = registry(place, stages=[{"name": "flows", "select": "tagg:FLOWS"}])
    assert diagnosis.status is Status.PROBLEM and "'tagg' is not a valid method name" in diagnosis.detail


def test_a_required_table_that_no_node_builds(place: WarmWorkspace) -> None:
    """Every one is named, with the nearest name that there is, and hides no other."""
    tables = [{"name": "lake_shap", "tier": "foundation"}, {"name": "rainn", "tier": "seed"}, *FOUNDATION, *STATE]
    first, second = registry(place, required_tables=tables)
    assert (first.subject, second.subject) == ("required table lake_shap", "required table rainn")
    assert "lake_shape" in first.detail and first.remedy is not None and "required_tables" in first.remedy


def test_a_required_table_whose_selector_matches_nothing(place: WarmWorkspace) -> None:
    """The selector is wrong although its name is right."""
    tables = [*FOUNDATION[:2], {"name": "lake_shore", "tier": "foundation", "selector": "tag:SHORES"}, *STATE]
    (diagnosis,) = registry(place, required_tables=tables)
    assert (diagnosis.status, diagnosis.subject) == (Status.PROBLEM, "required table lake_shore")
    assert "tag:SHORES matches no node" in diagnosis.detail and diagnosis.remedy is not None


def test_what_a_written_list_forgets(place: WarmWorkspace) -> None:
    """It is the user's word; a foundation model and a state table that it leaves out are noted with the line to add."""
    healthy, *forgotten = registry(place, required_tables=FOUNDATION[:2])
    assert healthy.status is Status.OK and {one.status for one in forgotten} == {Status.NOTE}
    assert [d.subject for d in forgotten] == ["model lake_shore", "model lake_level"]
    assert "tagged FOUNDATION" in forgotten[0].detail and "prior_year_of" in forgotten[1].detail
    assert forgotten[0].remedy is not None and "{name: lake_shore, tier: foundation}" in forgotten[0].remedy
    assert registry(place, required_tables=[*FOUNDATION, *STATE])[0].status is Status.OK


def test_the_versions_are_those_of_the_package() -> None:
    """What doctor holds the installed packages against is what pyproject.toml asks for."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for package, least, below in NEEDED:
        wanted = f"{package}>={'.'.join(map(str, least))}"
        assert wanted + (f",<{'.'.join(map(str, below))}" if below else "") in project["dependencies"]
    assert project["requires-python"] == f">={'.'.join(map(str, LEAST_PYTHON))}"


@pytest.mark.parametrize(
    ("damage", "subject", "detail"),
    [
        (
            "delete from lake_level where water_year = 2001",
            "year 2001",
            "lake_level has 0 rows of 2001, but had 2",
        ),
        ("drop table inflow", "table inflow", "a finished stage built it, and it is gone"),
    ],
)
def test_years_that_are_not_whole(place: WarmWorkspace, damage: str, subject: str, detail: str) -> None:
    """What would keep a later year from being simulated is found, with the run that mends it."""
    place.complete()
    place.sql(damage)
    diagnosis = only(examine(place.warm), "ledger")
    assert diagnosis.subject == subject and detail in diagnosis.detail
    begins = "resumes at flows of 2001" if "2001" in damage else "starts at 2000 again"
    assert diagnosis.remedy == f"run `orchestrator simulate`, which {begins}"


def test_a_repair_that_would_be_refused_is_not_promised(place: WarmWorkspace) -> None:
    """A drifted table of simulated years is not what ``init`` mends, and the remedy says what does."""
    place.sql("alter table lake_level add column note varchar")
    diagnosis = only(examine(place.warm), "tables")
    assert diagnosis.remedy is not None and "`orchestrator simulate --fresh`" in diagnosis.remedy
    assert "orchestrator init" not in diagnosis.remedy
