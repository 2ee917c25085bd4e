"""Work of DuckDB that ends at Ctrl-C: Python hears of it only while DuckDB works in another thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

SECONDS_BETWEEN_INTERRUPTIONS = 0.05


def interruptibly(worker: ThreadPoolExecutor, connection: duckdb.DuckDBPyConnection, work: Callable[[], T]) -> T:
    """Do work on a connection in a worker's thread, and interrupt it at Ctrl-C.

    Raises:
        KeyboardInterrupt: Ctrl-C came meanwhile; the work has ended.
    """
    future: Future[T] = worker.submit(work)
    try:
        return future.result()
    except KeyboardInterrupt:
        while not future.done():  # what has not yet begun is not interrupted
            connection.interrupt()
            wait([future], SECONDS_BETWEEN_INTERRUPTIONS)
        raise
