"""Modules of a project, which are imported from their source and never from byte code beside it.

Python takes the byte code in ``__pycache__`` for that of a file with the same time and size. Some archives, images and
build systems fix all times, and one digit for another keeps the size: what is then run is not what the file says.
Installed packages stay as they are; nobody edits them.
"""

from __future__ import annotations

import site
import sys
import sysconfig
from functools import cache
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType

INSTALLED = frozenset({"site-packages", "dist-packages"})
_OURS = Path(__file__).resolve().parents[1]


class FromSource(SourceFileLoader):
    """A loader that reads and writes no byte code."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source of a module."""
        path = self.get_filename(fullname)
        code = self.source_to_code(self.get_data(path), path)
        assert isinstance(code, CodeType)
        return code


def import_from_source() -> None:
    """Import from now on from source what is not installed; calling it again changes nothing."""
    if _finder not in sys.path_hooks:
        sys.path_hooks.insert(0, _finder)
        for path in [path for path in sys.path_importer_cache if not is_installed(path)]:
            del sys.path_importer_cache[path]


def forget_modules_from_source(path: list[str]) -> None:
    """Forget the modules that :func:`import_from_source` had imported, and make ``path`` that of modules again.

    What another project, or an earlier state of this one, brought into the process is imported anew.
    """
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and isinstance(vars(module).get("__loader__"), FromSource):
            del sys.modules[name]
    sys.path[:] = path
    for folder in [folder for folder in sys.path_importer_cache if not is_installed(folder)]:
        del sys.path_importer_cache[folder]


def is_installed(path: str) -> bool:
    """Tell whether a folder of modules comes with Python, a package or this program.

    >>> is_installed("/home/me/.venv/lib/python3.12/site-packages/pandas"), is_installed("/home/me/my_project/modules")
    (True, False)
    """
    folder = Path(path)
    if not INSTALLED.isdisjoint(folder.parts):
        return True
    return any(folder.resolve().is_relative_to(place) for place in _places())


@cache
def _places() -> tuple[Path, ...]:
    named = sysconfig.get_paths()
    places = [named[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return (_OURS, *(Path(place).resolve() for place in (*places, *site.getsitepackages(), site.getusersitepackages())))


_of_folder = FileFinder.path_hook(
    (ExtensionFileLoader, EXTENSION_SUFFIXES), (FromSource, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES)
)


def _finder(path: str) -> FileFinder:
    """Return a finder of the modules in a folder.

    Raises:
        ImportError: it is an installed one, or no folder; others find its modules.
    """
    if is_installed(path):
        raise ImportError(path)
    found = _of_folder(path)
    assert isinstance(found, FileFinder)
    return found
