"""The program server: ``python program_server.py FD ours``, which forks the Python programs that tests start.

It has imported our command line and what that stands on, but not dbt, and nothing of a project; with ``FD sweep``
Dask besides, and with ``FD dbt`` dbt's command line instead, which it used on a small project of its own. For each
request that comes to the socket FD it forks a child, which takes over folder, environment, standard streams, limits and
ignored signals of whoever asks, and then runs its program as ``python`` would. It ends when the other end of FD is
closed.

A request is a connection, sent over FD. The child reads from it what to run; the server writes the pid to it, and in
the end the exit code. There is one thread, so a fork copies no lock that somebody holds.
"""

from __future__ import annotations

import array
import atexit
import gc
import io
import json
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import sysconfig  # noqa: F401 - reads HOME, which decides nothing: before anybody looks who reads what
import tempfile
import types
import zoneinfo  # noqa: F401 - as sysconfig
from contextlib import chdir, suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

LENGTH = struct.Struct("!I")
NUMBER = struct.Struct("!i")
REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = ("config", "core", "database", "ledger", "maintenance", "pipeline", "reports", "self_healing", "storage", "cli")
LIBRARIES = (
    *("encodings.ascii", "encodings.utf_8_sig", "filelock", "multiprocessing.connection", "pydantic.type_adapter"),
    *("rich._emoji_codes", "rich.live", "rich.traceback", "sqlalchemy.dialects.sqlite", "typer.rich_utils"),
    *("typer._adapters", "typer._click.decorators", "orchestrator.factory", "orchestrator.dbt_runner.project"),
    *("orchestrator.dbt_runner.process.process", "orchestrator.dbt_runner.process.zygote", "alembic.command"),
)
NOT_THESE = ("orchestrator.storage.migrations.",)  # Alembic runs them, and they are no modules to import

OF_MODELS = {
    "seen": "materialized='view'",
    "table_of": "materialized='table'",
    "inside": "materialized='ephemeral'",
    "appended": "materialized='incremental', incremental_strategy='append', pre_hook='select 1'",
    "merged": "materialized='incremental', incremental_strategy='merge', unique_key='a'",
    "replaced": "materialized='incremental', incremental_strategy='delete+insert', unique_key='a'",
}
USED = {
    "dbt_project.yml": "{name: used, version: '1.0', profile: used, flags: {send_anonymous_usage_stats: false, "
    "static_parser: false}}",  # its static parser starts threads, which no fork would have
    "profiles.yml": "used: {target: dev, outputs: {dev: {type: duckdb, path: used.duckdb}}}",
    "seeds/numbers.csv": "a,b\n1,x\n2,y\n",
    **{f"models/{name}.sql": f"{{{{ config({of}) }}}} from {{{{ ref('numbers') }}}}" for name, of in OF_MODELS.items()},
    "models/models.yml": "models: [{name: table_of, columns: [{name: a, data_tests: [not_null, unique, "
    "{accepted_values: {arguments: {values: [1, 2], quote: false}}}]}]}]",
    "tests/none.sql": "from {{ ref('inside') }} where a > 9",
    "snapshots/kept.sql": "{% snapshot kept %}{{ config(target_schema='main', unique_key='a', strategy='check', "
    "check_cols=['b']) }} from {{ ref('numbers') }}{% endsnapshot %}",
}
"""A dbt project of what projects are made of."""


@dataclass(frozen=True)
class Hello:
    """The first word of a server: its environment, and the names of it that its imports read."""

    born_with: dict[str, str]
    names_read: list[str]


@dataclass(frozen=True)
class Request:
    """A program to run: the arguments of ``python``; standard streams and folder go with it as file descriptors."""

    args: list[str]
    environment: dict[str, str]
    inherited: dict[str, object]
    new_session: bool


def send(connection: socket.socket, told: Hello | Request, fds: list[int]) -> None:
    """Send one value with file descriptors."""
    body = json.dumps(asdict(told)).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    connection.sendmsg([LENGTH.pack(len(body))], ancillary)
    connection.sendall(body)


def receive(connection: socket.socket, most_fds: int) -> tuple[dict[str, object], list[int]]:
    """Receive the fields of what :func:`send` sent.

    Raises:
        ConnectionError: the other end closed the connection.
    """
    head, fds, _, _ = socket.recv_fds(connection, LENGTH.size, most_fds)
    body = b""
    while head and len(body) < LENGTH.unpack(head)[0]:
        part = connection.recv(1 << 16)
        if not part:
            break
        body += part
    if not body:
        raise ConnectionError("the other end closed the connection")
    return json.loads(body), fds


