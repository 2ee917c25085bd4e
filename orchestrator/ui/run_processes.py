"""Commands that the web interface starts: processes of the command line, which outlive it.

Each gets a folder in ``var/ui`` with what was started (``job.json``) and what it says. The newest ``JOBS_KEPT`` folders
are kept, and of what a command says the last ``MOST_OF_OUTPUT`` bytes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.core.files import replace_file
from orchestrator.core.masking import MASK, masked
from orchestrator.core.permissions import make_folder, touch
from orchestrator.core.processes import ProcessIdentity
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.ui.settings import UiSettings

FOLDER = Path("var", "ui")
JOB, OUT, ERR = "job.json", "stdout", "stderr"
JOBS_KEPT = 20
MOST_OF_OUTPUT = 256 * 1024
MOST_OF_A_JOB = 64 * 1024
_NAME = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{8}")
_YEARS = re.compile(r"\d{1,4}(-\d{1,4})?")


@dataclass(frozen=True)
class StartedRun:
    """A process that was started: its ``pid``, and the name of its job."""

    pid: int
    job: str


@dataclass(frozen=True)
class Job:
    """A command that was started: its ``arguments``, its process, and how it ended.

    ``document`` is its JSON document, None while it runs and where it left none; ``said`` is what it wrote for people.
    """

    name: str
    arguments: tuple[str, ...]
    started_at: datetime
    process: ProcessIdentity
    running: bool
    document: dict[str, object] | None
    said: str

    @property
    def command(self) -> str:
        """Return the name of the command, such as ``simulate``."""
        return self.arguments[0]

    @property
    def error(self) -> dict[str, object] | None:
        """Return the error in its document: type, message, to_fix; None where there is none."""
        found = None if self.document is None else self.document.get("error")
        return found if isinstance(found, dict) else None


def start_run(
    settings: UiSettings,
    root: Path,
    *,
    scenario: str | None = None,
    years: str | None = None,
    overlay: Mapping[str, object] | None = None,
    forgo: bool = False,
    fresh: bool = False,
    as_copy: str | None = None,
) -> StartedRun:
    """Start ``orchestrator simulate`` of a scenario, with some keys set beside its files; return at once.

    ``overlay`` holds checked values by dotted key. ``forgo`` agrees to the removal of finished years. ``as_copy`` names
    a copy of the scenario with a database of its own.

    Raises:
        ConfigurationError: the years are not written as years.
        OrchestratorError: the process cannot be started.
    """
    if years is not None and not _YEARS.fullmatch(years):
        raise ConfigurationError(f"{years!r} is not a range of years.", to_fix="write 2025-2029, or one year")
    arguments = ["simulate", *([] if years is None else [years]), *settings.options(scenario)]
    arguments += [part for key, value in (overlay or {}).items() for part in ("--set", setting(key, value))]
    arguments += [
        *(["--as", as_copy] if as_copy else []),
        *(["--yes"] if forgo else []),
        *(["--fresh"] if fresh else []),
    ]
    return start_command(settings, root, arguments)


def setting(key: str, value: object) -> str:
    """Write a key and its value as ``--set`` reads it: JSON is YAML.

    >>> setting("vars.rate", 0.05), setting("vars.name", "a: b"), setting("vars.on", True)
    ('vars.rate=0.05', 'vars.name="a: b"', 'vars.on=true')
    """
    return f"{key}={json.dumps(value)}"


def start_command(settings: UiSettings, root: Path, arguments: Sequence[str]) -> StartedRun:
    """Start a command of ours with ``--json`` in the folder of the server, as a process of its own.

    Raises:
        OrchestratorError: the process cannot be started.
    """
    name = f"{utc_now():%Y%m%dT%H%M%S%f}Z-{os.urandom(4).hex()}"
    folder = root / FOLDER / name
    # A token on the command line of the server is no business of its runs.
    environment = {key: value for key, value in os.environ.items() if key != "ORCHESTRATOR_UI_PASSWORD_HASH"}
    environment |= {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    try:
        make_folder(folder)
        for stream in (OUT, ERR):
            touch(folder / stream)
        with (folder / OUT).open("ab") as out, (folder / ERR).open("ab") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator", *arguments, "--json"],
                cwd=settings.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        identity = ProcessIdentity.of(process.pid)
        shown = [masked(one) for one in arguments]
        document = {"arguments": shown, "started_at": utc_now().isoformat()}
        replace_file(folder / JOB, json.dumps(document | {"process": asdict(identity)}).encode())
    except OSError as error:
        raise OrchestratorError(f"`orchestrator {arguments[0]}` could not be started: {error}.") from error
    _children[process.pid] = process
    if shown != list(arguments):
        _secret_arguments[name] = tuple(arguments)
        for old in sorted(_secret_arguments)[:-JOBS_KEPT]:
            del _secret_arguments[old]
    _forget_old(root)
    return StartedRun(process.pid, name)


def arguments_of(job: Job) -> tuple[str, ...]:
    """Return the arguments that a command was started with, secrets included: those are kept in memory alone.

    Raises:
        OrchestratorError: there were secrets among them, and another process started it.
    """
    found = _secret_arguments.get(job.name, job.arguments)
    if any(MASK in one for one in found):
        raise OrchestratorError(
            "It was started with a secret value, which is kept nowhere.", to_fix="start the run again from its form"
        )
    return found


_secret_arguments: dict[str, tuple[str, ...]] = {}
"""What was started here with something that is masked where it is kept, by job."""
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started and has not yet seen the end of."""


