"""Values of a project's variables, as far as its nodes read them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.template_code import ANY_VAR
from orchestrator.dbt_runner.project.canonical import canonical

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

ENV_VAR = re.compile(r"""env_var\s*\(\s*(?:var\s*=\s*)?['"]([^'"]+)['"]""")
COMPUTED_ENV_VAR = re.compile(r"""\benv_var\b(?!\s*\(\s*(?:var\s*=\s*)?(?:'[^']*'|"[^"]*")\s*[,)])""")
"""Whatever is not a call with one plain text first: a name put together, or the function handed on."""
LONGEST_PATH = 1000
LARGEST_HASHED_BYTES = 1 << 28


class VarValues:
    """The value that each variable has for a node, the year left out.

    A value that names an existing file stands for that file: its content belongs to it (of a very large one, its
    size and modification time). ``met`` are the environment variables that dbt met while it parsed.
    """

    def __init__(self, config: RuntimeConfig, year_vars: frozenset[str], cwd: Path, met: Iterable[str]) -> None:
        self._given: dict[str, object] = dict(config.cli_vars)
        self._defaults: dict[str, object] = config.vars.to_dict()
        self._year_vars = year_vars
        self._cwd = cwd
        self._met = frozenset(met)
        self._hashes: dict[Path, str] = {}

    def of(self, package: str, names: set[str], texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Return (name, JSON of the value) of the variables that a node reads, by name.

        ``texts`` are its code and that of the macros it reaches: the environment variables that they read come too,
        by a checksum, for they may be secret. Where a name is put together, they are all that dbt met.
        """
        own = self._defaults.get(package)
        known = {**self._defaults, **(own if isinstance(own, dict) else {}), **self._given}
        chosen = set(known) if ANY_VAR in names else names
        found = [(name, self._text(known.get(name))) for name in sorted(chosen - self._year_vars)]
        read: set[str] = set()
        for text in texts:
            read.update(ENV_VAR.findall(text), self._met if COMPUTED_ENV_VAR.search(text) else ())
        read.discard("ORCHESTRATOR_DATABASE")
        secret = [(f"{name} of the environment", digest(os.environ.get(name, ""))[:12]) for name in sorted(read)]
        return (*found, *secret)

    def _text(self, value: object) -> str:
        text = canonical(value)
        if not isinstance(value, str) or not value or len(value) > LONGEST_PATH:
            return text
        file = self._cwd / value
        if not file.is_file():
            return text
        state = file.stat()
        if state.st_size > LARGEST_HASHED_BYTES:
            return f"{text} ({state.st_size} bytes, modified {state.st_mtime_ns})"
        if file not in self._hashes:
            with file.open("rb") as content:
                self._hashes[file] = hashlib.file_digest(content, "sha256").hexdigest()
        return f"{text} ({state.st_size} bytes, SHA-256 {self._hashes[file][:16]})"


def files_in_vars(config: RuntimeConfig, cwd: Path) -> tuple[Path, ...]:
    """Return the files that variables name, given ones and defaults: their content decides as much as they do."""
    defaults = config.vars.to_dict()
    own = [values for values in defaults.values() if isinstance(values, dict)]
    every = [value for values in (config.cli_vars, defaults, *own) for value in values.values()]
    texts = {value for value in every if isinstance(value, str) and 0 < len(value) <= LONGEST_PATH}
    return tuple(cwd / text for text in sorted(texts) if (cwd / text).is_file())


def digest(*parts: str) -> str:
    """Return one SHA-256 of several texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
