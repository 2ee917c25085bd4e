"""Variables that Dask sets for its workers: neither dbt processes nor the process that starts the workers keep them."""

from __future__ import annotations

import os
from collections.abc import Mapping

SEED_OF_HASHES = "PYTHONHASHSEED"
PARENT_OF_WORKER = "__DASK_PARENT_PID"
OF_WORKERS = "distributed.nanny.pre-spawn-environ"
BEFORE = "orchestrator.environment"


def before_workers() -> dict[str, str | None]:
    """Return what the variables are that Dask sets in this process when it starts a worker; None for unset."""
    import dask
    import distributed  # noqa: F401 - brings its settings

    names = (*dask.config.get(OF_WORKERS), SEED_OF_HASHES, PARENT_OF_WORKER)
    return {name: os.environ.get(name) for name in names}


def put_back(before: Mapping[str, str | None]) -> None:
    """Set variables to what they were before, for whatever this process starts from now on."""
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
