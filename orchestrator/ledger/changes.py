"""Differences between what a result was made of and what decides it now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.dbt_runner.project.input_kinds import (
    CODE,
    COMPARED,
    ENVIRONMENT,
    NAMED_KINDS,
    NODES,
    OF_THE_ENVIRONMENT,
    VAR,
    WHOLE_PROJECT,
    WITHOUT_VALUE,
)
from orchestrator.dbt_runner.project.places import LATER


@dataclass(frozen=True)
class Change:
    """One thing that decides a result, then and now.

    ``kind`` and ``name`` say what it is: ``model`` and the model's name, ``var`` and the variable's; ``name`` is empty
    where there is only one of the kind, such as ``first year``. ``before`` and ``after`` are checksums of code and of
    environment variables, and values of everything else; None where there was none, or is none any more.
    """

    kind: str
    name: str
    before: str | None
    after: str | None

    @classmethod
    def of(cls, what: str, before: str | None, after: str | None) -> Change:
        """Make one of a name as the ledger keeps it.

        >>> Change.of("var growth", "0.03", "0.05")
        Change(kind='var', name='growth', before='0.03', after='0.05')
        >>> Change.of("first year", "2025", "2026")
        Change(kind='first year', name='', before='2025', after='2026')
        >>> Change.of("the project (later)", "9a", "8b").kind
        'the project'
        """
        kind = next((kind for kind in NAMED_KINDS if what.startswith(f"{kind} ")), None)
        if kind is None:
            single = what.removesuffix(LATER)
            return cls(single, what.removeprefix(single).strip(), before, after)
        name = what.removeprefix(f"{kind} ")
        if kind == VAR and name.endswith(OF_THE_ENVIRONMENT):
            return cls(ENVIRONMENT, name.removesuffix(OF_THE_ENVIRONMENT), before, after)
        return cls(kind, name, before, after)

    @property
    def what(self) -> str:
        """Return kind and name in one, as the ledger keeps them."""
        if self.kind == ENVIRONMENT:
            return f"{VAR} {self.name}{OF_THE_ENVIRONMENT}"
        return f"{self.kind} {self.name}" if self.name else self.kind

    @property
    def is_code(self) -> bool:
        """Tell whether it is the text of a file, or of a part of one, that changed."""
        return self.kind in CODE

    @property
    def has_values(self) -> bool:
        """Tell whether before and after are values that say something, and not checksums."""
        return self.kind not in WITHOUT_VALUE

    @property
    def is_variable(self) -> bool:
        """Tell whether it is a variable of dbt or of the environment."""
        return self.kind in (VAR, ENVIRONMENT)


UNRECORDED = Change("what was run before", "", None, None)
"""Stands for all changes where it is not known what the last run was made of."""


def changes(
    before: Mapping[str, str], now: Mapping[str, str], names: Iterable[str] | None = None
) -> tuple[Change, ...]:
    """Return what differs, in the order of ``names``, which are all of both and by default sorted.

    The parts of a node that is new or gone are left out; the whole project comes last. Where a version of this program
    that compared less wrote ``before``, all that can be said is that.

    >>> [change.what for change in changes({"var growth": "1", "seed a": "1"}, {"var growth": "1", "model b": "2"})]
    ['model b', 'seed a']
    """
    if before and before.get(COMPARED) != now.get(COMPARED):
        return (UNRECORDED,)
    known = sorted({*before, *now}) if names is None else names
    found = [Change.of(n, before.get(n), now.get(n)) for n in known if before.get(n) != now.get(n)]
    nodes = [one.name for one in found if one.kind in NODES and None in (one.before, one.after)]
    parts = tuple(f" of {name}" for name in nodes)
    told = [one for one in found if not (parts and one.what.endswith(parts))]
    return tuple(sorted(told, key=lambda one: one.kind == WHOLE_PROJECT))
