"""Disks that are full, places that may not be written, and files that are not what they should be."""

from __future__ import annotations

import re
import resource
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pytest

from tests.faults.ground import Ground
from tests.faults.registry import Fault, Steps, fault, faults
from tests.support.cli_project import Told
from tests.support.processes import dbt_processes, wait_until

HEADER, BLOCK = 3 * 4096, 262_144
FULL = ("could not grow", "To fix: free some disk space")
MANY_ROWS = "month,depth\n" + "".join(f"{i * 7919 % 1000003},{i}.25\n" for i in range(300_000))
MANY = "cross join (select hash(i) as noise from range(300000) r(i))"
FILL_HOOK = """
import os, pathlib, resource
from tests.support.processes import dbt_processes

def fill(context):
    size = pathlib.Path(f"{context.database}.wal").stat().st_size + int(os.environ["ROOM"])
    for pid in dbt_processes(context.config.root):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
"""


def simulate_within(ground: Ground, size: int) -> Told:
    """Simulate on an empty database whose dbt process may write no file larger than ``size`` bytes."""
    ground.empty()
    process = ground.start("simulate")
    wait_until(lambda: bool(dbt_processes(ground.root)), "dbt is started")
    for pid in dbt_processes(ground.root):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
    out, err = process.communicate(timeout=120)
    return Told(process.returncode, out, err)


def with_more(text: str) -> str:
    """Give a model many rows."""
    return f"select made.*, noise from ({text.partition('}}')[2]}) made {MANY}"


@faults(
    "Disk and file",
    Fault("disk full while a seed is loaded", 1, (*FULL, "rain"), 3, "the database is whole", given="seeds/rain.csv"),
    Fault(
        "disk full while a foundation model is built",
        1,
        (*FULL, "lake_shore"),
        3,
        "the database is whole; what was built stays",
        given="models/foundation/lake_shore.sql",
    ),
    Fault(
        "disk full in a stage of a year",
        1,
        (*FULL, "inflow", "2000"),
        0,
        "the database is whole; the year is built again",
        given="models/yearly/inflow.sql",
    ),
)
def test_a_full_disk_in_a_node(ground: Ground, one: Fault) -> Steps:
    """The node that needed the room is named; what was committed before is kept."""
    file = f"dbt/{one.given}"
    text = ground.text(file)
    config = text.partition("}}")[0] + "}}\n"
    with ground.changed(file, MANY_ROWS if file.endswith(".csv") else config + with_more(text)):
        told = simulate_within(ground, 700_000)
        yield told


@fault("Disk and file", Fault("disk full while the ledger is written", 1, FULL, 0, "the stage counts as unfinished"))
def test_a_full_disk_in_a_ledger_write(ground: Ground) -> Steps:
    """A stage of tests writes nothing but the ledger; where that fails, the stage is not finished."""
    ground.empty()
    with hook(ground, "full.py", FILL_HOOK):
        hooks = "hooks=[{type: pre_stage, stage: checks, call: 'full:fill'}]"
        told = ground("simulate", "--set", hooks, env={"ROOM": "0"})
        stages = ground.sql("select year, stage from orchestrator.stages order by all")
        assert stages == [(2000, "balance"), (2000, "flows")]
        yield told


@fault(
    "Disk and file",
    Fault(
        "disk full while the closing database writes its log back",
        0,
        afterwards="everything is in the log; the next to open it writes it back",
    ),
)
def test_a_full_disk_at_the_close(ground: Ground) -> Steps:
    """The log holds all that was committed, so a checkpoint that finds no room loses nothing."""
    ground.empty()
    with hook(ground, "full.py", FILL_HOOK):
        hooks = "hooks=[{type: post_simulation, call: 'full:fill'}]"
        told = ground("simulate", "--set", hooks, env={"ROOM": "50000"})
        assert log_of(ground).stat().st_size > 0
        assert ground.workspace.digests() == ground.undisturbed
        yield told


@fault("Disk and file", Fault("not one byte is free on the disk", 1, ("To fix: free",), afterwards="nothing is lost"))
def test_a_disk_without_a_free_byte(ground: Ground) -> Steps:
    """Where even the notes and events beside the database find no room, the run says so."""
    with small_disk(ground) as enlarge:
        fill_up(ground.database.parent / "filler")
        told = ground("simulate")
        yield told
        enlarge()


