"""The SQL that dbt compiles for the nodes of tapes, in one go for a year, and for the next year while this one runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orchestrator.dbt_runner.catalog import Relation
from orchestrator.dbt_runner.project import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.settings import Vars
from orchestrator.dbt_runner.surroundings import Surroundings
from orchestrator.dbt_runner.tape import Tape, TapedNode
from orchestrator.dbt_runner.tape_shelf import TapeShelf

Compile = Callable[[Sequence[NodeFacts], Vars], dict[str, str] | None]


@dataclass(frozen=True)
class Compiled:
    """The SQL of a node, and the relation of the node as dbt saw it then: ``is_incremental()`` goes by it."""

    sql: str
    seen: Relation | None


class CompiledSql:
    """The compiled SQL of the year that runs and of the next one, by node.

    ``compile_nodes`` gives the SQL of nodes for some vars, None when dbt cannot; ``look`` looks at the database.
    """

    def __init__(
        self, facts: ProjectFacts, shelf: TapeShelf, compile_nodes: Compile, look: Callable[[], Surroundings]
    ) -> None:
        self._facts = facts
        self._shelf = shelf
        self._compile = compile_nodes
        self._look = look
        self._year: tuple[str, dict[str, Compiled]] = ("", {})
        self._next_year: tuple[str, dict[str, Compiled]] = ("", {})

    def of(self, tape: Tape, variables: Vars, now: Surroundings) -> dict[str, str] | None:
        """Return the SQL of a tape's nodes by unique id, None when dbt cannot compile them beforehand.

        What is on any tape that fits the database is compiled in one go. A node whose relation has changed since is
        compiled again.
        """
        key = _key(variables)
        if self._year[0] != key:
            self._year = self._next_year if self._next_year[0] == key else (key, {})
        known = self._year[1]
        if self._lacking(tape, known, now):
            lacking = [one for fitting in self._shelf.fitting(now.fit) for one in self._lacking(fitting, known, now)]
            found = self._compiled(lacking, variables)
            if found is None:
                return None
            known.update(_compiled(lacking, found, now))
        return {
            one.result.unique_id: one.compiled if self._stays(one, tape) else known[one.result.unique_id].sql
            for one in tape.nodes
        }

    def ahead(self, variables: Vars | None, now: Surroundings) -> None:
        """Compile the SQL of another year while nodes of this one run; ``now`` is how it was before they began.

        Only where every relation is there already, so that running the nodes does not change how they compile.
        """
        fitting = self._shelf.fitting(now.fit)
        models = [one for tape in fitting for one in tape.nodes if one.relation is not None]
        if variables is None or _key(variables) == self._next_year[0] or any(_seen(one, now) is None for one in models):
            return
        lacking = [one for tape in fitting for one in self._lacking(tape, {}, now)]
        found = self._compiled(lacking, variables)
        if found is not None:
            after = self._look()
            unchanged = [one for one in lacking if _seen(one, now) == _seen(one, after)]
            self._next_year = (_key(variables), _compiled(unchanged, found, now))

    def _lacking(self, tape: Tape, known: dict[str, Compiled], now: Surroundings) -> list[TapedNode]:
        return [
            one
            for one in tape.nodes
            if not self._stays(one, tape)
            and ((sql := known.get(one.result.unique_id)) is None or sql.seen != _seen(one, now))
        ]

    def _stays(self, one: TapedNode, tape: Tape) -> bool:
        """Tell whether dbt would compile a node as it is on the tape: in this parse, and where no year reaches it."""
        node = self._facts.node(one.result.unique_id)
        return node is not None and not self._facts.reads_year(node) and self._shelf.of_this_parse(tape)

    def _compiled(self, wanted: Iterable[TapedNode], variables: Vars) -> dict[str, str] | None:
        ids = {one.result.unique_id for one in wanted}
        if not ids:
            return {}
        found = self._compile([node for node in self._facts.nodes if node.unique_id in ids], variables)
        return found if found is not None and ids <= found.keys() else None


def _compiled(nodes: Iterable[TapedNode], sql: dict[str, str], now: Surroundings) -> dict[str, Compiled]:
    return {one.result.unique_id: Compiled(sql[one.result.unique_id], _seen(one, now)) for one in nodes}


def _seen(one: TapedNode, now: Surroundings) -> Relation | None:
    return now.catalog.get(one.relation) if one.relation is not None else None


def _key(variables: Vars) -> str:
    return json.dumps(variables, sort_keys=True, default=str)
