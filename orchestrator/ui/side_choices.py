"""What may be compared: scenarios, sweeps with their groups, and runs, as a form offers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.core.text import plural, shown_years
from orchestrator.reports.run_history import list_runs, years_of
from orchestrator.reports.runs import scenario_label
from orchestrator.reports.sides.groups import DONE, OpenSweep, group_name, grouped
from orchestrator.reports.sweep_looks import SweepLook, member_label
from orchestrator.storage.base import COMPLETED
from orchestrator.ui.site import Site

RUNS_OFFERED, SWEEPS_OFFERED, GROUPS_OFFERED = 12, 12, 24


@dataclass(frozen=True)
class Choice:
    """A side that may be chosen: ``written`` as `orchestrator compare` takes it, and a name for people."""

    written: str
    name: str
    about: str = ""


@dataclass(frozen=True)
class SweepChoice:
    """A sweep, all of whose groups may be chosen at once, and the first of its groups; ``more`` are not offered."""

    whole: Choice
    groups: tuple[Choice, ...]
    more: int


@dataclass(frozen=True)
class Choices:
    """All that is offered."""

    scenarios: tuple[Choice, ...]
    sweeps: tuple[SweepChoice, ...]
    runs: tuple[Choice, ...]

    @property
    def written(self) -> set[str]:
        """All sides that are offered, as they are written."""
        groups = (group.written for sweep in self.sweeps for group in sweep.groups)
        return {
            *(one.written for one in (*self.scenarios, *self.runs)),
            *(s.whole.written for s in self.sweeps),
            *groups,
        }


def choices_of(site: Site) -> Choices:
    """Return what may be compared in the workspace."""
    config, _ = site.workspace.last_good()
    runs = list_runs(site.workspace.history(config), statuses=[COMPLETED], limit=RUNS_OFFERED).runs
    looks = [look for look in site.sweeps.looks(config.root) if look.counts.get("done")]
    return Choices(
        tuple(Choice(f"scenario:{name}", name) for name in site.workspace.scenarios()),
        tuple(_of_sweep(look) for look in looks[:SWEEPS_OFFERED]),
        tuple(
            Choice(
                f"run:{one.run.id}",
                f"run {one.run.id[:8]}",
                f"{scenario_label(one.run) or '–'}, {shown_years(years_of(one.run))}",
            )
            for one in runs
        ),
    )


def others(choices: Choices, chosen: Sequence[str]) -> list[str]:
    """Return what was chosen and is not offered, such as what somebody typed."""
    offered = choices.written
    return [one for one in chosen if one not in offered]


def _of_sweep(look: SweepLook) -> SweepChoice:
    plan = look.status.plan
    assert plan is not None
    sweep = OpenSweep(look.status.folder, plan, look.status.states)
    groups = [
        group for group in grouped(plan.members) if any(look.status.states[one.key].status == DONE for one in group)
    ]
    offered = tuple(
        Choice(f"sweep:{group_name(sweep, group[0])}", member_label(plan, replace(group[0], seed=None)))
        for group in groups[:GROUPS_OFFERED]
        if len(groups) > 1
    )
    whole = Choice(f"sweep:{look.name}", look.name, plural(len(groups), "group"))
    return SweepChoice(whole, offered, len(groups) - len(offered) if offered else 0)
