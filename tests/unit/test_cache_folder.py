"""The folder of what is kept between runs: where it cannot be used, a run goes on without, and says so once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.errors import DiskFullError
from orchestrator.core.events import Event, NothingKept
from orchestrator.database.errors import known_database_error
from orchestrator.dbt_runner.process.cache_folder import ROOM_FOR_DBT, CacheFolder, probe
from orchestrator.dbt_runner.project.settings import DbtSettings


def settings(root: Path) -> DbtSettings:
    """Return those of a project whose parse is kept in ``root/dbt``."""
    return DbtSettings(project_dir=root, profiles_dir=None, cwd=root, cache_dir=root / "dbt")


def fail(number: int) -> None:
    """Fail as the system does."""
    raise OSError(number, os.strerror(number))


def test_a_folder_that_can_be_written(tmp_path: Path) -> None:
    """It is used, for dbt's own files too, and nothing is said."""
    events: list[Event] = []
    cache = CacheFolder(settings(tmp_path), events.append)
    assert cache.settings.cache_dir == tmp_path / "dbt"
    assert cache.target.parent == tmp_path / "dbt"
    assert list(cache.target.iterdir()) == []
    cache.remove_target()
    assert list((tmp_path / "dbt").iterdir()) == []
    assert events == []


@pytest.mark.parametrize("taken", ["a file", "a file above", "a link to nothing"])
def test_a_folder_that_cannot_be_made(tmp_path: Path, taken: str) -> None:
    """A temporary one serves, which is gone in the end."""
    root = tmp_path / "project"
    if taken == "a file above":
        root.write_text("")
    else:
        root.mkdir()
        (root / "dbt").write_text("") if taken == "a file" else (root / "dbt").symlink_to("/dev/null/x")
    events: list[Event] = []
    cache = CacheFolder(settings(root), events.append)
    assert cache.target.is_dir()
    assert not cache.settings.cache_dir.is_relative_to(tmp_path)
    with cache.going_without():
        fail(errno.ENOSPC)
    cache.remove_target()
    assert not cache.settings.cache_dir.exists()
    (told,) = events
    assert isinstance(told, NothingKept)
    assert told.folder == str(root / "dbt")


def test_what_cannot_be_kept_is_gone_without(tmp_path: Path) -> None:
    """It is said once, however often it fails; other errors are not kept back."""
    events: list[Event] = []
    cache = CacheFolder(settings(tmp_path), events.append)
    for _ in range(2):
        with cache.going_without():
            fail(errno.EDQUOT)
    assert [event.reason for event in events if isinstance(event, NothingKept)] == ["Disk quota exceeded"]
    with pytest.raises(ValueError, match="another"), cache.going_without():
        raise ValueError("another")


def test_there_must_be_room_for_dbt(tmp_path: Path) -> None:
    """A disk that is nearly full is not used, and the probe leaves nothing."""
    room: Callable[[Path], int] = lambda _: ROOM_FOR_DBT  # noqa: E731
    probe(tmp_path, room)
    with pytest.raises(OSError, match="No space"):
        probe(tmp_path, lambda _: ROOM_FOR_DBT - 1)
    with pytest.raises(OSError, match="No such"):
        probe(tmp_path / "gone", room)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (
            "Runtime Error\n  [Errno 28] No space left on device: '/p/var/dbt/target-1/x.sql'",
            "/p/var/dbt/target-1/x.sql",
        ),
        ("[Errno 122] Disk quota exceeded: '/q/y'", "/q/y"),
        ("[Errno 28] No space left on device", "var/dbt"),
        ('IO Error: Could not write file "/p/x.duckdb": No space left on device', "/p/x.duckdb"),
    ],
)
def test_a_full_disk_is_named_by_its_own_path(message: str, named: str) -> None:
    """The database is blamed for what DuckDB could not write, and for nothing else."""
    error = known_database_error(message, Path("/p/x.duckdb"))
    assert isinstance(error, DiskFullError)
    assert named in error.message
    assert ("database" in error.message) == message.startswith("IO Error")
