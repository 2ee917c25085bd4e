"""Where a run begins: anew, where the last one stopped, or at the first year that is not whole any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.exceptions import YearSequenceError
from orchestrator.pipeline.fingerprint import Components, changes, fingerprint
from orchestrator.pipeline.ledger import Ledger
from orchestrator.pipeline.workflow import ResumePoint, SimulationPlan

SHOWN_CHANGES = 5


@dataclass(frozen=True)
class Loss:
    """A year of a carried-over table that does not hold the rows it held when the year ended."""

    year: int
    table: str
    expected: int
    found: int

    def words(self) -> str:
        """Say it for people."""
        return f"{self.table} holds {self.found:,} rows of {self.year}; {self.expected:,} were there when it ended"


@dataclass(frozen=True)
class Start:
    """Where a run begins.

    ``year`` and the name of the ``stage``; ``kept_stages`` of that year are finished, and ``kept_nodes`` (unique
    ids) keep their rows of it. ``purge_from`` is the first year whose rows go. ``resumed`` tells whether earlier work
    of the range is kept, ``changed`` what differs from the last run, ``losses`` what is no longer whole.
    """

    year: int
    stage: str
    purge_from: int
    kept_stages: tuple[str, ...] = ()
    kept_nodes: frozenset[str] = frozenset()
    resumed: bool = False
    changed: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()

    @property
    def point(self) -> ResumePoint | None:
        """Return where it goes on, None when it begins anew."""
        return ResumePoint(self.year, self.stage) if self.resumed else None


def find_start(
    plan: SimulationPlan,
    ledger: Ledger,
    now: Components,
    counts: Mapping[tuple[int, str], int],
    *,
    fresh: bool = False,
) -> Start:
    """Decide where a run of ``plan`` begins.

    It goes on at the first stage of the range that is not finished with this very fingerprint; a range that is
    finished is run anew, and so is everything with ``fresh``. ``counts`` are the rows that the carried-over tables
    hold now, by (year, unique id), for everything in ``ledger.carried``.

    Raises:
        YearSequenceError: the range begins after a year that is not there, is not whole any more, or was made of
            something else.
    """
    first = plan.years[0]
    print_now = fingerprint(now)
    changed = _changed(ledger, now, print_now)
    losses = tuple(
        Loss(year, node.rpartition(".")[2], expected, counts.get((year, node), 0))
        for (year, node), expected in sorted(ledger.carried.items())
        if counts.get((year, node), 0) != expected
    )
    broken = min((loss.year for loss in losses), default=None)
    if first > plan.first_year:
        _require_before(plan, ledger, print_now, changed, losses)
    anew = Start(first, _first_stage(plan, first), _purge_from(plan, ledger, first), changed=changed, losses=losses)
    if fresh or changed:
        return anew
    for year, stage in plan:
        if year != broken and ledger.finished(year, stage.name) is not None:
            continue
        stages = [s.name for s in plan.stages_of(year)]
        kept = () if year == broken else tuple(stages[: stages.index(stage.name)])
        if year == first and not kept:
            return anew
        nodes = [record.nodes for name in kept if (record := ledger.finished(year, name)) is not None]
        return Start(year, stage.name, year, kept, frozenset().union(*nodes), resumed=True, losses=losses)
    return anew


def _changed(ledger: Ledger, now: Components, print_now: str) -> tuple[str, ...]:
    """Say what differs from what the years in the database were made of; nothing when there are none."""
    others = [stage.fingerprint for stage in ledger.stages if stage.fingerprint != print_now]
    if not others:
        return ()
    return changes(ledger.components_of(others[-1]), now) or ("what was run before is not recorded",)


def _require_before(
    plan: SimulationPlan, ledger: Ledger, print_now: str, changed: tuple[str, ...], losses: tuple[Loss, ...]
) -> None:
    """Make sure that the year before the range is there, whole, and made of what this run is made of."""
    first, last = plan.years[0], plan.years[-1]
    before = [stage for stage in ledger.stages if stage.year < first]
    if any(stage.fingerprint != print_now for stage in before):
        raise YearSequenceError(
            f"Year {first} cannot follow the years before it, because what decides the result changed since they "
            f"were simulated: {listed(changed)}.",
            to_fix=f"run `orchestrator simulate {plan.first_year}-{last}`",
        )
    lost = [loss for loss in losses if loss.year < first]
    if lost:
        raise YearSequenceError(
            f"Year {first} cannot follow, because rows of the years before it are gone: {lost[0].words()}.",
            to_fix=f"run `orchestrator simulate {lost[0].year}-{last}`, which goes on from the last whole year",
        )
    if not before:
        return  # years that the ledger does not know: whether their rows are there was looked at
    for year in range(plan.first_year, first):
        unfinished = [s.name for s in plan.stages_of(year) if ledger.finished(year, s.name) is None]
        if unfinished:
            raise YearSequenceError(
                f"Year {first} reads what {first - 1} left behind, and the database is finished only up to "
                f"{year}, before stage {unfinished[0]}.",
                to_fix=f"run `orchestrator simulate {year}-{last}`",
            )


def _purge_from(plan: SimulationPlan, ledger: Ledger, first: int) -> int:
    """Return the first year to remove: a simulation that begins anew also loses years of another beginning."""
    if first > plan.first_year:
        return first
    return min([first, *(stage.year for stage in ledger.stages)])


def _first_stage(plan: SimulationPlan, year: int) -> str:
    return next((stage.name for stage in plan.stages_of(year)), "")


def listed(changed: tuple[str, ...]) -> str:
    """Join what changed, the first few in full.

    >>> listed(("a", "b"))
    'a; b'
    >>> listed(tuple("abcdefg"))
    'a; b; c; d; e and 2 more'
    """
    shown = "; ".join(changed[:SHOWN_CHANGES])
    more = len(changed) - SHOWN_CHANGES
    return f"{shown} and {more} more" if more > 0 else shown
