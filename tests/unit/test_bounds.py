"""Backups and journals that somebody else wrote: whatever they name, nothing but our own databases is touched."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import BackupDamagedError, BackupError
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.maintenance.backup.backup import find_backup, list_backups, verify_backup
from orchestrator.maintenance.backup.bounds import Bounds, bounds_of
from orchestrator.maintenance.backup.exclusion import recover_configured
from orchestrator.maintenance.backup.restore import restore_backup
from orchestrator.maintenance.backup.workspace import databases_of

PAYLOAD = b"the bytes of somebody else\n"
Backups = Callable[..., None]
Outside = dict[str, tuple[str, int]]


class Place:
    """A workspace, and a home beside it in which nothing may change."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.home = folder / "home"
        self.backups = self.root / "var" / "backups"
        self.journal = self.backups / "restoring.json"
        for made in (self.backups, self.root / "config", self.home / "precious"):
            made.mkdir(parents=True)
        (self.root / "config" / "simulation.yaml").write_text("database: var/lakes.duckdb\n")
        for name in ("bashrc", "payload", "bashrc.restoring", "precious/file"):
            (self.home / name).write_text(f"mine: {name}")

    @property
    def config(self) -> SimulationConfig:
        """Return the configuration of the workspace."""
        return SimulationConfig.load(self.root / "config" / "simulation.yaml", environ={})

    def state(self, folder: Path) -> dict[str, str]:
        """Return what a folder holds, locks of ours aside where they may be."""
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {str(path.relative_to(folder)): path.read_text(errors="replace") for path in files}

    def leave_journal(self, **changed: object) -> None:
        """Leave the journal of a restore that was cut off."""
        found: dict[str, object] = {"phase": "swapping", "swaps": [], "server": None, "kept": None, **changed}
        self.journal.write_text(json.dumps(found))

    def leave_backup(self, *, file: dict[str, object] | None = None, **changed: object) -> None:
        """Leave a backup whose checksums are right."""
        folder = self.backups / "from a colleague"
        folder.mkdir()
        (folder / "01-x").write_bytes(PAYLOAD)
        digest = hashlib.sha256(PAYLOAD).hexdigest()
        record = {"name": "01-x", "suffix": "", "bytes": len(PAYLOAD), "sha256": digest, **(file or {})}
        database: dict[str, object] = {
            "name": "lakes",
            "kind": "duckdb",
            "path": "var/lakes.duckdb",
            "url": None,
            "files": [record],
            "engine": "",
            "storage_version": None,
            "schema_version": None,
            "fingerprint": None,
            "tables": {},
            "compacted": False,
            "whole": False,
            **changed,
        }
        whole = {"format": 1, "created_at": "2026-01-01T00:00:00Z", "reason": "x", "orchestrator": "0", "root": "/"}
        text = json.dumps({**whole, "databases": [database]})
        (folder / "metadata.json").write_text(text)
        (folder / "metadata.sha256").write_text(hashlib.sha256(text.encode()).hexdigest() + "\n")

    def restore(self) -> None:
        """Restore that backup as the command does."""
        backup = find_backup(self.root, "from a colleague")
        restore_backup(backup, self.root, bounds=bounds_of(self.config), lock_timeout=0)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Give a workspace and a home."""
    return Place(tmp_path)


def swap(target: object, *parts: object, kind: str = "duckdb") -> dict[str, object]:
    """Return a swap of a journal; by default its only part is what it should be."""
    return {"target": str(target), "kind": kind, "parts": parts or ([f"{target}.restoring", str(target)],)}


def test_a_backup_goes_where_the_configuration_says(place: Place) -> None:
    """What is refused below is taken where nothing is wrong with it."""
    place.leave_backup()
    place.restore()
    assert (place.root / "var" / "lakes.duckdb").read_bytes() == PAYLOAD


@pytest.mark.parametrize("kind", ["duckdb", "sqlite", "postgresql", "other"])
@pytest.mark.parametrize("path", ["../home/bashrc", "{home}/bashrc", "var/../../home/bashrc", "config/simulation.yaml"])
def test_a_backup_that_leads_elsewhere(place: Place, path: str, kind: str) -> None:
    """By a path of another place, of any kind, it is refused before anything is touched, locks included."""
    place.leave_backup(path=path.format(home=place.home), kind=kind)
    before = place.state(place.home), place.state(place.root / "config")
    with pytest.raises(BackupError) as caught:
        place.restore()
    assert caught.value.to_fix
    assert (place.state(place.home), place.state(place.root / "config")) == before


@pytest.mark.parametrize(
    "file",
    [
        {"name": "../../../config/simulation.yaml"},
        {"name": "/etc/hostname"},
        {"name": ".."},
        {"name": ""},
        {"name": "metadata.json"},
        {"name": "a\0b"},
        {"name": "x" * 300},
        {"suffix": "/../../home/bashrc"},
        {"suffix": ".py"},
        {"bytes": -1},
    ],
)
def test_a_backup_whose_files_lie_elsewhere(place: Place, file: dict[str, object]) -> None:
    """No name of a file leaves the folder of its backup, and no ending leaves its database."""
    place.leave_backup(file=file)
    (backup,) = list_backups(place.root)
    assert backup.problem is not None
    with pytest.raises(BackupDamagedError):
        verify_backup(backup)
    with pytest.raises(BackupDamagedError):
        place.restore()


@pytest.mark.parametrize("name", ["01-x", "metadata.json", "metadata.sha256"])
def test_links_inside_a_backup(place: Place, name: str) -> None:
    """A file of a backup is a file: a link to one, with the right content even, is refused."""
    place.leave_backup()
    file = place.backups / "from a colleague" / name
    file.rename(place.home / "moved")
    file.symlink_to(place.home / "moved")
    with pytest.raises(BackupDamagedError, match="symbolic link"):
        verify_backup(find_backup(place.root, "from a colleague"))
    with pytest.raises(BackupDamagedError, match="symbolic link"):
        place.restore()


def test_a_pipe_in_the_place_of_metadata(place: Place) -> None:
    """Nobody waits for what never comes."""
    place.leave_backup()
    (place.backups / "from a colleague" / "metadata.json").unlink()
    (place.backups / "20260101T000000Z").mkdir()
    os.mkfifo(place.backups / "20260101T000000Z" / "metadata.json")
    assert [backup.metadata for backup in list_backups(place.root)] == [None]


@pytest.mark.parametrize("there", [True, False])
def test_a_database_that_is_a_link_to_something_else(place: Place, there: bool) -> None:
    """A restore follows a link out of the workspace to a database, and to nothing else."""
    led_to = place.home / ("bashrc" if there else "autostart")
    (place.root / "var" / "lakes.duckdb").symlink_to(led_to)
    place.leave_backup()
    before = place.state(place.home)
    with pytest.raises(BackupError, match="symbolic link"):
        place.restore()
    assert place.state(place.home) == before


def test_files_that_only_the_profile_names(place: Place) -> None:
    """Where the configuration names no database, those below the project are taken that are called like one."""
    inside, kind = Bounds(place.root), "duckdb"
    assert inside.target(place.root / "reports.duckdb", kind, "x") == place.root / "reports.duckdb"
    for wrong in (place.root / "dbt_project.yml", place.home / "x.duckdb", place.root / "a/../../home/x.duckdb"):
        with pytest.raises(BackupError, match="no duckdb database"):
            inside.target(wrong, kind, "x")


def test_the_configuration_knows_its_scenarios_and_the_files_beside_it(place: Place) -> None:
    """A restore that was cut off is finished whatever scenario the next command is about."""
    (place.root / "config" / "scenarios").mkdir()
    (place.root / "config" / "scenarios" / "high.yaml").write_text("database: var/high.duckdb\n")
    config = SimulationConfig.load(place.root / "config" / "simulation.yaml", scenario="high", environ={})
    within = bounds_of(config)
    assert within.hold(place.root / "var" / "lakes.duckdb", "duckdb")
    assert within.hold(place.root / "var" / "high.duckdb", "duckdb")
    assert within.hold(place.root / "var" / "orchestrator.db", "sqlite")
    assert not within.hold(place.root / "var" / "orchestrator.db", "duckdb")
    assert not within.hold(place.root / "var" / "other.duckdb", "duckdb")


@pytest.mark.parametrize("scenario", [None, "high"])
def test_scenarios_beside_a_file_in_the_project_itself(tmp_path: Path, scenario: str | None) -> None:
    """As `orchestrator new` lays them: whichever is asked for, all of their databases are known."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "orchestrator.yaml").write_text("database: var/lakes.duckdb\n")
    (tmp_path / "scenarios" / "high.yaml").write_text("database: var/high.duckdb\n")
    (tmp_path / "scenarios" / "wet.yml").write_text("database: var/wet.duckdb\n")
    config = SimulationConfig.load(tmp_path / "orchestrator.yaml", scenario=scenario, environ={})
    names = {database.name for database in databases_of(config)}
    assert names == {"var/lakes.duckdb", "var/high.duckdb", "var/wet.duckdb", "run history"}
    within = bounds_of(config)
    assert all(within.hold(tmp_path / "var" / f"{name}.duckdb", "duckdb") for name in ("lakes", "high", "wet"))
    assert not within.hold(tmp_path / "var" / "other.duckdb", "duckdb")


