"""Sweeps for programs: :func:`sweep` does what ``orchestrator sweep run`` does."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.config.finding import find_configuration
from orchestrator.core.errors import ConfigurationError, SweepError
from orchestrator.core.text import did_you_mean, plural
from orchestrator.database.sql import literal, quoted_name
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.happenings import Happening, tell_nobody
from orchestrator.scenarios.plan import Databases, Member
from orchestrator.scenarios.project import Overrides, SweptProject
from orchestrator.scenarios.request import Asked, Values
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.sweeping import prepare, run

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.dbt_runner.project.facts import ProjectFacts


@dataclass(frozen=True)
class SweepResult:
    """What became of a sweep: its members in order, and the state of each by key.

    ``stopped`` tells that somebody stopped it (`orchestrator sweep cancel`).
    """

    name: str
    folder: Path
    members: tuple[Member, ...]
    states: Mapping[str, MemberState]
    seconds: float
    stopped: bool = False

    @property
    def ok(self) -> bool:
        """Tell whether all members are done."""
        return all(state.status == "done" for state in self.states.values())

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of which rows were gathered."""
        from orchestrator.scenarios.results_database import kept_tables

        return kept_tables(SweepFolder(self.folder))

    def relation(self, table: str) -> duckdb.DuckDBPyRelation:
        """Return the rows of a table of all members that are done, as a DuckDB relation with a connection of its own.

        Columns: scenario, seed, member, the varied keys, status, and those of the table. ``members`` is the table of
        members.

        Raises:
            LookupError: nothing was gathered of a table of that name.
        """
        import duckdb  # slow to import

        known = (*self.tables, "members")
        if table not in known:
            raise LookupError(f"The sweep {self.name} gathered no table {table!r}.{did_you_mean(table, known)}")
        connection = duckdb.connect()
        connection.execute(f"attach {literal(SweepFolder(self.folder).results_database)} as results (read_only)")
        return connection.sql(f"select * from results.{quoted_name(table)}")

    def arrow(self, table: str) -> pa.Table:
        """Return the same rows as an Arrow table.

        Raises:
            LookupError: nothing was gathered of a table of that name.
        """
        return self.relation(table).to_arrow_table()


def sweep(
    config: Path | str | None = None,
    *,
    years: tuple[int, int] | int | None = None,
    vary: Mapping[str, Values] | None = None,
    scenarios: Sequence[str] | str | None = None,
    seeds: Sequence[int] | str | None = None,
    name: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    keep: Sequence[str] | str | None = None,
    databases: Databases | None = None,
    retries: int | None = None,
    max_members: int | None = None,
    overrides: Overrides | None = None,
    drop: bool = False,
    tell: Callable[[Happening], None] = tell_nobody,
) -> SweepResult:
    """Simulate every combination of scenarios, values and seeds; go on where the same sweep stopped.

    ``config`` is the path of a configuration, None for the one that is found; what is None of the rest is taken from
    its section ``sweep``. ``years`` are first and last, or one. ``vary`` are values by key, a list or text, as
    ``--vary`` takes it. ``drop`` allows to remove members of an earlier call that this one leaves out. ``tell`` is told
    what happens. Blocks until done; a member that fails stops nothing and raises nothing: see ``states``.

    A script that calls this needs ``if __name__ == "__main__":`` around it, for workers are new processes that import
    it.

    Raises:
        ConfigurationError: what is asked for is wrong.
        MissingExtraError: Dask is not installed.
        SweepBusyError: another process runs the sweep.
        SweepError: the scheduler cannot be reached, or was lost.
    """
    if getattr(multiprocessing.process.current_process(), "_inheriting", False):
        raise SweepError(
            "A worker of a sweep, which imports the script that started it, came to the call of sweep() in it.",
            to_fix='put the call below `if __name__ == "__main__":`',
        )
    file = find_configuration(config, os.environ)
    project = SweptProject(file, overrides or ())
    settings = project.base().sweep
    first, last = (years, years) if isinstance(years, int) else years or (None, None)
    asked = Asked(name, first, last, vary, scenarios, seeds, keep, databases, max_members, workers, scheduler, retries)
    prepared = prepare(project, asked.request(settings), _facts)
    if prepared.dropped and not drop:
        raise ConfigurationError(
            f"The sweep {prepared.plan.name} has {plural(len(prepared.dropped), 'member')} that this call leaves out.",
            to_fix="allow to remove them with drop=True, or give another name",
        )
    outcome = run(prepared, asked.work(settings), tell)
    plan = outcome.plan
    return SweepResult(plan.name, outcome.folder.path, plan.members, outcome.states, outcome.seconds, outcome.stopped)


def _facts(config: SimulationConfig) -> ProjectFacts:
    """Return the facts of a project; dbt is started only where it has changed since its last parse."""
    from orchestrator.wiring import dbt_runner

    with dbt_runner(config) as runner:
        return runner.known_facts() or runner.facts()
