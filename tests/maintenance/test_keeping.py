"""Copies that are made without being asked for: automatic backups, and the published one."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.paths import backups_dir
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import BackupError, ConfigurationError, DiskFullError
from orchestrator.core.events import ignore
from orchestrator.maintenance.backup.backup import list_backups
from orchestrator.maintenance.backup.keeping import keeper, publisher
from orchestrator.maintenance.backup.metadata import read_metadata, write_metadata
from tests.maintenance.conftest import Shop
from tests.support.kills import REPOSITORY
from tests.support.programs import run_python

LIMITED = """
import resource, sys
sys.path.insert(0, {repository!r})
from pathlib import Path
from orchestrator.config.simulation import SimulationConfig
from orchestrator.maintenance.backup.keeping import publisher
mapping = {{"dbt": {{"project_dir": "."}}, "publish": "out/it.duckdb"}}
config = SimulationConfig.from_mapping(mapping, root=Path({root!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    publisher(config, lambda: Path({path!r}), lambda event: None)()
except Exception as error:
    print(type(error).__name__, str(error))
"""


def config_of(shop: Shop) -> SimulationConfig:
    """Return a configuration that publishes."""
    return SimulationConfig.from_mapping({"dbt": {"project_dir": "."}, "publish": "out/it.duckdb"}, root=shop.root)


def test_a_database_that_is_written_to_meanwhile(shop: Shop) -> None:
    """Nothing is published, and nothing half made stays; the older copy does."""
    publish = publisher(config_of(shop), lambda: shop.lakes, ignore)
    publish()
    out = shop.root / "out"
    older = (out / "it.duckdb").read_bytes()
    with closing(duckdb.connect(str(shop.lakes))) as writer:
        writer.execute("set checkpoint_threshold = '1GB'")
        writer.execute("insert into lake_level values (1, 1)")
        with pytest.raises(BackupError, match="was written to while it was copied"):
            publish()
    assert [path.name for path in out.iterdir()] == ["it.duckdb"]
    assert (out / "it.duckdb").read_bytes() == older


def test_a_disk_that_is_full(shop: Shop) -> None:
    """Is told as that, and nothing half made stays."""
    code = LIMITED.format(repository=str(REPOSITORY), root=str(shop.root), path=str(shop.lakes))
    done = run_python(["-c", code], check=True)
    assert done.stdout.startswith(DiskFullError.__name__), done.stdout
    assert "could not be published" in done.stdout
    assert list((shop.root / "out").iterdir()) == []


def test_what_a_killed_run_left_is_taken_away(shop: Shop) -> None:
    """Also where it could not be opened for writing."""
    out = shop.root / "out"
    out.mkdir()
    left = out / ".it.duckdb.new"
    left.write_text("half")
    left.chmod(0o444)
    publisher(config_of(shop), lambda: shop.lakes, ignore)()
    assert [path.name for path in out.iterdir()] == ["it.duckdb"]
    assert Path(out / "it.duckdb").stat().st_mode & 0o777 == 0o444


def test_a_published_copy_replaces_nothing_but_an_older_one(shop: Shop) -> None:
    """Neither databases of the workspace nor files that are none; it is refused before anything is run."""
    scenarios = shop.root / "config" / "scenarios"
    scenarios.mkdir(parents=True, exist_ok=True)
    (scenarios / "wet.yaml").write_text("database: var/wet.duckdb\n")
    (shop.root / "seeds.csv").write_text("id\n1\n")
    base = {"dbt": {"project_dir": "."}, "database": "var/own.duckdb"}
    for place, whose in (
        ("var/own.duckdb", "belongs to the database var/own.duckdb"),
        ("var/own.duckdb.wal", "belongs to the database var/own.duckdb"),
        ("var/wet.duckdb", "belongs to the database var/wet.duckdb"),
        ("var/orchestrator.db-wal", "belongs to the run history"),
        ("seeds.csv", "is no DuckDB database"),
        ("config", "is a folder"),
    ):
        config = SimulationConfig.from_mapping({**base, "publish": place}, root=shop.root)
        with pytest.raises(ConfigurationError) as caught:
            publisher(config, lambda: shop.lakes, ignore)
        assert whose in str(caught.value) and caught.value.to_fix is not None
    of_profile = SimulationConfig.from_mapping(
        {"dbt": {"project_dir": "."}, "publish": str(shop.lakes)}, root=shop.root
    )
    before = shop.lakes.read_bytes()
    with pytest.raises(ConfigurationError):
        publisher(of_profile, lambda: shop.lakes, ignore)()
    assert shop.lakes.read_bytes() == before


def keep_one(shop: Shop) -> None:
    """Make an automatic backup, and keep no other one."""
    config = SimulationConfig.from_mapping({"dbt": {"project_dir": "."}, "backup": {"keep": 1}}, root=shop.root)
    keeper(config, lambda: shop.lakes, reason="before healing", emit=ignore)()


def test_what_was_just_made_is_kept(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Also beside one that is dated later, which is named: the clock was set back, or another machine's is fast."""
    later = shop.backup().folder
    later = later.rename(later.with_name("20990101T000000Z"))
    metadata = read_metadata(later)
    write_metadata(later, metadata.model_copy(update={"created_at": datetime(2099, 1, 1, tzinfo=timezone.utc)}))
    for _ in range(2):
        keep_one(shop)
        assert [backup.metadata.reason for backup in list_backups(shop.root) if backup.metadata] == [
            "test",
            "before healing",
        ]
    assert "20990101T000000Z is dated later" in caplog.text


def test_an_automatic_backup_whose_forerunners_cannot_be_removed(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Counts as made: that is said, and whoever made it goes on."""
    shop.backup()
    (backups_dir(shop.root) / ".lock").unlink()
    (backups_dir(shop.root) / ".lock").mkdir()
    keep_one(shop)
    assert "was made, and older ones stay." in caplog.text
    assert len(list_backups(shop.root)) == 2
