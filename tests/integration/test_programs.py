"""Programs that tests start: a fork of the program server is what a new interpreter would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.processes import wait_until
from tests.support.programs import UNSEEN, ForkedProgram, ProgramServer, run_python, server, start_python
from tests.support.workspaces import REPOSITORY

MUCH = 3_000_000


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which this repository is found."""
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **more}


def forked(*args: str, **options: object) -> subprocess.Popen[str]:
    """Start a program, and make sure that it is a fork."""
    process = start_python(args, **options)  # type: ignore[arg-type]
    assert isinstance(process, ForkedProgram)
    return process


ENDINGS = [
    "pass",
    "import sys; sys.exit(7)",
    "import sys; sys.exit('in words')",
    "1 / 0",
    "def deep(n):\n    return deep(n - 1) if n else 1 / 0\ndeep(3)",
    "raise KeyboardInterrupt",
    "import os; os._exit(9)",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "import os, signal; os.kill(os.getpid(), signal.SIGINT)",
    "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "import os; os.abort()",
    "import no_such_module",
    "x = (",
    "import atexit; atexit.register(print, 'registered'); print('said')",
    "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('a thread'))).start()",
    "class Held:\n    def __del__(self):\n        print('taken apart')\nheld = Held()",
    "import sys; print('no end of line', end=''); print('to the other', file=sys.stderr, end='')",
    "print('ä €'); print(ascii(input()))",
]


@pytest.mark.parametrize("code", ENDINGS)
def test_it_ends_as_a_new_interpreter_does(code: str, tmp_path: Path) -> None:
    """Exit code, signal, traceback, what is registered, threads, open objects: all is as without the server."""
    script = tmp_path / "script.py"
    script.write_text(code)
    for args in (["-c", code], [str(script)]):
        ends = []
        for cold in (True, False):
            done = run_python(args, env=environment(), cold=cold)
            ends.append((done.returncode, done.stdout, done.stderr))
        assert ends[0] == ends[1]


TELL = """
import gc, json, os, signal, sys, warnings
told = {
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "environment": dict(os.environ),
    "cwd": os.getcwd(), "umask": os.umask(0), "name": __name__, "file": globals().get("__file__"),
    "main": sorted(vars(sys.modules["__main__"]).keys() - {"__annotations__", "__cached__"}),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.name, s.mode] for s in (sys.stdin, sys.stdout, sys.stderr)],
    "open": sorted(os.listdir("/proc/self/fd"))[:-1], "threads": len(os.listdir("/proc/self/task")),
    "signals": {s.name: str(signal.getsignal(s)).split(" at ")[0] for s in signal.Signals},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "gc": [gc.isenabled(), gc.get_threshold()],
    "flags": [flag for flag in str(sys.flags).split(", ") if "bytecode" not in flag],
    "bytecode": sys.dont_write_bytecode, "session": os.getsid(0) == os.getpid(),
    "group": os.getpgid(0) == os.getpid(), "filters": len(warnings.filters),
}
print(json.dumps(told))
"""


@pytest.mark.parametrize("how", ["code", "file", "module"])
@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1", "OWN": "ä"}, {"PYTHONDONTWRITEBYTECODE": "1"}])
def test_it_stands_where_a_new_interpreter_stands(how: str, variables: dict[str, str], tmp_path: Path) -> None:
    """Arguments, paths, environment, folder, streams, open files, signals and settings are the same."""
    (tmp_path / "telling.py").write_text(TELL)
    args = {"code": ["-c", TELL], "file": [str(tmp_path / "telling.py")], "module": ["-m", "telling"]}[how]
    given = environment()
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
        given.pop(name, None)
    told = []
    before = os.umask(0o027)
    try:
        for cold in (True, False):
            done = run_python([*args, "one", "two words"], cwd=tmp_path, env={**given, **variables}, cold=cold)
            assert done.stderr == ""
            told.append(json.loads(done.stdout))
    finally:
        os.umask(before)
    assert told[0] == told[1]
    assert told[1]["cwd"] == str(tmp_path) and told[1]["umask"] == 0o027


def test_a_session_of_its_own() -> None:
    """Where it is asked for, it leads a session."""
    code = "import os; print(os.getsid(0) == os.getpid())"
    assert [forked("-c", code, new_session=new).communicate()[0] for new in (False, True)] == ["False\n", "True\n"]


