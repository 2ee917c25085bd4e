"""Stages of a year, found in the graph of a dbt project: by tags or folders that order it, else by its layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.selection import ExactSelectors
from orchestrator.maintenance.adoption.year_variable import keeps_rows

TAGS, FOLDERS, LAYERS, ONE = "tags", "folders", "layers", "one"
_ENTIRE = "*"
_UNSAFE = re.compile(r"[^\w./-]")
_MOST_TAGS = 12


@dataclass(frozen=True)
class StageProposal:
    """One stage: what it selects, by which dbt command, and the names of its nodes.

    ``later_years_only`` tells that all of these are switched off in the first year.
    """

    name: str
    select: tuple[str, ...]
    command: str
    nodes: tuple[str, ...]
    later_years_only: bool = False


@dataclass(frozen=True)
class StageChoice:
    """The stages of a year, and what tells them apart: ``tags``, ``folders``, ``layers``, or ``one`` for a single."""

    by: str
    stages: tuple[StageProposal, ...]


def yearly_nodes(facts: ProjectFacts) -> tuple[NodeFacts, ...]:
    """Return what is built anew in each year, parents first: what reads the year, and all that is built from it."""
    own = {node.unique_id for node in facts.nodes if node.uses_year and node.resource_type != "test"}
    yearly = own | facts.descendants(own)
    return tuple(
        node for node in facts.nodes if node.unique_id in yearly and node.builds and node.resource_type != "seed"
    )


def stage_choices(facts: ProjectFacts, *, from_packages: bool) -> tuple[StageChoice, ...]:
    """Return the ways to cut a year into stages, the best first; each builds every yearly node once, parents first.

    ``from_packages`` tells that packages bring yearly nodes, whose files tell no folder of the project.
    """
    yearly = yearly_nodes(facts)
    if not yearly:
        return ()
    others = [n for n in facts.nodes if n.builds and n not in yearly and n.resource_type != "seed"]
    groups: list[tuple[str, dict[str, list[NodeFacts]] | None, Callable[[str], str]]] = [
        (TAGS, _by_tags(facts, yearly, others), lambda name: f"tag:{name}"),
        (FOLDERS, None if from_packages else _by_folders(facts, yearly, others), lambda name: f"path:{name}"),
    ]
    found = [
        StageChoice(by, tuple(_stage(name, (select(name),), nodes) for name, nodes in parts.items()))
        for by, parts, select in groups
        if parts
    ]
    selectors = ExactSelectors(node.fqn for node in facts.nodes)
    layers = {name: nodes for name, nodes in _layers(facts, yearly).items() if nodes}
    whole = {"years": list(yearly)}
    for by, parts in ((LAYERS, layers), (ONE, whole)) if len(layers) > 1 else ((ONE, whole),):
        named = [(name, tuple(_word(node, facts, selectors) for node in nodes), nodes) for name, nodes in parts.items()]
        found.append(StageChoice(by, tuple(_stage(*one) for one in named)))
    several = [one for one in found if len(one.stages) > 1]
    rest = [one for one in found if one not in several]
    return tuple(_with_tests(facts, one) for one in (*several, *rest))


def _with_tests(facts: ProjectFacts, choice: StageChoice) -> StageChoice:
    """Give stages names of their own, and add one for the project's tests: all, as dbt's command line tests them."""
    choice = StageChoice(choice.by, _named_apart(choice.stages))
    tests = tuple(node.name for node in facts.nodes if node.resource_type == "test")
    if not tests:
        return choice
    name = "tests" if all(stage.name != "tests" for stage in choice.stages) else "all_tests"
    return StageChoice(choice.by, (*choice.stages, StageProposal(name, (_ENTIRE,), "test", tests)))


def _named_apart(stages: Sequence[StageProposal]) -> tuple[StageProposal, ...]:
    found: list[StageProposal] = []
    for stage in stages:
        alike = sum(re.fullmatch(rf"{stage.name}(_\d+)?", one.name) is not None for one in found)
        found.append(replace(stage, name=f"{stage.name}_{alike + 1}") if alike else stage)
    return tuple(found)


def _by_tags(
    facts: ProjectFacts, yearly: Sequence[NodeFacts], others: Sequence[NodeFacts]
) -> dict[str, list[NodeFacts]] | None:
    """Return the yearly nodes by tag, where tags tell them apart and order the graph."""
    elsewhere = {tag for node in others for tag in node.tags}
    tags = [
        tag
        for tag in dict.fromkeys(tag for node in yearly for tag in node.tags)
        if tag not in elsewhere and not _UNSAFE.search(tag)
    ]
    members = {tag: frozenset(node.unique_id for node in yearly if tag in node.tags) for tag in tags[:_MOST_TAGS]}
    everything = frozenset(node.unique_id for node in yearly)
    covers = sorted(_covers(everything, members), key=len, reverse=True)
    for cover in covers:
        parts = {tag: [node for node in yearly if node.unique_id in members[tag]] for tag in cover}
        ordered = _ordered(facts, parts)
        if ordered is not None:
            return ordered
    return None


def _covers(left: frozenset[str], members: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Return the sets of tags of which each node has exactly one."""
    if not left:
        return [()]
    first = min(left)
    found = []
    for tag, nodes in members.items():
        if first in nodes and nodes <= left:
            found += [(tag, *rest) for rest in _covers(left - nodes, members)]
    return found


