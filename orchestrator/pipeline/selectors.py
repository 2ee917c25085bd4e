"""Check that the selector of every stage matches something, before a run touches anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, DbtError, DbtProcessError
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.workflow import SimulationPlan, Stage

KINDS: Mapping[str, tuple[str, str]] = {
    "run": ("model", "model"),
    "test": ("test", "test"),
    "seed": ("seed", "seed"),
    "build": ("", "node"),
}
"""By dbt command: the kind of node that it surely takes (empty for every kind), and the word for what it takes."""
_PLAIN = re.compile(r"(?:@|\d*\+)?([^+@,*?\[\]\\]+)(?:\+\d*)?")


def require_matches(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, plan: SimulationPlan, from_year: int
) -> None:
    """Make sure that every stage that a run from ``from_year`` on has will find something to do.

    dbt is asked, which takes a tenth of a second a stage, only where the facts alone do not settle it.

    Raises:
        ConfigurationError: the selector of a stage matches nothing, or dbt refuses it.
    """
    years = [year for year in plan.years if year >= from_year]
    first_years = {stage: year for year in reversed(years) for stage in plan.stages_of(year)}
    troubles = []
    for number, stage in enumerate(plan.stages):
        year = first_years.get(stage)
        if year is None or surely_matches(stage, facts):
            continue
        trouble = _trouble(config, runner, facts, stage, year)
        if trouble is not None:
            troubles.append((f"Stage {stage.name}: {trouble}.", config.origin_of("stages", number, "select")))
    if troubles:
        places = " and ".join(dict.fromkeys(place for _, place in troubles))
        raise ConfigurationError(
            " ".join(said for said, _ in troubles) + " Nothing was run and nothing was removed.",
            to_fix=f"correct the `select` ({places}); `orchestrator plan` lists what each stage matches",
        )


def surely_matches(stage: Stage, facts: ProjectFacts) -> bool:
    """Tell whether the facts prove that a stage finds a node; False where only dbt can tell.

    Proof is a tag, a name or a path, with graph operators or without, that a node of the command's kind has: dbt
    joins the words of a selection, so one that matches is enough.
    """
    words = " ".join(stage.select).split()
    if has_flags(stage.select):
        return False
    kind, _ = KINDS[stage.command]
    nodes = [n for n in facts.nodes if kind in ("", n.resource_type) and n.materialized != "ephemeral"]
    return any(_has(node, found[1]) for word in words if (found := _PLAIN.fullmatch(word)) for node in nodes)


def has_flags(select: tuple[str, ...]) -> bool:
    """Tell whether a selection holds flags of dbt beside its words.

    >>> has_flags(("tag:A", "--full-refresh")), has_flags(("tag:A a-b",))
    (True, False)
    """
    return any(word.startswith("-") for word in " ".join(select).split())


def no_match(command: str, select: tuple[str, ...]) -> str:
    """Say that a selection matches nothing.

    >>> no_match("run", ("tag:A", "b"))
    'tag:A b matches no model'
    """
    return f"{' '.join(select)} matches no {KINDS[command][1]}"


def _has(node: NodeFacts, word: str) -> bool:
    method, colon, value = word.partition(":")
    if not colon:
        return node.fqn[-1] == word and node.resource_type != "test"
    if method == "tag":
        return value in node.tags
    return method == "path" and PurePosixPath(node.file).is_relative_to(value)


def _trouble(config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, stage: Stage, year: int) -> str | None:
    """Say that dbt finds no node for a stage in a year, or refuses its selector; None when it finds one."""
    try:
        found = [
            facts.node(unique_id) for unique_id in runner.select(stage.command, stage.select, config.dbt_vars(year))
        ]
    except DbtProcessError:
        raise
    except DbtError as error:
        if has_flags(stage.select):
            return None  # `dbt ls` may not know a flag that the command knows
        return f"{' '.join(stage.select)} is refused by dbt: {' '.join(error.message.split())}"
    built = any(node is None or node.materialized != "ephemeral" for node in found)
    return None if built else no_match(stage.command, stage.select)