def fill_up(file: Path) -> None:
    """Write a file until the disk is full."""
    with file.open("wb", 0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


@contextmanager
def small_disk(ground: Ground) -> Iterator[Callable[[], int]]:
    """Have the folder of the database on a disk of its own with little more than its size."""
    folder, kept = ground.database.parent, ground.root / "kept"
    folder.rename(kept)
    folder.mkdir()
    size = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file()) + 1_000_000
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        kept.rename(folder)
        pytest.skip("mounting is not permitted here")
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield lambda: subprocess.check_call(["mount", "-o", "remount,size=200m", str(folder)])
    finally:
        shutil.rmtree(kept)
        shutil.copytree(folder, kept)
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
        kept.rename(folder)


@contextmanager
def hook(ground: Ground, file: str, code: str) -> Iterator[None]:
    """Have a module beside the project for a while."""
    (ground.root / file).write_text(code)
    try:
        yield
    finally:
        (ground.root / file).unlink()


@faults(
    "Disk and file",
    Fault("the folder may not be written", 1, ("reservoir/var", "To fix:"), untouched=True, given=("var", 0o555)),
    Fault("the file may not be written", 1, ("reservoir.duckdb", "To fix:"), untouched=True, given=("", 0o444)),
    Fault("the file may not be read", 1, ("reservoir.duckdb", "To fix:"), untouched=True, given=("", 0o000)),
)
def test_a_place_that_may_not_be_written(ground: Ground, one: Fault) -> Steps:
    """Without the right, the error names the place and the remedy, and nothing is changed."""
    assert isinstance(one.given, tuple)
    name, mode = one.given
    place = ground.root / name if name else ground.database
    before = place.stat().st_mode
    place.chmod(mode)
    try:
        told = ground.without_rights("simulate")
    finally:
        place.chmod(before)
    yield told


@fault("Disk and file", Fault("the folder of the database is not there", 0, afterwards="it is made, and healed"))
def test_a_missing_folder_is_made(ground: Ground) -> Steps:
    """Whoever deletes ``var`` gets everything anew."""
    shutil.rmtree(ground.database.parent)
    yield ground("simulate")


def as_folder(ground: Ground, original: bytes) -> bytes | None:
    """Put a folder in the place of the file."""
    ground.database.mkdir()
    return None


def flipped_at(*places: int) -> Callable[[Ground, bytes], bytes]:
    """Flip the bits of one byte at each of these places."""

    def damage(ground: Ground, original: bytes) -> bytes:
        damaged = bytearray(original)
        for place in places:
            damaged[place] ^= 0xFF
        return bytes(damaged)

    return damage


def from_the_future(ground: Ground, original: bytes) -> bytes:
    """Raise the storage version in the header, with the checksum that DuckDB itself computes for it."""
    newer = bytearray(original)
    newer[12:20] = struct.pack("<Q", 1_999)
    ground.database.write_bytes(newer)
    with pytest.raises(duckdb.Error) as caught:
        duckdb.connect(str(ground.database))
    computed = re.search(r"computed checksum (\d+)", str(caught.value))
    assert computed is not None
    newer[0:8] = struct.pack("<Q", int(computed[1]))
    return bytes(newer)


DAMAGED = ("is damaged or is not a DuckDB database", "init --recreate")
KEPT = "the file is left byte for byte as it is"


