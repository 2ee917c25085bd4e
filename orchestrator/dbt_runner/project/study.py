"""Study of a dbt project that nobody has configured yet: which variables its templates read, and what for.

It is made by :mod:`orchestrator.dbt_runner.project.studying`; whoever proposes a configuration reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from orchestrator.dbt_runner.analysis.variable_record import VariableUses

HOOKS = ("on-run-start", "on-run-end")


@dataclass(frozen=True)
class TextStudy:
    """One node, or one macro, of the project: ``file`` is relative to the project, lines are those of the file.

    ``strategy`` and ``unique_key`` are of incremental models. ``by_name`` are the relations that it reads by their
    plain names, ``from_package`` tells that a package brings it.
    """

    unique_id: str
    file: str
    uses: VariableUses
    strategy: str | None = None
    unique_key: tuple[str, ...] = ()
    by_name: tuple[str, ...] = ()
    from_package: bool = False


@dataclass(frozen=True)
class RunHook:
    """A hook that dbt runs with each command; ``kind`` is on-run-start or on-run-end."""

    kind: str
    sql: str


@dataclass(frozen=True)
class ProjectStudy:
    """What a study found: of each node and macro, and of the hooks of the project itself."""

    texts: tuple[TextStudy, ...]
    hooks: tuple[RunHook, ...]

    @property
    def has_packages(self) -> bool:
        """Tell whether a package brings a model or a snapshot."""
        kinds = ("model.", "snapshot.")
        return any(text.from_package and text.unique_id.startswith(kinds) for text in self.texts)

    def of(self, unique_id: str) -> TextStudy | None:
        """Return the study of a node, None where there is none."""
        return self._by_id.get(unique_id)

    @cached_property
    def _by_id(self) -> dict[str, TextStudy]:
        return {one.unique_id: one for one in self.texts}
