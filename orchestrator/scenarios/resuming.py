"""Go on with a sweep by the plan that is kept of it, whatever the configuration says of sweeps now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from orchestrator.core.errors import SweepError
from orchestrator.core.masking import MASK, masked
from orchestrator.scenarios.keeping import old_plan
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.planning import SweepRequest
from orchestrator.scenarios.project import Overrides
from orchestrator.scenarios.status import existing


def kept_plan(root: Path, name: str | None) -> SweepPlan:
    """Return the plan of the sweep of a name, of the newest for None, to go on with it.

    Raises:
        SweepNotFoundError: there is none.
        SweepError: it cannot be read, or the sweep was begun with a secret value, which is kept nowhere.
    """
    plan = old_plan(existing(root, name))
    assert plan is not None  # a folder without one is no sweep
    if any(MASK in one for one in plan.overrides):
        raise SweepError(
            f"The sweep {plan.name} was begun with a secret value, which is kept nowhere.",
            to_fix="run the same `orchestrator sweep run` again: it goes on with what is there",
        )
    return plan


def request_again(plan: SweepPlan) -> SweepRequest:
    """Return what was asked for when a plan was made."""
    return SweepRequest(
        plan.name,
        plan.first_year,
        plan.last_year,
        plan.variations,
        plan.scenarios,
        plan.seeds,
        plan.keep,
        plan.databases,
        most_members=len(plan.members),
    )


def written(overrides: Overrides) -> tuple[str, ...]:
    """Write overrides as ``--set`` takes them, secrets masked.

    >>> written({"vars.rate": 0.5, "vars.name": "x"}), written(["vars.rate=0.5"]), written({"vars.api_key": "abc"})
    (('vars.rate=0.5', 'vars.name="x"'), ('vars.rate=0.5',), ('vars.api_key=***',))
    """
    given = overrides
    if isinstance(given, Mapping):
        given = [f"{key}={json.dumps(value)}" for key, value in given.items()]
    return tuple(masked(one) for one in given)