def test_programs_do_not_see_each_other(tmp_path: Path) -> None:
    """What one sets, imports, changes or leaves behind is unknown to the next; the server holds nothing of it."""
    (tmp_path / "mine.py").write_text("value = 1")
    loud = (
        "import os, sys, mine, json; os.environ['LEFT'] = '1'; json.dumps = None; os.chdir('/'); sys.path.append('/x')"
    )
    assert run_python(["-c", loud], cwd=tmp_path, env=environment(), check=True).stdout == ""
    look = (
        "import os, sys, json; print('LEFT' in os.environ, 'mine' in sys.modules, json.dumps is None, '/x' in sys.path)"
    )
    assert run_python(["-c", look], cwd=tmp_path, env=environment()).stdout.split() == ["False"] * 4
    (tmp_path / "mine.py").write_text("value = 22")
    assert run_python(["-c", "import mine; print(mine.value)"], cwd=tmp_path, env=environment()).stdout == "22\n"


def test_dbt_and_commands_are_not_begun() -> None:
    """Nothing of dbt is imported, no database is open, and the clock of a command starts with its program."""
    code = (
        "import sys; from orchestrator.cli.clock import since_start; import orchestrator.cli.simulate as s; "
        "print('dbt' in sys.modules, s.since_start is since_start, since_start() < 1e5, "
        "any(name.startswith('tests') for name in sys.modules))"
    )
    done = run_python(["-c", code], env=environment())
    assert done.stdout.split() == ["False", "True", "True", "False"], done.stderr


def test_signals_reach_it() -> None:
    """It is told signals, stopped, continued and killed like any other; who has ended is told nothing."""
    code = (
        "import time\ntry:\n    print('up', flush=True); time.sleep(600)\nexcept KeyboardInterrupt:\n    print('met')"
    )
    process = forked("-c", code)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T", "it is stopped")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    assert process.poll() is None
    process.send_signal(signal.SIGCONT)
    assert process.communicate() == ("met\n", "") and process.returncode == 0
    process.send_signal(signal.SIGKILL)
    killed = forked("-c", code)
    killed.kill()
    assert (killed.wait(), killed.poll(), killed.returncode) == (-9, -9, -9)
    killed.communicate()


def test_much_output_on_both_pipes_and_much_input() -> None:
    """Nobody waits for anybody: both are read while the other is written, and so is its input."""
    code = (
        f"import sys; text = sys.stdin.read(); sys.stderr.write('e' * {MUCH}); sys.stdout.write(text); "
        f"sys.stderr.write('f' * {MUCH})"
    )
    process = forked("-c", code, stdin=subprocess.PIPE)
    out, err = process.communicate("x" * MUCH)
    assert (process.returncode, len(out), err) == (0, MUCH, "e" * MUCH + "f" * MUCH)


def test_streams_are_files_and_inherited_ones(tmp_path: Path) -> None:
    """It writes into a file that is given, and into what this process writes into where nothing is given."""
    with (tmp_path / "out").open("w") as out:
        run_python(["-c", "import sys; print('to a file'); print('too', file=sys.stderr)"], stdout=out, stderr=out)
    assert sorted((tmp_path / "out").read_text().splitlines()) == ["to a file", "too"]
    inner = (
        "import sys; from tests.support.programs import start_python; "
        "p = start_python(['-c', 'print(input())'], stdin=None, stdout=None, stderr=None); sys.exit(p.wait() + 3)"
    )
    outer = start_python(["-c", inner], env=environment(), stdin=subprocess.PIPE)
    assert outer.communicate("handed through\n") == ("handed through\n", "")
    assert outer.returncode == 3


def test_a_folder_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """As of any process that is started there."""
    with pytest.raises(FileNotFoundError):
        forked("-c", "pass", cwd=tmp_path / "nowhere")


def test_many_at_once() -> None:
    """Threads start them side by side; each gets its own answer and its own exit code."""

    def one(number: int) -> tuple[int, str]:
        done = run_python(["-c", f"print({number} * 'x'); raise SystemExit({number})"])
        return done.returncode, done.stdout

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(one, range(60))) == [(number, "x" * number + "\n") for number in range(60)]


