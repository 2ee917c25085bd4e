"""Fingerprint of a simulation: everything that decides its result, part by part and in one hash."""

from __future__ import annotations

import hashlib
import json

from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.input_kinds import (
    CHOICE,
    COMPARED,
    FIRST_YEAR,
    ORDER_OF_STAGES,
    SHARE,
    STAGE,
    TAGS,
    VAR,
    VERSION,
)
from orchestrator.pipeline.stage_choice import StageChoice
from orchestrator.pipeline.workflow import SimulationPlan

Components = dict[str, str]
BRANCHES = "what YAML lets the year decide"


def components(facts: ProjectFacts, plan: SimulationPlan) -> Components:
    """Return what decides the result: a name a person understands, and a checksum or value.

    These are the code of every seed, model and snapshot with the macros it reaches, the variables and all else that any
    of them reads (the year left out), the stages with all that they choose by, the first year, the functions that are
    called during the years, and the versions of dbt, adapter and database.
    """
    names = ", ".join(stage.name for stage in plan.stages)
    found: Components = {FIRST_YEAR: str(plan.first_year), ORDER_OF_STAGES: names, COMPARED: SHARE}
    for stage in plan.stages:
        only = " in the first year only" if stage.first_year_only else ""
        only = " in later years only" if stage.later_years_only else only
        found[f"{STAGE} {stage.name}"] = f"dbt {stage.command} --select {' '.join(stage.select)}{only}"
    choice = StageChoice.of(stage.select for stage in plan.stages)
    found |= {f"{CHOICE} {what}": chosen for what, chosen in choice.selectable(facts).items()}
    for node in facts.nodes:
        if node.resource_type == "test":
            continue
        tags, others = choice.tags(node), choice.others(node)
        if tags:
            found[f"{TAGS} {node.name}"] = ", ".join(tags)
        if others:
            found[f"{CHOICE} {node.name}"] = ", ".join(others)
        found |= dict(node.code) | dict(node.reads)
        found |= {f"{VAR} {name}": value for name, value in node.inputs}
    if facts.decided:  # which years have which branch: what each of them has is told by the nodes
        found[BRANCHES] = " · ".join(sorted(text for text, _ in facts.decided))
    found |= dict(facts.unasked) | dict(plan.functions)
    found |= {f"{VERSION} {package}": number for package, number in facts.versions}
    return found


def fingerprint(parts: Components) -> str:
    """Return a SHA-256 over the components."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
