"""What is sent to a worker, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Databases, Member
from orchestrator.scenarios.project import SweptProject
from orchestrator.scenarios.state import MemberState


@dataclass(frozen=True)
class MemberTask:
    """One member to be run: its years (both included), where, and what is kept of it.

    ``root`` is the project root, ``topic`` the name under which the worker tells how far it is; it also lies in a file
    of the sweep, by which a worker knows that it sees the same folder. Where it does not, it works in a copy, unpacked
    from the ``bundle`` of that digest, with the ``environment`` of whoever asked. ``versions`` are those that it needs.
    ``share`` lets members have in common what is the same before their first year; ``varied`` are the dbt variables
    that differ between them. ``fresh`` runs all years again, for what hooks do is in no ledger.
    """

    sweep: str
    topic: str
    member: Member
    first_year: int
    last_year: int
    root: Path
    project: SweptProject
    attempt: int
    keep: tuple[str, ...] = ()
    databases: Databases = "all"
    share: bool = True
    varied: tuple[str, ...] = ()
    fresh: bool = False
    versions: tuple[tuple[str, str], ...] = ()
    bundle: str | None = None
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> SweepFolder:
        """The folder of the sweep on the worker's machine."""
        return SweepFolder.of(self.root, self.sweep)

    @property
    def database(self) -> Path:
        """The member's database file on the worker's machine."""
        return self.folder.member(self.member.key).database


@dataclass(frozen=True)
class MemberReport:
    """What became of a member: its state, the worker that had it, and the files that it left on that machine.

    ``files`` are names relative to the project root, and sizes, of what is to be fetched. ``lost`` tells that the
    worker died, and nobody reports but we ourselves; ``needs_project`` that it does not see the project.
    """

    key: str
    state: MemberState
    worker: str
    files: tuple[tuple[str, int], ...] = ()
    lost: bool = False
    needs_project: bool = False
