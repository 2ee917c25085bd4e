"""Wire what a look at a database needs. The factory makes a whole orchestrator of it, which takes longer to import."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import Deadline, MakeDeadline
from orchestrator.core.events import Emit, ignore
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.dbt_runner.project.variables import require_variables_fit
from orchestrator.self_healing.database_look import open_or_name_holder
from orchestrator.self_healing.registry import configured_tables, with_required
from orchestrator.self_healing.table_checker import TableExistenceChecker

if TYPE_CHECKING:
    from orchestrator.database.mutex import DatabaseMutex
    from orchestrator.dbt_runner.process.warm_process import WarmProcess


def dbt_settings(config: SimulationConfig) -> DbtSettings:
    """Return what the dbt process is told for a configuration."""
    years = frozenset() if config.simulation is None else frozenset({config.simulation.year_var})
    return DbtSettings(
        project_dir=config.project_dir,
        profiles_dir=config.profiles_dir,
        cwd=config.root,
        cache_dir=config.root / "var" / "dbt",
        profile=config.dbt.profile,
        target=config.dbt.target,
        threads=config.dbt.threads,
        database=None if config.database_path is None else config.database_path.resolve(),
        vars=dict(config.dbt_vars()),
        year_vars=years,
        later_years=_later_years(config),
        ledger_schema=config.ledger.schema,
        foundation=config.self_healing.foundation,
        by_umask=config.permissions == "umask",
    )


def _later_years(config: SimulationConfig) -> tuple[dict[str, object], ...]:
    if config.simulation is None:
        return ()
    years = range(config.simulation.start_year + 1, config.simulation.end_year + 1)
    return tuple({config.simulation.year_var: year} for year in years)


def dbt_runner(
    config: SimulationConfig,
    emit: Emit = ignore,
    *,
    deadline: MakeDeadline = Deadline.after,
    zygote: Path | None = None,
    warm: WarmProcess | None = None,
) -> DbtRunner:
    """Make the client of the dbt process of a configuration; nothing is started yet."""
    return DbtRunner(dbt_settings(config), emit=emit, deadline=deadline, zygote=zygote, warm=warm)


def table_checker(config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts) -> TableExistenceChecker:
    """Make the checker of the required tables of a configuration.

    Raises:
        ConfigurationError: the list of tables names what the project does not have, or nothing reads a variable.
    """
    require_variables_fit(config, facts)
    whole, required = with_required(facts, configured_tables(config))
    mutex = one_mutex(config, runner, ignore)
    return TableExistenceChecker(required, whole, lambda: open_or_name_holder(runner, facts, mutex))


def one_mutex(
    config: SimulationConfig, runner: DbtRunner, emit: Emit, before_use: Callable[[Path], None] | None = None
) -> Callable[[], DatabaseMutex]:
    """Return a function that gives the database's one mutex object, once its path is known.

    ``before_use`` is handed the database's file each time the mutex is taken, before anything else is done with it.
    """
    made: list[DatabaseMutex] = []

    def mutex() -> DatabaseMutex:
        if not made:
            made.append(_mutex(config, runner, emit, before_use))
        return made[0]

    return mutex


def _mutex(
    config: SimulationConfig, runner: DbtRunner, emit: Emit, before_use: Callable[[Path], None] | None
) -> DatabaseMutex:
    from orchestrator.database.mutex import DatabaseMutex  # brings filelock along, and a healthy look needs none

    run_id = str(uuid4())
    facts = None if config.database_path is not None else runner.current_facts()
    file = config.database_path if facts is None else facts.database_path
    if file is not None:
        of_file = None if before_use is None else partial(before_use, file)
        return DatabaseMutex(file, run_id=run_id, emit=emit, before_use=of_file)
    assert facts is not None
    place = f"{facts.adapter}:{facts.profile}:{facts.target}:{facts.project_dir}"
    name = hashlib.sha256(place.encode()).hexdigest()[:16]
    lock_path = config.root / "var" / "locks" / f"{name}.lock"
    return DatabaseMutex(place, run_id=run_id, emit=emit, lock_path=lock_path)
