"""A dbt process that a zygote forked is what a new interpreter would be, and nobody hangs on the zygote."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import Zygote, create_orchestrator
from orchestrator.core.clocks import Deadline
from orchestrator.core.errors import DbtError, DbtProcessError, DbtTimeoutError
from orchestrator.core.events import DbtStarted, ignore
from orchestrator.dbt_runner.process.forked import UNSEEN
from orchestrator.dbt_runner.process.inherited import Inherited
from orchestrator.dbt_runner.process.process import DbtProcess
from orchestrator.dbt_runner.process.zygote import VARIABLE, supported
from orchestrator.dbt_runner.process.zygote_key import Key
from orchestrator.dbt_runner.process.zygote_messages import (
    WorkerRequest,
    receive_reply,
    send_request,
    short,
)
from orchestrator.dbt_runner.project.settings import Query
from tests.support.processes import wait_until
from tests.support.workspaces import PROJECTS, REPOSITORY, Workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not supported(), reason="zygotes need Linux 5.3 or newer"),
]

SLOW = "select count(*) as n from range(100000000000) a(i), range(100000) b(j)"
SECONDS = 60.0


@pytest.fixture(autouse=True)
def no_zygote_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the zygote of the session away: a test says which it means."""
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture(scope="module")
def kept() -> Iterator[Zygote]:
    """A zygote that no test kills."""
    with Zygote.start() as zygote:
        yield zygote


@pytest.fixture
def mortal() -> Iterator[Zygote]:
    """A zygote that a test may kill; it is asked for little."""
    with Zygote.start(rehearse=False) as zygote:
        yield zygote


@pytest.fixture(params=["cold", "forked"])
def way(request: pytest.FixtureRequest) -> Path | None:
    """The address of a zygote, or none: whatever holds for one way to start holds for the other."""
    if request.param == "cold":
        return None
    zygote = request.getfixturevalue("kept")
    assert isinstance(zygote, Zygote)
    return zygote.address


@pytest.fixture
def reservoir(simulated: Callable[[str], Workspace]) -> Workspace:
    """A simulated reservoir."""
    return simulated("reservoir")


def started(zygote: Path | None) -> DbtProcess:
    """Start a dbt process and wait until it answers."""
    process = DbtProcess(ignore, zygote)
    assert process.forked is (zygote is not None), process.not_forked
    answers(process)
    return process


def answers(process: DbtProcess) -> None:
    """Wait until a process without a project says so."""
    process.send(Query("select 1"))
    with pytest.raises(DbtError, match="before it loaded a project"):
        process.answer("A query", Deadline.after(SECONDS))


def is_there(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def opened(pid: int) -> list[str]:
    """Return what a process has open, numbers left out."""
    folder = Path("/proc", str(pid), "fd")
    found = []
    for name in os.listdir(folder):  # noqa: PTH208 - iterdir() keeps the folder open meanwhile
        with suppress(FileNotFoundError):
            found.append(re.sub(r"\d+", "#", str((folder / name).readlink())))
    return sorted(found)


def seen_from_outside(pid: int) -> dict[str, object]:
    """Return what the system knows of a process that a parent hands to it."""
    proc = Path("/proc", str(pid))
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    kept = ("Umask", "SigBlk", "SigIgn", "Uid", "Gid", "Groups", "CapEff", "NoNewPrivs", "Threads")
    return {
        "folder": (proc / "cwd").readlink(),
        "session": os.getsid(pid) == pid,
        "niceness": os.getpriority(os.PRIO_PROCESS, pid),
        "processors": os.sched_getaffinity(pid),
        "limits": (proc / "limits").read_text(),
        "opened": opened(pid),
        **{name: status[name].strip() for name in kept},
    }


def children(pid: int) -> list[str]:
    """Return the command lines of the children of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"\nPPid:\t{pid}\n" in (entry / "status").read_text():
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:
                continue
    return found


def test_a_fork_is_what_a_new_interpreter_would_be(
    kept: Zygote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folder, umask, limits, niceness, processors, signals and open files are those that a process hands on."""
    monkeypatch.chdir(tmp_path)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    umask, ignored = os.umask(0o027), signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, limit[1]))
    try:
        seen = []
        for zygote in (None, kept.address):
            process = started(zygote)
            seen.append(seen_from_outside(process.pid))
            process.close()
    finally:
        os.umask(umask)
        signal.signal(signal.SIGUSR2, ignored)
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    cold, forked = seen
    assert forked == cold
    assert forked["folder"] == tmp_path
    assert forked["Umask"] == "0027"
    assert isinstance(forked["opened"], list)
    assert len(forked["opened"]) == 4, "input, output, errors and the socket that it serves"


