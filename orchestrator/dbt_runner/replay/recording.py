"""Statements that dbt sent for the nodes of one stage in one year, and which of them are sent in another.

Between two years only the compiled SQL of a node and the suffix of dbt's temporary tables differ (that is what
:mod:`orchestrator.dbt_runner.project.replay_proof` proves and :meth:`RecordedNode.statements_for` checks once more).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from orchestrator.database.catalog import Relation
from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.replay.node_sql import counts_up, doubt_of_hook, parts_of, query_of
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


class Statement(NamedTuple):
    """A statement to be sent; ``is_hook`` tells that a hook says it."""

    text: str
    is_hook: bool = False


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
        said = [hook for hook in parts_of(self.compiled)[1] if hook]
        doubt = next(filter(None, map(doubt_of_hook, said)), None)
        if doubt is not None:
            return f"of its hooks, {doubt}"
        if counts_up(self.query):
            return "it uses a sequence, which no transaction takes back"
        doubt = self._doubt_of_building(words)
        if doubt is None and said and created_within(self.statements_for(self.compiled, ""), self.query) is None:
            return "its hooks run, and its query is not sent, within one transaction"
        return doubt

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

    def unfit(self, compiled: str, built: Set[str] = frozenset()) -> str | None:
        """Return why what was recorded cannot be sent with other SQL, None where it can.

        ``built`` are the names of what the nodes of the stage build, as :func:`doubt_of_hook` takes them. Where a hook
        says something in one year and nothing in another, dbt knows where it would stand.
        """
        query, hooks = parts_of(compiled)
        name = self.result.name
        if self.is_run_hook:
            if bool(query.strip()) != bool(self.query.strip()):
                return f"hook {name} says something in one year and nothing in another"
            doubt = doubt_of_hook(query, built)
            return None if doubt is None else f"hook {name}: {doubt}"
        places = self._hook_places
        if places is None or [place is not None for place in places] != [bool(hook) for hook in hooks]:
            return f"a hook of {name} says something in one year and nothing in another"
        doubt = next(filter(None, (doubt_of_hook(hook, built) for hook in hooks)), None)
        return None if doubt is None else f"{name}: of its hooks, {doubt}"

    def statements_for(self, compiled: str, suffix: str) -> tuple[Statement, ...]:
        """Return what to send for another year, whose SQL fits: 20 digits of ``suffix`` name the temporary tables."""
        places = self._hook_places or ()
        recorded = zip(self.statements, self._with_other_sql(compiled, suffix), strict=True)
        return tuple(
            Statement(text, is_hook=i in places)
            for i, (old, text) in enumerate(recorded)
            if i in places or self._is_sent(old)
        )

    def with_sql(self, compiled: str, key: str) -> RecordedNode:
        """Return what would have been recorded with other SQL that fits, of this key."""
        return replace(self, compiled=compiled, statements=self._with_other_sql(compiled), key=key)

    def _with_other_sql(self, compiled: str, suffix: str | None = None) -> tuple[str, ...]:
        query, hooks = parts_of(compiled)
        found = []
        for text in self.statements:
            parts = text.split(self.query)
            found.append(query.join(parts if suffix is None else [_SUFFIX.sub(suffix, part) for part in parts]))
        for place, old, new in zip(self._hook_places or (), parts_of(self.compiled)[1], hooks, strict=True):
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

    @property
    def has_hooks(self) -> bool:
        """Tell whether something else than the materializations of its nodes is sent."""
        return bool(self.first or self.last or any(any(parts_of(one.compiled)[1]) for one in self.nodes))

    def unfit(self, compiled: Mapping[str, str]) -> str | None:
        """Return why it cannot be sent with other SQL, by unique id; None where it can."""
        relations = [one.relation for one in self.nodes if one.relation is not None]
        built = frozenset(re.sub(r"\W", "_", relation.name.lower()) for relation in relations)
        return next(filter(None, (one.unfit(compiled[one.result.unique_id], built) for one in self.parts)), None)

    def with_sql(self, compiled: Mapping[str, str], keys: Mapping[str, str]) -> Recording:
        """Return what would have been recorded with other SQL that fits; it and its keys are by unique id."""

        def of(recorded: tuple[RecordedNode, ...]) -> tuple[RecordedNode, ...]:
            return tuple(one.with_sql(compiled[one.result.unique_id], keys[one.result.unique_id]) for one in recorded)

        return replace(self, nodes=of(self.nodes), first=of(self.first), last=of(self.last))


def created_within(statements: Sequence[Statement], query: str) -> tuple[int, str] | None:
    """Return which statement makes a relation of a query, and its name; None where no transaction is open then."""
    is_open = False
    for number, (statement, is_hook) in enumerate(statements):
        verb = _verb(statement)
        is_open = verb == "begin" or (is_open and verb != "commit")
        if query in statement and not is_hook:
            created = _CREATED.match(_COMMENT.sub("", statement))
            return (number, created[1]) if created is not None and is_open else None
    return None


def _verb(statement: str) -> str:
    words = _COMMENT.sub("", statement).split(None, 1)
    return words[0].lower().rstrip(";") if words else ""
