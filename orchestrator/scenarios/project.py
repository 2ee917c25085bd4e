"""The configuration of a member: that of the user, its scenario and its values over it, and a database of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.scenarios.plan import Member

Overrides = Mapping[str, object] | Sequence[str]

LEFT_OUT: Mapping[str, object] = {
    "storage.enabled": False,
    "listeners": {},
    "backup.before_heal": False,
    "backup.after_run": False,
    "publish": None,
}
"""What a member does not do, and the sweep does or does without; none of it decides rows."""


@dataclass(frozen=True)
class SweptProject:
    """The configuration ``file`` that is swept, and what the command line sets over it for all members.

    ``environ`` is the environment that is a layer of it, by default that of the process.
    """

    file: Path
    overrides: Overrides = ()
    environ: Mapping[str, str] | None = None

    def base(self) -> SimulationConfig:
        """Return the configuration without a scenario of a member.

        Raises:
            ConfigurationError: it cannot be read, or a key or value of it is wrong.
        """
        return SimulationConfig.load(self.file, overrides=self.overrides, environ=self.environ)

    def scenario(self, name: str) -> SimulationConfig:
        """Return the configuration of a scenario.

        Raises:
            ConfigurationError: it cannot be read, or a key or value of it is wrong.
        """
        return SimulationConfig.load(self.file, scenario=name, overrides=self.overrides, environ=self.environ)

    def member(self, member: Member, database: Path) -> SimulationConfig:
        """Return the configuration of a member; see :func:`of_member`."""
        return of_member(self.scenario(member.scenario), member, database)


def of_member(scenario: SimulationConfig, member: Member, database: Path) -> SimulationConfig:
    """Return the configuration of a member by that of its scenario.

    It decides the very rows that ``simulate --scenario … --set … --database …`` would make.

    Raises:
        ConfigurationError: a value of the member is wrong; the member is named.
    """
    try:
        return scenario.with_overrides({**member.overrides(), **LEFT_OUT}, database=database)
    except ConfigurationError as error:
        raise ConfigurationError(f"Member {member.key}: {error.message}", to_fix=error.to_fix) from error