class Server:
    """The loop of the server."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.PollSelector()

    def serve(self) -> socket.socket | None:
        """Fork until nobody can ask any more; return None then, and in each child its connection."""
        self._selector.register(self._control, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is not self._control:
                    self._reap(key.fd, *key.data)
                    continue
                word, fds, _, _ = socket.recv_fds(self._control, 1, 1)
                if not word:
                    return None
                connection = socket.socket(fileno=fds[0])
                if self._fork(connection):
                    return connection

    def _fork(self, connection: socket.socket) -> bool:
        """Fork; tell whether this is the child."""
        pid = os.fork()
        if pid == 0:
            self._forget_others()
            return True
        pidfd = os.pidfd_open(pid)
        self._selector.register(pidfd, selectors.EVENT_READ, (pid, connection))
        with suppress(OSError):  # whoever asked has ended
            socket.send_fds(connection, [NUMBER.pack(pid)], [pidfd])
        return False

    def _reap(self, pidfd: int, pid: int, connection: socket.socket) -> None:
        self._selector.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        with suppress(OSError):
            connection.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
        connection.close()

    def _forget_others(self) -> None:
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._control:
                os.close(key.fd)
                key.data[1].close()
        self._selector.close()
        self._control.close()


def import_much(kind: str) -> frozenset[str]:
    """Import what programs of a kind import; return which variables of the environment were read meanwhile."""
    from orchestrator.dbt_runner.process.zygote_server import WatchedEnvironment

    dbt = kind == "dbt"
    if dbt:
        import_module("networkx")  # looks at every variable, for those that begin with its own name
    os.environ.__class__ = WatchedEnvironment
    assert isinstance(os.environ, WatchedEnvironment)
    os.environ.names = frozenset()
    if dbt:
        import_module("dbt.cli.main")
    else:
        _import_ours()
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page
    import_module("duckdb")  # not frozen: it complains of what is left at the end
    names = os.environ.names
    os.environ.__class__ = os._Environ  # type: ignore[assignment]
    assert names is not None, "an import looked at the whole environment"
    assert dbt or not {"dbt", "dbt_common"} & {*sys.modules}, "dbt was imported"
    if dbt:
        _use_dbt()
    if kind == "sweep":
        _import_dask()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a thread was started"
    return names


def _import_dask() -> None:
    """Import Dask, which looks at the whole environment for what is its own; the threads of numpy, no fork would have.

    Whoever asks makes sure that nothing of the environment is another that it would look for.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    for name in ("distributed", "distributed.deploy.local", "cryptography.x509"):
        import_module(name)
    del os.environ["OPENBLAS_NUM_THREADS"]
    gc.collect()
    gc.freeze()


def _use_dbt() -> None:
    """Build a small project by dbt's command line: what it works out once for a process need not be in each fork.

    Nothing of ours takes part. That dbt keeps the trees of its macros' texts is what it does for its own tests.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner
    from dbt_common.tests import enable_test_caching

    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(("DBT_", "PYTEST_"))]:
        del os.environ[name]
    enable_test_caching()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name, text in USED.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text)
        for command in (["build"], ["build"], ["docs", "generate"]):  # an incremental model is another one then
            done = dbtRunner().invoke(["--quiet", *command])
            assert done.success, done
        reset_adapters()
        if DuckDBConnectionManager._ENV is not None:
            DuckDBConnectionManager._ENV.close()
        DuckDBConnectionManager._ENV = None
    tempfile.tempdir = None
    os.environ.clear()
    os.environ.update(before)
    gc.collect()
    gc.freeze()


def _import_ours() -> None:
    for name in LIBRARIES:
        import_module(name)
    for room in ROOMS:
        package = import_module(f"orchestrator.{room}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(NOT_THESE):
                import_module(found.name)


def become(connection: socket.socket, path: list[str]) -> list[str]:
    """Take over what the program is to inherit, and return its arguments; ``path`` is Python's own."""
    from orchestrator.dbt_runner.process.inherited import Inherited

    told, fds = receive(connection, 4)
    request = Request(**told)  # type: ignore[arg-type]
    *streams, folder = fds
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.fchdir(folder)
    os.close(folder)
    connection.close()
    if request.new_session:
        os.setsid()
    limits = request.inherited.pop("limits")
    assert isinstance(limits, dict)
    limits = {name: (soft, hard) for name, (soft, hard) in limits.items()}
    Inherited(limits=limits, **request.inherited).take_over()  # type: ignore[arg-type]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    python_path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [*python_path, *(entry for entry in path if entry not in python_path)]
    sys.orig_argv[:] = [sys.executable, *request.args]
    tempfile.tempdir = None
    _open_streams(unbuffered=bool(os.environ.get("PYTHONUNBUFFERED")))
    _start_clock()
    gc.enable()
    return request.args


