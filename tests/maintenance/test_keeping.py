"""The published copy, where it cannot be made."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import BackupError, ConfigurationError, DiskFullError
from orchestrator.core.events import ignore
from orchestrator.maintenance.backup.keeping import publisher
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
