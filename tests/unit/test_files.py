"""Files that are replaced as a whole."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from orchestrator.core.files import replace_file


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path, durable: bool) -> None:
    """The new content is in its place, and it is the only file."""
    file = tmp_path / "note.json"
    for content in (b"old", b"new"):
        replace_file(file, content, durable=durable)
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    """A name that is taken by a folder cannot be replaced; what was written beside it is removed again."""
    folder = tmp_path / "taken"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        replace_file(folder, b"new")
    assert list(tmp_path.iterdir()) == [folder] and (folder / "inside").is_dir()


def test_who_reads_meanwhile_finds_one_content_or_the_other(tmp_path: Path) -> None:
    """Several threads write the same file; every look at it finds a whole content."""
    file = tmp_path / "kept"
    contents = [bytes([letter]) * 200_000 for letter in b"abc"]
    replace_file(file, contents[0])

    def write(content: bytes) -> None:
        for _ in range(30):
            replace_file(file, content)

    threads = [threading.Thread(target=write, args=(one,)) for one in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert file.read_bytes() in contents
    assert file.read_bytes() in contents and list(tmp_path.iterdir()) == [file]
