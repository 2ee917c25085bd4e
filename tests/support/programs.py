"""Python programs that tests start: forks of a process that has imported our command line, or new interpreters."""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Literal

from orchestrator.dbt_runner.process.inherited import Inherited
from orchestrator.dbt_runner.process.zygote import supported
from orchestrator.dbt_runner.process.zygote_key import environment_difference
from tests.support.program_server import NUMBER, REPOSITORY, Hello, Request, receive, send

SERVER = Path(__file__).with_name("program_server.py")
TAKEN_OVER = ("PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
OF_DASK = ("DASK_", "OPENBLAS_", "OMP_", "MKL_")
UNSEEN = 255
Kind = Literal["ours", "sweep", "dbt"]
Stream = int | IO[bytes] | IO[str] | None


class ProgramServer:
    """The process whose forks are the programs of this process; it ends when this process does, or by :meth:`close`.

    Its kind is that of the programs: ``ours``, those of them that ``sweep``, or ``dbt``.
    """

    def __init__(self, kind: Kind = "ours") -> None:
        self.kind = kind
        self.owner = os.getpid()
        self.control, theirs = socket.socketpair()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno()), kind],
                cwd="/",
                env=environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        told, _ = receive(self.control, 0)  # when it has imported what it imports; else standard error says why not
        self._hello = Hello(**told)  # type: ignore[arg-type]

    def why_not(self, args: Sequence[str], environment: Mapping[str, str]) -> str | None:
        """Say why a fork would not be what a new interpreter is; None where it would."""
        if args[0].startswith("-") and args[0] not in {"-m", "-c"}:
            return f"{args[0]} is an option of the interpreter"
        if not {*filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))} <= {str(REPOSITORY)}:
            return "PYTHONPATH may hide what is imported already"
        mine = {name: value for name, value in self._hello.born_with.items() if name not in TAKEN_OVER}
        wanted = {name: value for name, value in environment.items() if name not in TAKEN_OVER}
        of_dask = {name for name, _ in mine.items() ^ wanted.items() if name.startswith(OF_DASK)}
        if self.kind == "sweep" and of_dask:
            return f"Dask reads {min(of_dask)} when it is imported"
        name = environment_difference(mine, wanted, frozenset(self._hello.names_read))
        return None if name is None else f"its imports read {name}"

    def close(self) -> None:
        """End it; what it forked goes on."""
        self.control.close()
        if self.owner == os.getpid():
            self.process.wait()


