"""Where the files of a sweep lie, below ``var/sweeps`` of the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DATABASE = "simulation.duckdb"
"""Name of every member's database file: its stem is the catalog's name in SQL, so recordings serve all members."""


@dataclass(frozen=True)
class MemberFolder:
    """The folder of one member."""

    path: Path

    @property
    def database(self) -> Path:
        """The member's database file."""
        return self.path / DATABASE

    @property
    def state(self) -> Path:
        """What became of the member, as JSON."""
        return self.path / "member.json"

    @property
    def inputs(self) -> Path:
        """The files and the environment that the member was made of, as JSON."""
        return self.path / "inputs.json"


@dataclass(frozen=True)
class SweepFolder:
    """The folder of one sweep."""

    path: Path

    @classmethod
    def of(cls, root: Path, name: str) -> SweepFolder:
        """Return the folder of a sweep of the project at ``root``."""
        return cls(sweeps_dir(root) / name)

    @property
    def plan(self) -> Path:
        """The sweep's plan (:class:`~orchestrator.scenarios.plan.SweepPlan`)."""
        return self.path / "plan.json"

    @property
    def lock(self) -> Path:
        """What the process holds that runs the sweep."""
        return self.path / "sweep.lock"

    @property
    def topic(self) -> Path:
        """What the run of the sweep is called that goes on; who reads it sees the same folder."""
        return self.path / "topic"

    @property
    def stop(self) -> Path:
        """A file by which others ask that process to stop."""
        return self.path / "stop"

    @property
    def progress(self) -> Path:
        """What the process that runs the sweep, or ran it last, tells of it (:mod:`orchestrator.scenarios.told`)."""
        return self.path / "progress.json"

    @property
    def results(self) -> Path:
        """The folder of kept tables: ``<table>/scenario=<name>/seed=<number>/<member>.parquet``."""
        return self.path / "results"

    @property
    def results_database(self) -> Path:
        """The database of views over the kept tables of all members."""
        return self.path / "results.duckdb"

    @property
    def shared(self) -> Path:
        """The folder of what members have in common, while the sweep runs."""
        return self.path / "shared"

    def member(self, key: str) -> MemberFolder:
        """Return the folder of a member."""
        return MemberFolder(self.path / "members" / key)


def sweeps_dir(root: Path) -> Path:
    """Return the folder of all sweeps of the project at ``root``."""
    return root / "var" / "sweeps"
