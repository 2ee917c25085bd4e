"""Proof that something reads the year: if nothing does, every year would silently be built alike."""

from __future__ import annotations

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import nearest
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.facts import ProjectFacts

SHOWN = 5


def year_is_read(facts: ProjectFacts) -> bool:
    """Tell whether some node of the project or its YAML can read the year, or a hook of dbt prints it."""
    hooks = any(hook.prints_year for hook in facts.run_hooks)
    return hooks or facts.yaml_reads_year or any(node.uses_year for node in facts.nodes)


def nobody_reads(config: SimulationConfig) -> str:
    """Say that nothing reads the year."""
    assert config.simulation is not None
    return f"nothing in the dbt project reads {config.simulation.year_var}, the variable that holds the year"


def require_year_read(config: SimulationConfig, facts: ProjectFacts) -> None:
    """Make sure that the year is read.

    Raises:
        ConfigurationError: it is not; the text names the variables that are read in its place.
    """
    if config.simulation is None or year_is_read(facts):
        return
    year_var = config.simulation.year_var
    read = sorted({name for node in facts.nodes for name in node.vars} - {ANY_VAR})
    near = nearest(year_var, read, cutoff=0.5) or next((name for name in read if "year" in name), None)
    told = f" Variables that are read: {', '.join(read[:SHOWN])}{', …' if len(read) > SHOWN else ''}." if read else ""
    said = nobody_reads(config)
    raise ConfigurationError(
        f"{said[0].upper()}{said[1:]}, so every year would be the same.{told} Nothing was run and nothing was removed.",
        to_fix=f"set simulation.year_var ({config.origin_of('simulation', 'year_var')}) to "
        f"{near or 'the variable that the models read'}, or read the year with var('{year_var}')",
    )
