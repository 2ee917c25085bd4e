"""What of a node decides which stage builds it: the parts by which the stages' selectors choose."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts

_WORD = re.compile(r"@?(?:\d*\+)?(?:(?P<method>[\w.]+):)?(?P<value>.*?)(?:\+\d*)?")
_FILES = (".sql", ".py", ".csv")
_WILD = frozenset("*?[")
TAG, NAME, FILE, SOURCE = "tag", "fqn", "file", "source"
_TAG_METHODS = frozenset({TAG, "config.tags"})
_FILE_METHODS = frozenset({FILE, "path"})


@dataclass(frozen=True)
class StageChoice:
    """The (method, value) pairs by which the stages of a plan choose."""

    words: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, selections: Iterable[Iterable[str]]) -> StageChoice:
        """Take selections of dbt apart.

        >>> sorted(StageChoice.of([["+tag:A,group:b", "models/c x.y+1"]]).words)
        [('file', 'models/c'), ('fqn', 'x.y'), ('group', 'b'), ('tag', 'A')]
        """
        words = (word for select in selections for one in select for word in re.split(r"[\s,]+", one) if word)
        return cls(frozenset(map(_told, words)))

    def tags(self, node: NodeFacts) -> list[str]:
        """Return the tags of a node that a stage names, in order."""
        return sorted(_matching(node.tags, self._values(_TAG_METHODS)))

    def others(self, node: NodeFacts) -> list[str]:
        """Return what else of a node the stages choose by, in words: parts of its name and folder, its group and such.

        A part that no stage asks for is left out: a file may be moved where stages go by tags.
        """
        found = []
        names = self._values({NAME})
        if any(_WILD.intersection(name) for name in names):
            found.append(".".join(node.fqn))
        else:
            parts = {part for name in names for part in name.split(".")}
            found += [part for part in node.fqn[:-1] if part in parts]
        if self._values(_FILE_METHODS):
            found.append(node.file)
        known = _TAG_METHODS | _FILE_METHODS | {NAME}
        methods = {method.partition(".")[0] for method, _ in self.words if method not in known}
        every = "config" in methods  # which holds the others as well
        return [*found, *(f"{what} {value}" for what, value in node.selectable if every or what in methods)]

    def selectable(self, facts: ProjectFacts) -> dict[str, str]:
        """Return what the stages may name that dbt does not build, and what of it decides which nodes they choose."""
        found = {}
        methods = {method for method, _ in self.words}
        for one in facts.selectable:
            tags = _matching(one.tags, self._values({TAG}))
            by_name = {name.rpartition(".")[2] for name in self._values({NAME})} if one.kind != SOURCE else set()
            if tags or one.kind in methods - {SOURCE} or _matching([one.name], by_name):
                found[f"{one.kind} {one.name}"] = ", ".join([*(f"tag {tag}" for tag in tags), *one.nodes])
        return found

    def _values(self, methods: Iterable[str]) -> set[str]:
        return {value for method, value in self.words if method in methods}


def _matching(names: Iterable[str], values: set[str]) -> list[str]:
    return [name for name in names if any(fnmatchcase(name, value) for value in values)]


def _told(word: str) -> tuple[str, str]:
    found = _WORD.fullmatch(word)
    assert found is not None  # everything in it may be absent
    method, value = found["method"], found["value"]
    if method is None:
        method = FILE if "/" in value or value.lower().endswith(_FILES) else NAME
    return method, value
