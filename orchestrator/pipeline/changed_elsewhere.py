"""Rows that hooks and macros of a node change where nobody can take it back: in other tables, and in other years.

A stage that is run again has the rows removed that its own models wrote. What a statement changed in rows of another
stage stays changed, and would be changed twice; so would rows of years that are finished. A table that is no model's,
such as a log, is nobody's input here: what is written there stays, as it does when dbt runs twice.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from orchestrator.dbt_runner.analysis.change_kinds import (
    ADDS,
    CHANGES,
    REMOVES,
    UNKNOWN_NAME,
    ChangedRelation,
)
from orchestrator.dbt_runner.project.change_targets import ChangeTargets
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import Ledger
from orchestrator.pipeline.carried_over import replaces_what_is_read
from orchestrator.pipeline.workflow import SimulationPlan


@dataclass(frozen=True)
class ChangedElsewhere:
    """What cannot be taken back, in words.

    ``stages`` name what makes a year begin with its first stage, ``years`` what makes a run begin with the first year.
    """

    stages: tuple[str, ...] = ()
    years: tuple[str, ...] = ()


class ElsewhereLook:
    """Finds it in a project; ``lasting`` are the unique ids of what is there before the first year."""

    def __init__(
        self, facts: ProjectFacts, plan: SimulationPlan, ledger: Ledger, year_column: str, lasting: Set[str]
    ) -> None:
        self._facts = facts
        self._year_column = year_column.lower()
        self._lasting = lasting
        once = {stage.name for stage in plan.stages if stage.first_year_only}
        self._every_year = {node for stage in ledger.stages if stage.stage not in once for node in stage.nodes}
        self._targets = ChangeTargets(facts)

    def look(self) -> ChangedElsewhere:
        """Return what the nodes of years, and the hooks of every command, change elsewhere."""
        stages: list[str] = []
        years: list[str] = []
        changing = [one for one in (*self._facts.nodes, *self._facts.run_hooks) if one.changes]
        for node in changing:
            if node.unique_id in self._lasting:
                continue
            if self._reaches_own_years(node):
                years.append(f"{node.name} (its hooks or macros change finished years)")
            for change in node.changes:
                targets = list(self._targets.others(node, change))
                if targets and node.name not in stages:
                    stages.append(node.name)
                if UNKNOWN_NAME in change.target:
                    reached = change.how != ADDS and any(self._may_reach(change, one) for one in targets)
                    years += [f"what hooks or macros of {node.name} change"] if reached else []
                else:
                    changed = [one.name for one in targets if self._may_reach(change, one)]
                    years += [f"{name} (changed by hooks or macros of {node.name})" for name in changed]
        return ChangedElsewhere(tuple(stages), tuple(dict.fromkeys(years)))

    def _reaches_own_years(self, node: NodeFacts) -> bool:
        """Tell whether a node may change rows of other years in its own table without another number of them."""
        if node.materialized not in ("incremental", "snapshot") or node.writes_other_years:
            return False
        own = [one for one in node.changes if self._targets.is_own(node, one)]
        wide = {one.how for one in own if one.year_column != self._year_column}
        return CHANGES in wide or (REMOVES in wide and ADDS in {one.how for one in own})

    def _may_reach(self, change: ChangedRelation, target: NodeFacts) -> bool:
        """Tell whether a statement may change rows of other years than the one that is built.

        Where it adds some, they are counted. A table that every year makes anew holds no other years.
        """
        if target.writes_other_years:
            return False
        anew = target.materialized == "table" and target.unique_id in self._every_year
        if anew and target.unique_id not in self._lasting and not replaces_what_is_read(target, self._facts):
            return False
        return change.year_column != self._year_column and not (
            change.how == ADDS and target.materialized == "incremental"
        )
