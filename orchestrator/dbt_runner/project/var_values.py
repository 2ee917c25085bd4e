"""Values of a project's variables, as far as its nodes read them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Set
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.analysis.named_files import DATA_FILE
from orchestrator.dbt_runner.project.canonical import canonical, digest

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

ENV_VAR = re.compile(r"""env_var\s*\(\s*(?:var\s*=\s*)?['"]([^'"]+)['"]""")
COMPUTED_ENV_VAR = re.compile(r"""\benv_var\b(?!\s*\(\s*(?:var\s*=\s*)?(?:'[^']*'|"[^"]*")\s*[,)])""")
"""Whatever is not a call with one plain text first: a name put together, or the function handed on."""
LONGEST_PATH = 1000
LARGEST_HASHED_BYTES = 1 << 28


class VarValues:
    """The value that each variable has for a node, the year left out; ``given`` are those of the command line.

    A value that names an existing file, or is a pattern of data files, stands for them: their content belongs to it
    (of a very large one, its size and modification time).
    """

    def __init__(self, config: RuntimeConfig, year_vars: frozenset[str], cwd: Path) -> None:
        self._config = config
        self.given: dict[str, object] = dict(config.cli_vars)
        self.project = str(config.project_name)
        self._year_vars = year_vars
        self._cwd = cwd
        self._hashes: dict[Path, str] = {}
        self._known: dict[str, dict[str, object]] = {}

    def of(self, package: str, names: Set[str]) -> tuple[tuple[str, str], ...]:
        """Return (name, JSON of the value) of the variables that a node of a package reads and finds, by name."""
        known = self.known(package)
        chosen = set(known) if ANY_VAR in names else names & known.keys()
        return tuple((name, self._text(known[name])) for name in sorted(chosen - self._year_vars))

    def known(self, package: str) -> dict[str, object]:
        """Return the variables that a node of a package finds: its package's own, the project's, those given."""
        if package not in self._known:
            own = {} if package == self._config.project_name else _own_defaults(self._config, package)
            defaults: dict[str, object] = self._config.vars.to_dict()
            scoped = defaults.get(package)
            chosen = scoped if isinstance(scoped, dict) else {}
            self._known[package] = {**own, **defaults, **chosen, **self.given}
        return self._known[package]

    def defaults(self) -> tuple[tuple[str, str], ...]:
        """Return (name, JSON of the value) of the variables that the project and its packages declare, by name."""
        own: dict[str, object] = self._config.vars.to_dict()
        packages = self.packages()
        found: dict[str, object] = {}
        for package in packages:
            scoped = own.get(package)
            found |= _own_defaults(self._config, package) if package != self._config.project_name else own
            found |= scoped if isinstance(scoped, dict) else {}
        return tuple((name, canonical(value)) for name, value in sorted(found.items()) if name not in packages)

    def packages(self) -> list[str]:
        """Return the names of the project's packages, and then its own."""
        return [*sorted({*self._config.load_dependencies()} - {self.project}), self.project]

    def is_year(self, name: str) -> bool:
        """Tell whether a variable changes from year to year."""
        return name in self._year_vars

    def _text(self, value: object) -> str:
        text = canonical(value, ordered=True)
        if not isinstance(value, str) or not value or len(value) > LONGEST_PATH:
            return text
        file = self._cwd / value
        if file.is_file():
            return f"{text} ({self._content(file)})"
        if not is_pattern(value):
            return text
        found = [f"{one.name} {self._content(one)}" for one in files_matching(value, self._cwd) if one.is_file()]
        return f"{text} ({len(found)} files, SHA-256 {digest(*found)[:16]})"

    def _content(self, file: Path) -> str:
        state = file.stat()
        if state.st_size > LARGEST_HASHED_BYTES:
            return f"{state.st_size} bytes, modified {state.st_mtime_ns}"
        if file not in self._hashes:
            with file.open("rb") as content:
                self._hashes[file] = hashlib.file_digest(content, "sha256").hexdigest()
        return f"{state.st_size} bytes, SHA-256 {self._hashes[file][:16]}"


def _own_defaults(config: RuntimeConfig, package: str) -> dict[str, object]:
    """Return what an installed package says of its own variables."""
    installed = config.load_dependencies().get(package)
    if installed is None:
        return {}
    defaults: dict[str, object] = installed.vars.to_dict()
    scoped = defaults.get(package)
    return {**defaults, **(scoped if isinstance(scoped, dict) else {})}


def is_pattern(value: str) -> bool:
    """Tell whether a value stands for several data files, as DuckDB reads them: ``data/*.csv``."""
    return has_magic(value) and DATA_FILE.search(value) is not None


def files_in_vars(config: RuntimeConfig, cwd: Path) -> tuple[Path | str, ...]:
    """Return the files that variables name, given ones and defaults: their content decides as much as they do."""
    defaults = config.vars.to_dict()
    own = [values for values in defaults.values() if isinstance(values, dict)]
    every = [value for values in (config.cli_vars, defaults, *own) for value in values.values()]
    texts = {value for value in every if isinstance(value, str) and 0 < len(value) <= LONGEST_PATH}
    files = [cwd / text for text in sorted(texts) if (cwd / text).is_file()]
    return (*files, *(text for text in sorted(texts) if is_pattern(text)))