@faults(
    "Disk and file",
    Fault("a folder in the place of the file", 1, "is a folder, not a file", 1, KEPT, untouched=True, given=as_folder),
    Fault("a file of 0 bytes", 1, DAMAGED, 1, KEPT, untouched=True, given=lambda ground, original: b""),
    Fault("a text in the place of the file", 1, DAMAGED, 1, KEPT, untouched=True, given=lambda g, o: b"year,n\n" * 99),
    Fault("a file cut in half", 1, DAMAGED, 1, KEPT, untouched=True, given=lambda g, o: o[: len(o) // 2]),
    Fault("a flipped bit in the first header", 1, DAMAGED, 1, KEPT, untouched=True, given=flipped_at(30)),
    Fault("flipped bits in both headers", 1, DAMAGED, 1, KEPT, untouched=True, given=flipped_at(4130, 8230)),
    Fault(
        "a file that a newer DuckDB wrote",
        1,
        ("was written by another version of DuckDB", "To fix: install"),
        1,
        KEPT,
        untouched=True,
        given=from_the_future,
    ),
)
def test_a_file_that_is_not_what_it_should_be(ground: Ground, one: Fault) -> Steps:
    """It is told as what it is, left as it is, and serves again once the user puts a good copy back."""
    original = ground.database.read_bytes()
    assert callable(one.given)
    ground.database.unlink()
    broken = one.given(ground, original)
    if broken is not None:
        ground.database.write_bytes(broken)
    told = ground("simulate")
    assert broken is None or ground.database.read_bytes() == broken
    yield told
    if ground.database.is_dir():
        ground.database.rmdir()
    ground.database.write_bytes(original)


@fault("Disk and file", Fault("a damaged file, and no copy of it", 1, DAMAGED, 1, "`init --recreate` builds a new one"))
def test_a_damaged_file_is_recreated(ground: Ground) -> Steps:
    """The remedy that the message names works, and keeps the damaged file aside."""
    broken = ground.database.read_bytes()[:100_000]
    ground.database.write_bytes(broken)
    yield ground("simulate")
    assert ground("init", "--recreate", "--yes").exit_code == 0
    assert [path.read_bytes() for path in ground.asides()] == [broken]


@fault(
    "Disk and file",
    Fault(
        "flipped bits among the rows of a table",
        1,
        DAMAGED,
        None,
        "what reads the table fails; `check` sees the table if it reads it",
        untouched=True,
    ),
)
def test_a_damaged_table(ground: Ground) -> Steps:
    """Damage that only shows when the rows are read is told as such, however late."""
    original = ground.database.read_bytes()
    rows = ground.sql("select block_id from pragma_storage_info('lake_shape') where block_id >= 0")
    block = HEADER + int(str(rows[0][0])) * BLOCK
    ground.database.write_bytes(flipped_at(*range(block + 8, block + BLOCK, 64))(ground, original))
    yield ground("simulate")
    log_of(ground).unlink(missing_ok=True)
    ground.database.write_bytes(original)


def log_of(ground: Ground) -> Path:
    """Return DuckDB's write-ahead log."""
    return Path(f"{ground.database}.wal")


@fault("Disk and file", Fault("a log (.wal) that is garbage", 0, afterwards="it is ignored, nothing is lost"))
def test_a_garbage_log(ground: Ground) -> Steps:
    """A log that holds no whole entry has nothing that was ever committed."""
    log_of(ground).write_bytes(b"garbage" * 100)
    yield ground("simulate")


@fault(
    "Disk and file",
    Fault("the log (.wal) of an older state", 1, "do not belong together", 1, "both files are left as they are"),
)
def test_a_foreign_log(ground: Ground) -> Steps:
    """A log that does not belong to the file is not replayed into it."""
    ground.empty()
    assert ground.killed_at({"event": "StageStarted", "year": 2001, "stage": "balance"}, "both").returncode == -9
    wait_until(ground.is_free, "the database is free")
    log = log_of(ground).read_bytes()
    log_of(ground).unlink()
    assert ground("simulate").exit_code == 0
    log_of(ground).write_bytes(log)
    yield ground("simulate")
    log_of(ground).unlink(missing_ok=True)


@fault(
    "Disk and file",
    Fault("the log (.wal) was deleted after a kill", 0, afterwards="its commits are lost, the ledger's with them"),
)
def test_a_lost_log(ground: Ground) -> Steps:
    """Rows and ledger are in one file, so they are lost together, and the run begins where the file is."""
    ground.empty()
    assert ground("simulate", "2000").exit_code == 0
    assert ground.killed_at({"event": "StageStarted", "year": 2002, "stage": "balance"}, "both").returncode == -9
    wait_until(ground.is_free, "the database is free")
    log_of(ground).unlink()
    assert ground.sql("select distinct year from orchestrator.stages") == [(2000,)]
    yield ground("simulate")