def read_job(root: Path, name: str) -> Job | None:
    """Return a command that was started, None where there is none of that name."""
    if not _NAME.fullmatch(name):
        return None
    folder = root / FOLDER / name
    reap()
    try:
        document = parsed_json(read_limited(folder / JOB, MOST_OF_A_JOB))
        assert isinstance(document, dict)
        process = ProcessIdentity(**document["process"])
        arguments = tuple(str(one) for one in document["arguments"])
        started_at = datetime.fromisoformat(str(document["started_at"]))
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        return None
    running = process.is_gone() is False
    if running:
        for stream in (OUT, ERR):
            _keep_end(folder / stream)
    found = None if running else _document(folder / OUT)
    return Job(name, arguments, started_at, process, running, found, _end_of(folder / ERR))


def newest_job(root: Path, command: str, options: Sequence[str] | None = None) -> Job | None:
    """Return the newest command of that name, and with these options where they are given; None where there is none."""
    wanted = None if options is None else tuple(masked(one) for one in options)
    for name in sorted(_names(root), reverse=True):
        job = read_job(root, name)
        if job is not None and job.command == command and wanted in (None, job.arguments[1:]):
            return job
    return None


def run_of(root: Path, job: Job) -> str | None:
    """Return the id of the run that a job is, None as long as it has not begun."""
    from orchestrator.core.events import RunStarted
    from orchestrator.storage.following import EventFollower
    from orchestrator.storage.importing import EVENTS

    runs_dir = root / "var" / "runs"
    for folder in _newest_folders(runs_dir):
        with suppress(OrchestratorError, OSError), EventFollower(folder / EVENTS) as events:
            first = next(iter(events.new_events()), None)
            if isinstance(first, RunStarted) and first.pid == job.process.pid and first.at >= job.started_at:
                return first.run_id
    return None


def sweep_of(root: Path, job: Job) -> str | None:
    """Return the name of the sweep that a job runs or has run, None as long as it has not begun, and where it failed.

    A command that the pages start always says the name of its sweep.
    """
    from orchestrator.scenarios.folders import SweepFolder  # as above
    from orchestrator.scenarios.holding import holder_of

    place = job.arguments.index("--name") if "--name" in job.arguments else 1
    name = job.arguments[place + 1]
    folder = SweepFolder.of(root, name)
    if not job.running:
        return name if job.error is None and job.document is not None and folder.plan.exists() else None
    holder = holder_of(folder)
    return name if holder is not None and holder.pid == job.process.pid else None


def reap() -> None:
    """Take note of processes of this one that have ended."""
    for pid, process in list(_children.items()):
        if process.poll() is not None:
            _children.pop(pid, None)


def _newest_folders(folder: Path, most: int = JOBS_KEPT) -> list[Path]:
    try:
        found = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(folder) if entry.is_dir()]
    except OSError:
        return []
    return [Path(path) for _, path in sorted(found, reverse=True)[:most]]


def _names(root: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(root / FOLDER) if _NAME.fullmatch(entry.name)]
    except OSError:
        return []


def _forget_old(root: Path) -> None:
    for name in sorted(_names(root), reverse=True)[JOBS_KEPT:]:
        job = read_job(root, name)
        if job is None or not job.running:
            shutil.rmtree(root / FOLDER / name, ignore_errors=True)


def _keep_end(file: Path) -> None:
    """Cut a file that has grown too long; whoever writes to it appends, and goes on behind what is left."""
    with suppress(OSError):
        if file.stat().st_size > 4 * MOST_OF_OUTPUT:
            os.truncate(file, 0)


def _end_of(file: Path) -> str:
    try:
        with file.open("rb") as content:
            content.seek(max(0, file.stat().st_size - MOST_OF_OUTPUT))
            return masked(content.read(MOST_OF_OUTPUT).decode("utf-8", errors="replace"))
    except OSError:
        return ""


def _document(file: Path) -> dict[str, object] | None:
    try:
        found = parsed_json(read_limited(file, 4 * MOST_OF_OUTPUT))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
