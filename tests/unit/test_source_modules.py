"""Modules of a project: what their files say is run, whatever byte code lies beside them."""

from __future__ import annotations

import importlib
import os
import py_compile
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.source_modules import FromSource, forget_modules_from_source, import_from_source, is_installed
from orchestrator.pipeline.hook_loading import hooks_from_config


@pytest.fixture
def path() -> Iterator[list[str]]:
    """Give the search path of modules as it was; afterwards it is the same again, and the test's modules are gone."""
    before, modules = list(sys.path), set(sys.modules)
    yield before
    sys.path[:] = before
    for name in [name for name in sys.modules if name not in modules]:
        del sys.modules[name]


def edit_unseen(file: Path, old: str, new: str) -> None:
    """Compile a module, and edit it so that its size and time stay: Python takes the byte code for that of the file."""
    py_compile.compile(str(file))
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text(file.read_text().replace(old, new))
    os.utime(file, ns=times)


def test_a_module_is_what_its_file_says(tmp_path: Path, path: list[str]) -> None:
    """Byte code of an earlier state with the same time and size is not taken, in packages neither."""
    (tmp_path / "mill_package").mkdir()
    for name in ("mill_rate.py", "mill_package/__init__.py"):
        (tmp_path / name).write_text("RATE = 3\n")
        edit_unseen(tmp_path / name, "3", "4")
    import_from_source()
    sys.path.append(str(tmp_path))
    assert [importlib.import_module(name).RATE for name in ("mill_rate", "mill_package")] == [4, 4]


def test_modules_of_another_project_are_forgotten(tmp_path: Path, path: list[str]) -> None:
    """A process that takes up another project imports its modules, and not those of the same name before."""
    import_from_source()
    found = []
    for rate in (3, 4):
        folder = tmp_path / str(rate)
        folder.mkdir()
        (folder / "mill_of_one.py").write_text(f"RATE = {rate}\n")
        forget_modules_from_source(path)
        sys.path.append(str(folder))
        found.append(importlib.import_module("mill_of_one").RATE)
    assert found == [3, 4]
    forget_modules_from_source(path)
    assert sys.path == path
    assert "pytest" in sys.modules


def test_installed_modules_keep_their_byte_code(tmp_path: Path) -> None:
    """Python's own modules, packages and this program are not compiled each time."""
    assert is_installed(str(Path(os.__file__).parent))
    assert is_installed(str(Path(pytest.__file__).parent))
    assert not is_installed(str(tmp_path))
    import_from_source()
    assert not isinstance(importlib.import_module("orchestrator.core.source_modules").__loader__, FromSource)


def test_a_hook_is_what_the_files_of_its_modules_say(tmp_path: Path, path: list[str]) -> None:
    """A module that the module of a hook imports is read from its source as well."""
    (tmp_path / "mill_hooks.py").write_text("from mill_helper import RATE\ndef grind(context):\n    return RATE\n")
    (tmp_path / "mill_helper.py").write_text("RATE = 3\n")
    edit_unseen(tmp_path / "mill_helper.py", "3", "4")
    named = {"hooks": [{"type": "post_simulation", "call": "mill_hooks:grind"}]}
    (hook,) = hooks_from_config(SimulationConfig.from_mapping(named, root=tmp_path))
    assert sys.modules["mill_hooks"].RATE == 4
    assert hook.name == "mill_hooks:grind"