def test_a_nicer_process_has_a_nicer_fork(kept: Zygote) -> None:
    """Niceness and processors are those of the thread that asks, as for a new interpreter."""
    program = (
        "import os; from pathlib import Path; from tests.integration.test_zygote import *\n"
        f"os.nice(5); os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}})\n"
        f"process = started(Path({str(kept.address)!r}))\n"
        "print(os.getpriority(os.PRIO_PROCESS, process.pid), len(os.sched_getaffinity(process.pid)))\n"
    )
    assert python(program).stdout.split() == ["5", "1"]


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this repository to its end."""
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
    done = subprocess.run([sys.executable, "-P", "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_an_idle_process_ends_when_it_is_stopped(way: Path | None) -> None:
    """SIGINT ends it with code 0, long before patience does."""
    process = started(way)
    process.stop()
    assert process._popen.returncode == 0
    assert not process.alive()


def test_closing_the_socket_ends_it(way: Path | None) -> None:
    """It ends by itself when nobody can ask it any more."""
    process = started(way)
    process.close()
    assert process._popen.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_death_names_the_signal(way: Path | None, number: signal.Signals) -> None:
    """Who killed it is told, with the pid."""
    process = started(way)
    os.kill(process.pid, number)
    with pytest.raises(DbtProcessError, match=rf"pid {process.pid}\) ended unexpectedly with signal {number.name}"):
        process.answer("A query", Deadline.after(SECONDS))
    process.close()


def test_its_last_words_are_told(way: Path | None) -> None:
    """What it wrote to standard error stands in the error."""
    process = started(way)
    process._connection.send_bytes(b"no request")
    wait_until(lambda: os.fstat(process._output.fileno()).st_size > 0, "it says something", SECONDS)
    process._popen.kill()
    process._popen.wait()
    assert "UnpicklingError" in str(process.death())
    process.close()


def test_wait_gives_up_in_time(way: Path | None) -> None:
    """Waiting for a process that goes on ends with the timeout that was given, as of any process."""
    process = started(way)
    with pytest.raises(subprocess.TimeoutExpired):
        process._popen.wait(0.01)
    assert process._popen.poll() is None
    process.close()


def test_a_timeout_stops_it(way: Path | None, reservoir: Workspace) -> None:
    """A query that takes too long is stopped by SIGINT, and the next one has a new process."""
    with reservoir.orchestrator(zygote=way) as orchestrator:
        runner = orchestrator.runner
        runner.facts()
        first = runner._client._process
        assert first is not None
        with pytest.raises(DbtTimeoutError):
            runner.query(SLOW, timeout=0.5)
        assert first._popen.returncode == 0
        assert runner.query("select count(*) from lakes") == [(2,)]
    assert [event.forked for event in reservoir.events if isinstance(event, DbtStarted)] == [way is not None] * 2


def test_a_killed_parent_takes_its_process_along(way: Path | None, kept: Zygote) -> None:
    """Neither the zygote nor a sibling keeps the socket open by which the end of the parent shows."""
    program = (
        "from pathlib import Path; from tests.integration.test_zygote import *\n"
        f"process = started({way and str(way)!r} and Path({str(way)!r}))\n"
        "print(process.pid, flush=True); process.answer('nothing', Deadline.after(None))"
    )
    before = started(kept.address)
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    parent = subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    after = started(kept.address)
    assert is_there(pid)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not is_there(pid), "the dbt process is gone")
    for other in (before, after):
        answers(other)
        other.close()


def test_it_starts_no_other_process(way: Path | None, reservoir: Workspace) -> None:
    """dbt's locks are those of threads, so no interpreter is started to remember the names of semaphores."""
    with reservoir.orchestrator(zygote=way) as orchestrator:
        orchestrator.runner.run("stg_rain")
        assert orchestrator.runner.pid is not None
        assert children(orchestrator.runner.pid) == []


