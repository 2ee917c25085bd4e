"""Years of other scenarios in the database of a run, which the run replaces where it makes them otherwise."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.formats import shown_path
from orchestrator.core.text import shown_years

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.ledger.reading import Ledger
    from orchestrator.pipeline.orchestrator import PipelineOrchestrator


def warn_of_other_scenarios(output: Output, config: SimulationConfig, orchestrator: PipelineOrchestrator) -> None:
    """Say that the database holds years of another scenario; only where the project has scenarios is it looked at."""
    from orchestrator.config.layers import scenario_names

    if output.quiet or config.file is None or not scenario_names(config.file.parent / "scenarios"):
        return
    facts = None if config.database_path is not None else orchestrator.runner.known_facts()
    path = config.database_path if facts is None else facts.database_path
    if path is None or not path.is_file():
        return
    with suppress(OrchestratorError):  # the run itself says what is wrong
        told = told_other_scenarios(_ledger(path, config), config.scenario, shown_path(path))
        if told is not None:
            output.errors.print(Text(told, "yellow"), soft_wrap=not output.errors.is_terminal)


def told_other_scenarios(ledger: Ledger, scenario: str, database: str) -> str | None:
    """Say whose years a database holds that are not of ``scenario``, None where there are none."""
    by_run = {run.run_id: run.scenario for run in ledger.runs}
    whose = {stage.year: by_run.get(stage.run_id, scenario) for stage in ledger.stages}
    years = tuple(sorted(year for year, name in whose.items() if name != scenario))
    if not years:
        return None
    names = list(dict.fromkeys(whose[year] for year in years))
    return (
        f"Warning: {database} holds years of {'another scenario' if len(names) == 1 else 'other scenarios'} "
        f"({', '.join(names)}: {shown_years(years)}). This run of {scenario} replaces those that it makes "
        f"otherwise. To keep them, give each scenario a database of its own in its file, such as "
        f"`database: var/{scenario}.duckdb`, or add --as NAME."
    )


def _ledger(path: Path, config: SimulationConfig) -> Ledger:
    from orchestrator.database.duckdb_file import DuckDBReader
    from orchestrator.database.names import SchemaName
    from orchestrator.ledger.reading import read_ledger

    with DuckDBReader(path, shared=True) as reader:
        return read_ledger(reader, SchemaName("", config.ledger.schema))
