"""Python modules that the profile makes importable (``module_paths``), and what its plugins may open."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
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
        self._texts: dict[Path, str] = {}
        self._names: dict[Path, str] = {}
        for folder, pattern in zip(folders, self.patterns, strict=True):
            for file in files_matching(pattern, cwd):
                self._texts[file] = file.read_text(encoding="utf-8", errors="replace")
                self._names[file] = file.relative_to(cwd / Path(folder).expanduser()).parts[0].removesuffix(".py")
        self._folder = cwd
        plugins = {str(one["module"]) for one in settings.get("plugins") or () if isinstance(one, dict)}
        own = set(self._names.values())
        with_adapter = f"dbt.adapters.{config.credentials.type}.plugins"
        self._elsewhere = sorted(
            name for name in plugins if name.partition(".")[0] not in own and not _is_there(f"{with_adapter}.{name}")
        )
        self._plugins = frozenset(self._reached({name.partition(".")[0] for name in plugins}))

    def named_files(self) -> frozenset[str]:
        """Return the files that plugins name, as patterns."""
        found = [NamedFiles.of(python_parts(self._texts[one]), lambda _: None, self._folder) for one in self._plugins]
        return NamedFiles.all_of(found).patterns

    def unseen(self, *, loads_source: bool) -> tuple[str, ...]:
        """Return what plugins may open, of a node that reads a source which a plugin loads, or of any other node.

        A plugin that configures the connection may make functions that any SQL calls.
        """
        elsewhere = tuple(f"what the plugin {name} may open, which is not in module_paths" for name in self._elsewhere)
        if not loads_source and not any(_FOR_ALL.search(self._texts[one]) for one in self._plugins):
            return elsewhere
        known = PARTS_OF_PLUGINS | (set(self._names.values()) - sys.stdlib_module_names)
        why = {one: reads_anything(self._texts[one], known) for one in sorted(self._plugins)}
        opened = (f"what {self._shown(one)} may open, as {said}" for one, said in why.items() if said is not None)
        return (*opened, *elsewhere)

    def _reached(self, names: set[str]) -> Iterator[Path]:
        """Yield the files of modules by these names, and of those that they import."""
        pending = {file for file, name in self._names.items() if name in names}
        seen: set[Path] = set()
        while pending:
            file = pending.pop()
            seen.add(file)
            yield file
            imported = modules_in(self._texts[file])
            imported |= {self._names[file]} if OWN_PACKAGE in imported else set()
            pending |= {one for one, name in self._names.items() if name in imported} - seen

    def _shown(self, file: Path) -> str:
        return str(file.relative_to(self._folder)) if file.is_relative_to(self._folder) else str(file)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
