"""The SQL that the nodes of recordings have in a year: known already, printed anew, or compiled by dbt in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from orchestrator.database.catalog import Relation
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.dbt_runner.replay.database_state import DatabaseState
from orchestrator.dbt_runner.replay.kept_recordings import KeptRecordings
from orchestrator.dbt_runner.replay.recording import RecordedNode, Recording
from orchestrator.dbt_runner.replay.year_text import pieces_between

Compile = Callable[[Sequence[NodeFacts], Vars], dict[str, str] | None]
Place = tuple[str, Relation | None]
"""A node, and its relation as dbt saw it when it compiled: ``is_incremental()`` goes by that."""


@dataclass(frozen=True)
class Pieces:
    """The SQL of a node around the year, for years that are printed in so many characters."""

    texts: tuple[str, ...]
    length: int


class CompiledSql:
    """The SQL of the nodes of a project in the parse that is in use.

    ``compile_nodes`` gives the SQL of nodes for some vars, None when dbt cannot; ``look`` looks at the database.
    """

    def __init__(
        self,
        facts: ProjectFacts,
        kept: KeptRecordings,
        year_vars: frozenset[str],
        compile_nodes: Compile,
        look: Callable[[], DatabaseState],
    ) -> None:
        self._facts = facts
        self._kept = kept
        self._year_vars = year_vars
        self._compile = compile_nodes
        self._look = look
        self._years: dict[str, dict[Place, str]] = {}
        self._samples: dict[Place, tuple[str, str]] = {}
        self._pieces: dict[Place, Pieces] = {}

    def of(self, recording: Recording, variables: Vars, now: DatabaseState) -> dict[str, str] | None:
        """Return the SQL of a recording's nodes by unique id, None when dbt cannot compile them beforehand.

        What is lacking on any recording that fits the database is compiled with it.
        """
        year = self.year(variables)
        if self._lacking(recording, year, now):
            fitting = self._kept.fitting(now.fit)
            lacking = [one for other in fitting for one in self._lacking(other, year, now)]
            found = self._compiled(lacking, variables)
            if found is None:
                return None
            self._learn(year, {_place(one, now): found[one.result.unique_id] for one in lacking})
        texts = {one.result.unique_id: self._text(one, recording, year, now) for one in recording.nodes}
        return {unique_id: text for unique_id, text in texts.items() if text is not None}

    def ahead(self, variables: Vars | None, now: DatabaseState) -> None:
        """Compile what is lacking of another year while nodes of this one run; ``now`` is how it was before.

        Only where every relation is there already, so that running the nodes does not change how they compile.
        """
        if variables is None:
            return
        fitting = self._kept.fitting(now.fit)
        models = [one for recording in fitting for one in recording.nodes if one.relation is not None]
        if any(_place(one, now)[1] is None for one in models):
            return
        year = self.year(variables)
        lacking = [one for recording in fitting for one in self._lacking(recording, year, now)]
        found = self._compiled(lacking, variables) if lacking else None
        if found is not None:
            after = self._look()
            unchanged = [one for one in lacking if _place(one, now) == _place(one, after)]
            self._learn(year, {_place(one, now): found[one.result.unique_id] for one in unchanged})

    def with_pieces(self, recording: Recording) -> Recording:
        """Add to a recording what is known of the SQL of its nodes in other years."""
        return replace(recording, nodes=tuple(self._with_pieces(one, recording) for one in recording.nodes))

    def _with_pieces(self, one: RecordedNode, recording: Recording) -> RecordedNode:
        known = self._pieces.get((one.result.unique_id, recording.relation_before(one)))
        return one if known is None or one.pieces else replace(one, pieces=known.texts)

    def _text(self, one: RecordedNode, recording: Recording, year: str, now: DatabaseState) -> str | None:
        unique_id = one.result.unique_id
        node = self._facts.node(unique_id)
        assert node is not None
        if self._kept.of_this_parse(recording):
            if recording.year == year or not self._facts.reads_year(node):
                return one.compiled
            if one.pieces and len(recording.year) == len(year):
                return year.join(one.pieces)
        place = _place(one, now)
        known = self._pieces.get(place)
        if known is not None and known.length == len(year):
            return year.join(known.texts)
        return self._years.get(year, {}).get(place)

    def _lacking(self, recording: Recording, year: str, now: DatabaseState) -> list[RecordedNode]:
        return [one for one in recording.nodes if self._text(one, recording, year, now) is None]

    def _learn(self, year: str, found: dict[Place, str]) -> None:
        """Keep what was compiled for a year, and tell from two years what a third one prints."""
        self._years.setdefault(year, {}).update(found)
        for recording in self._kept.of_parse():
            for one in recording.nodes:
                self._samples.setdefault(
                    (one.result.unique_id, recording.relation_before(one)), (recording.year, one.compiled)
                )
        for place, text in found.items():
            node = self._facts.node(place[0])
            other_year, other = self._samples.setdefault(place, (year, text))
            if node is not None and place not in self._pieces and self._facts.prints_year(node):
                pieces = pieces_between(other, other_year, text, year)
                if pieces is not None:
                    self._pieces[place] = Pieces(pieces, len(year))
        for past in [past for past in self._years if past not in [*self._years][-2:]]:
            del self._years[past]

    def _compiled(self, wanted: Iterable[RecordedNode], variables: Vars) -> dict[str, str] | None:
        ids = {one.result.unique_id for one in wanted}
        found = self._compile([node for node in self._facts.nodes if node.unique_id in ids], variables)
        return found if found is not None and ids <= found.keys() else None

    def year(self, variables: Vars) -> str:
        """Return the year as it is printed: all else is the same in one parse."""
        return " ".join(str(variables.get(name)) for name in sorted(self._year_vars))


def _place(one: RecordedNode, now: DatabaseState) -> Place:
    return one.result.unique_id, now.catalog.get(one.relation) if one.relation is not None else None