def test_two_threads_wait_for_one() -> None:
    """Both learn how it ended."""
    process = forked("-c", "input(); raise SystemExit(5)", stdin=subprocess.PIPE)
    codes: list[int] = []
    threads = [threading.Thread(target=lambda: codes.append(process.wait())) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    for thread in threads:
        thread.join()
    process.communicate()
    assert codes == [5, 5]


def no_options(given: dict[str, str], tmp_path: Path) -> list[str]:
    """Give an option to the interpreter."""
    return ["-X", "dev"]


def hidden(given: dict[str, str], tmp_path: Path) -> list[str]:
    """Have a module hidden by another one."""
    given["PYTHONPATH"] = f"{tmp_path}:{REPOSITORY}"
    return []


def read_by_imports(given: dict[str, str], tmp_path: Path) -> list[str]:
    """Set a variable that Typer reads while it is imported."""
    given["FORCE_COLOR"] = "1"
    return []


def of_the_interpreter(given: dict[str, str], tmp_path: Path) -> list[str]:
    """Set a variable that the interpreter reads when it starts."""
    given["PYTHONIOENCODING"] = "latin-1"
    return []


@pytest.mark.parametrize("different", [no_options, hidden, read_by_imports, of_the_interpreter])
def test_what_a_fork_cannot_be_is_a_new_interpreter(
    different: Callable[[dict[str, str], Path], list[str]], tmp_path: Path
) -> None:
    """Options, hidden modules, and variables that were read before: then, and where it is wanted, the start is cold."""
    given = environment()
    options = different(given, tmp_path)
    wanted = start_python(["-c", "pass"], env=environment(), cold=True)
    for process in (start_python([*options, "-c", "pass"], env=given), wanted):
        assert not isinstance(process, ForkedProgram)
        assert process.communicate() == ("", "") and process.returncode == 0


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; one that nobody waited for has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


OWNER = """
import os, signal, sys, time
from tests.support.programs import server, start_python
program = start_python(["-c", "import sys; print('up', flush=True); sys.stdin.read()"], stdin=-1)
program.stdout.readline()
print(server().process.pid, program.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_with_its_owner(number: signal.Signals) -> None:
    """However that ends; nothing is left of either."""
    owner = start_python(["-c", OWNER], env=environment())
    assert owner.stdout is not None
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2, owner.communicate()
    owner.send_signal(number)
    owner.communicate()
    for pid in pids:
        wait_until(lambda pid=pid: is_gone(pid), f"{pid} has ended")  # type: ignore[misc]


def ask(own: ProgramServer, code: str, **options: object) -> ForkedProgram:
    """Start a program of a server of one's own."""
    given: Mapping[str, object] = {"env": environment(), "stdout": subprocess.PIPE, **options}
    return ForkedProgram(own, ["-c", code], new_session=False, **given)


def test_a_server_that_dies_takes_nobody_along() -> None:
    """Its programs go on, and how they end is unknown; whoever asks it is told that it ended."""
    own = ProgramServer()
    process = ask(own, "print(input())", stdin=subprocess.PIPE)
    own.process.kill()
    own.process.wait()
    assert process.poll() is None
    assert process.communicate("still here\n")[0] == "still here\n"
    assert process.returncode == UNSEEN
    with pytest.raises(ConnectionError):
        ask(own, "pass")
    own.close()


def test_another_server_is_started_where_one_died() -> None:
    """The next program does not notice."""
    first = server()
    first.process.kill()
    first.process.wait()
    assert forked("-c", "print('well')").communicate() == ("well\n", "")
    assert server() is not first and server().process.pid != first.process.pid
    first.close()


def test_a_server_that_is_closed_leaves_its_programs_running() -> None:
    """It has ended when it is closed."""
    own = ProgramServer()
    process = ask(own, "print(input())", stdin=subprocess.PIPE)
    own.close()
    assert own.process.returncode == 0
    assert process.communicate("go on\n")[0] == "go on\n"


def test_the_command_line_says_the_same(tmp_path: Path) -> None:
    """Help, version, a wrong command and a missing configuration: as from a new interpreter."""
    for args in (["--help"], ["--version"], ["simulat"], ["check"], ["runs", "--help"]):
        told = []
        for cold in (True, False):
            done = run_python(["-m", "orchestrator", *args], cwd=tmp_path, env=environment(COLUMNS="80"), cold=cold)
            told.append((done.returncode, done.stdout, done.stderr))
        assert told[0] == told[1]


def test_the_interpreter_is_ours() -> None:
    """A fork runs what ``sys.executable`` would."""
    assert run_python(["-c", "import sys; print(sys.executable)"]).stdout.strip() == sys.executable


KNOWN = """
import os, sys
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.factory import FACTORY
print(FACTORY.adapters, DuckDBConnectionManager._ENV, os.environ.get("DBT_TARGET"), os.getcwd())
sys.exit("the end")
"""


def test_a_fork_of_dbt_knows_no_project(tmp_path: Path) -> None:
    """Its server used dbt on a project of its own, and nothing of that is left but what dbt worked out of itself."""
    done = run_python(["-c", KNOWN], cwd=tmp_path, env={**environment(), "DBT_TARGET": "mine"}, dbt=True)
    assert (done.returncode, done.stderr) == (1, "the end\n")
    assert done.stdout == f"{{}} None mine {tmp_path}\n"
