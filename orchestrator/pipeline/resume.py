"""Start of a run: at the beginning, where the last one stopped, or at the first year that is not whole any more."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from types import MappingProxyType

from orchestrator.core.errors import YearSequenceError
from orchestrator.core.formats import READ, ROWS, told_loss
from orchestrator.dbt_runner.project.places import place_in, shown_place
from orchestrator.ledger.changes import UNRECORDED, Change, changes
from orchestrator.ledger.reading import Ledger
from orchestrator.ledger.wording import told_change
from orchestrator.pipeline.fingerprint import Components, fingerprint
from orchestrator.pipeline.wording import listed
from orchestrator.pipeline.workflow import ResumePoint, SimulationPlan


@dataclass(frozen=True)
class Loss:
    """A year of a table of years that does not hold the rows it held when it was simulated, or as many others.

    ``node`` is its unique id. ``whole``: the table has no years, and ``year`` built all of it; ``of`` is what is not
    what it was (:func:`orchestrator.core.formats.told_loss`); in place of a node it is then a file that the year read.
    """

    year: int
    node: str
    expected: int
    found: int
    whole: bool = False
    of: str = ROWS

    @property
    def table(self) -> str:
        """The name of the node, of the relation that it has in some years alone, or of the file."""
        if self.of == READ:
            return self.node
        place = place_in(self.node)
        return ".".join(self.node.split(".")[2:]) if place is None else shown_place(place)

    def words(self) -> str:
        """Say it for people."""
        return told_loss(self.table, self.year, expected=self.expected, found=self.found, whole=self.whole, of=self.of)


@dataclass(frozen=True)
class Start:
    """Start of a run.

    ``year`` and the name of the ``stage``; ``kept_stages`` of that year are finished, and ``kept_nodes`` (unique
    ids) keep their rows of it. ``purge_from`` is the first year whose rows go, ``removed`` are the simulated years that
    go with them, and ``forgone`` those of these that the run does not build again. ``resumed`` tells whether earlier
    work of the range is kept, ``changes`` what differs from the last run, ``losses`` what is no longer whole, ``gone``
    the names of tables that finished stages built and that do not exist any more. ``other_years`` are the names of
    models that change rows of other years than their own: because of them it is the first year of the simulation.
    ``other_stages`` are the names of what changes rows of other stages: because of them no stage of the year is kept.
    ``done`` tells that the whole range is finished and unchanged, so that there is nothing to run; ``ending`` that
    only the hooks are left which follow the last stage.
    """

    year: int
    stage: str
    purge_from: int
    kept_stages: tuple[str, ...] = ()
    kept_nodes: frozenset[str] = frozenset()
    resumed: bool = False
    changes: tuple[Change, ...] = ()
    losses: tuple[Loss, ...] = ()
    gone: tuple[str, ...] = ()
    removed: tuple[int, ...] = ()
    forgone: tuple[int, ...] = ()
    other_years: tuple[str, ...] = ()
    other_stages: tuple[str, ...] = ()
    done: bool = False
    ending: bool = False

    @property
    def changed(self) -> tuple[str, ...]:
        """Say in words what differs from the last run."""
        return tuple(dict.fromkeys(map(told_change, self.changes)))

    @property
    def point(self) -> ResumePoint | None:
        """Return where it goes on, None when it begins anew."""
        return ResumePoint(self.year, self.stage) if self.resumed else None


def find_start(
    plan: SimulationPlan,
    ledger: Ledger,
    now: Components,
    counts: Mapping[tuple[int, str], int],
    gone: Mapping[str, str] = MappingProxyType({}),
    *,
    altered: Set[tuple[int, str]] = frozenset(),
    tables: tuple[Loss, ...] = (),
    fresh: bool = False,
    other_years: tuple[str, ...] = (),
    other_stages: tuple[str, ...] = (),
) -> Start:
    """Decide where a run of ``plan`` begins.

    It goes on at the first stage of the range that is not finished with this very fingerprint; where there is none,
    it is ``done``. With ``fresh`` everything is run anew, and what the plan runs ``again`` counts as not finished.
    ``counts`` are the rows that the carried-over tables hold now, by (year, unique id), for everything in
    ``ledger.carried``; ``altered`` are those of which they hold other rows, though as many, and ``tables`` what is
    lost of tables without years. ``gone`` are the names, by
    unique id, of what finished stages built and what does not exist any more: those stages count as not finished.
    ``other_years`` are the names of models that change rows of other years than their own: nothing is kept then, and
    the plan has to begin at the first year. ``other_stages`` are the names of what changes rows that other stages
    built: then no stage of a year is kept that is not finished.

    Raises:
        YearSequenceError: the range begins after a year that is not there, is not whole any more, or was made of
            something else.
    """
    first = plan.years[0]
    print_now = fingerprint(now)
    changed = _changed(ledger, now, print_now)
    losses = tuple(
        Loss(year, node, expected, counts.get((year, node), 0))
        for (year, node), expected in sorted(ledger.carried.items())
        if node not in gone and (counts.get((year, node), 0) != expected or (year, node) in altered)
    )
    losses += tables
    if first > plan.first_year:
        _require_before(plan, ledger, print_now, changed, losses, gone)
    anew = Start(first, _first_stage(plan, first), _purge_from(plan, ledger, first), changes=changed, losses=losses)
    kept = replace(ledger, stages=tuple(one for one in ledger.stages if plan.before_again(one.year, one.stage)))
    if not fresh and not changed and _is_whole(plan, kept, losses, gone):
        beyond = max(plan.years[-1], *(stage.year for stage in ledger.stages)) + 1
        if _has_ended(plan, kept):
            return replace(anew, purge_from=beyond, other_years=other_years, done=True)
        return _ending(plan, beyond)
    goes_on = None if fresh or changed or other_years else _resumed(plan, kept, ledger, losses, gone)
    if other_stages and goes_on is not None and goes_on.kept_stages:
        goes_on = _from_first_stage(plan, goes_on, anew, other_stages)
    start = replace(goes_on or anew, gone=tuple(gone.values()), other_years=other_years)
    removed = {stage.year for stage in ledger.stages if stage.year >= start.purge_from}
    if start.kept_stages:
        removed.discard(start.year)
    return replace(start, removed=tuple(sorted(removed)), forgone=tuple(sorted(removed - set(plan.years))))


def read_while_written(ledger: Ledger) -> tuple[Loss, ...]:
    """Return which files were written while years read them: those years are not made of what the project says."""
    found = dict.fromkeys((stage.year, file) for stage in ledger.stages for file in stage.changed_files)
    return tuple(Loss(year, file, 0, 0, whole=True, of=READ) for year, file in sorted(found))


def _from_first_stage(plan: SimulationPlan, start: Start, anew: Start, other_stages: tuple[str, ...]) -> Start:
    """Return the start that keeps no stage of the year of ``start``; ``anew`` is that of the range."""
    if start.year == plan.years[0]:
        return replace(anew, other_stages=other_stages)
    stage = _first_stage(plan, start.year)
    return replace(start, stage=stage, kept_stages=(), kept_nodes=frozenset(), other_stages=other_stages)


def _is_whole(plan: SimulationPlan, ledger: Ledger, losses: tuple[Loss, ...], gone: Mapping[str, str]) -> bool:
    """Tell whether every stage of the range is finished, and what it left is there."""
    if any(loss.year <= plan.years[-1] for loss in losses):
        return False
    records = [ledger.finished(year, stage.name) for year, stage in plan]
    return bool(records) and all(record is not None and not record.nodes & gone.keys() for record in records)


def _has_ended(plan: SimulationPlan, ledger: Ledger) -> bool:
    """Tell whether hooks have returned that follow the last stage of a range of which every stage is finished.

    Those at the end of a run were called if the last run of that year came to its end, and are not due if it was to go
    on behind that year, or another one did.
    """
    last = plan.years[-1]
    stages = plan.stages_of(last)
    record = ledger.finished(last, stages[-1].name) if stages else ledger.stages[-1]
    if record is None or not record.hooks_done:
        return False
    if any(stage.year > last for stage in ledger.stages):
        return True
    ending = next((run for run in reversed(ledger.runs) if run.first_year <= last <= run.last_year), None)
    return ending is not None and (ending.status == "completed" or ending.last_year > last)


def _ending(plan: SimulationPlan, beyond: int) -> Start:
    """Return the start of a run that has only hooks to call; nothing of a year from ``beyond`` on is there."""
    last = plan.years[-1]
    names = tuple(stage.name for stage in plan.stages_of(last))
    return Start(last, names[-1] if names else "", beyond, names, resumed=True, ending=bool(names))


def _resumed(
    plan: SimulationPlan, ledger: Ledger, known: Ledger, losses: tuple[Loss, ...], gone: Mapping[str, str]
) -> Start | None:
    """Return the first stage that is not finished where something before it is, None where a run begins anew.

    ``ledger`` has the stages that count as finished, ``known`` all of them. Where later years may have been built, no
    stage of the year is kept: what its stages built without a column for the year holds a later one.
    """
    whole = replace(ledger, stages=tuple(stage for stage in ledger.stages if not stage.nodes & gone.keys()))
    broken = min((loss.year for loss in losses), default=None)
    for year, stage in plan:
        if year != broken and whole.finished(year, stage.name) is not None:
            continue
        stages = [s.name for s in plan.stages_of(year)]
        nothing = year == broken or _may_have_gone_on(plan, known, year)
        kept = () if nothing else tuple(stages[: stages.index(stage.name)])
        if year == plan.years[0] and not kept:
            return None
        nodes = [record.nodes for name in kept if (record := whole.finished(year, name)) is not None]
        return Start(year, stage.name, year, kept, frozenset().union(*nodes), resumed=True, losses=losses)
    return None


def _may_have_gone_on(plan: SimulationPlan, known: Ledger, year: int) -> bool:
    """Tell whether a stage of a later year was run, or may have been begun."""
    if any(stage.year > year for stage in known.stages):
        return True
    whole = all(known.finished(year, stage.name) is not None for stage in plan.stages_of(year))
    return whole and any(run.last_year > year for run in known.runs)


def _changed(ledger: Ledger, now: Components, print_now: str) -> tuple[Change, ...]:
    """Return what differs from what the years in the database were made of; nothing when there are none."""
    others = [stage.fingerprint for stage in ledger.stages if stage.fingerprint != print_now]
    if not others:
        return ()
    return changes(ledger.components_of(others[-1]), now) or (UNRECORDED,)


def _require_before(
    plan: SimulationPlan,
    ledger: Ledger,
    print_now: str,
    changed: tuple[Change, ...],
    losses: tuple[Loss, ...],
    gone: Mapping[str, str],
) -> None:
    """Make sure that the year before the range is there, whole, and made of what this run is made of."""
    first = plan.years[0]
    last = max([plan.years[-1], *(stage.year for stage in ledger.stages)])  # years that are there would be removed
    before = [stage for stage in ledger.stages if stage.year < first]
    if any(stage.fingerprint != print_now for stage in before):
        raise YearSequenceError(
            f"Year {first} cannot continue from the years before it: inputs have changed since those were "
            f"simulated: {listed(changed)}.",
            to_fix=f"run `orchestrator simulate {plan.first_year}-{last}`",
        )
    lost = [loss for loss in losses if loss.year < first]
    if lost:
        raise YearSequenceError(
            f"Year {first} cannot be simulated, because rows of earlier years are not what they were: "
            f"{lost[0].words()}.",
            to_fix=f"run `orchestrator simulate {lost[0].year}-{last}`, which resumes after the last complete year",
        )
    if not before:
        return  # years that the ledger does not know: whether their rows are there was looked at
    for year in range(plan.first_year, first):
        for stage in plan.stages_of(year):
            record = ledger.finished(year, stage.name)
            if record is None:
                raise YearSequenceError(
                    f"Year {first} needs the results of {first - 1}, but {_end(plan, ledger, year, stage.name)}.",
                    to_fix=f"run `orchestrator simulate {year}-{last}`",
                )
            names = [name for node, name in gone.items() if node in record.nodes]
            if names:
                what = f"table {names[0]} is" if len(names) == 1 else f"tables {', '.join(names)} are"
                raise YearSequenceError(
                    f"Year {first} cannot continue from the years before it: {what} gone, which stage {stage.name} of "
                    f"{year} built.",
                    to_fix=f"run `orchestrator simulate {year}-{last}`, which resumes at that stage",
                )


def _end(plan: SimulationPlan, ledger: Ledger, year: int, stage: str) -> str:
    """Say where the finished years end, when ``stage`` of ``year`` is the first that is not."""
    if any(ledger.finished(year, one.name) is not None for one in plan.stages_of(year)):
        return f"the database is finished only up to {year}, before stage {stage}"
    if year == plan.first_year:
        return f"{year} is not in the database"
    return f"the last finished year in the database is {year - 1}"


def _purge_from(plan: SimulationPlan, ledger: Ledger, first: int) -> int:
    """Return the first year to remove: a simulation that begins anew also loses years of another beginning."""
    if first > plan.first_year:
        return first
    return min([first, *(stage.year for stage in ledger.stages)])


def _first_stage(plan: SimulationPlan, year: int) -> str:
    return next((stage.name for stage in plan.stages_of(year)), "")