class ForkedProgram(subprocess.Popen[str]):
    """A program that a server forked. It can do what ``Popen`` can: only its start, its end and signals go elsewhere.

    Where the server ends before it, nobody learns how it ended: its exit code is ``UNSEEN``.
    """

    def __init__(self, server: ProgramServer, args: Sequence[str], *, new_session: bool, **options: object) -> None:
        self._server = server
        self._new_session = new_session
        self._looking = threading.Lock()
        self._connection: socket.socket | None = None
        self._pidfd = -1
        super().__init__(list(args), encoding="utf-8", **options)  # type: ignore[call-overload]

    def _execute_child(
        self,
        args: list[str],
        executable: object,
        preexec_fn: object,
        close_fds: object,
        pass_fds: object,
        cwd: str | Path | None,
        env: dict[str, str],
        startupinfo: object,
        creationflags: object,
        shell: object,
        *ends: int,
    ) -> None:
        """Ask for the program, where ``Popen`` forks; ``ends`` are both ends of three pipes, -1 for none."""
        pipes = ends[:6]
        theirs = [pipes[0], pipes[3], pipes[5]]
        try:
            with ExitStack() as stack:
                folder = os.open(cwd or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, folder)
                fds = [number if end == -1 else end for number, end in enumerate(theirs)]
                self._ask(Request(args, env, asdict(Inherited.of_this()), self._new_session), [*fds, folder])
        finally:
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _ask(self, request: Request, fds: list[int]) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._server.control, [b"."], [theirs.fileno()])
            send(ours, request, fds)
            told, given, _, _ = socket.recv_fds(ours, NUMBER.size, 1)
            if len(told) != NUMBER.size or not given:
                raise ConnectionError("the program server ended")
        except BaseException:
            ours.close()
            raise
        ours.setblocking(False)
        (self.pid,), (self._pidfd,), self._connection = NUMBER.unpack(told), given, ours
        self._child_created = True

    def _internal_poll(self, *_: object, **__: object) -> int | None:
        """Look whether it ended."""
        with self._looking:
            if self.returncode is None and self._connection is not None and (code := self._look()) is not None:
                self.returncode = code
                self._connection.close()
                os.close(self._pidfd)
            return self.returncode

    def _look(self) -> int | None:
        assert self._connection is not None
        try:
            told = self._connection.recv(NUMBER.size)
        except BlockingIOError:
            return None
        except ConnectionError:
            told = b""
        if told:
            return int(NUMBER.unpack(told)[0])
        return UNSEEN if _readable(self._pidfd, 0) else None

    def _wait(self, timeout: float | None) -> int:
        """Wait until it ends.

        Raises:
            subprocess.TimeoutExpired: it did not within ``timeout`` seconds.
        """
        if not self._await(lambda: self._pidfd, timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        while self._internal_poll() is None:  # its server will tell, or has ended too
            self._await(lambda: self._connection.fileno() if self._connection else -1, None)
        assert self.returncode is not None
        return self.returncode

    def _await(self, descriptor: Callable[[], int], timeout: float | None) -> bool:
        """Wait for news at a descriptor; another thread may close it meanwhile. Tell whether there are any."""
        with self._looking:
            if self.returncode is not None:
                return True
            news = os.dup(descriptor())
        try:
            return _readable(news, timeout)
        finally:
            os.close(news)

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it ended."""
        self.poll()
        with self._looking:
            if self.returncode is None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, sig)


def _readable(descriptor: int, timeout: float | None) -> bool:
    change = select.poll()
    change.register(descriptor, select.POLLIN)
    return bool(change.poll(None if timeout is None else timeout * 1000))


_servers: list[ProgramServer] = []
_starting = threading.Lock()


def server(kind: Kind = "ours") -> ProgramServer:
    """Return this process's server of a kind, started when it is first asked for; another one where that has ended."""
    with _starting:
        alive = (one for one in _servers if one.owner == os.getpid() and one.process.poll() is None)
        found = next((one for one in alive if one.kind == kind), None)
        if found is None:
            found = ProgramServer(kind)
            _servers.append(found)
            atexit.register(found.close)
        return found


def close_servers() -> None:
    """End the servers of this process, so that what they and their programs took is counted as its own."""
    with _starting:
        while _servers:
            _servers.pop().close()


def start_python(
    args: Sequence[str],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    cold: bool = False,
    dbt: bool = False,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
    new_session: bool = False,
) -> subprocess.Popen[str]:
    """Start ``python`` with arguments and return at once: ``-m module …``, ``-c code …`` or a file.

    It is a new interpreter where the test is about the start or the end of one, or about what is imported: ``cold``.
    Else it is a fork, wherever that can be what a new interpreter would be: of a process that has imported our command
    line, and Dask where it sweeps, or that of ``dbt``.
    """
    environment = dict(os.environ if env is None else env)
    sweeps = args[:3] == ["-m", "orchestrator", "sweep"] and args[3] in {"run", "resume"}
    kind: Kind = "dbt" if dbt else "sweep" if sweeps else "ours"
    if not cold and supported() and (asked := server(kind)).why_not(args, environment) is None:
        return ForkedProgram(
            asked, args, cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, new_session=new_session
        )
    return subprocess.Popen(
        [sys.executable, *args],
        cwd=cwd,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        encoding="utf-8",
        start_new_session=new_session,
    )


def run_python(
    args: Sequence[str],
    *,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    cold: bool = False,
    dbt: bool = False,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.PIPE,
    stderr: Stream = subprocess.PIPE,
    check: bool = False,
    timeout: float | None = 120,
) -> subprocess.CompletedProcess[str]:
    """Run ``python`` to its end, as :func:`start_python` starts it; kill it after ``timeout`` seconds.

    Raises:
        subprocess.CalledProcessError: ``check`` is set and it ended otherwise than with 0.
        subprocess.TimeoutExpired: it did not end in time.
    """
    with start_python(args, cwd=cwd, env=env, cold=cold, dbt=dbt, stdin=stdin, stdout=stdout, stderr=stderr) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(list(args), process.returncode, out, err)
    if check:
        done.check_returncode()
    return done