def _by_folders(
    facts: ProjectFacts, yearly: Sequence[NodeFacts], others: Sequence[NodeFacts]
) -> dict[str, list[NodeFacts]] | None:
    """Return the yearly nodes by folder, the deepest that order the graph; none that holds other nodes as well."""
    foreign = [PurePosixPath(node.file) for node in others]
    deepest = max(len(PurePosixPath(node.file).parts) for node in yearly)
    for depth in range(deepest - 1, 1, -1):
        parts: dict[str, list[NodeFacts]] = {}
        for node in yearly:
            folders = PurePosixPath(node.file).parts[:-1][:depth]
            parts.setdefault("/".join(folders), []).append(node)
        inside_another = any(a != b and PurePosixPath(a).is_relative_to(b) for a in parts for b in parts)
        mixed = any(file.is_relative_to(folder) for file in foreign for folder in parts)
        if inside_another or mixed or any(_UNSAFE.search(folder) for folder in parts):
            continue
        ordered = _ordered(facts, parts)
        if ordered is not None:
            return ordered
    return None


def _ordered(facts: ProjectFacts, parts: Mapping[str, Sequence[NodeFacts]]) -> dict[str, list[NodeFacts]] | None:
    """Return the parts, each after those that it reads, None where two read each other."""
    part_of = {node.unique_id: name for name, nodes in parts.items() for node in nodes}
    above: dict[str, set[str]] = {}
    for name, nodes in parts.items():
        ids = [node.unique_id for node in nodes]
        above[name] = {part_of[one] for one in facts.ancestors(ids) if one in part_of} - {name}
    order: list[str] = []
    while len(order) < len(parts):
        ready = [name for name in parts if name not in order and above[name] <= set(order)]
        if not ready:
            return None
        order.append(ready[0])
    return {name: list(parts[name]) for name in order}


def _layers(facts: ProjectFacts, yearly: Sequence[NodeFacts]) -> dict[str, list[NodeFacts]]:
    """Return what leads to the tables that keep years, these with all between them, and what is made of them."""
    keeping = {node.unique_id for node in yearly if keeps_rows(node)}
    below, above = facts.descendants(keeping), facts.ancestors(keeping)
    before = [n for n in yearly if n.unique_id not in keeping | below]
    after = [n for n in yearly if n.unique_id in below and n.unique_id not in keeping | above]
    between = [n for n in yearly if n not in before and n not in after]
    return {"prepare": before, "accumulate": between, "report": after} if keeping else {"years": list(yearly)}


def _stage(name: str, select: tuple[str, ...], nodes: Sequence[NodeFacts]) -> StageProposal:
    only_models = all(node.resource_type == "model" for node in nodes)
    return StageProposal(
        re.sub(r"\W+", "_", name.rpartition("/")[2].lower()).strip("_") or "years",
        select,
        "run" if only_models else "build",
        tuple(node.name for node in nodes),
        later_years_only=all(node.later_only for node in nodes),
    )


def _word(node: NodeFacts, facts: ProjectFacts, selectors: ExactSelectors) -> str:
    """Return the shortest selector that matches a node alone: its name as a rule."""
    name = node.fqn[-1]
    alike = [n for n in facts.nodes if name in n.fqn and n.unique_id != node.unique_id]
    return name if not alike and not _UNSAFE.search(name) else selectors.of(node)


def covered(stages: Iterable[StageProposal]) -> set[str]:
    """Return the names of all nodes that stages build."""
    return {name for stage in stages if stage.command != "test" for name in stage.nodes}