def test_a_journal_of_ours_is_followed(place: Place) -> None:
    """What is refused below is done where nothing is wrong with it."""
    target = place.root / "var" / "lakes.duckdb"
    Path(f"{target}.restoring").write_bytes(PAYLOAD)
    place.leave_journal(swaps=[swap(target)])
    assert recover_configured(place.config)
    assert target.read_bytes() == PAYLOAD
    assert not place.journal.exists()


def wrong_journals() -> dict[str, Callable[[Place], dict[str, object]]]:
    """Return what a stranger might write, by what it is."""
    lakes = "var/lakes.duckdb"
    return {
        "another target": lambda p: {"swaps": [swap(p.home / "bashrc")]},
        "of another kind": lambda p: {"swaps": [swap(p.root / lakes, kind="sqlite")]},
        "a file of the project": lambda p: {"swaps": [swap(p.root / "config/simulation.yaml")]},
        "a relative target": lambda _: {"swaps": [swap(lakes)]},
        "dots in the target": lambda p: {"swaps": [swap(p.root / "var/../var/lakes.duckdb")]},
        "a payload from elsewhere": lambda p: {
            "swaps": [swap(p.root / lakes, [str(p.home / "payload"), str(p.root / lakes)])]
        },
        "a place elsewhere": lambda p: {
            "swaps": [swap(p.root / lakes, [str(p.root / f"{lakes}.restoring"), str(p.home / "bashrc")])]
        },
        "a second part elsewhere": lambda p: {
            "swaps": [
                swap(
                    p.root / lakes,
                    [str(p.root / f"{lakes}.restoring"), str(p.root / lakes)],
                    [str(p.home / "payload"), str(p.home / "bashrc")],
                )
            ]
        },
        "nothing to move": lambda p: {"swaps": [{"target": str(p.root / lakes), "kind": "duckdb", "parts": []}]},
        "a folder elsewhere": lambda p: {"phase": "laying", "kept": str(p.home / "precious")},
        "a folder above": lambda p: {"phase": "laying", "kept": str(p.backups / ".keeping-1/../../../config")},
        "a backup that is kept": lambda p: {"phase": "laying", "kept": str(p.backups / "20260101T000000Z")},
        "a dump elsewhere": lambda p: {"phase": "server", "server": [str(p.home / "payload"), 16]},
        "another phase": lambda _: {"phase": "removing"},
        "an unknown key": lambda _: {"run": "rm -r ~"},
        "a name that is none": lambda p: {"swaps": [swap(f"{p.root}/var/a\0b")]},
    }


