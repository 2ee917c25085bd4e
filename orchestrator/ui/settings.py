"""What the web interface was started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.ui.passwords import Password

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 7860
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class UiSettings:
    """The workspace that is shown, as a command line names it, and who may see it.

    ``folder`` is the working folder, absolute; ``config`` is the configuration file, None for the one that is found
    from there. ``password`` is None where whoever is on this machine may look. ``allowed_hosts`` are further names by
    which browsers may call the server. Without ``load_chat`` the chat is loaded when it is asked for, not before.
    """

    folder: Path
    config: Path | None = None
    scenario: str | None = None
    overrides: tuple[str, ...] = ()
    database: Path | None = None
    fork: str | None = None
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    password: Password | None = None
    allowed_hosts: tuple[str, ...] = ()
    load_chat: bool = True

    @property
    def exposed(self) -> bool:
        """Tell whether other machines can reach the server."""
        return self.host not in LOOPBACK

    def options(self, scenario: str | None) -> list[str]:
        """Return the options that make a command act on the same workspace, in one of its scenarios.

        >>> UiSettings(Path("/x"), scenario="high", overrides=("a=1",)).options("high")
        ['--scenario', 'high', '--set', 'a=1']
        >>> UiSettings(Path("/x"), scenario="high", fork="bold").options("low")
        ['--scenario', 'low']
        """
        found = [] if self.config is None else ["--config", str(self.config)]
        own = scenario in (None, self.scenario)
        chosen = self.scenario if own else scenario
        found += [] if chosen is None else ["--scenario", chosen]
        found += [part for one in self.overrides for part in ("--set", one)]
        if own:
            found += [] if self.database is None else ["--database", str(self.database)]
            found += [] if self.fork is None else ["--as", self.fork]
        return found
