"""The SQL that the nodes of recordings have: known already, filled in, or compiled by dbt in one go.

What decides the SQL of a node is its key: the parse, all that its code reads, and the values of its variables. Two
requests with one key have the same SQL, in whatever year, for whatever database and whichever values other nodes read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.database.catalog import Relation
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.dbt_runner.replay.database_state import DatabaseState
from orchestrator.dbt_runner.replay.kept_recordings import KeptRecordings
from orchestrator.dbt_runner.replay.printed_sql import PrintedSql, marks, printed
from orchestrator.dbt_runner.replay.recording import RecordedNode, Recording

Compile = Callable[[Sequence[NodeFacts], Vars], dict[str, str] | None]
Prints = Callable[[str, str], bool]
"""Tells of a variable and a node's unique id whether the node provably does nothing with it but print it."""
Place = tuple[str, Relation | None]
"""A node, and its relation as dbt saw it when it compiled: ``is_incremental()`` goes by that."""
MOST_TEXTS = 4096


@dataclass
class KnownSql:
    """What is known of the SQL of a project's nodes; it serves all requests of one process.

    ``texts`` are by place and key, the oldest first. ``varied`` are the variables, the year aside, that have had
    several values: only for these is it worth while to compile with marks.
    """

    texts: dict[tuple[Place, str], str] = field(default_factory=dict)
    printed: dict[Place, list[PrintedSql]] = field(default_factory=dict)
    varied: set[str] = field(default_factory=set)

    def put(self, place: Place, key: str, sql: str) -> None:
        """Keep a text, in place of the oldest where there are many."""
        self.texts[place, key] = sql
        if len(self.texts) > MOST_TEXTS:
            del self.texts[next(iter(self.texts))]


@dataclass(frozen=True)
class _Wanted:
    """A node of a recording that is to be compiled: its place, which variables it reads, and which to mark."""

    recorded: RecordedNode
    node: NodeFacts
    place: Place
    read: frozenset[str]
    marked: frozenset[str]