@pytest.mark.parametrize("phase", ["laying", "swapping", "server"])
@pytest.mark.parametrize("wrong", wrong_journals())
def test_a_journal_that_leads_elsewhere(place: Place, wrong: str, phase: str) -> None:
    """It is refused, with the way out, in every phase; what it names is as it was, and no lock lies beside it."""
    (place.backups / "20260101T000000Z").mkdir()
    (place.backups / "20260101T000000Z" / "file").write_text("kept")
    place.leave_journal(**{"phase": phase, **wrong_journals()[wrong](place)})
    before = place.state(place.home), place.state(place.backups)
    with pytest.raises(BackupError, match="journal") as caught:
        recover_configured(place.config)
    assert "remove" in str(caught.value.to_fix)
    after = place.state(place.home), {k: v for k, v in place.state(place.backups).items() if k != ".lock"}
    assert after == before


def test_a_journal_whose_staged_file_is_a_link(place: Place) -> None:
    """A database is not turned into a link to somewhere else."""
    target = place.root / "var" / "lakes.duckdb"
    Path(f"{target}.restoring").symlink_to(place.home / "bashrc")
    place.leave_journal(swaps=[swap(target)])
    with pytest.raises(BackupError, match="symbolic link"):
        recover_configured(place.config)
    assert not target.exists()


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"", b"1" * 5000, b" " * 2_000_000, b"{}"])
def test_a_journal_that_is_none(place: Place, content: bytes) -> None:
    """Whatever it is made of, it is named, with the way out."""
    place.journal.write_bytes(content)
    with pytest.raises(BackupError, match=r"restoring\.json cannot be read") as caught:
        recover_configured(place.config)
    assert "remove that file" in str(caught.value.to_fix)


