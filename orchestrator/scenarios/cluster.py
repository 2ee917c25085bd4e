"""The Dask cluster of a sweep: workers of our own on this machine, or those of any scheduler by its address."""

from __future__ import annotations

import logging
import multiprocessing
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from orchestrator.core.errors import MissingExtraError, SweepError
from orchestrator.scenarios.environment import BEFORE, before_workers, put_back

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

LOOPBACK = "127.0.0.1"
SECONDS_TO_CONNECT = 15.0
SECONDS_TO_CLOSE = 1.5
WORKER_MODULE = "orchestrator.scenarios.worker"
SETTINGS = {
    # A worker that restarts slowly is dropped for good after 15 s, and what it had to do waits for ever.
    "distributed.deploy.lost-worker-timeout": "24h",
    # How often a member is tried again is ours to say.
    "distributed.scheduler.allowed-failures": 0,
    # A worker is given one member at a time: the next one would count as failed, too, when the worker dies.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    # It looks at the stack a hundred times a second, and keeps what it saw.
    "distributed.worker.profile.enabled": False,
    "distributed.nanny.preload": [],
    # What dbt holds is no memory of the worker, and a worker that waits for memory would wait for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}
WITH_DASHBOARD = ("distributed.scheduler.http.routes", "distributed.worker.http.routes")


@dataclass(frozen=True)
class Cluster:
    """Connection to the workers; ``local`` is None where they are not ours."""

    client: Client
    local: LocalCluster | None

    def ask(
        self, function: Callable[..., object], *args: object, timeout: float, workers: list[str] | None = None
    ) -> dict[str, object] | None:
        """Call a function on workers, by default all, whatever they do; None where not all answered in time.

        ``timeout`` is in seconds.
        """
        found: list[dict[str, object]] = []

        def call() -> None:
            with suppress(OSError, TimeoutError, ValueError, RuntimeError):
                found.append(self.client.run(function, *args, workers=workers, on_error="ignore"))

        asking = threading.Thread(target=call, name="ask workers", daemon=True)  # a stopped worker never answers
        asking.start()
        asking.join(timeout)
        return found[0] if found else None

    def keep_up(self, workers: int) -> None:
        """Start workers in the place of those that are gone for good."""
        if self.local is not None and len(self.local.workers) < workers:
            self.local.scale(workers)


def require_extra() -> None:
    """Make sure that Dask distributed is installed.

    Raises:
        MissingExtraError: it is not.
    """
    missing = [name for name in ("distributed", "pyarrow", "cryptography") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"A sweep needs the package {missing[0]}, which is not installed.",
            to_fix="pip install 'dbt-year-orchestrator[sweep]'",
        )


@contextmanager
def local_cluster(workers: int, *, dashboard: bool = False) -> Iterator[Cluster]:
    """Start workers on this machine, a process each; only this user's processes can talk to them.

    At the end they are ended within seconds, whatever they do.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    _silence()
    before = before_workers()
    settings = {name: value for name, value in SETTINGS.items() if not (dashboard and name in WITH_DASHBOARD)}
    settings[BEFORE] = before
    with dask.config.set(settings), tempfile.TemporaryDirectory(prefix="sweep-") as scratch:
        cluster: LocalCluster | None = None
        client: Client | None = None
        others = set(multiprocessing.active_children())
        try:
            security = Security.temporary()
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host=LOOPBACK,
                protocol="tls://",
                security=security,
                # None would open port 8787 for everybody.
                dashboard_address=f"{LOOPBACK}:8787" if dashboard else f"{LOOPBACK}:0",
                silence_logs=logging.CRITICAL,
                memory_limit=0,
                local_directory=scratch,
                preload=[WORKER_MODULE],
            )
            client = Client(cluster, timeout=SECONDS_TO_CONNECT)
            put_back(before)
            yield Cluster(client, cluster)
        finally:
            _end(client, cluster, others)
            put_back(before)


def _silence() -> None:
    """Keep Dask's own log away: what it tells of lost workers and connections, we tell in the words of a sweep."""
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _end(client: Client | None, cluster: LocalCluster | None, others: Collection[BaseProcess]) -> None:
    """End client and workers; a worker that does not end by itself is killed, and its dbt process ends with it.

    ``others`` are child processes that are not ours to end.
    """
    for one in (client, cluster):
        if one is not None:
            with suppress(Exception):
                one.close(timeout=SECONDS_TO_CLOSE)
    for process in multiprocessing.active_children():
        if process not in others and process.name.startswith("Dask Worker"):
            process.kill()
            process.join(SECONDS_TO_CLOSE)


@contextmanager
def foreign_cluster(address: str) -> Iterator[Cluster]:
    """Connect to a scheduler that somebody else started.

    Raises:
        SweepError: it cannot be reached.
    """
    import dask
    from distributed import Client

    _silence()
    with dask.config.set({"distributed.comm.timeouts.connect": SECONDS_TO_CONNECT}):
        try:
            client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
        except (OSError, ValueError, TimeoutError, TypeError) as error:
            raise SweepError(
                f"The scheduler {address} cannot be reached: {error}.",
                to_fix="check the address and that it runs, or leave --scheduler out for workers of your own",
            ) from error
        try:
            yield Cluster(client, None)
        finally:
            with suppress(Exception):
                client.close(timeout=SECONDS_TO_CLOSE)
