"""The mutex of a database, fought for by real second processes."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timezone
from pathlib import Path

import pytest

from orchestrator.core.cancel_token import CancelToken
from orchestrator.core.clocks import Deadline, pause, stopwatch
from orchestrator.core.errors import DatabaseError, DatabaseLockedError, DatabasePermissionError, RunCancelledError
from orchestrator.core.events import Event, LockAcquired, LockReleased, LockWaited
from orchestrator.database.lock_note import LockHolder
from orchestrator.database.mutex import DatabaseMutex
from tests.support.processes import GENEROUS
from tests.support.programs import start_python

REPOSITORY = Path(__file__).parents[2]

HOLD = """
import sys
from orchestrator.database.mutex import DatabaseMutex
with DatabaseMutex(sys.argv[1], run_id="other", command="orchestrator simulate").held(0):
    print("held", flush=True)
    sys.stdin.readline()
"""

Hold = Callable[..., subprocess.Popen[str]]

STARTED: list[subprocess.Popen[str]] = []


def python(code: str, *arguments: str | Path, cold: bool = False) -> subprocess.Popen[str]:
    """Start a second Python that can import the package; it ends with the test at the latest."""
    process = start_python(["-c", code, *map(str, arguments)], stdin=subprocess.PIPE, cwd=REPOSITORY, cold=cold)
    STARTED.append(process)
    return process


def line_of(process: subprocess.Popen[str]) -> str:
    """Read one line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process and wait until it is gone."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Name a database that does not exist, in a folder that does not exist."""
    return tmp_path / "var" / "x.duckdb"


@pytest.fixture
def hold() -> Hold:
    """Start processes that hold the mutex of a database until a line is written to them."""

    def hold(database: Path) -> subprocess.Popen[str]:
        process = python(HOLD, database)
        assert line_of(process) == "held"
        return process

    return hold


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """End what a test has started, also when it fails half way."""
    yield
    while STARTED:
        end(STARTED.pop())


def test_a_free_mutex_is_taken_and_leaves_only_its_lock_file(database: Path) -> None:
    """Taking it makes the folder and a note of the holder; giving it back removes the note."""
    events: list[Event] = []
    mutex = DatabaseMutex(database, run_id="r1", command="cmd", emit=events.append)
    with mutex.held(0):
        note = json.loads(Path(f"{database}.lock.json").read_text())
        assert (note["pid"], note["run_id"], note["command"]) == (os.getpid(), "r1", "cmd")
        assert note["since"].endswith("+00:00")
        holder = mutex.holder()
        assert holder is not None and holder.alive is True
        assert holder.since is not None and holder.since.tzinfo == timezone.utc
    assert [path.name for path in database.parent.iterdir()] == ["x.duckdb.lock"]
    assert [type(event) for event in events] == [LockAcquired, LockReleased]
    assert mutex.holder() is None


def test_a_waiter_is_cancelled(database: Path, hold: Hold) -> None:
    """Who waits for the mutex with the deadline of a run stops waiting when that is cancelled; the holder goes on."""
    hold(database)
    token = CancelToken("r")
    events: list[Event] = []

    def cancel(event: Event) -> None:
        events.append(event)
        token.cancel()

    with pytest.raises(RunCancelledError):
        DatabaseMutex(database, run_id="r", emit=cancel).acquire(deadline=Deadline.after(60, token))
    assert [type(event) for event in events] == [LockWaited]
    holder = DatabaseMutex(database, run_id="r").holder()
    assert holder is not None and holder.run_id == "other"


def test_a_hold_may_name_its_run(database: Path) -> None:
    """The note names the run that holds the mutex; a later hold without one is noted as the mutex was made."""
    mutex = DatabaseMutex(database, run_id="none")
    for run_id in ("the run", None):
        mutex.acquire(0, run_id=run_id)
        holder = mutex.holder()
        mutex.release()
        assert holder is not None
        assert holder.run_id == (run_id or "none")


def test_looking_for_a_holder_writes_nothing(database: Path) -> None:
    """``holder()`` of a database that nobody ever used makes neither folder nor file."""
    assert DatabaseMutex(database, run_id="r").holder() is None
    assert not database.parent.exists()


def test_another_process_is_named_at_once_when_not_waiting(database: Path, hold: Hold) -> None:
    """With timeout 0 the error names pid, command, host, age and lock file, and what to do."""
    other = hold(database)
    with pytest.raises(DatabaseLockedError) as caught:
        DatabaseMutex(database, run_id="r").acquire(0)
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.pid, error.command, error.exit_code) == (other.pid, "orchestrator simulate", 75)
    assert error.lock_path == Path(f"{database}.lock") and error.since is not None
    for part in (
        str(database),
        f"pid {other.pid}",
        "orchestrator simulate",
        "since ",
        "To fix:",
        f"kill {other.pid}",
    ):
        assert part in str(error)


