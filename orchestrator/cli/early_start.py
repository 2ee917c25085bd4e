"""Start the dbt process of a run before anything else is imported: it imports dbt on the other core meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

WITHOUT_DBT = {"--help", "-h", "--dry-run"}


@contextmanager
def dbt_started(args: Sequence[str]) -> Iterator[None]:
    """Start it where the arguments ask for a run; end it where, after all, nobody took it."""
    if args[:1] != ["simulate"] or not WITHOUT_DBT.isdisjoint(args):
        yield
        return
    from orchestrator.dbt_runner.process.process import DbtProcess  # brings subprocess and sockets along

    with suppress(OSError):  # whoever needs it tries again, where the error can be reported
        DbtProcess.start_ahead()
    try:
        yield
    finally:
        DbtProcess.drop_ahead()
