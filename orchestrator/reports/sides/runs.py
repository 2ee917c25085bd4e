"""Sides that are runs of the history: what each left when it ended."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError, DatabaseError
from orchestrator.database.duckdb_select import read_only
from orchestrator.database.names import SchemaName
from orchestrator.ledger.reading import read_ledger
from orchestrator.reports.results import stored_summary
from orchestrator.reports.run_history import SHORT, with_status
from orchestrator.reports.runs import scenario_label
from orchestrator.reports.sides.settings import decisive_settings, recorded_settings
from orchestrator.reports.sides.side import Repetition, Side, years_of
from orchestrator.storage.base import COMPLETED, StorageBackend

if TYPE_CHECKING:
    from orchestrator.storage.models import WorkflowRun


def run_side(history: StorageBackend, run: WorkflowRun, ledger_schema: str) -> Side:
    """Return a run with the closing table that it left in the history; ``ledger_schema`` is where ledgers lie.

    Raises:
        ConfigurationError: it left none.
    """
    record = history.record(run)
    summary = stored_summary(record)
    ((_, status),) = with_status(history, [run])
    if summary is None:
        ended = "" if status == COMPLETED else f", and is {status}"
        raise ConfigurationError(
            f"Run {run.id[:SHORT]} has left no results in the history{ended}.",
            to_fix=f"compare the database of its scenario: {run.scenario}" if run.scenario else "choose another run",
        )
    years, odd = years_of(summary)
    name = f"{run.id[:SHORT]} {scenario_label(run) or ''}".strip()
    notes = [f"{name}: {text}" for text in odd]
    if status != COMPLETED:
        notes.append(f"Run {run.id[:SHORT]} is {status}.")
    made_of = _made_of(run, ledger_schema)
    if not made_of:
        notes.append(f"Variables that run {run.id[:SHORT]} left to the dbt project are not known any more.")
    one = Repetition(name, _seed(run), years, run.id, None if run.database is None else Path(run.database))
    return Side(
        name=name,
        kind="run",
        columns=summary.columns[1:],
        repetitions=(one,),
        parameters={**recorded_settings(made_of), **decisive_settings(run.config_snapshot)},
        notes=tuple(notes),
        inputs=made_of,
    )


def _made_of(run: WorkflowRun, ledger_schema: str) -> dict[str, str]:
    """Return what a run was made of, from the ledger in its database as far as that is there and free."""
    path = None if run.database is None else Path(run.database)
    if path is None or run.fingerprint is None or not path.is_file():
        return {}
    with suppress(DatabaseError, ConfigurationError), read_only(path) as database:
        return read_ledger(database, SchemaName("", ledger_schema)).components_of(run.fingerprint)
    return {}


def _seed(run: WorkflowRun) -> int | None:
    simulation = run.config_snapshot.get("simulation")
    seed = simulation.get("random_seed") if isinstance(simulation, dict) else None
    return seed if isinstance(seed, int) else None
