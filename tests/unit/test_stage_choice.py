"""Parts of a node by which stages choose it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.dbt_runner.project.selectable_facts import Selectable
from orchestrator.pipeline.stage_choice import StageChoice
from tests.unit.test_healing_plan import node, project

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


SELECTABLE = (
    Selectable("exposure", "weekly", ("BOARD",), ("model.p.a", "model.p.b")),
    Selectable("metric", "revenue", (), ("model.p.a",)),
    Selectable("source", "raw.sales", ("DAILY",), ()),
)


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ("tag:EARLY a", {}),
        ("+exposure:weekly", {"exposure weekly": "model.p.a, model.p.b"}),
        ("+exposure:*", {"exposure weekly": "model.p.a, model.p.b"}),
        ("+tag:B*", {"exposure weekly": "tag BOARD, model.p.a, model.p.b"}),
        ("+p.weekly", {"exposure weekly": "model.p.a, model.p.b"}),
        ("+metric:revenue", {"metric revenue": "model.p.a"}),
        ("source:raw+", {}),
        ("tag:DAILY+", {"source raw.sales": "tag DAILY"}),
    ],
)
def test_what_stages_name_that_dbt_does_not_build(select: str, found: dict[str, str]) -> None:
    """The nodes above an exposure and below a source are others where these are edited."""
    facts = replace(project(), selectable=SELECTABLE)
    assert StageChoice.of([[select]]).selectable(facts) == found
