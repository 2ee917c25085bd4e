"""Parts of a node by which stages choose it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.pipeline.stage_choice import StageChoice
from tests.unit.test_healing_plan import node

TOLD = replace(
    node("a"),
    fqn=("shop", "daily", "core", "a"),
    file="models/daily/core/a.sql",
    tags=("EARLY", "LATE"),
    selectable=(("package", "shop"), ("group", "one"), ("config", "{}")),
)


@pytest.mark.parametrize(
    ("select", "tags", "others"),
    [
        ("tag:EARLY a", ["EARLY"], []),
        ("+tag:E*,a", ["EARLY"], []),
        ("config.tags:LATE", ["LATE"], []),
        ("daily.core", [], ["daily", "core"]),
        ("shop.daily+1", [], ["shop", "daily"]),
        ("*.core.*", [], ["shop.daily.core.a"]),
        ("2+models/daily", [], ["models/daily/core/a.sql"]),
        ("path:models/daily", [], ["models/daily/core/a.sql"]),
        ("a.sql", [], ["models/daily/core/a.sql"]),
        ("@group:one --exclude package:b", [], ["package shop", "group one"]),
        ("config.meta.x:1", [], ["package shop", "group one", "config {}"]),
    ],
)
def test_what_stages_ask_for(select: str, tags: list[str], others: list[str]) -> None:
    """What no selector asks for may change: a file may be moved where stages go by tags and names."""
    choice = StageChoice.of([[select]])
    assert (choice.tags(TOLD), choice.others(TOLD)) == (tags, others)
