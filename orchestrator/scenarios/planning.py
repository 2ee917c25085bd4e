"""Make the plan of a sweep of what somebody asks for, and check every member before anything starts."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.config.parameters import ParameterSettings
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.masking import MASK
from orchestrator.core.text import plural
from orchestrator.core.untrusted import is_file_name
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.variables import require_variables_fit
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.inputs import MemberInputs, ProjectInputs
from orchestrator.scenarios.plan import Databases, Member, SweepPlan, Variation
from orchestrator.scenarios.project import SweptProject, of_member
from orchestrator.scenarios.tables import require_tables
from orchestrator.wiring import dbt_settings

LONGEST_NAME = 60
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=-]{0,99}")
NOT_VARIED = {
    "scenario": "scenarios are named by --scenarios",
    "description": "it changes no row",
    "database": "every member has a database of its own",
    "dbt": "all members are made by one dbt project",
    "parameters": "they say which values are allowed",
    "self_healing": "it changes no row",
    "required_tables": "all members are made by one dbt project",
    "stages": "all members have the same stages",
    "execution": "it changes no row",
    "hooks": "all members call the same hooks",
    "listeners": "it changes no row",
    "storage": "all members are in one history",
    "ledger": "it changes no row",
    "backup": "it changes no row",
    "permissions": "it changes no row",
    "publish": "members are not published",
    "sweep": "it is the sweep itself",
}


@dataclass(frozen=True)
class SweepRequest:
    """What somebody asks for: years (None: those of the configuration), what is varied, and what is kept.

    Without ``scenarios`` that of the configuration is taken, without ``seeds`` that of each scenario. ``name`` None
    makes a name of the rest, the same for the same request.
    """

    name: str | None = None
    first_year: int | None = None
    last_year: int | None = None
    variations: tuple[Variation, ...] = ()
    scenarios: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    keep: tuple[str, ...] = ()
    databases: Databases = "all"
    most_members: int = 1000


def make_plan(config: SimulationConfig, request: SweepRequest) -> SweepPlan:
    """Make the plan of a sweep; ``config`` is the configuration without a member's values.

    Raises:
        ConfigurationError: a key may not be varied, there are too many members, or the name cannot be that of a folder.
    """
    years = config.years(request.first_year, request.last_year)
    _require_variable_keys(config, request)
    _require_few(request)
    scenarios = request.scenarios or (config.scenario,)
    members = tuple(_members(request, scenarios))
    name = request.name or _name_of(request, scenarios, years)
    if not _NAME.fullmatch(name) or not is_file_name(name) or name.endswith("."):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a sweep, which is that of its folder.",
            to_fix="use letters, digits, underscores, dots, = and hyphens, at most 100",
        )
    return SweepPlan(
        name,
        utc_now().isoformat(),
        years[0],
        years[-1],
        request.variations,
        scenarios,
        request.seeds,
        members,
        request.keep,
        request.databases,
    )


def checked_members(
    project: SweptProject, plan: SweepPlan, folder: SweepFolder, facts: ProjectFacts
) -> tuple[dict[str, MemberInputs], tuple[str, ...]]:
    """Make sure that every member's values are right, before anything starts.

    Return their inputs by key, and the dbt variables that differ between them.

    Raises:
        ConfigurationError: a value is of a wrong type or out of range, nothing reads a variable, there is no such
            scenario, or the database is no file; the member is named.
    """
    if facts.database_path is None:
        raise ConfigurationError(
            f"A sweep gives each member a DuckDB file of its own, and this project uses {facts.adapter}.",
            to_fix="sweep with a target of the type duckdb (--set dbt.target=NAME)",
        )
    require_tables(facts, plan.keep)
    years = (plan.first_year, plan.last_year)
    scenarios = {name: project.scenario(name) for name in plan.scenarios}
    for scenario in scenarios.values():
        scenario.years(*years)
    inputs = ProjectInputs(next(iter(scenarios.values())), facts)
    hooks = inputs.hooks(next(iter(scenarios.values())))
    found = {}
    values: dict[str, set[str]] = {}
    for member in plan.members:
        config = of_member(scenarios[member.scenario], member, folder.member(member.key).database)
        try:
            require_variables_fit(config, facts)
        except ConfigurationError as error:
            raise ConfigurationError(f"Member {member.key}: {error.message}", to_fix=error.to_fix) from error
        digest = inputs.of(config, member, years, plan.keep)
        found[member.key] = MemberInputs(digest, hooks, dbt_settings(config))
        for name, value in config.dbt_vars().items():
            values.setdefault(name, set()).add(canonical(value, ordered=True))
    given = {name: sum(name in scenario.vars for scenario in scenarios.values()) for name in values}
    partly = {name for name, count in given.items() if 0 < count < len(scenarios)}
    varied = sorted({name for name, found_values in values.items() if len(found_values) > 1} | partly)
    return found, tuple(varied)


def _members(request: SweepRequest, scenarios: tuple[str, ...]) -> Iterator[Member]:
    keys = [one.key for one in request.variations]
    seeds: tuple[int | None, ...] = request.seeds or (None,)
    for scenario in scenarios:
        for values in itertools.product(*(one.values for one in request.variations)):
            for seed in seeds:
                yield Member.of(scenario, seed, dict(zip(keys, values, strict=True)))


def _require_few(request: SweepRequest) -> None:
    counts = [len(one.values) for one in request.variations]
    count = math.prod([*counts, max(1, len(request.scenarios)), max(1, len(request.seeds))])
    if count > request.most_members:
        factors = [f"{one:,}" for one in [len(request.scenarios), *counts, len(request.seeds)] if one > 1]
        product = f" ({' × '.join(factors)})" if len(factors) > 1 else ""
        raise ConfigurationError(
            f"This sweep has {plural(count, 'member')}{product}, and {request.most_members:,} are the most allowed.",
            to_fix=f"name fewer values, or allow it with --max-members {count}",
        )


def _require_variable_keys(config: SimulationConfig, request: SweepRequest) -> None:
    seen: set[str] = set()
    for one in request.variations:
        section, _, rest = one.key.partition(".")
        reason = _why_not(config, section, rest)
        if reason is None and one.key in seen:
            reason = "it is varied twice; name all of its values in one place"
        if reason is None and one.key == "simulation.random_seed" and request.seeds:
            reason = "seeds are named by --seeds"
        if reason is not None:
            raise ConfigurationError(
                f"--vary {one.key} is not possible: {reason}.",
                to_fix="vary variables (vars.NAME), or keys of simulation",
            )
        seen.add(one.key)


def _why_not(config: SimulationConfig, section: str, rest: str) -> str | None:
    if section in NOT_VARIED:
        return NOT_VARIED[section]
    if section == "simulation" and rest in ("", "start_year", "end_year", "year_var", "year_column"):
        return "the years of a sweep are the same for all members"
    if section == "vars" and not rest:
        return "name one of the variables"
    if section == "vars" and config.simulation is not None and rest == config.simulation.year_var:
        return "each run sets the year itself"
    declared = config.parameters.get(rest.split(".")[0]) if section == "vars" else None
    return "it is a secret, and values of members stand in names of files" if _secret(declared) else None


def _secret(declared: ParameterSettings | None) -> bool:
    return declared is not None and declared.secret


def _name_of(request: SweepRequest, scenarios: tuple[str, ...], years: tuple[int, ...]) -> str:
    """Make a name of what is varied: the same for the same request, and another for another."""
    words = [one.key.rpartition(".")[2] for one in request.variations]
    words += ["scenarios"] if len(scenarios) > 1 else []
    words += ["seeds"] if request.seeds else []
    exact = json.dumps([[(one.key, one.values) for one in request.variations], scenarios, request.seeds, years])
    readable = re.sub(r"[^A-Za-z0-9_]+", "_", "-".join(words) or "sweep").strip("_")[:LONGEST_NAME]
    assert MASK not in readable
    return f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:6]}"
