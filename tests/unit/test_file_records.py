"""Records of files say cheaply, and never wrongly, that a file still holds what it held."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.dbt_runner.project.file_records import NANOSECONDS, FileRecord, records_of, same_files

Records = dict[str, FileRecord]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file."""
    file = tmp_path / "file"
    file.write_text("four")
    return file


def settled(path: Path) -> Records:
    """Return the record of a file as if it had been looked at long after it was written."""
    return {name: replace(one, taken=one.changed + 10 * NANOSECONDS) for name, one in records_of([str(path)]).items()}


def rewritten(path: Path, text: str = "five") -> None:
    """Write a file under its old size and time of modification."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    """Move another file of that size and time into its place."""
    other = path.with_name("other")
    shutil.copy2(path, other)
    rewritten(other)
    other.replace(path)


def test_what_is_no_file_has_no_record(path: Path) -> None:
    """A pipe, which would be waited for, a folder and a link into nowhere do not count."""
    os.mkfifo(path.with_name("pipe"))
    path.with_name("lost").symlink_to(path.with_name("nowhere"))
    found = records_of([str(path.parent), *map(str, path.parent.iterdir())])
    assert [Path(name).name for name in found] == ["file"]


def test_an_untouched_file_is_not_read(path: Path) -> None:
    """Size, times and inode stand in for the content: a record that names another content is believed."""
    known = {name: replace(one, digest="another") for name, one in settled(path).items()}
    assert same_files(known, [str(path)]) is known


@pytest.mark.parametrize("change", [rewritten, replaced, Path.unlink, lambda path: path.write_text("fours")])
def test_a_change_is_seen(path: Path, change: Callable[[Path], object]) -> None:
    """Also one that leaves the size and the time of modification as they were."""
    known = settled(path)
    change(path)
    assert same_files(known, [str(path)]) is None


def test_a_new_file_is_a_change(path: Path) -> None:
    """The files themselves are compared, not those alone that are known."""
    known = settled(path)
    path.with_name("new").write_text("")
    assert same_files(known, [str(path), str(path.with_name("new"))]) is None


def test_a_touched_or_copied_file_is_the_same(path: Path) -> None:
    """What a checkout, an archive or a cache brings back with other times and inodes counts by its content."""
    known = settled(path)
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    found = same_files(known, [str(path)])
    assert found is not None and found is not known
    assert found[str(path)].inode == path.stat().st_ino


@pytest.mark.parametrize("doubt", ["just written", "no clock"])
def test_times_that_promise_nothing_are_not_believed(path: Path, doubt: str) -> None:
    """A file that was written a moment before it was looked at is read, and one whose times are whole seconds."""
    (name, record), *_ = settled(path).items()
    if doubt == "just written":
        record = replace(record, taken=record.changed + 1)
    else:
        record = replace(record, changed=NANOSECONDS)
    assert not record.surely_same(path.stat())
    assert same_files({name: replace(record, digest="another")}, [name]) is None
    assert same_files({name: record}, [name]) is not None
