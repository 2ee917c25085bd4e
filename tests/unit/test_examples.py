"""The examples that ship: in a checkout, and in the package that is built of it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.maintenance.adoption.examples import examples, lay_out
from tests.support.workspaces import REPOSITORY

LIST = "from orchestrator.maintenance.adoption.examples import examples; [print(*one) for one in examples().items()]"


def test_the_package_holds_what_the_checkout_has(tmp_path: Path) -> None:
    """A built wheel, unpacked, offers the same files with the same content."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*pip, "-w", str(tmp_path), str(REPOSITORY)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
    for name, files in examples().items():
        inside = tmp_path / "installed" / "orchestrator" / "examples" / name
        found = {one.relative_to(inside).as_posix(): one for one in inside.rglob("*") if one.is_file()}
        assert {path: one.read_bytes() for path, one in found.items()} == {
            path: one.read_bytes() for path, one in files.items()
        }
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r}); {LIST}"
    told = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert str(tmp_path / "installed") in told.stdout


def test_hidden_files_stay(tmp_path: Path) -> None:
    """A repository may have been made before, with a list of its own of what is left out of it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("mine\n")
    written = lay_out("workforce", tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert tmp_path / ".gitignore" not in written and tmp_path / "dbt" / ".gitignore" in written


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """A folder in which something has the name of a file of the example: what was written is taken back."""
    (tmp_path / ".gitignore").mkdir()
    (tmp_path / "plain").write_text("")
    with pytest.raises(ConfigurationError, match="is not empty"):
        lay_out("workforce", tmp_path)
    with pytest.raises(ConfigurationError, match="is not empty"):
        lay_out("workforce", tmp_path / "plain")
    with pytest.raises(ConfigurationError, match="below cannot be written"):
        lay_out("workforce", tmp_path / "plain" / "below")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".gitignore", "plain"]
