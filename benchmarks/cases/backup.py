"""`orchestrator backup create` and `restore` of a DuckDB file of 2 GB against a plain copy with SHA-256.

The plain copy reads, writes, hashes and flushes the same bytes in Python, once; a restore lays the backup beside and
verifies it on the way, and moves what is there into a backup of its own, which it hashes as well. Compression is off,
so that the file has its size. Page caches are warm for both.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.bench import Bench, Contender, program
from benchmarks.march import ORCHESTRATOR
from benchmarks.measure import Command
from benchmarks.results import Table

ROWS_PER_GB = 62_500_000  # of 16 bytes
COPY = "plain copy and SHA-256"
OURS = "orchestrator backup"


def run(bench: Bench) -> tuple[list[Table], list[str]]:
    """Measure both ways."""
    gigabytes = 0.1 if bench.quick else 2.0
    folder = bench.folder("workspace")
    (folder / "var").mkdir()
    database = folder / "var" / "large.duckdb"
    (folder / "orchestrator.yaml").write_text(
        "dbt: {project_dir: .}\ndatabase: var/large.duckdb\nstorage: {enabled: false}\n", encoding="utf-8"
    )
    bench.say(f"    writing {gigabytes:g} GB")
    rows = int(gigabytes * ROWS_PER_GB)
    bench.sql(
        database,
        "set force_compression = 'uncompressed'",
        f"create table large as select hash(i) as a, hash(i + 1) as b from range({rows}) r(i)",
        "checkpoint",
    )
    digests = bench.digests(database)
    copy = bench.scratch / "copy"
    plain = Contender(COPY, [program("copy_and_hash.py", str(database), str(copy))], after=copy.unlink)
    create = _ours(folder, "create")
    made = Table(f"{gigabytes:g} GB, create", bench.compete([_with_room(create, folder), plain]))
    bench.quietly(create)
    name = sorted(path.name for path in (folder / "var" / "backups").iterdir() if path.name[0].isdigit())[-1]
    restore = _ours(folder, "restore", name, "--yes")
    restored = Table(f"{gigabytes:g} GB, restore", bench.compete([_with_room(restore, folder, keep=name), plain]))
    same = bench.digests(database) == digests
    return [made, restored], ["The restored database holds the same rows." if same else "THE ROWS DIFFER"]


def _ours(folder: Path, *words: str) -> Command:
    return Command([*ORCHESTRATOR, "backup", *words, "--config", "orchestrator.yaml"], cwd=folder)


def _with_room(command: Command, folder: Path, keep: str | None = None) -> Contender:
    """Make a contender whose backups are removed after each round, but for one."""

    def clear() -> None:
        for path in (folder / "var" / "backups").iterdir():
            if path.is_dir() and path.name != keep:
                shutil.rmtree(path)

    return Contender(OURS, [command], after=clear)
