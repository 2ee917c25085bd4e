"""What was measured on: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.results import Taken

REPOSITORY = Path(__file__).resolve().parents[1]
PEERS_PYTHON = REPOSITORY / ".venv-peers" / "bin" / "python"
PACKAGES = ("dbt-core", "dbt-adapters", "dbt-duckdb", "duckdb")


def taken(*, quick: bool) -> Taken:
    """Describe the present moment and place."""
    return Taken(
        at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        commit=_commit(),
        machine=_machine(),
        versions=_versions(),
        quick=quick,
    )


def _commit() -> str:
    try:
        head = _git("rev-parse", "--short=12", "HEAD").strip()
        # The results themselves change while a series of cases is measured.
        changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/results.json", ":!benchmarks/RESULTS.md")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head} with changes" if changed.strip() else head


def _git(*args: str) -> str:
    done = subprocess.run(["git", "-C", str(REPOSITORY), *args], capture_output=True, text=True, check=True)
    return done.stdout


def _machine() -> str:
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = pages * size / 1024**3
    return f"{_processor()}, {cores} cores, {memory:.0f} GB, {platform.system()} {platform.release()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
