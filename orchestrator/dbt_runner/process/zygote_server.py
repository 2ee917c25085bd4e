"""The zygote: ``python -m orchestrator.dbt_runner.process.zygote_server FD OWNER FOLDER [rehearse]``.

It imports dbt and nothing of any project, and forks a dbt process for each request that comes to the listening socket
FD. It ends when the process OWNER ends, or by SIGTERM, and removes FOLDER, where its socket lies.

Nothing that a stranger sends is read here: a connection of the same user is forked for at once, and the child reads
the request. A bad one ends that child alone, and a slow one keeps nobody waiting. There is one thread, so a fork
copies no lock that somebody holds.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import selectors
import shutil
import signal
import socket
import sys
import sysconfig  # noqa: F401 - reads HOME, which decides nothing of dbt: before anybody looks who reads what
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from orchestrator.core.clocks import pause
from orchestrator.dbt_runner.process import worker
from orchestrator.dbt_runner.process.zygote_key import Key, environment_difference
from orchestrator.dbt_runner.process.zygote_messages import (
    STATUS,
    WorkerReply,
    WorkerRequest,
    peer_uid,
    receive_request,
    send_reply,
)

SECONDS_FOR_A_REQUEST = 10.0
SECONDS_WITHOUT_DESCRIPTORS = 0.05


class WatchedEnvironment(os._Environ[str]):
    """The environment, which keeps the names that are read; None once somebody looks at all of it."""

    names: frozenset[str] | None

    def __getitem__(self, name: str) -> str:
        if self.names is not None:
            self.names |= {name}
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        self.names = None
        return super().__iter__()


@dataclass(frozen=True)
class Child:
    """A forked process that is not waited for yet, and the connection over which its end is told."""

    pid: int
    connection: socket.socket


class ZygoteServer:
    """The loop of the zygote.

    ``born_with`` is its environment, and ``names_read`` what importing dbt read of it, None for all.
    """

    def __init__(
        self,
        listener: socket.socket,
        owner: int,
        key: Key,
        born_with: dict[str, str],
        names_read: frozenset[str] | None,
    ) -> None:
        self._listener = listener
        self._owner = owner
        self._key = key
        self._born_with = born_with
        self._names_read = names_read
        self._selector = selectors.PollSelector()

    def serve(self) -> None:
        """Fork until the owner ends."""
        self._listener.settimeout(0)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._owner, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == self._owner:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._reap(key.fd, key.data)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            pause(SECONDS_WITHOUT_DESCRIPTORS)  # too many are open: some children will end
            return
        if peer_uid(connection) != os.geteuid():
            connection.close()
            return
        try:
            pid = os.fork()
        except OSError:
            connection.close()  # no process more: whoever asks starts one by itself, and is told why that fails
            return
        if pid == 0:
            self._be_a_child(connection)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:  # too many are open
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            connection.close()
            return
        self._selector.register(pidfd, selectors.EVENT_READ, Child(pid, connection))

    def _reap(self, pidfd: int, child: Child) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(child.pid, 0)
        with suppress(OSError):  # whoever asked has ended too
            child.connection.send(STATUS.pack(os.waitstatus_to_exitcode(status)))
        child.connection.close()

    def _be_a_child(self, connection: socket.socket) -> NoReturn:
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._forget_others()
            connection.settimeout(SECONDS_FOR_A_REQUEST)
            descriptor = self._become_worker(connection)
            if descriptor is not None:
                worker.serve(descriptor)
        except BaseException:  # noqa: BLE001 - the process edge
            traceback.print_exc()
        else:
            os._exit(0)
        finally:
            os._exit(1)

    def _forget_others(self) -> None:
        """Close what belongs to the zygote and to other processes: a socket that stays open hides that its end died."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, Child):
                key.data.connection.close()
            if key.fileobj is not self._listener:
                os.close(key.fd)
        self._selector.close()
        self._listener.close()

    def _become_worker(self, connection: socket.socket) -> int | None:
        """Turn into a dbt process as its parent would start one; return the socket it serves, None when refused."""
        request, (descriptor, output, folder) = receive_request(connection)
        refused = self._difference(request)
        if refused is None:
            try:
                request.inherited.take_over()
                os.fchdir(folder)
            except (OSError, ValueError) as error:
                refused = f"what it would inherit cannot be set: {error}"
        if refused is not None:
            send_reply(connection, WorkerReply(refused=refused))
            return None
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.close(folder)
        os.environ.clear()
        os.environ.update(request.environment)
        _draw_anew()
        sys.argv[:] = [str(worker.__file__), str(descriptor)]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        pidfd = os.pidfd_open(os.getpid())
        send_reply(connection, WorkerReply(pid=os.getpid()), [pidfd])
        os.close(pidfd)
        connection.close()
        return descriptor

    def _difference(self, request: WorkerRequest) -> str | None:
        part = self._key.difference(request.key)
        if part is not None:
            return f"its {part} is another"
        name = environment_difference(self._born_with, request.environment, self._names_read)
        return None if name is None else f"it was started with another {name} in its environment"


def _draw_anew() -> None:
    """Forget what was drawn or looked up once for this process; ``random`` does so by itself when it is forked."""
    tempfile.tempdir = None
    multiprocessing.current_process().authkey = os.urandom(32)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()


def main() -> None:
    """Serve until the owner ends."""
    descriptor, owner, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody learns how children end
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        watched = os.pidfd_open(owner)
        if os.getppid() == owner:
            with socket.socket(fileno=descriptor) as listener:
                _server(listener, watched, rehearse=bool(sys.argv[4:])).serve()
    except ProcessLookupError:
        return  # the owner has ended
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _server(listener: socket.socket, owner: int, *, rehearse: bool) -> ZygoteServer:
    gc.disable()
    key, born_with = Key.of_this(), dict(os.environ)
    names = _names_read(rehearse=rehearse)
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page
    return ZygoteServer(listener, owner, key, born_with, names)


def _names_read(*, rehearse: bool) -> frozenset[str] | None:
    """Import dbt; return which variables of the environment were read meanwhile, None for all."""
    from orchestrator.dbt_runner.process.warm_up import warm  # imports dbt

    import_module("networkx")  # looks at every variable, for those that begin with its own name
    os.environ.__class__ = WatchedEnvironment
    assert isinstance(os.environ, WatchedEnvironment)
    os.environ.names = frozenset()
    try:
        warm(rehearse_too=rehearse)
        return os.environ.names
    finally:
        os.environ.__class__ = os._Environ  # type: ignore[assignment]


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
