"""First and last year of a simulation, as the variables of its dbt project tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.study import ProjectStudy
from orchestrator.maintenance.adoption.year_variable import DATE, TEXT, YearCandidate, value_of, year_in

ASSUMED_YEARS = 5
_ENDS = ("end", "last", "final", "horizon", "until", "stop", "to")
_GIVEN_BY_US = ("start_year", "random_seed")


@dataclass(frozen=True)
class YearRange:
    """Years to simulate: ``why_first`` and ``why_last`` say where each is from, None where it is assumed.

    ``opening`` are the variables that hold the first year, as the project's own templates compare them with the year.
    """

    first: int
    last: int
    why_first: str | None
    why_last: str | None
    opening: tuple[str, ...]


def year_range(
    chosen: YearCandidate,
    facts: ProjectFacts,
    study: ProjectStudy,
    given: Mapping[str, object],
    *,
    wanted: tuple[int | None, int | None],
    this_year: int,
    wanted_by: str = "--years",
) -> YearRange:
    """Return the years that a project tells; those that are ``wanted`` win, and what nothing tells is assumed.

    ``wanted_by`` says where these come from.
    """
    checks = [one for text in study.texts for one in text.uses.checks if one.variable == chosen.variable]
    compared = dict.fromkeys(one.other for one in checks if one.other is not None and one.other != chosen.variable)
    known = {name: year_in(value_of(name, facts, study, given))[1] for name in compared}
    declared = {name: year_in(value_of(name, facts, study, given))[1] for name, _ in facts.var_defaults}
    opening = tuple(name for name in compared if not _is_end(name) and (known[name] is not None or "year" in name))
    first, why_first = chosen.value, f"the value of {chosen.variable}"
    for name in opening:
        if known[name] is not None:
            first, why_first = known[name], f"the value of {name}, with which the year is compared"
            break
    start, why_start = (wanted[0], wanted_by) if wanted[0] is not None else (first, why_first)
    if start is None:
        start, why_start = this_year, ""
    ends = {name: year for name, year in {**declared, **known}.items() if year is not None and _is_end(name)}
    end, why_end = next(((year, f"the value of {name}") for name, year in ends.items() if year >= start), (None, ""))
    if wanted[1] is not None:
        end, why_end = wanted[1], wanted_by
    elif end is None:
        end = start + ASSUMED_YEARS - 1
    return YearRange(start, end, why_start or None, why_end or None, opening)


def variables_to_set(
    years: YearRange, chosen: YearCandidate, facts: ProjectFacts, study: ProjectStudy, given: Mapping[str, object]
) -> dict[str, object]:
    """Return the variables that the configuration must give values to, so that dbt is told what it is told without us.

    They are those that the user gives; those that hold the first year, where they would hold another, or a text, which
    is never equal to the number that dbt is given as the year; and those that the orchestrator gives values of its own.
    """
    found = {name: value for name, value in given.items() if name != chosen.variable and name not in _GIVEN_BY_US}
    read = {name for node in facts.nodes for name in node.vars} | set(facts.vars_elsewhere)
    for name in years.opening:
        form, year = year_in(value_of(name, facts, study, given))
        if name != "start_year" and form != DATE and (year != years.first or form == TEXT):
            found[name] = years.first
    own = value_of("start_year", facts, study, given)
    if "start_year" in read and "start_year" not in years.opening and own is not None and own != years.first:
        found["start_year"] = own
    seed = value_of("random_seed", facts, study, given)
    if "random_seed" in read and seed is not None and seed_of(facts, study, given) is None:
        found["random_seed"] = seed
    return found


def seed_of(facts: ProjectFacts, study: ProjectStudy, given: Mapping[str, object]) -> int | None:
    """Return the project's own ``random_seed``, None where it has none that can be one of ours."""
    seed = value_of("random_seed", facts, study, given)
    return seed if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**63 else None


def _is_end(name: str) -> bool:
    return any(part in _ENDS for part in name.lower().split("_"))
