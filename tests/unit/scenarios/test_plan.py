"""Tests of a sweep's plan and of what is kept of its members."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.plan import Member, SweepPlan, Variation
from orchestrator.scenarios.state import MemberState


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Written and read, tuples and all."""
    members = (Member.of("baseline", 1, {"vars.x": 0.02}), Member.of("baseline", None, {"vars.x": [1, "a"]}))
    plan = SweepPlan(
        "growth", "2026-01-01T00:00:00Z", 2025, 2027, (Variation("vars.x", (0.02, None)),), ("baseline",), (1,), members
    )
    plan.write(tmp_path / "plan.json")
    assert SweepPlan.read(tmp_path / "plan.json") == plan


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', '{"format": 1, "name": "a"}', '{"format": 1, "x": 1}'])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    """Damaged, of another version, or with keys that this one does not know."""
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(ValueError, match=r"plan|JSON|Expecting"):
        SweepPlan.read(tmp_path / "plan.json")


def test_a_member_has_a_key_of_its_own_that_is_a_folder_s_name() -> None:
    """No two members share one, and none leads elsewhere."""
    alike: list[tuple[str, int, dict[str, JsonValue]]] = [
        ("a", 1, {"vars.x": "/../b"}),
        ("a", 1, {"vars.x": "/../c"}),
        ("a", 11, {}),
        ("a", 1, {"vars.x": 1.0}),
    ]
    keys = [Member.of(scenario, seed, values).key for scenario, seed, values in alike]
    assert len(set(keys)) == len(alike)
    assert all(Path(key).name == key for key in keys)
    assert Member.of("a", 1, {"vars.x": 0.5}).overrides() == {"vars.x": 0.5, "simulation.random_seed": 1}


def test_what_cannot_be_read_of_a_member_counts_as_not_begun(tmp_path: Path) -> None:
    """A state is read as it was written; anything else is that of a member that was not begun."""
    folder = SweepFolder.of(tmp_path, "growth").member("a")
    folder.path.mkdir(parents=True)
    assert MemberState.read(folder.state) == MemberState()
    folder.state.write_text('{"status": "done", "unknown": 1}')
    assert MemberState.read(folder.state) == MemberState()
    state = MemberState("failed", "run", "2026-01-01T00:00:00Z", None, 1.5, "no", "do", 2)
    state.write(folder.state)
    assert MemberState.read(folder.state) == state
