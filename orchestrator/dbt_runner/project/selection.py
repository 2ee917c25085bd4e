"""Selectors of dbt's own language that match one node and no other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.dbt_runner.project.facts import NodeFacts

_SEPARATORS = re.compile(r"[ ,]")  # dbt takes selectors apart at them; its wildcard for one character is ?
_PLAIN = re.compile(r"[\w.-]+")


class ExactSelectors:
    """The selector of each node of one project.

    dbt matches ``fqn:`` against a node's full name, with and without its package, against the beginnings of both (a
    folder selects what is in it) and against the last part alone. A full name that matches several nodes that way gets
    the file beside it, which costs dbt a look at every node: half a millisecond for each hundred of them.
    """

    def __init__(self, names: Iterable[Sequence[str]]) -> None:
        """Take the full names of all that dbt can run, unit tests included."""
        self._matches: Counter[str] = Counter()
        for fqn in names:
            self._matches.update(_matching(fqn))

    def of(self, node: NodeFacts) -> str:
        """Return a selector that matches this node alone."""
        name = ".".join(node.fqn)
        alone = max(self._matches[name], self._matches[_version(node.fqn)]) <= 1
        if alone and _PLAIN.fullmatch(name):
            return f"fqn:{name}"
        return f"fqn:{_SEPARATORS.sub('?', name)},file:{_SEPARATORS.sub('?', Path(node.file).name)}"


def _matching(fqn: Sequence[str]) -> set[str]:
    """Return every ``fqn:`` without wildcards that matches a node of this full name."""
    found = {fqn[-1], _version(fqn)}
    for parts in (".".join(fqn).split("."), ".".join(fqn[1:]).split(".")):
        found |= {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return found


def _version(fqn: Sequence[str]) -> str:
    """Return the last two parts, by which dbt also finds a version of a model; no dotted name looks like it."""
    return "version " + "_".join(".".join(fqn).split(".")[-2:])