def test_the_environment_is_that_of_the_asking_process(
    way: Path | None, fresh: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that was set a moment ago counts, and one that was taken away is gone."""
    project = fresh("ephemeral")
    (project.root / "dbt" / "models" / "named.yml").write_text(
        "models: [{name: squares, config: {alias: \"{{ env_var('ALIAS', 'none') }}\"}}]\n"
    )
    found = []
    for value in ("first", None):
        monkeypatch.setenv("ALIAS", value) if value else monkeypatch.delenv("ALIAS")
        with project.orchestrator(zygote=way) as orchestrator:
            found += [node.identifier for node in orchestrator.runner.facts().models() if node.name == "squares"]
    assert found == ["first", "none"]


def test_siblings_draw_numbers_of_their_own(kept: Zygote, fresh: Callable[[str], Workspace]) -> None:
    """Random numbers, and the ids of dbt's invocations, are not those of another fork."""
    project = fresh("ephemeral")
    (project.root / "dbt" / "models" / "drawn.sql").write_text(
        "select '{{ range(99999) | random }} {{ range(99999) | random }}' as drawn, '{{ invocation_id }}' as invocation"
    )
    found = set()
    for _ in range(2):
        with project.orchestrator(zygote=kept) as orchestrator:
            orchestrator.runner.run("drawn")
            found |= set(orchestrator.runner.query("select drawn from drawn union all select invocation from drawn"))
    assert len(found) == 4


def test_many_ask_at_once(kept: Zygote) -> None:
    """Threads and processes ask at the same moment, and each has a process of its own."""
    program = (
        "from pathlib import Path; from tests.integration.test_zygote import *\n"
        f"print(*fork_some(Path({str(kept.address)!r})))"
    )
    with ThreadPoolExecutor(3) as pool:
        others = [pool.submit(python, program) for _ in range(2)]
        pids = fork_some(kept.address)
        for other in others:
            pids += map(int, other.result().stdout.split())
    assert len(set(pids)) == 12


def fork_some(address: Path) -> list[int]:
    """Ask for four processes from four threads; return their pids when all have answered."""
    with ThreadPoolExecutor(4) as pool:
        processes = list(pool.map(started, [address] * 4))
    pids = [process.pid for process in processes]
    for process in processes:
        process.close()
    return pids


def test_nothing_stays_open(kept: Zygote) -> None:
    """Neither the zygote nor the asking process keeps anything of a process that has ended."""
    started(kept.address).close()
    wait_until(lambda: not children(kept.pid), "those of other tests have ended", SECONDS)
    zygote, ours = len(opened(kept.pid)), len(opened(os.getpid()))
    for _ in range(10):  # the first one's may have been open still when they were counted
        started(kept.address).close()
    wait_until(lambda: len(opened(kept.pid)) <= zygote, "the zygote has closed all", SECONDS)
    assert len(opened(os.getpid())) == ours
    assert not children(kept.pid)


def test_a_zygote_has_one_thread(kept: Zygote) -> None:
    """A second thread could hold a lock that a fork copies and nobody frees."""
    started(kept.address).close()
    assert len(list(Path("/proc", str(kept.pid), "task").iterdir())) == 1


def test_a_killed_zygote_costs_nothing(mortal: Zygote) -> None:
    """Its processes go on, the next one is a new interpreter, and a new zygote serves those behind it."""
    going_on = started(mortal.address)
    first = mortal.pid
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_there(first), "it is gone", SECONDS)
    answers(going_on)
    assert going_on.alive()
    cold = DbtProcess(ignore, mortal.address)
    assert not cold.forked
    assert cold.not_forked is not None
    assert "no zygote answers at" in cold.not_forked
    answers(cold)
    second = started(mortal.address)
    assert second.forked
    assert mortal.pid != first
    going_on._popen.kill()
    assert going_on._popen.wait() == UNSEEN
    assert "a code that nobody saw" in str(going_on.death())
    for process in (going_on, cold, second):
        process.close()


