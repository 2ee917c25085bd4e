"""The journal of a restore or a migration, kept so that a crash leaves nothing between before and after."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestrator.config.paths import RESTORE_JOURNAL
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import BackupDamagedError, BackupError, OrchestratorError
from orchestrator.core.files import flush_folder, resolved
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.maintenance.backup.bounds import Bounds, refused_journal
from orchestrator.maintenance.backup.files import LOGS, remove_folder, translate_os_errors, write_text
from orchestrator.maintenance.backup.folders import is_keeping, publish_folder
from orchestrator.maintenance.backup.metadata import read_metadata, write_metadata
from orchestrator.maintenance.backup.server import restore_server
from orchestrator.maintenance.backup.workspace import POSTGRESQL

logger = logging.getLogger(__name__)
JOURNAL = RESTORE_JOURNAL
STAGED = ".restoring"
LAYING, SERVER, SWAPPING = "laying", "server", "swapping"
MOST_BYTES = 1024 * 1024


def logs_of(path: Path) -> tuple[Path, ...]:
    """Return the files that may lie beside a database and belong to it."""
    return tuple(Path(f"{path}{suffix}") for suffix in LOGS)


@dataclass(frozen=True)
class Swap:
    """A database's ``target`` and its ``parts``: (file laid beside, its place), the database itself first."""

    target: str
    kind: str
    parts: tuple[tuple[str, str], ...]

    def swap(self) -> None:
        """Put the files in their places, the database itself last; doing it again changes nothing."""
        waiting = [(Path(new), Path(place)) for new, place in self.parts if Path(new).exists()]
        if not waiting:
            return
        places = {place for _, place in self.parts}
        for log in logs_of(Path(self.target)):
            if str(log) not in places:
                log.unlink(missing_ok=True)
        for new, place in reversed(waiting):
            new.replace(place)
        flush_folder(Path(self.target).parent)

    def clear(self) -> None:
        """Remove what was laid beside, and the logs of a database that was written there."""
        for new, _ in self.parts:
            for file in (Path(new), *logs_of(Path(new))):
                file.unlink(missing_ok=True)