def test_a_waiter_tells_whom_it_waits_for_and_gives_up_in_time(database: Path, hold: Hold) -> None:
    """One event names the holder; the error comes after the timeout."""
    other = hold(database)
    events: list[Event] = []
    elapsed = stopwatch()
    with pytest.raises(DatabaseLockedError, match=r"after waiting \d+(\.\d)? s"):
        DatabaseMutex(database, run_id="r", emit=events.append).acquire(0.3)
    assert 0.3 <= elapsed() < GENEROUS
    (waited,) = events
    assert isinstance(waited, LockWaited)
    assert (waited.pid, waited.command, waited.timeout) == (other.pid, "orchestrator simulate", 0.3)


def test_a_deadline_ends_the_wait_before_the_timeout(database: Path, hold: Hold) -> None:
    """Whichever is shorter, timeout or deadline, ends the wait; without both it would never end."""
    hold(database)
    elapsed = stopwatch()
    with pytest.raises(DatabaseLockedError):
        DatabaseMutex(database, run_id="r").acquire(None, deadline=Deadline.after(0.2))
    with pytest.raises(DatabaseLockedError):
        DatabaseMutex(database, run_id="r").acquire(0.2, deadline=Deadline.after(60))
    assert 0.4 <= elapsed() < GENEROUS


def test_a_waiter_gets_the_mutex_when_the_holder_lets_go(database: Path, hold: Hold) -> None:
    """The wait ends with the holder's release, and the note is then the waiter's."""
    other = hold(database)
    events: list[Event] = []

    def let_go(event: Event) -> None:
        events.append(event)
        if isinstance(event, LockWaited):
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()

    mutex = DatabaseMutex(database, run_id="mine", emit=let_go)
    with mutex.held(30):
        holder = mutex.holder()
        assert holder is not None and holder.run_id == "mine"
    assert [type(event) for event in events] == [LockWaited, LockAcquired, LockReleased]


def test_a_killed_holder_frees_the_mutex_at_once(database: Path, hold: Hold) -> None:
    """SIGKILL of the holder leaves a note that nobody believes, and a free mutex."""
    other = hold(database)
    end(other)
    assert Path(f"{database}.lock.json").exists()
    mutex = DatabaseMutex(database, run_id="r")
    assert mutex.holder() is None
    mutex.acquire(0)
    mutex.release()
    assert not Path(f"{database}.lock.json").exists()


def test_a_stale_note_is_not_believed_over_the_lock(database: Path, hold: Hold) -> None:
    """A note whose process is gone is told as such, never as the holder."""
    hold(database)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    note = Path(f"{database}.lock.json")
    note.write_text(json.dumps(json.loads(note.read_text()) | {"pid": gone.pid}))
    mutex = DatabaseMutex(database, run_id="r")
    holder = mutex.holder()
    assert holder is not None and holder.alive is False and not holder.believable
    with pytest.raises(DatabaseLockedError, match=f"pid {gone.pid}, which has ended") as caught:
        mutex.acquire(0)
    assert caught.value.pid is None


def test_the_note_of_a_killed_holder_is_told_as_abandoned(database: Path, hold: Hold) -> None:
    """While the mutex is held its note is the holder's; after a SIGKILL it is abandoned, and may be unreadable."""
    mutex = DatabaseMutex(database, run_id="r2")
    assert mutex.abandoned_note() is None
    holder = hold(database)
    assert mutex.abandoned_note() is None
    end(holder)
    abandoned = mutex.abandoned_note()
    assert abandoned is not None and (abandoned.pid, abandoned.alive) == (holder.pid, False)
    mutex.note.path.write_text("?")
    assert mutex.abandoned_note() == LockHolder()
    with mutex.held():
        assert mutex.abandoned_note() is None
    assert mutex.abandoned_note() is None


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"pid": "x"}'])
def test_a_broken_note_is_no_note(database: Path, hold: Hold, note: str) -> None:
    """Whatever stands in the note file, a held mutex is reported as held."""
    hold(database)
    Path(f"{database}.lock.json").write_text(note)
    mutex = DatabaseMutex(database, run_id="r")
    holder = mutex.holder()
    assert holder is not None and holder.pid is None
    with pytest.raises(DatabaseLockedError, match="left no lock note"):
        mutex.acquire(0)


def test_it_is_reentrant_within_one_object(database: Path) -> None:
    """Nested holds of one object count; only the last release frees it, and events tell the outer hold alone."""
    events: list[Event] = []
    mutex = DatabaseMutex(database, run_id="r", emit=events.append)
    other = DatabaseMutex(database, run_id="r2")
    with mutex.held(0):
        with mutex.held(0):
            assert mutex.held_here
        assert mutex.held_here
        with pytest.raises(DatabaseLockedError):
            other.acquire(0)
    other.acquire(0)
    other.release()
    assert [type(event) for event in events] == [LockAcquired, LockReleased]