def test_a_closed_zygote_leaves_nothing(mortal: Zygote) -> None:
    """Its socket is removed, and what it forked goes on and can be stopped."""
    process = started(mortal.address)
    pid, address = mortal.pid, mortal.address
    mortal.close()
    assert not is_there(pid)
    assert not address.parent.exists()
    answers(process)
    process.stop()
    assert not process.alive()
    assert not DbtProcess(ignore, address).forked
    assert not address.parent.exists()


@pytest.mark.parametrize("moment", ["while it imports dbt", "ready"])
def test_a_zygote_ends_with_its_owner(moment: str) -> None:
    """SIGKILL of the owner leaves neither the zygote nor its socket, but the processes that others asked for."""
    program = (
        "from tests.integration.test_zygote import *\n"
        "zygote = Zygote.start(rehearse=False)\n"
        f"{'started(zygote.address)' if moment == 'ready' else ''}\n"
        "print(zygote.pid, zygote.address, flush=True); signal.pause()"
    )
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    owner = subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, address = owner.stdout.readline().split()
    ours = started(Path(address)) if moment == "ready" else None
    owner.kill()
    owner.communicate()
    wait_until(lambda: not is_there(int(pid)), "the zygote is gone", SECONDS)
    assert not Path(address).parent.exists()
    if ours is not None:
        answers(ours)
        ours.close()


def test_an_owner_that_ends_ends_it() -> None:
    """Nobody has to call close: a program that ends takes its zygote along."""
    program = "from orchestrator import Zygote; z = Zygote.start(); print(z.pid, z.address)"
    pid, address = python(program).stdout.split()
    assert not is_there(int(pid))
    assert not Path(address).parent.exists()


def ask(address: Path, request: WorkerRequest, files: int = 3) -> str | None:
    """Ask by hand; return why it was refused, None where nobody answered."""
    with socket.socket(socket.AF_UNIX) as connection, tempfile.TemporaryFile() as file:
        with short(address) as name:
            connection.connect(name)
        send_request(connection, request, [file.fileno()] * files)
        try:
            return receive_reply(connection)[0].refused
        except ConnectionError:
            return None


@pytest.mark.parametrize("part", ["interpreter", "code", "packages", "place"])
def test_another_version_is_refused(kept: Zygote, part: str) -> None:
    """A zygote serves those alone who would start the very same."""
    request = WorkerRequest(replace(Key.of_this(), **{part: "another"}), Inherited.of_this(), dict(os.environ))
    assert ask(kept.address, request) == f"its {part} is another"


def test_another_copy_of_the_code_starts_by_itself(kept: Zygote, tmp_path: Path) -> None:
    """Where the code is not that of the zygote, a new interpreter runs the code of whoever asks."""
    shutil.copytree(REPOSITORY / "orchestrator", tmp_path / "orchestrator")
    program = (
        "import orchestrator; from pathlib import Path\n"
        "from orchestrator.dbt_runner.process.process import DbtProcess\n"
        f"process = DbtProcess(print, Path({str(kept.address)!r})); print(process.forked, process.not_forked)\n"
        "process.close(); print(orchestrator.__file__)"
    )
    told = python(program, PYTHONPATH=str(tmp_path)).stdout
    ours = f"{tmp_path}/orchestrator/__init__.py"
    assert told.splitlines() == ["False the zygote refused: its code is another", ours]


