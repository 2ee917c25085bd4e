"""Names of sides as people write them."""

from __future__ import annotations

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.sides.names import Condition, side_name


@pytest.mark.parametrize(
    ("written", "kind", "name", "conditions"),
    [
        ("baseline", None, "baseline", ()),
        ("run:1f0c", "run", "1f0c", ()),
        ("sweep:a b", "sweep", "a b", ()),
        ("scenario:x", "scenario", "x", ()),
        ("g[rate=0.03]", "sweep", "g", (Condition("rate", 0.03),)),
        ("g[vars.a=[1, 2],b=no]", "sweep", "g", (Condition("vars.a", [1, 2]), Condition("b", "no"))),
        ("g[scenario=high,seed=7]", "sweep", "g", (Condition("scenario", "high"), Condition("seed", 7))),
        ("g[a=x=y]", "sweep", "g", (Condition("a", "x=y"),)),
    ],
)
def test_forms(written: str, kind: str | None, name: str, conditions: tuple[Condition, ...]) -> None:
    """A kind in front, conditions behind; values are read as those of ``--set``."""
    found = side_name(written)
    assert (found.kind, found.name, found.conditions) == (kind, name, conditions)


@pytest.mark.parametrize("written", ["", "  ", "[a=1]", "a[b", "a]b", "g[]", "g[a]", "g[=1]", "g[a=1,]"])
def test_what_is_no_name(written: str) -> None:
    """It is refused, with a form that is right."""
    with pytest.raises(ConfigurationError) as caught:
        side_name(written)
    assert caught.value.to_fix


def test_only_sweeps_have_groups() -> None:
    """A scenario or a run with conditions is refused."""
    with pytest.raises(ConfigurationError, match="only a sweep has groups"):
        side_name("scenario:x[a=1]")
