"""Python modules that the profile makes importable (``module_paths``), and what its plugins may open."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.named_files import NamedFiles
from orchestrator.dbt_runner.analysis.python_code import OWN_PACKAGE, modules_in, python_parts, reads_anything

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig

PARTS_OF_PLUGINS = frozenset({"dbt", "DuckDBPyConnection", "DuckDBPyRelation", OWN_PACKAGE})
"""What a plugin imports to be one, and the package that it is a part of, whose modules are looked at themselves."""
_FOR_ALL = re.compile(r"\bdef\s+(?:configure_\w+|update_connection_config)\b")


class ModuleInputs:
    """The modules of one profile; relative folders are those of ``cwd``."""

    def __init__(self, config: RuntimeConfig, cwd: Path) -> None:
        settings = config.credentials.to_dict(omit_none=True)
        folders = settings.get("module_paths") or ()
        self.patterns = tuple(f"{folder}/**/*.py" for folder in folders)
        self._names: dict[Path, str] = {}
        for folder, pattern in zip(folders, self.patterns, strict=True):
            for file in files_matching(pattern, cwd):
                self._names[file] = file.relative_to(cwd / Path(folder).expanduser()).parts[0].removesuffix(".py")
        self._folder = cwd
        plugins = {str(one["module"]) for one in settings.get("plugins") or () if isinstance(one, dict)}
        own = set(self._names.values())
        with_adapter = f"dbt.adapters.{config.credentials.type}.plugins"
        self._elsewhere = sorted(
            name for name in plugins if name.partition(".")[0] not in own and not _is_there(f"{with_adapter}.{name}")
        )
        self._plugins = dict(self._reached({name.partition(".")[0] for name in plugins}))

    def named_files(self) -> frozenset[str]:
        """Return the files that plugins name, as patterns."""
        found = [NamedFiles.of(python_parts(text), lambda _: None, self._folder) for text in self._plugins.values()]
        return NamedFiles.all_of(found).patterns

    def unseen(self, *, loads_source: bool) -> tuple[str, ...]:
        """Return what plugins may open, of a node that reads a source which a plugin loads, or of any other node.

        A plugin that configures the connection may make functions that any SQL calls.
        """
        elsewhere = tuple(f"what the plugin {name} may open, which is not in module_paths" for name in self._elsewhere)
        for_all = any(_FOR_ALL.search(text) for text in self._plugins.values())
        return (*self._opened, *elsewhere) if loads_source or for_all else elsewhere

    @cached_property
    def _opened(self) -> tuple[str, ...]:
        known = PARTS_OF_PLUGINS | (set(self._names.values()) - sys.stdlib_module_names)
        why = {file: reads_anything(text, known) for file, text in sorted(self._plugins.items())}
        return tuple(f"what {self._shown(file)} may open, as {said}" for file, said in why.items() if said is not None)

    def _reached(self, names: set[str]) -> Iterator[tuple[Path, str]]:
        """Yield the files, and their texts, of modules by these names and of those that they import."""
        pending = {file for file, name in self._names.items() if name in names}
        seen: set[Path] = set()
        while pending:
            file = pending.pop()
            seen.add(file)
            text = file.read_text(encoding="utf-8", errors="replace")
            yield file, text
            imported = modules_in(text)
            imported |= {self._names[file]} if OWN_PACKAGE in imported else set()
            pending |= {one for one, name in self._names.items() if name in imported} - seen

    def _shown(self, file: Path) -> str:
        return str(file.relative_to(self._folder)) if file.is_relative_to(self._folder) else str(file)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
