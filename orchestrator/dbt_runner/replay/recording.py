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
from orchestrator.dbt_runner.replay.printed_sql import PrintedSql

SENT = frozenset({"begin", "commit", "create", "insert", "delete", "merge", "drop", "alter"})
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

    ``relation`` is what a model builds, None for a test. ``columns`` are those of its query, (name, type) in order,
    where the relation did not exist before; nothing otherwise. ``key`` is that of ``compiled``, and ``printed`` its SQL
    for other values, None where that is not known (:mod:`orchestrator.dbt_runner.replay.compiled_sql`).
    """

    result: NodeResult
    relation: RelationName | None
    compiled: str
    statements: tuple[str, ...]
    columns: tuple[tuple[str, str], ...] = ()
    key: str = ""
    printed: PrintedSql | None = None

    def doubt(self, words: Iterable[str]) -> str | None:
        """Return why these statements cannot be sent again, None when they can; ``words`` name the year."""
        if self.relation is None:
            asking = [text for text in self.statements if self.compiled in text]
            alone = len(asking) == 1 and self._wrapped(asking[0])
            return None if alone else "its query is not sent exactly once on its own"
        built = 0
        for text in self.statements:
            verb = _verb(text)
            if verb not in SENT | LOOK_UPS:
                return f"it sends {verb.upper() or 'nothing'}"
            if verb in LOOK_UPS:
                continue
            if self.compiled in text:
                if verb not in BUILDING or not self._wrapped(text):
                    return "its compiled SQL appears in an unexpected statement"
                built += 1
            if verb == "alter" and not _RENAMING.match(_COMMENT.sub("", text)):
                return "it changes the columns of its table"
            rest = _SUFFIX.sub("", "".join(_COMMENT.sub("", text).split(self.compiled)))
            if any(re.search(rf"\b{re.escape(word)}\b", rest) for word in words):
                return "the year appears outside its compiled SQL"
        return None if built == 1 else f"its compiled SQL is in {built} of its statements"

    def statements_for(self, compiled: str, suffix: str) -> tuple[str, ...]:
        """Return what to send for another year: 20 digits of ``suffix`` name the temporary tables."""
        kept = [text.split(self.compiled) for text in self.statements if self._is_sent(text)]
        return tuple(compiled.join(_SUFFIX.sub(suffix, part) for part in parts) for parts in kept)

    def with_sql(self, compiled: str, key: str) -> RecordedNode:
        """Return what would have been recorded with other SQL, of this key."""
        statements = tuple(compiled.join(text.split(self.compiled)) for text in self.statements)
        return replace(self, compiled=compiled, statements=statements, key=key)

    def _wrapped(self, text: str) -> bool:
        """Tell whether the compiled SQL stands in a statement once, and in parentheses of its own."""
        before, _, after = text.partition(self.compiled)
        return self.compiled not in after and before.rstrip().endswith("(") and after.lstrip().startswith(")")

    def _is_sent(self, text: str) -> bool:
        return self.compiled in text if self.relation is None else _verb(text) in SENT


@dataclass(frozen=True)
class Recording:
    """All nodes of one stage, parents first, and what the database held before: the relations that they build.

    ``by_dbt`` are the unique ids of nodes of the stage that are not on the recording, for dbt has to run them, and
    before it.
    """

    nodes: tuple[RecordedNode, ...]
    before: tuple[tuple[RelationName, Relation | None], ...]
    by_dbt: tuple[str, ...] = ()

    def relation_before(self, one: RecordedNode) -> Relation | None:
        """Return the relation of one of its nodes before the stage, None for a test and where there was none."""
        return self._before.get(one.relation) if one.relation is not None else None

    @cached_property
    def _before(self) -> dict[RelationName, Relation | None]:
        return dict(self.before)

    def with_sql(self, compiled: Mapping[str, str], keys: Mapping[str, str]) -> Recording:
        """Return what would have been recorded with other SQL; it and its keys are by unique id."""
        ids = [one.result.unique_id for one in self.nodes]
        return replace(
            self, nodes=tuple(one.with_sql(compiled[i], keys[i]) for one, i in zip(self.nodes, ids, strict=True))
        )


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
