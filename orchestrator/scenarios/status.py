"""The sweeps of a project as they are now."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.core.errors import SweepBusyError, SweepNotFoundError
from orchestrator.core.text import did_you_mean
from orchestrator.core.untrusted import is_file_name
from orchestrator.database.lock_note import LockHolder
from orchestrator.scenarios.folders import SweepFolder, sweeps_dir
from orchestrator.scenarios.holding import holder_of
from orchestrator.scenarios.keeping import old_plan, read_states
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.results_database import results_stand_elsewhere, write_results
from orchestrator.scenarios.state import MemberState


@dataclass(frozen=True)
class SweepStatus:
    """A sweep: its plan (None where it cannot be read), the state of each member by key, and who runs it now."""

    name: str
    folder: SweepFolder
    plan: SweepPlan | None
    states: dict[str, MemberState]
    holder: LockHolder | None

    @property
    def counts(self) -> dict[str, int]:
        """How many members there are of each status."""
        return dict(Counter(state.status for state in self.states.values()))

    @property
    def status(self) -> str:
        """The sweep in a word: running, done, failed, or stopped."""
        if self.holder is not None:
            return "running"
        if self.plan is None:
            return "unreadable"
        counts = self.counts
        if counts.get("done", 0) == len(self.states):
            return "done"
        return "failed" if counts.get("done", 0) + counts.get("failed", 0) == len(self.states) else "stopped"


def read_sweep(root: Path, name: str | None) -> SweepStatus:
    """Return the sweep of a name, the newest for None; its results are written anew where its folder was moved.

    Raises:
        SweepNotFoundError: there is none.
        SweepError: its plan cannot be read.
    """
    found = _status(existing(root, name))
    if found.plan is None:
        old_plan(found.folder)  # raises, with the reason
    elif found.holder is None and results_stand_elsewhere(found.folder):
        write_results(found.folder, found.plan, found.states)
    return found


def list_sweeps(root: Path) -> tuple[SweepStatus, ...]:
    """Return all sweeps of a project, the newest first."""
    found = [_status(folder) for folder in sweep_folders(root)]
    return tuple(sorted(found, key=lambda one: one.plan.created_at if one.plan is not None else "", reverse=True))


def delete_sweep(root: Path, name: str) -> SweepStatus:
    """Remove a sweep with all its databases and results; the history keeps its runs.

    Raises:
        SweepNotFoundError: there is none of that name.
        SweepBusyError: it is running.
    """
    found = _status(existing(root, name))
    if found.holder is not None:
        raise SweepBusyError(
            f"The sweep {name} is running (pid {found.holder.pid}), and cannot be deleted.",
            pid=found.holder.pid,
            to_fix=f"stop it first: `orchestrator sweep cancel {name}`",
        )
    shutil.rmtree(found.folder.path)
    return found


def existing(root: Path, name: str | None) -> SweepFolder:
    """Return the folder of a sweep, that of the newest for None.

    Raises:
        SweepNotFoundError: there is none.
    """
    names = [folder.path.name for folder in sweep_folders(root)]
    if name is None and names:
        return list_sweeps(root)[0].folder
    if name is None or not is_file_name(name) or name not in names:
        what = (
            "There is no sweep" if name is None else f"There is no sweep {name!r}.{did_you_mean(name, names)} There are"
        )
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        listed = f": {', '.join(sorted(names)[:8])}{more}" if names else " none"
        raise SweepNotFoundError(
            f"{what}." if name is None else f"{what}{listed}.",
            to_fix="see `orchestrator sweep list`" if names else "make one: `orchestrator sweep run --vary …`",
        )
    return SweepFolder.of(root, name)


def size_of(folder: SweepFolder) -> int:
    """Return the bytes that a sweep takes on the disk."""
    return sum(file.stat().st_size for file in folder.path.rglob("*") if file.is_file() and not file.is_symlink())


def status_of(
    folder: SweepFolder, plan: SweepPlan | None, states: Mapping[str, MemberState], holder: LockHolder | None
) -> SweepStatus:
    """Return a sweep by what was read of it: nothing runs where nobody holds it, for whoever ran it was killed."""
    if holder is None:
        states = {
            key: replace(state, status="cancelled") if state.status == "running" else state
            for key, state in states.items()
        }
    return SweepStatus(folder.path.name, folder, plan, dict(states), holder)


def sweep_folders(root: Path) -> list[SweepFolder]:
    """Return the folders of all sweeps of a project, by name."""
    folder = sweeps_dir(root)
    return [SweepFolder(path.parent) for path in sorted(folder.glob("*/plan.json"))] if folder.is_dir() else []


def _status(folder: SweepFolder) -> SweepStatus:
    holder = holder_of(folder)
    try:
        plan = SweepPlan.read(folder.plan)
    except (OSError, ValueError):
        return status_of(folder, None, {}, holder)
    return status_of(folder, plan, read_states(folder, plan), holder)
