"""What a stage reads as the year before left it, because a later stage of the year builds it.

A year that is simulated again would read what it has built itself, where that is no table of years.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import Ledger
from orchestrator.pipeline.resume import Start
from orchestrator.pipeline.workflow import SimulationPlan


class StageOrder:
    """The order in which the stages of each year build nodes, as finished stages tell."""

    def __init__(self, plan: SimulationPlan, ledger: Ledger, facts: ProjectFacts) -> None:
        self._facts = facts
        each_year = [stage.name for stage in plan.stages if not stage.first_year_only]
        self._names = each_year
        self._stages: dict[str, set[int]] = {}
        self._built: dict[str, int] = {}
        for stage in ledger.stages:
            for unique_id in stage.nodes:
                self._built[unique_id] = max(stage.year, self._built.get(unique_id, stage.year))
                if stage.stage in each_year:
                    self._stages.setdefault(unique_id, set()).add(each_year.index(stage.stage))
        named = {node.unique_id for node in facts.nodes if node.names_year}
        self._yearly = named | facts.descendants(named)

    def read_first(self) -> frozenset[str]:
        """Return the unique ids of what is read before it is built."""
        return frozenset(read.unique_id for read, _ in self._pairs())

    def too_late(self, start: Start, cut_off: int, rebuilt: frozenset[str]) -> tuple[str, ...]:
        """Return the names of what a run from ``start`` would read as the same year, or a later one, has built it.

        A stage of the year ``cut_off`` that did not come to its end may have ``rebuilt`` nodes (unique ids).
        """
        if start.done:
            return ()
        found = []
        for read, stage in self._pairs():
            last = max(self._built[read.unique_id], cut_off if read.unique_id in rebuilt else start.year - 1)
            if last >= start.year and self._names[stage] not in start.kept_stages:
                found.append(read.name)
        return tuple(dict.fromkeys(found))

    def _pairs(self) -> Iterator[tuple[NodeFacts, int]]:
        """Yield what is read before it is built, and the number of the stage that reads it."""
        for node in self._facts.nodes:
            mine = self._stages.get(node.unique_id, set())
            if not mine or not node.builds:
                continue
            for read in self._read_by(node):
                theirs = self._stages.get(read.unique_id, set())
                for stage in mine:
                    if any(one > stage for one in theirs) and not any(one <= stage for one in theirs):
                        yield read, stage

    def _read_by(self, node: NodeFacts) -> Iterator[NodeFacts]:
        """Yield what a node reads that is made anew by each year: itself, or through views and ephemeral models."""
        pending, seen = [node], {node.unique_id}
        while pending:
            for read in self._named_by(pending.pop()):
                if read.unique_id in seen:
                    continue
                seen.add(read.unique_id)
                if read.kind == "view" or not read.builds:
                    pending.append(read)
                if self._is_replaced(read):
                    yield read

    def _named_by(self, node: NodeFacts) -> list[NodeFacts]:
        named = [self._facts.node(unique_id) for unique_id in node.depends_on]
        looked_up = [one for one in self._facts.nodes if one.builds and one.relation.name.lower() in node.looks_up]
        return [one for one in (*named, *looked_up) if one is not None]

    def _is_replaced(self, node: NodeFacts) -> bool:
        """Tell whether each year makes a node anew, with other rows: of a view, whether its text names the year."""
        if not node.builds or node.materialized in ("incremental", "snapshot"):
            return False
        if node.kind != "view":
            return node.unique_id in self._yearly
        within = (self._facts.node(unique_id) for unique_id in node.depends_on)
        inlined = [one for one in within if one is not None and not one.builds]
        return node.names_year or any(one.unique_id in self._yearly for one in inlined)