def test_releasing_what_is_not_held_frees_nobody_else(database: Path) -> None:
    """A stray release does no harm."""
    holder, other = DatabaseMutex(database, run_id="a"), DatabaseMutex(database, run_id="b")
    with holder.held(0):
        other.release()
        with pytest.raises(DatabaseLockedError):
            other.acquire(0)


def test_one_object_in_two_threads_takes_turns(database: Path) -> None:
    """A second thread waits for the first one, although both use the same object."""
    mutex = DatabaseMutex(database, run_id="shared")
    refused: list[BaseException] = []

    def try_it() -> None:
        try:
            mutex.acquire(0.1)
        except DatabaseLockedError as error:
            refused.append(error)

    with mutex.held():
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join(10)
    assert len(refused) == 1
    assert "kill" not in str(refused[0])
    with mutex.held(0):
        pass


def test_a_thread_does_not_wait_for_itself(database: Path) -> None:
    """A second object in the thread that holds the mutex is refused at once, and says why."""
    inner = DatabaseMutex(database, run_id="inner")
    with (
        DatabaseMutex(database, run_id="outer").held(),
        pytest.raises(DatabaseLockedError, match="already held by this thread"),
    ):
        inner.acquire()
    DatabaseMutex(database, run_id="later").acquire(0)


def test_two_objects_in_two_threads_take_turns(database: Path) -> None:
    """Threads of one process are kept apart as processes are."""
    inside, most = 0, 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with DatabaseMutex(database, run_id="t").held(30):
                with counting:
                    inside += 1
                    most = max(most, inside)
                pause(0.005)
                with counting:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (inside, most) == (0, 1)


def test_processes_take_turns(database: Path, tmp_path: Path) -> None:
    """Four processes that add to one number in turn lose no addition."""
    number = tmp_path / "number"
    number.write_text("0")
    code = """
import sys
from pathlib import Path
from orchestrator.database.mutex import DatabaseMutex
number = Path(sys.argv[2])
for _ in range(20):
    with DatabaseMutex(sys.argv[1], run_id="p").held(60):
        number.write_text(str(int(number.read_text()) + 1))
"""
    processes = [python(code, database, number) for _ in range(4)]
    assert [process.communicate()[1] for process in processes] == [""] * 4
    assert number.read_text() == "80"


