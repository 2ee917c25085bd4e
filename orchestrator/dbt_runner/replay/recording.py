"""Statements that dbt sent for the nodes of one stage in one year, and which of them are sent in another.

Between two years only the compiled SQL of a node and the suffix of dbt's temporary tables differ (that is what
:mod:`orchestrator.dbt_runner.project.replay_proof` proves and :meth:`RecordedNode.statements_for` checks once more).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from orchestrator.database.catalog import Relation
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.replay.node_sql import doubt_of_hook, parts_of, query_of
from orchestrator.dbt_runner.replay.printed_sql import PrintedSql

SENT = frozenset({"begin", "commit", "create", "insert", "delete", "merge", "drop", "alter", "comment"})
BUILDING = frozenset({"create", "insert"})
LOOK_UPS = frozenset({"select", "describe"})
_COMMENT = re.compile(r"^\s*/\*.*?\*/\s*", re.DOTALL)
_RENAMING = re.compile(r"\s*alter\s+(table|view)\s+\S+\s+rename\s+to\s", re.IGNORECASE)
_NAME = r"(?:\"(?:[^\"]|\"\")+\"|\w+)"
_CREATED = re.compile(
    rf"create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?(?:table|view)\s+({_NAME}(?:\s*\.\s*{_NAME})*)\s+as\b",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"(?<=__dbt_tmp)\d{20}\b")


@dataclass(frozen=True)
class RecordedNode:
    """One node that dbt ran cleanly; ``statements`` are those of its materialization, in order.

    ``relation`` is what a model builds, None for a test and for a hook of the project. ``compiled`` is its query, and
    what its hooks say (:mod:`orchestrator.dbt_runner.replay.node_sql`). ``columns`` are those of its query, (name,
    type) in order, where the relation did not exist before; nothing otherwise. ``key`` is that of ``compiled``, and
    ``printed`` its SQL for other values, None where that is not known
    (:mod:`orchestrator.dbt_runner.replay.compiled_sql`).
    """

    result: NodeResult
    relation: RelationName | None
    compiled: str
    statements: tuple[str, ...]
    columns: tuple[tuple[str, str], ...] = ()
    key: str = ""
    printed: PrintedSql | None = None

    @cached_property
    def query(self) -> str:
        """Return its SQL without that of its hooks."""
        return query_of(self.compiled)

    @property
    def is_run_hook(self) -> bool:
        """Tell whether it is one that dbt runs at the beginning or the end of a command."""
        return self.result.resource_type == "operation"

    @cached_property
    def _hook_places(self) -> tuple[int | None, ...] | None:
        """Return which statement each hook is, None for one that says nothing; None where that cannot be told."""
        hooks = parts_of(self.compiled)[1]
        bodies = [_COMMENT.sub("", text).strip() for text in self.statements]
        found: list[int | None] = []
        begin = 0
        for hook in hooks:
            if not hook:
                found.append(None)
                continue
            place = next((i for i in range(begin, len(bodies)) if bodies[i] == hook), None)
            if place is None:
                return None
            found.append(place)
            begin = place + 1
        said = [hook for hook in hooks if hook]
        return tuple(found) if sum(body in said for body in bodies) == len(said) else None

    def doubt(self, words: Iterable[str]) -> str | None:
        """Return why these statements cannot be sent again, None when they can; ``words`` name the year."""
        if self.is_run_hook:
            bodies = [_COMMENT.sub("", text).strip() for text in self.statements]
            alone = bodies == [self.compiled.strip()] if self.compiled.strip() else not bodies
            return doubt_of_hook(self.compiled) if alone else "it sends more than its text"
        if self.relation is None:
            asking = [text for text in self.statements if self.query in text]
            alone = len(asking) == 1 and self._wrapped(asking[0])
            return None if alone else "its query is not sent exactly once on its own"
        if self._hook_places is None:
            return "its hooks are not sent once and as they are"
        doubt = next(filter(None, map(doubt_of_hook, parts_of(self.compiled)[1])), None)
        return f"of its hooks, {doubt}" if doubt is not None else self._doubt_of_building(words)

    def _doubt_of_building(self, words: Iterable[str]) -> str | None:
        built = 0
        for place, text in enumerate(self.statements):
            verb = _verb(text)
            if verb in LOOK_UPS or place in (self._hook_places or ()):
                continue
            if verb not in SENT:
                return f"it sends {verb.upper() or 'nothing'}"
            if self.query in text:
                if verb not in BUILDING or not self._wrapped(text):
                    return "its compiled SQL appears in an unexpected statement"
                built += 1
            if verb == "alter" and not _RENAMING.match(_COMMENT.sub("", text)):
                return "it changes the columns of its table"
            rest = _SUFFIX.sub("", "".join(_COMMENT.sub("", text).split(self.query)))
            if any(re.search(rf"\b{re.escape(word)}\b", rest) for word in words):
                return "the year appears outside its compiled SQL"
        return None if built == 1 else f"its compiled SQL is in {built} of its statements"

    def statements_for(self, compiled: str, suffix: str) -> tuple[str, ...] | None:
        """Return what to send for another year: 20 digits of ``suffix`` name the temporary tables.

        None where a hook says something in one of the years and nothing in the other: dbt knows where it would stand.
        """
        statements = self._with_other_sql(compiled, suffix)
        if statements is None:
            return None
        places = self._hook_places or ()
        recorded = zip(self.statements, statements, strict=True)
        return tuple(text for i, (old, text) in enumerate(recorded) if i in places or self._is_sent(old))

    def with_sql(self, compiled: str, key: str) -> RecordedNode | None:
        """Return what would have been recorded with other SQL, of this key; None as above."""
        statements = self._with_other_sql(compiled)
        return None if statements is None else replace(self, compiled=compiled, statements=statements, key=key)

    def _with_other_sql(self, compiled: str, suffix: str | None = None) -> tuple[str, ...] | None:
        query, hooks = parts_of(compiled)
        places, recorded = self._hook_places, parts_of(self.compiled)[1]
        if places is None or [place is not None for place in places] != [bool(hook) for hook in hooks]:
            return None
        if self.is_run_hook and bool(query.strip()) != bool(self.query.strip()):
            return None
        found = []
        for text in self.statements:
            parts = text.split(self.query)
            found.append(query.join(parts if suffix is None else [_SUFFIX.sub(suffix, part) for part in parts]))
        for place, old, new in zip(places, recorded, hooks, strict=True):
            if place is not None:
                found[place] = self.statements[place].rstrip().removesuffix(old) + new
        return tuple(found)

    def _wrapped(self, text: str) -> bool:
        """Tell whether the compiled SQL stands in a statement once, and in parentheses of its own."""
        before, _, after = text.partition(self.query)
        return self.query not in after and before.rstrip().endswith("(") and after.lstrip().startswith(")")

    def _is_sent(self, text: str) -> bool:
        return self.query in text if self.relation is None else _verb(text) in SENT


@dataclass(frozen=True)
class Recording:
    """All nodes of one stage, parents first, and what the database held before: the relations that they build.

    ``by_dbt`` are the unique ids of nodes of the stage that are not on the recording, for dbt has to run them, and
    before it. ``indexes`` are the names of those that relations had which are made anew: dbt's statements name them.
    ``first`` and ``last`` are what dbt runs at the beginning and the end of each command.
    """

    nodes: tuple[RecordedNode, ...]
    before: tuple[tuple[RelationName, Relation | None], ...]
    by_dbt: tuple[str, ...] = ()
    indexes: tuple[tuple[RelationName, tuple[str, ...]], ...] = ()
    first: tuple[RecordedNode, ...] = ()
    last: tuple[RecordedNode, ...] = ()

    @property
    def parts(self) -> tuple[RecordedNode, ...]:
        """Return all that is compiled: nodes and hooks."""
        return (*self.first, *self.nodes, *self.last)

    def relation_before(self, one: RecordedNode) -> Relation | None:
        """Return the relation of one of its nodes before the stage, None for a test and where there was none."""
        return self._before.get(one.relation) if one.relation is not None else None

    @cached_property
    def _before(self) -> dict[RelationName, Relation | None]:
        return dict(self.before)

    def with_sql(self, compiled: Mapping[str, str], keys: Mapping[str, str]) -> Recording | None:
        """Return what would have been recorded with other SQL; it and its keys are by unique id. None as for a node."""

        def of(recorded: tuple[RecordedNode, ...]) -> tuple[RecordedNode, ...]:
            ids = [one.result.unique_id for one in recorded]
            made = [one.with_sql(compiled[i], keys[i]) for one, i in zip(recorded, ids, strict=True)]
            return tuple(one for one in made if one is not None)

        made = replace(self, nodes=of(self.nodes), first=of(self.first), last=of(self.last))
        return made if len(made.parts) == len(self.parts) else None


def created_within(statements: Sequence[str], compiled: str) -> tuple[int, str] | None:
    """Return which statement makes a relation of a query, and its name; None where no transaction is open then."""
    is_open = False
    for number, statement in enumerate(statements):
        verb = _verb(statement)
        is_open = verb == "begin" or (is_open and verb != "commit")
        if compiled in statement:
            created = _CREATED.match(_COMMENT.sub("", statement))
            return (number, created[1]) if created is not None and is_open else None
    return None


def _verb(statement: str) -> str:
    words = _COMMENT.sub("", statement).split(None, 1)
    return words[0].lower().rstrip(";") if words else ""