@dataclass(frozen=True)
class Journal:
    """The phase and the parts of what is being done.

    In the phase ``laying`` nothing that counts has happened; in ``swapping`` everything is decided, and only files are
    to be moved; between the two, in ``server``, the history of a PostgreSQL server is put back by one transaction
    from ``server``, which is (dump, major version). ``kept`` is the folder of what is replaced.
    """

    phase: str
    swaps: tuple[Swap, ...]
    server: tuple[str, int] | None = None
    kept: str | None = None

    def write(self, file: Path) -> None:
        """Write it at once or not at all."""
        swaps = [{"target": swap.target, "kind": swap.kind, "parts": swap.parts} for swap in self.swaps]
        found = {"phase": self.phase, "swaps": swaps, "server": self.server, "kept": self.kept}
        write_text(file, json.dumps(found, indent=2) + "\n")

    @classmethod
    def read(cls, file: Path, bounds: Bounds) -> Journal:
        """Read it; whoever wrote it, it leads to nothing but databases within the bounds and what lies beside it.

        Raises:
            BackupError: it is not what :meth:`write` writes, or leads elsewhere.
            FileNotFoundError: there is none.
        """
        try:
            found = _Written.model_validate(parsed_json(read_limited(file, MOST_BYTES, follow=False)))
        except FileNotFoundError:
            raise
        except (ValueError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            if isinstance(error, ValidationError):
                reason = f"{error.error_count()} of its values are wrong"
            raise BackupError(
                f"A restore was cut off, and its journal {file} cannot be read: {reason}.",
                to_fix=f"{'move that folder away' if isinstance(error, IsADirectoryError) else 'remove that file'} "
                "and restore again: `orchestrator backup restore`",
            ) from error
        journal = cls(found.phase, tuple(Swap(one.target, one.kind, one.parts) for one in found.swaps), found.server)
        for swap in journal.swaps:
            _require_within(swap, bounds, file)
        kept = None if found.kept is None else file.parent / Path(found.kept).name
        if kept is not None and (not _same(Path(found.kept or ""), kept) or not is_keeping(kept) or kept.is_symlink()):
            raise refused_journal(file, f"{found.kept} is no folder of what a restore replaces")
        dump = None if found.server is None else Path(found.server[0])
        if dump is not None and (not _same(dump.parent.parent, file.parent) or dump.is_symlink()):
            raise refused_journal(file, f"{dump} is no file of a backup")
        return replace(journal, kept=None if kept is None else str(kept))

    def carry_out(self, file: Path, history_url: str | None) -> Path | None:
        """Do what was prepared; return the backup of what was replaced. From the turn of the phase on it counts.

        Raises:
            BackupError: the server refuses its part; then everything else is as it was.
        """
        if self.server is not None and self.phase != SWAPPING:
            replace(self, phase=SERVER).write(file)
            try:
                restore_server(Path(self.server[0]), self.server[1], history_url)
            except BaseException:
                self.give_up(file)
                raise
        replace(self, phase=SWAPPING).write(file)
        kept = None
        with translate_os_errors(
            "The restore is committed but could not be completed; the next command of any kind will complete it",
            file.parent,
        ):
            for swap in self.swaps:
                swap.swap()
            if self.kept is not None and Path(self.kept).is_dir():
                kept = publish_folder(Path(self.kept), _made_at(Path(self.kept)))
            _forget(file)
        return kept

    def take_back(self, file: Path) -> None:
        """Remove everything that was prepared."""
        for swap in self.swaps:
            swap.clear()
        if self.kept is not None:
            remove_folder(Path(self.kept))
        _forget(file)

    def give_up(self, file: Path) -> Path | None:
        """Take everything back but the dump of the server's history: nobody knows for certain what the server did."""
        dump = None
        if self.kept is not None and Path(self.kept).is_dir():
            folder = Path(self.kept)
            metadata = read_metadata(folder)
            dumps = tuple(record for record in metadata.databases if record.kind == POSTGRESQL)
            if dumps:
                for record in metadata.databases:
                    for one in () if record in dumps else record.files:
                        (folder / one.name).unlink()
                write_metadata(folder, metadata.model_copy(update={"databases": dumps}))
                dump = publish_folder(folder, metadata.created_at)
        self.take_back(file)
        return dump

    def finish_interrupted(self, file: Path, history_url: str | None) -> bool:
        """End what a killed process began, and log a warning of it; tell whether it counts.

        Raises:
            BackupError: the server refuses now; said once, for all is then as it was but for, perhaps, its history.
        """
        if self.phase == LAYING:
            self.take_back(file)
            logger.warning("an interrupted restore or migration was rolled back: the databases are unchanged")
            return False
        try:
            kept = self.carry_out(file, history_url)
        except OrchestratorError as error:
            if file.exists():
                raise
            raise BackupError(
                "A restore was interrupted while a server put the run history back, and that cannot be repeated now: "
                f"{error.message} All files are as they were before the restore; the server holds either the old "
                "history or the one from the backup; the old one, if there was one, is kept as a backup.",
                to_fix="run the command again; `orchestrator backup list` names what can be restored",
            ) from error
        before = "" if kept is None else f"; what was there before is backup {kept.name}"
        logger.warning("an interrupted restore or migration was completed%s", before)
        return True


class _WrittenSwap(BaseModel):
    model_config = ConfigDict(extra="forbid")

    target: str
    kind: Literal["duckdb", "sqlite"]
    parts: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]


class _Written(BaseModel):
    """The journal as it is on the disk."""

    model_config = ConfigDict(extra="forbid")

    phase: Literal["laying", "server", "swapping"]
    swaps: tuple[_WrittenSwap, ...]
    server: tuple[str, int] | None
    kept: str | None


def _require_within(swap: Swap, bounds: Bounds, file: Path) -> None:
    """Make sure that a swap puts what lies beside a database of ours in its place, and does nothing else."""
    target = Path(swap.target)
    if resolved(target) != target or not bounds.hold(target, swap.kind):
        raise refused_journal(file, f"{target} is no database of this configuration")
    suffixes = [place.removeprefix(swap.target) for _, place in swap.parts]
    expected = tuple((f"{target}{STAGED}{suffix}", f"{target}{suffix}") for suffix in suffixes)
    known = suffixes[0] == "" and set(suffixes) <= {"", *LOGS} and len(set(suffixes)) == len(suffixes)
    if swap.parts != expected or not known:
        raise refused_journal(file, f"it moves something else than the files of {target}")
    if any(Path(new).is_symlink() for new, _ in swap.parts):
        raise refused_journal(file, f"what it would put at {target} is a symbolic link")


def _same(one: Path, other: Path) -> bool:
    found = resolved(one)
    return found is not None and found == resolved(other)


def take_back(file: Path, bounds: Bounds) -> None:
    """Take back what the journal says, unless it is decided."""
    if file.exists():
        journal = Journal.read(file, bounds)
        if journal.phase == LAYING:
            with translate_os_errors("What was laid beside the databases cannot be removed", file.parent):
                journal.take_back(file)


def _made_at(folder: Path) -> datetime:
    """Return when a backup was made; the present where it does not say, for what is in it is kept all the same."""
    try:
        return read_metadata(folder).created_at
    except BackupDamagedError:
        return utc_now()


def _forget(journal: Path) -> None:
    journal.unlink(missing_ok=True)
    flush_folder(journal.parent)