@pytest.mark.parametrize("name", ["restoring.json", ".restoring.json.new"])
def test_a_folder_in_the_place_of_the_journal(place: Place, name: str) -> None:
    """It is named as a folder, by its path, and left to whoever made it."""
    folder = place.backups / name
    folder.mkdir()
    with pytest.raises(BackupError, match=r"folder|directory") as caught:
        recover_configured(place.config)
    assert str(folder) in caught.value.message and "Errno" not in caught.value.message
    assert "away" in str(caught.value.to_fix)
    assert folder.is_dir()


def test_a_folder_where_a_restore_lays_a_file(place: Place) -> None:
    """The restore says what is in its way, and nothing has changed."""
    place.leave_backup()
    folder = place.root / "var" / "lakes.duckdb.restoring"
    (folder / "precious").mkdir(parents=True)
    with pytest.raises(BackupError, match="irectory") as caught:
        place.restore()
    assert f"move {folder} away" in str(caught.value.to_fix)
    assert (folder / "precious").is_dir()


def test_a_link_in_the_place_of_the_journal(place: Place) -> None:
    """It is not read through, nor is the file beside it written through."""
    (place.home / "journal").write_text(json.dumps({"phase": "laying", "swaps": [], "server": None, "kept": None}))
    place.journal.symlink_to(place.home / "journal")
    with pytest.raises(BackupError, match="symbolic link"):
        recover_configured(place.config)
    place.journal.unlink()
    (place.backups / ".restoring.json.new").symlink_to(place.home / "bashrc")
    place.leave_backup()
    place.restore()
    assert (place.home / "bashrc").read_text() == "mine: bashrc"


def test_what_is_read_is_limited(tmp_path: Path) -> None:
    """Size, kind and depth, before anything is made of it."""
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert read_limited(file, 5) == b"12345"
    with pytest.raises(ValueError, match="larger than 4 bytes"):
        read_limited(file, 4)
    with pytest.raises(OSError, match="regular"):
        read_limited(Path("/dev/zero"), 5)
    with pytest.raises(IsADirectoryError, match="is a folder") as caught:
        read_limited(tmp_path, 5)
    assert caught.value.filename == str(tmp_path)
    with pytest.raises(ValueError, match="too deeply"):
        parsed_json("[" * 100_000)
