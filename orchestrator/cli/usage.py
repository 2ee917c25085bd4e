"""Advice for a command line that is not understood: the way that people most likely mean."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from orchestrator.core.text import nearest

_OPTION = re.compile(r"No such option: (-{1,2}[\w-]+)(?: \(Possible options: (.*)\))?$")
_YEARS = "write the years as they are, such as `orchestrator simulate 2025-2029`"
_MEANT = {
    "--threads": "write `--set dbt.threads=4`",
    "--workers": "write `--set dbt.threads=4`",
    "--target": "write `--set dbt.target=NAME`",
    "-t": "write `--set dbt.target=NAME`",
    "--profile": "write `--set dbt.profile=NAME`",
    "--profiles-dir": "write `--set dbt.profiles_dir=PATH`",
    "--project-dir": "write `--set dbt.project_dir=PATH`",
    "--vars": "write `--set vars.NAME=VALUE` for each variable",
    "--var": "write `--set vars.NAME=VALUE` for each variable",
    "--param": "write `--set vars.NAME=VALUE` for each variable",
    "--parameter": "write `--set vars.NAME=VALUE` for each variable",
    "--seed": "write `--set simulation.random_seed=42`",
    "--random-seed": "write `--set simulation.random_seed=42`",
    "--start": _YEARS,
    "--start-year": _YEARS,
    "--end": _YEARS,
    "--end-year": _YEARS,
    "--years": _YEARS,
    "--year": _YEARS,
    "--full-refresh": "write `--fresh` to run all years again, or `orchestrator init --recreate` for a new database",
    "--restart": "write `--fresh` to run all years again",
    "--resume": "leave it out: a run goes on where the last one stopped",
    "--continue": "leave it out: a run goes on where the last one stopped",
    "--force": "write `--yes` where a command asks, or `--fresh` to run all years again",
    "--select": "name the nodes in `stages:` of the configuration",
    "-s": "name the nodes in `stages:` of the configuration",
    "--exclude": "name the nodes in `stages:` of the configuration",
    "--debug": "write `-v`, or `-vv` for the log",
    "--log-level": "write `-v`, or `-vv` for the log",
    "--output": "write `--json`",
    "--format": "write `--json`",
    "--db": "write `--database PATH`",
    "--no-heal": "write `--no-auto-initialize`",
    "--no-healing": "write `--no-auto-initialize`",
}


def usage_advice(message: str, args: Sequence[str], command: str, names: Iterable[str]) -> str:
    """Return what to do about a refused command line.

    ``command`` is the command as far as it was understood, ``names`` are all commands.

    >>> usage_advice("No such option: --threads", ["simulate", "--threads", "4"], "orchestrator simulate", ["simulate"])
    'write `--set dbt.threads=4`'
    >>> usage_advice("No such option: --json", ["--json", "check"], "orchestrator", ["check"])
    'put it after the command: `orchestrator check --json`'
    >>> usage_advice("No such option: --json", ["runs", "--json", "list"], "orchestrator runs", ["runs", "list"])
    'put it after the command: `orchestrator runs list --json`'
    >>> usage_advice("No such option: --frsh (Possible options: --as, --fresh)", [], "orchestrator simulate", [])
    'write `--fresh`'
    """
    named = _OPTION.match(message)
    if named is None:
        return f"see `{command} --help`"
    words = set(names)
    begins = args.index(named[1]) if named[1] in args else 0
    at = next((place for place in range(begins, len(args)) if args[place] in words), None)
    if at is not None and set(args[:begins]) <= words:
        last = next((place for place in range(at, len(args)) if args[place] not in words), len(args))
        moved = shlex.join(["orchestrator", *args[:begins], *args[at:last], *args[begins:at], *args[last:]])
        return f"put it after the command: `{moved}`"
    if named[1] in _MEANT:
        return _MEANT[named[1]]
    guess = nearest(named[1], (named[2] or "").split(", "))
    return f"write `{guess}`" if guess else f"see `{command} --help`"


def without_guesses(message: str) -> str:
    """Return a refusal without the options that the parser took for similar.

    >>> without_guesses("No such option: --threads (Possible options: --as)")
    'No such option: --threads'
    """
    named = _OPTION.match(message)
    return message if named is None else f"No such option: {named[1]}"
