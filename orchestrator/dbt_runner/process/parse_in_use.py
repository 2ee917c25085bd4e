"""A parse that this process holds, and the proof that it serves other variables than it was made for."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from functools import cached_property

from orchestrator.dbt_runner.process.served_parse import ServedParse
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.kept_parse import KeptParse, parse_digest
from orchestrator.dbt_runner.project.parse_key import TEMPLATE, digests_of
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.dbt_runner.project.var_templates import is_template
from orchestrator.dbt_runner.project.year_reach import another_value


@dataclass(frozen=True)
class ParseInUse:
    """A parse: its manifests and what a variable reaches in it (``served``), and its facts and inputs (``kept``)."""

    served: ServedParse
    kept: KeptParse

    @property
    def facts(self) -> ProjectFacts:
        """Return the facts of the parse."""
        return self.kept.facts

    @cached_property
    def digest(self) -> str:
        """Return what tells it from any other parse."""
        return parse_digest(self.served.copies.packed)


def blocker(parse: ParseInUse, variables: Vars, years: Set[str], *, tests: bool) -> str | None:
    """Return why a parse does not provably serve these variables, None where it does.

    ``years`` are the variables of the year. What is decided about tests counts only with ``tests``.
    """
    before, now, facts = parse.kept.inputs.variables, digests_of(variables), parse.facts
    changed = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    others = changed - years
    defaults = (is_template(text) for _, text in facts.var_defaults)
    if others and (any(one.startswith(TEMPLATE) for one in (*before.values(), *now.values())) or any(defaults)):
        return "the value of a variable is a template"
    if not changed.isdisjoint(years):
        reason = years_blocker(facts, tests=tests) or _chosen_otherwise(facts, variables, tests=tests)
        if reason is not None:
            return reason
    reaches = (parse.served.reach(name).blocker for name in sorted(others))
    return next((reason for reason in reaches if reason is not None), None)


def years_blocker(facts: ProjectFacts, *, tests: bool) -> str | None:
    """Return why no parse made for one year provably serves another, None where that can be worked out."""
    if facts.reuse_blocker is not None:
        return facts.reuse_blocker
    if tests and facts.tests_blocker is not None:
        return facts.tests_blocker
    return next((f"{one.name}: {one.reuse_blocker}" for one in _counted(facts, tests=tests) if one.reuse_blocker), None)


def _chosen_otherwise(facts: ProjectFacts, variables: Vars, *, tests: bool) -> str | None:
    """Return which expression of the year that decides what dbt keeps has another value now, None where none has."""
    found = another_value((*facts.decided, *(facts.tests_decided if tests else ())), variables)
    if found is not None:
        return f"{found} is another in this year, and YAML reads it"
    for node in _counted(facts, tests=tests):
        found = another_value(node.decided, variables)
        if found is not None:
            return f"{node.name}: {found} is another in this year"
    return None


def _counted(facts: ProjectFacts, *, tests: bool) -> Iterator[NodeFacts]:
    return (node for node in facts.nodes if tests or node.resource_type != "test")