def _open_streams(*, unbuffered: bool) -> None:
    """Open the standard streams as a new interpreter does."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before = getattr(sys, f"__{name}__")
        raw = io.FileIO(number, "r" if number == 0 else "w", closefd=False)
        binary: io.FileIO | io.BufferedReader | io.BufferedWriter = raw
        if number == 0:
            binary = io.BufferedReader(raw)
        elif not unbuffered:
            binary = io.BufferedWriter(raw)
        raw.name = f"<{name}>"
        stream = io.TextIOWrapper(
            binary,
            encoding=before.encoding,
            errors=before.errors,
            newline=None if number == 0 else "\n",
            line_buffering=number > 0 and not unbuffered and (number == 2 or raw.isatty()),
            write_through=number > 0 and unbuffered,
        )
        stream.mode = "r" if number == 0 else "w"  # type: ignore[misc]
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _start_clock() -> None:
    """Start the clock of this invocation, which stands since the server was started."""
    from orchestrator.cli import clock
    from orchestrator.core.clocks import stopwatch

    stale, fresh = clock.since_start, stopwatch()
    for module in [module for name, module in sys.modules.items() if name.startswith("orchestrator.cli.")]:
        if vars(module).get("since_start") is stale:
            vars(module)["since_start"] = fresh


def run(args: list[str]) -> None:
    """Run ``-m module …``, ``-c code …`` or a file as ``python`` would; return, or raise what it raises."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    vars(main)["__builtins__"] = sys.modules["builtins"]
    sys.excepthook = _without_our_frames
    if args[0] == "-m":
        sys.argv[:] = args[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy._run_module_as_main(args[1])  # type: ignore[attr-defined]
        return
    if args[0] == "-c":
        sys.argv[:] = ["-c", *args[2:]]
        sys.path.insert(0, "")
        code = compile(args[1], "<string>", "exec", dont_inherit=True)
    else:
        sys.argv[:] = args
        sys.path.insert(0, str(Path(args[0]).resolve().parent))
        vars(main)["__file__"] = args[0]
        code = compile(Path(args[0]).read_bytes(), args[0], "exec", dont_inherit=True)
    exec(code, vars(main))  # noqa: S102 - what `python -c` does


def end_after(args: list[str]) -> NoReturn:
    """Run dbt's command line and end at once: to take apart what dbt made takes as long as some commands."""
    code: object = 1
    try:
        run(args)
        code = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001 - told as a new interpreter tells it
        sys.excepthook(*sys.exc_info())
    if isinstance(code, str):
        print(code, file=sys.stderr)  # noqa: T201
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _without_our_frames(kind: type[BaseException], error: BaseException, traceback: types.TracebackType | None) -> None:
    while traceback is not None and traceback.tb_frame.f_code.co_filename in {__file__, "<frozen runpy>"}:
        traceback = traceback.tb_next
    sys.__excepthook__(kind, error.with_traceback(traceback), traceback)


def main() -> list[str] | None:
    """Serve; return the arguments of its program in each child, and None in the server when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends who asks, and by that this
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()
    born_with, path = dict(os.environ), sys.path[1:]  # the first is our own folder
    sys.path[0] = str(REPOSITORY)
    names = import_much(sys.argv[2])
    connection = None
    with suppress(BrokenPipeError):  # nobody is there any more
        send(control, Hello(born_with, sorted(names)), [])
        connection = Server(control).serve()
    return None if connection is None else become(connection, path)


if __name__ == "__main__":
    kind_of_all = sys.argv[2]
    arguments = main()
    if arguments is None:
        gc.unfreeze()  # else modules in C++ complain at the end of what is left
    elif kind_of_all == "dbt":
        end_after(arguments)
    else:
        run(arguments)