class CompiledSql:
    """The SQL of the nodes of a project in the parse that is in use, which ``parse`` names.

    ``compile_nodes`` gives the SQL of nodes for some vars, None when dbt cannot; ``look`` looks at the database.
    """

    def __init__(
        self,
        facts: ProjectFacts,
        kept: KeptRecordings,
        year_vars: frozenset[str],
        compile_nodes: Compile,
        prints: Prints,
        look: Callable[[], DatabaseState],
        known: KnownSql,
    ) -> None:
        self._facts = facts
        self._kept = kept
        self._year_vars = year_vars
        self._compile = compile_nodes
        self._prints = prints
        self._look = look
        self._known = known
        self._fixed: dict[str, str] = {}

    def of(self, recording: Recording, variables: Vars, now: DatabaseState) -> dict[str, str] | None:
        """Return the SQL of a recording's nodes by unique id, None when dbt cannot compile them beforehand.

        What is lacking on any recording that fits the database is compiled with it.
        """
        if self._lacking([recording], variables, now):
            wanted = self._lacking(self._kept.fitting(now.fit), variables, now)
            found = self._compiled(wanted, variables)
            if found is None:  # one that serves another stage alone may be to blame
                wanted = self._lacking([recording], variables, now)
                found = self._compiled(wanted, variables)
            if found is None:
                return None
            self._learn(wanted, found, variables)
            self._mark([one for one in wanted if not one.marked <= self._year_vars], variables, now)
        texts = {one.result.unique_id: self._text(one, variables, now) for one in recording.parts}
        return {unique_id: text for unique_id, text in texts.items() if text is not None}

    def ahead(self, current: Vars, variables: Vars | None, now: DatabaseState) -> None:
        """Compile what is lacking of another year while nodes of this one run; ``now`` is how it was before.

        Only where every relation is there already, so that running the nodes does not change how they compile.
        """
        if variables is None:
            return
        fitting = self._kept.fitting(now.fit)
        models = [one for recording in fitting for one in recording.nodes if one.relation is not None]
        if any(_place(one, now)[1] is None for one in models):
            return
        self._mark([one for one in self._lacking(fitting, variables, now) if one.marked], current, now)
        wanted = self._lacking(fitting, variables, now)
        found = self._compiled(wanted, variables) if wanted else None
        if found is not None:
            after = self._look()
            unchanged = [one for one in wanted if one.place == _place(one.recorded, after)]
            self._learn(unchanged, found, variables)

    def key(self, unique_id: str, variables: Vars, *, without: frozenset[str] = frozenset()) -> str:
        """Return a digest of all that decides the SQL of a node, some variables left out."""
        facts = self._facts
        node = facts.node(unique_id)
        if node is None:
            return ""
        if unique_id not in self._fixed:
            self._fixed[unique_id] = _digest([self._kept.parse, facts.decided_by(node)])
        given = {name: value for name, value in facts.inputs_of(node).items() if name not in without}
        read = self._read(node, variables) - without
        values = {name: canonical(variables[name], ordered=True) for name in read}
        return _digest([self._fixed[unique_id], given, values])

    def with_printed(self, recording: Recording) -> Recording:
        """Add to a recording what is known of the SQL of its nodes for other values."""

        def of(recorded: tuple[RecordedNode, ...]) -> tuple[RecordedNode, ...]:
            return tuple(self._with_printed(one, recording) for one in recorded)

        return replace(recording, nodes=of(recording.nodes), first=of(recording.first), last=of(recording.last))

    def _with_printed(self, one: RecordedNode, recording: Recording) -> RecordedNode:
        known = self._known.printed.get((one.result.unique_id, recording.relation_before(one)))
        return replace(one, printed=known[-1]) if known else one

    def _read(self, node: NodeFacts, variables: Vars) -> frozenset[str]:
        """Return which of some variables a node reads, the year among them where it may."""
        names = self._facts.variables_of(node)
        if self._facts.reads_year(node):
            names |= self._year_vars
        return frozenset(variables) if ANY_VAR in names else names & variables.keys()

    def _marked(self, node: NodeFacts, variables: Vars) -> frozenset[str]:
        """Return the variables of a node that are worth a mark, and provably do nothing but get printed."""
        changing = self._read(node, variables) & (self._year_vars | self._known.varied)
        plain = {name for name in changing if printed(variables[name]) is not None}
        parts = self._facts.with_ephemerals(node)
        return frozenset(name for name in plain if all(self._only_prints(name, part) for part in parts))

    def _only_prints(self, name: str, part: NodeFacts) -> bool:
        if name in self._year_vars:
            return part.prints_year or not part.uses_year
        reads = name in part.vars or ANY_VAR in part.vars
        return not reads or self._prints(name, part.unique_id)

    def _text(self, one: RecordedNode, variables: Vars, now: DatabaseState) -> str | None:
        """Return the SQL of a node of a recording that fits the database, None where it is not known."""
        unique_id, place = one.result.unique_id, _place(one, now)
        key = self.key(unique_id, variables)
        if one.key == key:
            return one.compiled
        text = self._known.texts.get((place, key))
        return self._filled(one, place, variables) if text is None else text

    def _filled(self, one: RecordedNode, place: Place, variables: Vars) -> str | None:
        learned: Iterable[PrintedSql] = reversed(self._known.printed.get(place, []))
        for known in (*learned, *([] if one.printed is None else [one.printed])):
            values = {name: printed(variables.get(name)) for name in known.variables}
            texts = {name: text for name, text in values.items() if text is not None}
            if len(texts) < len(values):
                continue  # one of them is not given, or prints otherwise
            if known.decided == self.key(place[0], variables, without=frozenset(known.variables)):
                return known.filled(texts)
        return None

    def _lacking(self, recordings: Iterable[Recording], variables: Vars, now: DatabaseState) -> list[_Wanted]:
        found: dict[Place, _Wanted] = {}
        for recording in recordings:
            for one in recording.parts:
                node, place = self._facts.node(one.result.unique_id), _place(one, now)
                if node is not None and place not in found and self._text(one, variables, now) is None:
                    read = self._read(node, variables)
                    found[place] = _Wanted(one, node, place, read, self._marked(node, variables))
        return list(found.values())

    def _learn(self, wanted: Iterable[_Wanted], found: Mapping[str, str], variables: Vars) -> None:
        for one in wanted:
            self._known.put(one.place, self.key(one.node.unique_id, variables), found[one.node.unique_id])

    def _mark(self, wanted: Sequence[_Wanted], variables: Vars, now: DatabaseState) -> None:
        """Compile nodes with marks; ``variables`` are those for which SQL of these nodes is known already."""
        names = frozenset(name for one in wanted for name in one.marked)
        harmed = frozenset(name for one in wanted for name in (one.read & names) - one.marked)
        groups: dict[frozenset[str], list[_Wanted]] = {}
        for one in wanted:
            groups.setdefault(names if one.read.isdisjoint(harmed) else one.marked, []).append(one)
        for marked, group in groups.items():
            self._mark_group(group, marked - harmed if marked is names else marked, variables, now)

    def _mark_group(self, group: Sequence[_Wanted], names: frozenset[str], variables: Vars, now: DatabaseState) -> None:
        found = self._compiled(group, {**variables, **marks(names)})
        for one in group if found is not None else ():
            assert found is not None
            decided = self.key(one.node.unique_id, variables, without=one.marked)
            made = PrintedSql.of(found[one.node.unique_id], names, one.marked, decided)
            values = {name: printed(variables[name]) or "" for name in names}
            agrees = made.filled(values) == self._text(one.recorded, variables, now)
            if agrees and one.marked.issuperset(made.places):  # else the proof is not as good as it should be
                self._known.printed.setdefault(one.place, []).append(made)

    def _compiled(self, wanted: Iterable[_Wanted], variables: Vars) -> dict[str, str] | None:
        ids = {one.node.unique_id for one in wanted}
        every = (*self._facts.nodes, *self._facts.run_hooks)
        found = self._compile([node for node in every if node.unique_id in ids], variables)
        return found if found is not None and ids <= found.keys() else None


def _place(one: RecordedNode, now: DatabaseState) -> Place:
    return one.result.unique_id, now.catalog.get(one.relation) if one.relation is not None else None


def _digest(parts: object) -> str:
    return hashlib.sha256(canonical(parts).encode()).hexdigest()