def test_every_name_of_a_database_meets_the_same_lock(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths and symbolic links of file or folder are resolved before the lock is named."""
    database.parent.mkdir()
    (tmp_path / "link.duckdb").symlink_to(database)
    (tmp_path / "folder").symlink_to(database.parent)
    monkeypatch.chdir(tmp_path)
    names = [
        tmp_path / "link.duckdb",
        tmp_path / "folder" / "x.duckdb",
        Path("var/../var/x.duckdb"),
    ]
    assert {DatabaseMutex(name, run_id="r").lock_path for name in names} == {Path(f"{database}.lock")}


def test_two_databases_do_not_wait_for_each_other(tmp_path: Path, hold: Hold) -> None:
    """Each database has a mutex of its own."""
    hold(tmp_path / "a.duckdb")
    with DatabaseMutex(tmp_path / "b.duckdb", run_id="r").held(0):
        pass


def test_a_database_on_a_server_takes_a_named_lock(tmp_path: Path) -> None:
    """Where there is no file to stand beside, the caller says where the lock is."""
    url = "postgresql://localhost/db"
    first = DatabaseMutex(url, run_id="r", lock_path=tmp_path / "pg.lock")
    second = DatabaseMutex(url, run_id="r", lock_path=tmp_path / "pg.lock")
    with first.held(0), pytest.raises(DatabaseLockedError, match="postgresql://localhost/db"):
        second.acquire(0)
    assert (tmp_path / "pg.lock").exists()


def test_children_do_not_inherit_the_mutex(database: Path) -> None:
    """When the holder is killed, a child that it spawned and one that it forked do not keep the mutex."""
    code = """
import os, subprocess, sys, time
from orchestrator.database.mutex import DatabaseMutex
mutex = DatabaseMutex(sys.argv[1], run_id="parent")
mutex.acquire(0)
spawned = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
reader, writer = os.pipe()
forked = os.fork()
if forked == 0:
    mutex.release()
    os.write(writer, b"holds" if mutex.held_here else b"free")
    time.sleep(60)
print(os.read(reader, 9).decode(), spawned.pid, forked, flush=True)
time.sleep(60)
"""
    parent = python(code, database, cold=True)
    child, *words = line_of(parent).split()
    pids = [int(word) for word in words]
    try:
        assert child == "free"
        mutex = DatabaseMutex(database, run_id="r")
        with pytest.raises(DatabaseLockedError):
            mutex.acquire(0)
        parent.kill()
        parent.wait()
        mutex.acquire(1)
        mutex.release()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_a_forked_child_can_ask_for_the_mutex_itself(database: Path) -> None:
    """The child's copy of a holding object waits like anybody else."""
    code = """
import os, sys
from orchestrator.core.errors import DatabaseLockedError
from orchestrator.database.mutex import DatabaseMutex
mutex = DatabaseMutex(sys.argv[1], run_id="r")
mutex.acquire(0)
if os.fork() == 0:
    try:
        mutex.acquire(0)
    except DatabaseLockedError as error:
        os._exit(0 if error.pid == os.getppid() else 1)
    os._exit(2)
status = os.waitstatus_to_exitcode(os.wait()[1])
mutex.release()
sys.exit(status)
"""
    process = python(code, database)
    output = process.communicate()
    assert process.returncode == 0, output


def test_an_interrupt_ends_an_endless_wait(database: Path, hold: Hold) -> None:
    """Ctrl-C while waiting for ever raises KeyboardInterrupt."""
    hold(database)
    code = """
import sys
from orchestrator.database.mutex import DatabaseMutex
try:
    DatabaseMutex(sys.argv[1], run_id="r", emit=lambda event: print("waits", flush=True)).acquire(None)
except KeyboardInterrupt:
    sys.exit(130)
"""
    waiter = python(code, database)
    assert line_of(waiter) == "waits"
    waiter.send_signal(signal.SIGINT)
    waiter.communicate(timeout=GENEROUS)
    assert waiter.returncode == 130


def test_a_failing_listener_does_not_leave_the_mutex_taken(database: Path) -> None:
    """When the event cannot be told, the caller has no mutex to give back, so it is free."""

    def fail(event: Event) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        DatabaseMutex(database, run_id="r", emit=fail).acquire(0)
    assert DatabaseMutex(database, run_id="r").holder() is None


def test_an_unwritable_folder_is_explained() -> None:
    """Someone without the right to write beside the database is told which folder, and what to do."""
    code = """
import encodings.ascii, os, sys  # who the child becomes may not read the interpreter's own folder
from orchestrator.core.errors import DatabasePermissionError
from orchestrator.database.mutex import DatabaseMutex
mutex = DatabaseMutex(sys.argv[1], run_id="r")
if os.geteuid() == 0:
    os.setuid(65534)
try:
    mutex.acquire(0)
except DatabasePermissionError as error:
    print(str(error).replace(chr(10), " "), flush=True)
"""
    # pytest's own folders are closed to the unprivileged user that the child becomes.
    with tempfile.TemporaryDirectory() as name:
        for database in (Path(name) / "x.duckdb", Path(name) / "deeper" / "x.duckdb"):
            Path(name).chmod(0o555)
            process = python(code, database)
            out, err = process.communicate()
            assert err == ""
            assert str(database) in out and "Permission denied" in out
            assert f"+rwX {name}" in out  # the nearest folder that is there
        Path(name).chmod(0o755)
    assert issubclass(DatabasePermissionError, PermissionError)


def test_a_file_where_the_folder_should_be_is_explained(tmp_path: Path) -> None:
    """A path that runs through a file is named, not raised as a bare OSError."""
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match="cannot be made") as caught:
        DatabaseMutex(tmp_path / "file" / "x.duckdb", run_id="r").acquire(0)
    assert "To fix:" in str(caught.value)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("on_server", [True, False])
def test_a_lock_that_is_a_link(tmp_path: Path, there: bool, on_server: bool) -> None:
    """It is refused for what it is, whatever it leads to, and that is neither made nor emptied."""
    led_to = tmp_path / "precious"
    if there:
        led_to.write_text("mine")
    lock = tmp_path / ("server.lock" if on_server else "x.duckdb.lock")
    lock.symlink_to(led_to)
    mutex = DatabaseMutex(tmp_path / "x.duckdb", run_id="r", lock_path=lock if on_server else None)
    with pytest.raises(DatabaseError, match="is a symbolic link") as caught, mutex.held(0):
        pass
    assert "move" in str(caught.value.to_fix)
    if there:
        with pytest.raises(DatabaseError, match="is a symbolic link"):
            mutex.holder()
        assert led_to.read_text() == "mine"
    assert led_to.exists() == there


def test_a_folder_in_the_place_of_a_lock(tmp_path: Path) -> None:
    """It is named as one."""
    (tmp_path / "x.duckdb.lock").mkdir()
    with pytest.raises(DatabaseError, match="is a folder"), DatabaseMutex(tmp_path / "x.duckdb", run_id="r").held(0):
        pass
