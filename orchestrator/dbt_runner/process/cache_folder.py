"""The folder of what is kept between runs, and of dbt's own files: without room in it, a run goes on elsewhere."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.core.events import Emit, NothingKept
from orchestrator.core.permissions import described_owner, make_folder, unwritable
from orchestrator.dbt_runner.project.settings import DbtSettings

ROOM_FOR_DBT = 64 * 1024 * 1024
PROBE_BYTES = 1024 * 1024
TEMPORARY = "orchestrator-"


class CacheFolder:
    """What is kept of a project lies in ``settings.cache_dir``; what dbt writes for a while lies in ``target``.

    Where that folder may not be written the system's temporary folder serves for both, and where it has little room for
    what dbt writes. What cannot be kept is gone without: it costs the next run time, so that is said, once.
    """

    def __init__(self, settings: DbtSettings, emit: Emit) -> None:
        self._emit = emit
        self._told = False
        self._own: list[Path] = []
        self._wanted = settings.cache_dir
        self.settings = self._writable(settings)
        _remove_leftovers(self.settings.cache_dir)
        self.target = self._new_target()

    @contextmanager
    def going_without(self) -> Iterator[None]:
        """Keep something, or go without where the system does not let us."""
        try:
            yield
        except OSError as error:
            self._tell(error)

    def remove_target(self) -> None:
        """Remove what dbt wrote, and every temporary folder."""
        for folder in (self.target, *self._own):
            shutil.rmtree(folder, ignore_errors=True)

    def _writable(self, settings: DbtSettings) -> DbtSettings:
        try:
            make_folder(settings.cache_dir)
            if os.access(settings.cache_dir, os.W_OK):
                return settings
            reason = OSError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            reason = error
        self._tell(reason)
        return replace(settings, cache_dir=self._temporary())

    def _new_target(self) -> Path:
        target = self.settings.cache_dir / f"target-{os.getpid()}"
        try:
            make_folder(target)
            probe(target)
        except OSError:
            shutil.rmtree(target, ignore_errors=True)
            elsewhere = self._temporary() / target.name
            make_folder(elsewhere)
            return elsewhere
        return target

    def _temporary(self) -> Path:
        self._own.append(Path(tempfile.mkdtemp(prefix=TEMPORARY)))
        return self._own[-1]

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            reason = error.strerror or str(error)
            if error.errno == errno.EACCES and unwritable([self._wanted]):
                reason += f"; {described_owner(self._wanted)}"
            self._emit(NothingKept(at=utc_now(), folder=str(self._wanted), reason=reason))


def probe(folder: Path, free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free) -> None:
    """Make sure that dbt can write its files to a folder.

    Raises:
        OSError: there is too little room, by the disk or by a quota, or it may not be written.
    """
    if free(folder) < ROOM_FOR_DBT:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    file = folder / ".room"
    try:
        file.write_bytes(bytes(PROBE_BYTES))
    finally:
        file.unlink(missing_ok=True)


def _remove_leftovers(cache_dir: Path) -> None:
    """Remove the folders of dbt processes that were killed."""
    for folder in cache_dir.glob("target-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)
