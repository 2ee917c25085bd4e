"""Messages between a zygote and those who ask it: JSON behind its length, and file descriptors beside it.

JSON and not pickles: what a stranger sends can be read without being run.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.dbt_runner.process.inherited import Inherited
from orchestrator.dbt_runner.process.zygote_key import Key

LENGTH = struct.Struct("!I")
STATUS = struct.Struct("!i")
PEER = struct.Struct("3i")
LONGEST = 1 << 26


@dataclass(frozen=True)
class WorkerRequest:
    """Ask for a dbt process; the socket it serves, the file for its output and its folder go with it."""

    key: Key
    inherited: Inherited
    environment: dict[str, str]


@dataclass(frozen=True)
class WorkerReply:
    """The answer: a ``pid``, whose pidfd goes with it, or why there is none."""

    pid: int | None = None
    refused: str | None = None


def send_request(connection: socket.socket, request: WorkerRequest, fds: Sequence[int]) -> None:
    """Send a request and three file descriptors: socket, output, folder."""
    _send(connection, asdict(request), fds)


def receive_request(connection: socket.socket) -> tuple[WorkerRequest, list[int]]:
    """Receive what :func:`send_request` sent.

    Raises:
        ValueError, LookupError, TypeError, AttributeError, OSError: it is no request.
    """
    body, fds = _receive(connection, 3)
    told = json.loads(body)
    limits = {str(name): (int(soft), int(hard)) for name, (soft, hard) in told["inherited"].pop("limits").items()}
    environment = {str(name): str(value) for name, value in told["environment"].items()}
    request = WorkerRequest(Key(**told["key"]), Inherited(limits=limits, **told["inherited"]), environment)
    if len(fds) != 3:
        raise ValueError(f"{len(fds)} file descriptors came with the request, not 3")
    return request, fds


def send_reply(connection: socket.socket, reply: WorkerReply, fds: Sequence[int] = ()) -> None:
    """Send an answer and the pidfd of the process that it names."""
    _send(connection, asdict(reply), fds)


def receive_reply(connection: socket.socket) -> tuple[WorkerReply, list[int]]:
    """Receive what :func:`send_reply` sent; what is raised is as for :func:`receive_request`."""
    body, fds = _receive(connection, 1)
    return WorkerReply(**json.loads(body)), fds


def peer_uid(connection: socket.socket) -> int:
    """Return the user of the process at the other end, as the system saw it connect."""
    _, uid, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return int(uid)


@contextmanager
def short(address: Path) -> Iterator[str]:
    """Yield a name for a socket's path that fits into the 107 bytes that the system leaves for it."""
    folder = os.open(address.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)


def _send(connection: socket.socket, told: dict[str, object], fds: Sequence[int]) -> None:
    body = json.dumps(told).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sent = connection.sendmsg([LENGTH.pack(len(body))], ancillary)
    assert sent == LENGTH.size, "a socket takes four bytes at once"
    connection.sendall(body)


def _receive(connection: socket.socket, most_fds: int) -> tuple[bytes, list[int]]:
    head, fds, _, _ = socket.recv_fds(connection, LENGTH.size, most_fds)
    if len(head) < LENGTH.size:
        raise ConnectionError("the other end closed the connection")
    (length,) = LENGTH.unpack(head)
    if length > LONGEST:
        raise ValueError(f"a message of {length} bytes")
    body = bytearray()
    while len(body) < length:
        part = connection.recv(min(length - len(body), 1 << 16))
        if not part:
            raise ConnectionError("the other end closed the connection within a message")
        body += part
    return bytes(body), fds
