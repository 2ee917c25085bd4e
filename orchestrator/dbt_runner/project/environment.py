"""The environment as an input: variables by name, and all of them where the names cannot be told."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from orchestrator.dbt_runner.project.canonical import digest
from orchestrator.dbt_runner.project.input_kinds import OF_THE_ENVIRONMENT
from orchestrator.dbt_runner.project.parse_inputs import SET_BY_SHELLS, SET_FOR_DBT
from orchestrator.dbt_runner.project.var_values import COMPUTED_ENV_VAR, ENV_VAR

SET_BY_SESSIONS = frozenset(
    [
        "PWD",
        "TERM",
        "COLUMNS",
        "LINES",
        "DISPLAY",
        "WINDOWID",
        "LS_COLORS",
        "COLORTERM",
        "COLORFGBG",
        "STY",
        "WINDOW",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "SYSTEMD_EXEC_PID",
        "MAKEFLAGS",
        "MAKELEVEL",
        "MFLAGS",
        "MANAGERPID",
        "PS1",
        "PROMPT_COMMAND",
        "EDITOR",
        "PAGER",
        "LESS",
        "VIRTUAL_ENV_PROMPT",
    ]
)
SESSION_PREFIXES = (
    "ORCHESTRATOR_",
    "PYTEST_",
    "SSH_",
    "TMUX",
    "XDG_SESSION",
    "TERM_",
    "DBUS_",
    "VSCODE_",
    "GPG_",
    "LC_TERM",
)
"""Of these and the names above, a terminal, a login or we ourselves make new ones: they count where they are named."""
_STARTS_WITH = re.compile(r"""\benv_var\s*\(\s*(?:var\s*=\s*)?(?:"([^"]+)"|'([^']+)')\s*[~+]""")


def names_read(texts: Iterable[str], met: Iterable[str]) -> set[str]:
    """Return the variables that these texts read; of a name that is put together, all that it may come to.

    ``met`` are those that dbt met while it parsed.

    >>> sorted(names_read(["{{ env_var('RATE_' ~ x) }} {{ env_var('B') }}"], ["RATE_OF_TAX", "A"]))
    ['B', 'RATE_OF_TAX']
    """
    found: set[str] = set()
    for text in texts:
        found.update(ENV_VAR.findall(text))
        computed = len(COMPUTED_ENV_VAR.findall(text))
        if not computed:
            continue
        beginnings = tuple(a or b for a, b in _STARTS_WITH.findall(text))
        known = {*os.environ, *met}
        found -= set(beginnings)
        found |= (
            {name for name in known if name.startswith(beginnings)} if len(beginnings) == computed else every_name()
        )
    return {name for name in found if name != "ORCHESTRATOR_DATABASE"}


def every_name() -> set[str]:
    """Return the names of all variables that may decide anything."""
    known = set(os.environ) - SET_BY_SHELLS - SET_FOR_DBT - SET_BY_SESSIONS
    return {name for name in known if not name.startswith(SESSION_PREFIXES)}


def environment_values(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, checksum) of variables, for they may be secret."""
    return [(f"{name}{OF_THE_ENVIRONMENT}", digest(os.environ.get(name, ""))[:12]) for name in sorted(names)]