@pytest.mark.parametrize(
    ("name", "value"), [("PYTHONHASHSEED", "7"), ("LC_ALL", "C.UTF-8"), ("DBT_MACRO_DEBUGGING", "1")]
)
def test_what_importing_dbt_reads_must_be_the_same(
    kept: Zygote, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that had its effect when dbt was imported cannot be changed afterwards: a new interpreter starts."""
    started(kept.address).close()
    monkeypatch.setenv(name, value)
    process = DbtProcess(ignore, kept.address)
    assert process.not_forked == f"the zygote refused: it was started with another {name} in its environment"
    process.close()


def test_rights_that_cannot_be_given_are_refused(kept: Zygote) -> None:
    """A limit that lies above that of the zygote cannot be set without more rights, and is not silently left out."""
    if os.geteuid() == 0:
        pytest.skip("root may set any limit")
    inherited = Inherited.of_this()
    limits = {**inherited.limits, "RLIMIT_CORE": (resource.RLIM_INFINITY, resource.RLIM_INFINITY)}
    request = WorkerRequest(Key.of_this(), replace(inherited, limits=limits, niceness=-20), dict(os.environ))
    refused = ask(kept.address, request)
    assert refused is not None
    assert "cannot be set" in refused


RUBBISH = [
    *(b"", b"\0", b"\0\0\0\x02{}", b"\0\0\0\x04null", b"\0\0\0\x03\x80\x04.", b"\xff\xff\xff\xff"),
    b"GET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_rubbish_does_no_harm(kept: Zygote, rubbish: bytes) -> None:
    """A zygote outlives whatever is sent to it."""
    before = kept.pid
    with socket.socket(socket.AF_UNIX) as connection:
        with short(kept.address) as name:
            connection.connect(name)
        connection.sendall(rubbish)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(SECONDS)
        with suppress(ConnectionResetError):
            while connection.recv(100):  # how the child that read it ended
                pass
    started(kept.address).close()
    assert kept.pid == before


def test_a_request_without_files_does_no_harm(kept: Zygote) -> None:
    """The files that belong to a request may be missing."""
    request = WorkerRequest(Key.of_this(), Inherited.of_this(), dict(os.environ))
    assert ask(kept.address, request, files=1) is None
    started(kept.address).close()


def test_a_silent_caller_keeps_nobody_waiting(kept: Zygote) -> None:
    """Who connects and says nothing is waited for by a child alone."""
    with socket.socket(socket.AF_UNIX) as silent:
        with short(kept.address) as name:
            silent.connect(name)
        started(kept.address).close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_not_served(mortal: Zygote) -> None:
    """Even where the folder lets them in, a stranger gets no answer; nor does anybody ask a stranger's zygote."""
    assert mortal.address.parent.stat().st_mode & 0o777 == 0o700
    mortal.address.parent.chmod(0o755)
    mortal.address.chmod(0o666)
    program = (
        f"import os, socket; os.setuid(65534); c = socket.socket(socket.AF_UNIX); c.connect({str(mortal.address)!r})\n"
        "print(c.recv(100))"
    )
    assert python(program).stdout == "b''\n"
    started(mortal.address).close()
    mortal.close()


def test_an_address_that_is_too_long_for_a_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A temporary folder may lie deeper than the 107 bytes that a socket's name may have."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with Zygote.start(rehearse=False) as zygote:
        assert zygote.address.is_relative_to(deep)
        started(zygote.address).close()
    assert list(deep.iterdir()) == []


def test_a_variable_names_it(kept: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that a session starts find its zygote by the environment; an empty variable names none."""
    monkeypatch.setenv(VARIABLE, str(kept.address))
    process = DbtProcess(ignore)
    assert process.forked
    process.close()
    monkeypatch.setenv(VARIABLE, " ")
    process = DbtProcess(ignore)
    assert (process.forked, process.not_forked) == (False, None)
    process.close()


def test_an_event_says_why_none_served(fresh: Callable[[str], Workspace], tmp_path: Path) -> None:
    """That a zygote was named and did not serve stands in the event of the start."""
    project = fresh("ephemeral")
    with project.orchestrator(zygote=tmp_path / "nowhere" / "zygote.sock") as orchestrator:
        orchestrator.runner.facts()
    (event,) = [event for event in project.events if isinstance(event, DbtStarted)]
    assert not event.forked
    assert event.not_forked is not None
    assert "No such file" in event.not_forked


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_an_end_in_the_rehearsal_leaves_nothing(killed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A zygote that ends while its child still rehearses leaves neither that child nor its folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Zygote.start() as zygote:
        wait_until(lambda: any(tmp_path.glob("orchestrator-rehearsal-*/cache")), "it rehearses", SECONDS)
        of_it = [int(line.split()[0]) for line in running() if str(zygote.address.parent) in line]
        assert len(of_it) == 2
        if killed:
            os.kill(zygote.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_there, of_it)), "both are gone", SECONDS)
    assert list(tmp_path.glob("orchestrator-rehearsal-*")) == []


def running() -> list[str]:
    """Return pid and command line of every process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found.append(f"{entry.name} " + (entry / "cmdline").read_text().replace("\0", " "))
    return found


def test_one_project_leaves_nothing_for_the_next(kept: Zygote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Projects of other settings, macros and vars, one after another, give what they give in new interpreters."""
    monkeypatch.chdir(tmp_path)  # the path of a profile may be relative to it
    found: list[list[tuple[object, object]]] = []
    for zygote in (None, kept):
        shutil.rmtree(tmp_path / "here", ignore_errors=True)
        found.append([built(tmp_path / "here", name, zygote) for name in ("one", "plain", "other", "one")])
    assert found[0] == found[1]
    assert found[0][0] != found[0][2]


OWN = {
    "one": {
        "dbt_project.yml": "{name: own, version: 1.0.0, profile: own, vars: {v: 1}, quoting: {identifier: true}}",
        "profiles.yml": "own: {target: t, outputs: {t: {type: duckdb, path: own.duckdb, schema: s_one, threads: 1}}}",
        "macros/m.sql": "{% macro generate_alias_name(custom_alias_name=none, node=none) %}"
        "a_{{ node.name }}{% endmacro %}{% macro f() %}1{% endmacro %}",
        "models/m.sql": "{{ config(materialized='table') }} select {{ f() }} as f, {{ var('v') }} as v",
    },
    "other": {
        "dbt_project.yml": "{name: own, version: 1.0.0, profile: own, vars: {v: 2}, flags: {warn_error: true}}",
        "profiles.yml": "own: {target: u, outputs: {u: {type: duckdb, path: own.duckdb, threads: 3, "
        "settings: {default_null_order: nulls_first}}}}",
        "macros/m.sql": "{% macro default__generate_schema_name(custom_schema_name, node) %}z{% endmacro %}"
        "{% macro f() %}'two'{% endmacro %}",
        "models/m.sql": "select {{ f() }} as f, {{ var('v') }} as v, current_setting('default_null_order') as n",
    },
}


def built(root: Path, name: str, zygote: Zygote | None) -> tuple[object, object]:
    """Build a project in a folder; return its nodes, and the rows of its model."""
    shutil.rmtree(root, ignore_errors=True)
    for database in root.parent.glob("*.duckdb*"):
        database.unlink()
    if name in OWN:
        for file, text in OWN[name].items():
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(text)
        (root / "orchestrator.yaml").write_text("dbt: {project_dir: .}\n")
    else:
        shutil.copytree(PROJECTS / name, root)
    with create_orchestrator(root / "orchestrator.yaml", zygote=zygote) as orchestrator:
        runner = orchestrator.runner
        nodes = runner.facts().nodes
        result = runner.build()
        table = next(node for node in nodes if node.resource_type == "model")
        rows = runner.query(f"select * from {table.relation.quoted()} order by all")
    return nodes, ([(node.unique_id, node.status, node.rows) for node in result.nodes], rows)
