"""Start a zygote, own it, and start dbt processes: forked by a zygote where one is named, else as new interpreters."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from orchestrator.core.errors import DbtProcessError
from orchestrator.dbt_runner.process.environment import environment
from orchestrator.dbt_runner.process.forked import ForkedWorker, Started, ZygoteUnavailableError
from orchestrator.dbt_runner.process.zygote_messages import short

VARIABLE = "ORCHESTRATOR_ZYGOTE"
SECONDS_TO_END = 5.0
RESTARTS = 3
WAITING = 128
SERVER = "orchestrator.dbt_runner.process.zygote_server"
REHEARSE = "rehearse"


class Zygote:
    """A process that has imported dbt, and nothing of any project, and forks dbt processes on demand; Linux only.

    A dbt process that it forks is ready at once, and is what a new one would be: it takes over environment, folder,
    umask, limits, niceness, processors and ignored signals of whoever asks, stands in a session of its own, and has
    no open file but its own. What cannot be taken over must be the same, or the zygote refuses and a new interpreter
    is started: the code, the interpreter and its settings, all variables that importing dbt reads, rights, control
    group and name spaces. All its processes share one seed of Python's ``hash()``, which a new interpreter draws anew.

    It ends with :meth:`close`, and when this process ends, however that comes; processes that it forked go on, for
    they end with whoever asked for them. When it dies before, the next dbt process is a new interpreter, and a new
    zygote is started beside it. Other processes find it by the variable ``ORCHESTRATOR_ZYGOTE``, which holds its
    :attr:`address`.
    """

    def __init__(self, *, rehearse: bool = True) -> None:
        self._rehearse = rehearse
        self._folder = Path(tempfile.mkdtemp(prefix="orchestrator-zygote-"))
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._owner = os.getpid()
        self._restarts_left = RESTARTS
        self._changing = threading.Lock()
        self._running = [self._begin()]
        self._at_exit = weakref.finalize(self, _end, self._owner, self._running, self._folder, self._output)
        _owned[self.address] = self

    @classmethod
    def start(cls, *, rehearse: bool = True) -> Zygote:
        """Start one; return at once. Whoever asks it before it is ready waits.

        With ``rehearse`` it also works out what dbt works out once for a process. That takes it some seconds longer,
        and the first parse of each dbt process less: leave it out where few processes are forked.

        Raises:
            DbtProcessError: this system cannot have one.
        """
        if not supported():
            raise DbtProcessError(
                "A zygote needs Linux 5.3 or newer, with /proc.",
                to_fix="leave out `zygote`: each dbt process is a new interpreter then",
            )
        return cls(rehearse=rehearse)

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def address(self) -> Path:
        """Return the path of the socket at which it is asked."""
        return self._folder / "zygote.sock"

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._running[-1].pid

    def close(self) -> None:
        """End it and remove its socket; what it forked goes on."""
        with self._changing:
            self._restarts_left = 0
            self._at_exit()

    def renew(self) -> None:
        """Start another at the same address where this one died, some times at most; only the process that owns it."""
        with self._changing:
            ours = os.getpid() == self._owner  # a fork of the owner does not even see that it lives
            if ours and self._restarts_left and self._running[-1].poll() is not None:
                self._restarts_left -= 1
                with suppress(OSError):  # no process more: whoever asked learns that from its own start
                    self._running.append(self._begin())

    def _begin(self) -> subprocess.Popen[bytes]:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self.address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
            with short(self.address) as name:
                listener.bind(name)
            listener.listen(WAITING)
            args = [
                str(listener.fileno()),
                str(os.getpid()),
                str(self._folder),
                *([REHEARSE] if self._rehearse else []),
            ]
            return subprocess.Popen(
                [sys.executable, "-P", "-m", SERVER, *args],
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                env=environment(None),
                cwd="/",
                start_new_session=True,
            )


@dataclass(frozen=True)
class StartedWorker:
    """A dbt process that was started, our end of its socket, and why no zygote forked it though one is named."""

    process: Started
    connection: Connection
    forked: bool
    not_forked: str | None


def start_worker(output: IO[bytes], zygote: Path | None) -> StartedWorker:
    """Start a dbt process whose output goes to a file.

    ``zygote`` is the address of the zygote that forks it, None for what ``ORCHESTRATOR_ZYGOTE`` says. A new
    interpreter is started where neither names one, and where the zygote that is named is dead or refuses.

    Raises:
        OSError: no process can be started.
    """
    address = zygote or named_zygote()
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            process, not_forked = None, None
            if address is not None:
                try:
                    process = ForkedWorker.ask(address, (theirs.fileno(), output.fileno()), environment(None))
                except ZygoteUnavailableError as error:
                    not_forked = str(error)
                    if address in _owned:
                        _owned[address].renew()
            started = process or _new_interpreter(theirs, output)
        return StartedWorker(started, Connection(ours.detach()), process is not None, not_forked)
    except BaseException:
        ours.close()
        raise


def named_zygote() -> Path | None:
    """Return the address that the environment names; None where it does not, and where there are no zygotes."""
    name = os.environ.get(VARIABLE, "").strip()
    return Path(name) if name and supported() else None


def supported() -> bool:
    """Tell whether this system can have a zygote."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and Path("/proc/thread-self/status").exists()


def _new_interpreter(theirs: socket.socket, output: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "orchestrator.dbt_runner.process.worker", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment(None),
        start_new_session=True,
    )


def _end(owner: int, running: list[subprocess.Popen[bytes]], folder: Path, output: IO[bytes]) -> None:
    if os.getpid() != owner:
        return  # a fork of the owner
    running[-1].terminate()
    try:
        running[-1].wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        running[-1].kill()
        running[-1].wait()
    shutil.rmtree(folder, ignore_errors=True)
    output.close()


_owned: weakref.WeakValueDictionary[Path, Zygote] = weakref.WeakValueDictionary()
