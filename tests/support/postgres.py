"""A throw-away PostgreSQL server on 127.0.0.1, of Debian's packages."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

ROOT = 0
USER, PASSWORD = "tester", "p@ss/w:rd"
QUOTED = "p%40ss%2Fw%3Ard"


def programs() -> Path | None:
    """Return the folder of initdb and pg_ctl, the newest one, None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return None if there is None else Path(there).resolve().parent


def why_not() -> str | None:
    """Say why no server can be started here, None when one can."""
    if programs() is None:
        return "PostgreSQL is not installed (on Debian: apt-get install postgresql; .ci/run does it)"
    if os.getuid() == ROOT and _other_user() is None:
        return "PostgreSQL does not run as root, and there is no user postgres or nobody"
    return None


class PostgresServer:
    """One server; :meth:`make_database` gives the URL of an empty database."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._count = 0

    def url(self, database: str, *, password: str = QUOTED, user: str = USER) -> str:
        """Return the URL of a database."""
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def make_database(self) -> str:
        """Create an empty database and return its URL."""
        self._count += 1
        name = f"history_{os.getpid()}_{self._count}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait for it."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._run(
            "pg_ctl", "start", "-w", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log")
        )

    def stop(self) -> None:
        """Stop the server at once."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self.folder / "data"))

    def initialize(self) -> None:
        """Make the files of the server."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        words = ["-U", USER, "--auth=scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "--no-sync", "--locale=C"]
        self._run("initdb", "-D", str(self.folder / "data"), *words)

    def _run(self, program: str, *args: str) -> None:
        folder = programs()
        assert folder is not None
        user = _other_user() if os.getuid() == ROOT else None
        # The server keeps what it inherits, so its output must not be a pipe that somebody waits for.
        with (self.folder / "output").open("a") as output:
            done = subprocess.run(
                [folder / program, *args],
                user=user,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                check=False,
                timeout=60,
            )
        assert done.returncode == 0, (self.folder / "output").read_text()


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Make, start and in the end stop and remove a server."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-postgres-"))  # a short path: sockets need one
    user = _other_user() if os.getuid() == ROOT else None
    if user is not None:
        os.chown(folder, user, -1)
    server = PostgresServer(folder, _free_port())
    try:
        try:
            server.initialize()
            _start(server)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            pytest.fail(f"PostgreSQL is installed, and its server does not start here: {error}", pytrace=False)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(server: PostgresServer) -> None:
    """Start a server; somebody else may take a free port first."""
    for _ in range(2):
        try:
            server.start()
            return
        except AssertionError:
            server.port = _free_port()
    server.start()


def _other_user() -> int | None:
    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names.get("nobody"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
