"""What every test stands on."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from orchestrator.dbt_runner.process.zygote import VARIABLE, Zygote, supported
from tests.support.cli_project import Cli
from tests.support.postgres import PostgresServer, running_server
from tests.support.processes import dbt_processes, wait_until
from tests.support.programs import close_servers
from tests.support.workspaces import PROJECTS, PreparedProjects, WarmWorkspace, Workspace

# A shell ignores SIGINT in what it starts in the background, and children inherit that: tests send it on purpose.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine makes tests slow, never red.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

TEMPORARY, IN_MEMORY = "PYTEST_DEBUG_TEMPROOT", "orchestrator-tests-"
MEMORY, LEAST_FREE = Path("/dev/shm"), 8 * 2**30  # noqa: S108 - pytest makes a folder of its own there
_in_memory: Path | None = None
_zygote: Zygote | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start one zygote for the whole session: dbt processes of tests and of the programs they start are its forks."""
    global _in_memory, _zygote
    first = not hasattr(config, "workerinput") and not config.option.collectonly
    if first and config.option.basetemp is None and TEMPORARY not in os.environ and _has_room(MEMORY):
        _in_memory = _folder_in_memory()
        os.environ[TEMPORARY] = str(_in_memory)  # a tenth of the time waits for disks elsewhere
    if first and VARIABLE not in os.environ and supported():
        _zygote = Zygote.start()
        os.environ[VARIABLE] = str(_zygote.address)


def _has_room(folder: Path) -> bool:
    """Tell whether the folders of all tests may lie there: it is large enough, and programs in it may be started."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    there = os.statvfs(folder)
    return there.f_bavail * there.f_frsize >= LEAST_FREE and not there.f_flag & os.ST_NOEXEC


def _folder_in_memory() -> Path:
    """Make a folder for this session alone, and remove what sessions that are over have left."""
    for left in MEMORY.glob(f"{IN_MEMORY}*"):
        pid = left.name.removeprefix(IN_MEMORY).partition("-")[0]
        if os.access(left, os.W_OK) and not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{IN_MEMORY}{os.getpid()}-", dir=MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let pytest keep what it makes of our tests, also where PYTHONDONTWRITEBYTECODE is set: each worker needs all.

    Modules and tests stay to the end: looking for garbage among them takes as long as importing them.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        sys.dont_write_bytecode = before


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back that folders of tests take, where nobody has to look at them."""
    first = not hasattr(session.config, "workerinput")
    if first and _in_memory is not None and exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(_in_memory, ignore_errors=True)


def pytest_unconfigure() -> None:
    """End it, and the program server of this process."""
    global _zygote
    gc.unfreeze()  # else modules in C++ complain at the end of what is left
    close_servers()
    if _zygote is not None:
        del os.environ[VARIABLE]
        _zygote.close()
        _zygote = None


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedProjects:
    """Keep the prepared projects of this session."""
    return PreparedProjects(tmp_path_factory.mktemp("projects"))


@pytest.fixture
def fresh(prepared: PreparedProjects) -> Callable[[str], Workspace]:
    """Lay out a project that has no database yet."""
    return lambda name: prepared.lay(name, simulated=False)


@pytest.fixture
def simulated(prepared: PreparedProjects) -> Callable[[str], Workspace]:
    """Lay out a project whose years are finished; its run is not, so that the next one begins anew."""
    return lambda name: prepared.lay(name, simulated=True)


@pytest.fixture(scope="module")
def warm_workspace(prepared: PreparedProjects) -> Iterator[WarmWorkspace]:
    """A simulated reservoir with a warm orchestrator, for the tests of one module that change no project file."""
    workspace = WarmWorkspace(prepared.lay_warm("reservoir"))
    yield workspace
    workspace.warm.close()


@pytest.fixture
def warm(warm_workspace: WarmWorkspace) -> WarmWorkspace:
    """The warm workspace as it was in the beginning."""
    warm_workspace.restore()
    return warm_workspace


@pytest.fixture
def no_orphans(prepared: PreparedProjects) -> Iterator[None]:
    """Fail when a dbt process of this test outlives it."""
    yield
    wait_until(lambda: not dbt_processes(prepared.base), "every dbt process of this test is gone")


@pytest.fixture(scope="session")
def healed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one project folder with a healed database; the name of the folder has a space."""
    root = tmp_path_factory.mktemp("cli") / "my lakes"
    shutil.copytree(PROJECTS / "reservoir", root)
    done = Cli(root, root / "var" / "reservoir.duckdb")("init", "--json")
    assert done.exit_code == 0, done.err
    shutil.copy(root / "var" / "reservoir.duckdb", root / "healed.copy")
    return root


@pytest.fixture
def lakes(healed_home: Path) -> Cli:
    """Give that project, scenarios and database as they were; its parse is known, so a look needs no dbt."""
    scenarios = healed_home / "config" / "scenarios"
    shutil.rmtree(scenarios)
    shutil.copytree(PROJECTS / "reservoir" / "config" / "scenarios", scenarios)
    database = healed_home / "var" / "reservoir.duckdb"
    for leftover in database.parent.glob("reservoir.duckdb*"):
        leftover.unlink()
    for leftover in database.parent.glob("orchestrator.db*"):
        leftover.unlink()
    shutil.copy(healed_home / "healed.copy", database)
    return Cli(healed_home, database)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL server for all tests of this process."""
    with running_server() as made:
        yield made
