"""dbt's own command line, called inside the dbt process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg

from orchestrator.dbt_runner.adapter.dbt_events import HEARD
from orchestrator.dbt_runner.adapter.shortcuts import Listener, take_shortcuts
from orchestrator.dbt_runner.adapter.switches import disconnect_switches
from orchestrator.dbt_runner.project.settings import DbtSettings, Vars

QUIET = (
    *("--log-level", "none", "--log-level-file", "none", "--no-use-colors", "--no-use-colors-file"),
    *("--no-write-json", "--no-send-anonymous-usage-stats"),
)
OnEvent = Callable[[EventMsg], None]


class DbtCommand:
    """Calls dbt for one project, with no artifacts, logs or telemetry; ``target`` is the folder it may write to.

    What a command does is in its arguments and in the project: switches of the environment are not heeded.
    """

    def __init__(self, settings: DbtSettings, target: Path, on_event: OnEvent) -> None:
        self._settings = settings
        self._target = target
        self._on_event = on_event
        disconnect_switches()

    def call(
        self, args: Sequence[str], variables: Vars, manifest: Manifest | None, on_event: OnEvent | None = None
    ) -> dbtRunnerResult:
        """Run one dbt command; dbt writes into the manifest, and parses where there is none.

        Raises:
            KeyboardInterrupt: SIGINT arrived meanwhile.
        """
        take_shortcuts()
        settings = self._settings
        place = ["--project-dir", _project_path(settings), "--target-path", str(self._target)]
        place += ["--profiles-dir", str(settings.effective_profiles_dir())]
        for flag, value in (("--profile", settings.profile), ("--target", settings.target)):
            place += [flag, value] if value is not None else []
        if settings.threads is not None and args[0] != "ls":
            place += ["--threads", str(settings.threads)]
        given = ["--vars", json.dumps(variables, default=str)] if variables else []
        quiet = [*QUIET, "--log-path", str(self._target)]
        runner = dbtRunner(manifest=manifest, callbacks=[Listener(HEARD, on_event or self._on_event)])
        answer = runner.invoke([*quiet, *args, *given, *place])
        if isinstance(answer.exception, (KeyboardInterrupt, SystemExit)):
            raise KeyboardInterrupt
        return answer


def _project_path(settings: DbtSettings) -> str:
    """Return the project's path, relative where it has a quote: dbt-duckdb does not escape it when it loads seeds."""
    path = str(settings.project_dir)
    return os.path.relpath(path, settings.cwd) if "'" in path else path
