"""What dbt sent to the database for the nodes of one stage in one year, and what of it is sent in another.

Between two years only the compiled SQL of a node and the suffix of dbt's temporary tables differ (that is what
:mod:`orchestrator.dbt_runner.replay_proof` proves and :meth:`TapedNode.statements_for` checks once more).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.dbt_runner.catalog import Relation, RelationName
from orchestrator.dbt_runner.results import NodeResult

SENT = frozenset({"begin", "commit", "create", "insert", "delete", "merge", "drop", "alter"})
LOOK_UPS = frozenset({"select", "describe"})
_COMMENT = re.compile(r"^\s*/\*.*?\*/\s*", re.DOTALL)
_SUFFIX = re.compile(r"(?<=__dbt_tmp)\d{20}\b")


@dataclass(frozen=True)
class TapedNode:
    """One node that dbt ran cleanly; ``statements`` are those of its materialization, in order.

    ``relation`` is what a model builds, None for a test.
    """

    result: NodeResult
    relation: RelationName | None
    compiled: str
    statements: tuple[str, ...]

    def doubt(self, words: Iterable[str]) -> str | None:
        """Return why these statements cannot be sent again, None when they can; ``words`` name the year."""
        if self.relation is None:
            asking = [text for text in self.statements if self.compiled in text]
            return None if len(asking) == 1 and asking[0].count(self.compiled) == 1 else "it asks more than once"
        built = False
        for text in self.statements:
            verb = _verb(text)
            if verb not in SENT | LOOK_UPS:
                return f"it sends {verb.upper() or 'nothing'}"
            if verb in LOOK_UPS:
                continue
            built = built or self.compiled in text
            if text.count(self.compiled) > 1:
                return "its compiled SQL stands twice in one statement"
            rest = _SUFFIX.sub("", _COMMENT.sub("", text).replace(self.compiled, ""))
            if any(re.search(rf"\b{re.escape(word)}\b", rest) for word in words):
                return "the year stands outside of its compiled SQL"
        return None if built else "its compiled SQL is in none of its statements"

    def statements_for(self, compiled: str, suffix: str) -> tuple[str, ...]:
        """Return what to send for another year: 20 digits of ``suffix`` name the temporary tables."""
        kept = [text for text in self.statements if self._is_sent(text)]
        return tuple(_SUFFIX.sub(suffix, text).replace(self.compiled, compiled) for text in kept)

    def _is_sent(self, text: str) -> bool:
        return self.compiled in text if self.relation is None else _verb(text) in SENT


@dataclass(frozen=True)
class Tape:
    """All nodes of one stage, parents first, and what the database held before: the relations that they build."""

    nodes: tuple[TapedNode, ...]
    before: dict[RelationName, Relation | None]


@dataclass(frozen=True)
class Sent:
    """What dbt sent while it ran one stage: statements by unique id, and the nodes that sent some to compile."""

    statements: dict[str, list[str]]
    compiling: set[str]


def _verb(statement: str) -> str:
    words = _COMMENT.sub("", statement).split(None, 1)
    return words[0].lower().rstrip(";") if words else ""
