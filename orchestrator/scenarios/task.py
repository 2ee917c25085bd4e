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

    ``root`` is the project root on the worker's machine, ``topic`` the name under which the worker tells how far it is.
    ``share`` lets members have in common what is the same before their first year; ``varied`` are the dbt variables
    that differ between them.
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

    ``lost`` tells that the worker died, and nobody reports but we ourselves.
    """

    key: str
    state: MemberState
    worker: str
    files: tuple[str, ...] = ()
    lost: bool = False
