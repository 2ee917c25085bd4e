"""Where a run begins, for every state in which a ledger may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.core.errors import ConfigurationError, YearSequenceError
from orchestrator.ledger.changes import UNRECORDED, Change
from orchestrator.ledger.reading import FinishedStage, Ledger, LedgerRun
from orchestrator.pipeline.fingerprint import fingerprint
from orchestrator.pipeline.resume import Start, find_start
from orchestrator.pipeline.workflow import ResumePoint, SimulationPlan, Stage

STAGES = (Stage("load", ("a",), first_year_only=True), Stage("events", ("b",)), Stage("state", ("c",)))
NOW = {"var x": "1", "seed a": "aa"}
SNAPSHOT = "model.p.snapshot"


def plan(first: int, last: int) -> SimulationPlan:
    """Make the plan of a range of a simulation that begins in 2025."""
    return SimulationPlan(tuple(range(first, last + 1)), STAGES, 2025)


def ledger(*done: tuple[int, str], made_of: dict[str, str] = NOW, status: str = "running") -> Ledger:
    """Make a ledger in which these stages are finished; years that ended carry ten rows."""
    run = LedgerRun("r", "s", fingerprint(made_of), made_of, 2025, 2029)
    stages = tuple(FinishedStage(year, name, run.fingerprint, frozenset({f"model.p.{name}"})) for year, name in done)
    return Ledger(
        (replace(run, status=status),), stages, {(year, SNAPSHOT): 10 for year, name in done if name == "state"}
    )


def counts(of: Ledger, **changed: int) -> dict[tuple[int, str], int]:
    """Return what the tables hold: what the ledger says, but for the years named ``y2025=3``."""
    return of.carried | {(int(year[1:]), SNAPSHOT): rows for year, rows in changed.items()}


YEAR_1 = ((2025, "load"), (2025, "events"), (2025, "state"))
YEAR_2 = ((2026, "events"), (2026, "state"))


def start(
    of: Ledger,
    first: int = 2025,
    last: int = 2027,
    *,
    fresh: bool = False,
    gone: tuple[str, ...] = (),
    **changed: int,
) -> Start:
    """Find the start of a range; ``gone`` are the stages whose table was dropped."""
    lost = {f"model.p.{stage}": f"t_{stage}" for stage in gone}
    return find_start(plan(first, last), of, NOW, counts(of, **changed), lost, fresh=fresh)


def test_a_stage_of_later_years_is_not_waited_for_in_the_first() -> None:
    """The first year is whole without it, and a year behind it is not."""
    stages = (Stage("open", ("a",), first_year_only=True), Stage("carry", ("b",), later_years_only=True))
    later = SimulationPlan((2025, 2026), stages, 2025)
    assert [[stage.name for stage in later.stages_of(year)] for year in later.years] == [["open"], ["carry"]]
    found = find_start(later, ledger((2025, "open")), NOW, {})
    assert found.point == ResumePoint(2026, "carry")
    beyond = replace(later, years=(2027,))
    with pytest.raises(YearSequenceError, match="the last finished year in the database is 2025"):
        find_start(beyond, ledger((2025, "open")), NOW, {})


def test_an_empty_ledger_begins_at_the_first_stage() -> None:
    """Nothing is done, so nothing is kept or resumed."""
    found = start(Ledger())
    assert (found.year, found.stage, found.purge_from, found.point) == (2025, "load", 2025, None)


def test_the_first_unfinished_stage_is_next() -> None:
    """The stages of its year that are finished are kept with their nodes."""
    found = start(ledger(*YEAR_1, (2026, "events")))
    assert found.point is not None
    assert (found.point.year, found.point.stage) == (2026, "state")
    assert (found.kept_stages, found.kept_nodes) == (("events",), frozenset({"model.p.events"}))
    assert found.purge_from == 2026
    assert start(ledger(*YEAR_1), 2026).point is None


def test_a_stage_of_the_first_year_alone_is_not_missed_later() -> None:
    """A year after the first one is whole without the stages that only the first one has."""
    found = start(ledger(*YEAR_1, *YEAR_2))
    assert (found.year, found.stage, found.resumed) == (2027, "events", True)


def test_a_finished_range_is_done_and_a_fresh_one_begins_anew() -> None:
    """Nothing is removed where nothing is run; later years may be there or not."""
    done = ledger(*YEAR_1, *YEAR_2, status="completed")
    for last in (2025, 2026):
        found = start(done, 2025, last)
        assert (found.done, found.removed, found.forgone, found.resumed) == (True, (), (), False)
    assert start(done, 2026, 2026).done
    assert not start(done, 2025, 2027).done
    fresh = start(done, 2025, 2025, fresh=True)
    assert (fresh.done, fresh.year, fresh.removed, fresh.forgone) == (False, 2025, (2025, 2026), (2026,))
    assert start(done, 2026, 2027, fresh=True).year == 2026


def test_a_range_is_not_done_where_anything_may_be_missing() -> None:
    """The run that ended it has to have come to its end; inputs, rows and tables have to be as they were."""
    assert not start(ledger(*YEAR_1, *YEAR_2), 2025, 2027).done
    assert start(ledger(*YEAR_1, *YEAR_2), 2025, 2026).done  # that run was to go on behind it
    done = ledger(*YEAR_1, *YEAR_2, status="completed")
    assert not start(done, 2025, 2026, y2026=9).done
    assert start(done, 2025, 2025, y2026=9).done
    assert not start(done, 2025, 2026, gone=("events",)).done
    assert not start(ledger(*YEAR_1, made_of={**NOW, "var x": "2"}, status="completed"), 2025, 2025).done
    cut_off = replace(done, runs=(*done.runs, LedgerRun("s", "s", "", {}, 2025, 2026)))
    found = start(cut_off, 2025, 2026)
    assert (found.done, found.ending, found.point) == (False, True, ResumePoint(2026, "state"))
    assert (found.kept_stages, found.removed) == (("events", "state"), ())
    later = replace(done, runs=(*done.runs, LedgerRun("s", "s", "", {}, 2027, 2027)))
    assert start(later, 2025, 2026).done


def test_a_change_begins_anew_and_is_named() -> None:
    """Every difference is said, with old and new value where that is readable."""
    found = start(ledger(*YEAR_1, made_of={"var x": "2", "seed a": "bb"}))
    assert (found.year, found.resumed) == (2025, False)
    assert found.changes == (Change("seed", "a", "bb", "aa"), Change("var", "x", "2", "1"))
    assert found.changed == ("seed a changed", "var x changed from 2 to 1")


def test_what_is_not_recorded_is_a_change_too() -> None:
    """Stages of a run of which nothing else is known are not gone on with."""
    found = start(Ledger((), ledger(*YEAR_1, made_of={}).stages))
    assert (found.resumed, found.changes) == (False, (Change("seed", "a", None, "aa"), Change("var", "x", None, "1")))
    of_nothing = find_start(plan(2025, 2025), Ledger((), ledger(*YEAR_1).stages), {}, {})
    assert (of_nothing.changes, of_nothing.changed) == (
        (UNRECORDED,),
        ("there is no record of all that the earlier years were built from",),
    )


def test_a_range_in_the_middle_needs_what_comes_before_it() -> None:
    """Unfinished, other or damaged years before the range refuse it, with the range to run."""
    with pytest.raises(YearSequenceError, match=r"up to 2026, before stage state") as caught:
        start(ledger(*YEAR_1, (2026, "events")), 2027, 2028)
    assert "simulate 2026-2028" in str(caught.value)
    with pytest.raises(YearSequenceError, match=r"the last finished year in the database is 2026\.") as caught:
        start(ledger(*YEAR_1, *YEAR_2), 2028, 2029)
    assert "simulate 2027-2029" in str(caught.value)
    with pytest.raises(YearSequenceError, match=r"var x changed from 2 to 1") as caught:
        start(ledger(*YEAR_1, made_of={**NOW, "var x": "2"}), 2026)
    assert "simulate 2025-2027" in str(caught.value)
    with pytest.raises(YearSequenceError, match=r"snapshot has 3 rows of 2025, but had 10") as caught:
        start(ledger(*YEAR_1, *YEAR_2), 2027, 2027, y2025=3)
    assert "simulate 2025-2027" in str(caught.value)


def test_lost_rows_bring_the_run_back_to_their_year() -> None:
    """The first year that is not whole is run anew, from its first stage, and the loss is told."""
    found = start(ledger(*YEAR_1, *YEAR_2), 2025, 2028, y2026=9)
    assert (found.year, found.stage, found.kept_stages, found.resumed) == (2026, "events", (), True)
    assert [loss.words() for loss in found.losses] == [
        "snapshot has 9 rows of 2026, but had 10 when that year was simulated"
    ]
    assert start(ledger(*YEAR_1, *YEAR_2), 2025, 2028, y2025=11).point is None


def test_other_rows_bring_the_run_back_to_their_year() -> None:
    """A year with as many rows, and others, is not whole either."""
    of = ledger(*YEAR_1, *YEAR_2)
    found = find_start(plan(2025, 2028), of, NOW, of.carried, altered={(2026, SNAPSHOT)}, fresh=False)
    assert (found.year, found.stage, found.kept_stages, found.resumed) == (2026, "events", (), True)
    assert [loss.words() for loss in found.losses] == [
        "snapshot holds other values in its 10 rows of 2026 than when that year was simulated"
    ]
    with pytest.raises(YearSequenceError, match="not what they were: snapshot holds other values in its 10 rows"):
        find_start(plan(2027, 2027), of, NOW, of.carried, altered={(2026, SNAPSHOT)}, fresh=False)


def test_years_of_another_beginning_are_purged_with_the_rest() -> None:
    """A simulation that begins later than an earlier one removes the earlier one's years, too."""
    found = start(ledger((2023, "events"), (2024, "events"), made_of={"first year": "2023"}))
    assert (found.year, found.purge_from) == (2025, 2023)


def test_a_dropped_table_is_named_where_it_shortens_the_history() -> None:
    """The stage that built it is run again, in the range; before the range it is named, with what to run."""
    found = start(ledger(*YEAR_1), 2025, 2026, gone=("state",))
    assert (found.point, found.kept_stages) == (None, ())  # the second year may have been begun
    found = start(replace(ledger(*YEAR_1[:2]), runs=()), gone=("events",))
    assert (found.point, found.kept_stages) == (ResumePoint(2025, "events"), ("load",))
    done = ledger(*YEAR_1, *YEAR_2)
    found = start(done, gone=("events",))
    assert (found.point, found.year, found.kept_stages) == (None, 2025, ())
    assert (found.gone, found.changed) == (("t_events",), ())
    with pytest.raises(YearSequenceError, match=r"table t_state is gone, which stage state of 2025 built") as caught:
        start(done, 2027, 2028, gone=("state",))
    assert "simulate 2025-2028" in str(caught.value)


@pytest.mark.parametrize(
    ("done", "again", "point", "kept"),
    [
        ((*YEAR_1, *YEAR_2), (2026, None), (2026, "events"), ()),
        ((*YEAR_1, *YEAR_2), (2025, None), None, ()),
        ((*YEAR_1, *YEAR_2), (2025, "state"), None, ()),  # tables without a year hold 2026 by now
        (YEAR_1, (2025, "state"), (2025, "state"), ("load", "events")),
        ((*YEAR_1, *YEAR_2), (2026, "state"), (2026, "state"), ("events",)),
        ((*YEAR_1, (2026, "events")), (2027, None), (2026, "state"), ("events",)),
    ],
)
def test_finished_stages_are_run_again_where_that_is_wanted(
    done: tuple[tuple[int, str], ...],
    again: tuple[int, str | None],
    point: tuple[int, str] | None,
    kept: tuple[str, ...],
) -> None:
    """From there on nothing is kept; what is not finished before goes first; a year goes on only where it was left."""
    of = ledger(*done, status="completed")
    of = replace(of, runs=(replace(of.runs[0], last_year=max(year for year, _ in done)),))
    found = find_start(plan(2025, 2027).run_again(*again), of, NOW, of.carried)
    assert found.point == (None if point is None else ResumePoint(*point))
    assert found.kept_stages == kept
    assert not found.done


def test_a_finished_range_is_run_again_from_a_stage_on() -> None:
    """Where there would be nothing to do."""
    of = ledger(*YEAR_1, *YEAR_2, status="completed")
    of = replace(of, runs=(replace(of.runs[0], last_year=2026),))
    assert find_start(plan(2025, 2026), of, NOW, of.carried).done
    found = find_start(plan(2025, 2026).run_again(2026, "state"), of, NOW, of.carried)
    assert (found.done, found.year, found.stage, found.removed) == (False, 2026, "state", ())


@pytest.mark.parametrize(
    ("again", "said"),
    [
        ((2030, None), "Year 2030, from which to run again, is not among the years 2025–2027"),
        ((2026, "load"), "Year 2026 has no stage 'load'"),
        ((None, "stat"), "Year 2025 has no stage 'stat'. Did you mean 'state'?"),
    ],
)
def test_a_point_that_is_not_there_is_refused(again: tuple[int | None, str | None], said: str) -> None:
    """With the nearest that is."""
    with pytest.raises(ConfigurationError) as caught:
        plan(2025, 2027).run_again(*again)
    assert said in caught.value.message


def test_the_years_that_go_are_known() -> None:
    """What is built again goes with all later years; those behind the range are not built again."""
    done = ledger(*YEAR_1, *YEAR_2)
    shorter, whole = start(done, 2025, 2025, fresh=True), start(done, 2025, 2026, fresh=True)
    assert (shorter.removed, shorter.forgone) == ((2025, 2026), (2026,))
    assert (whole.removed, whole.forgone) == ((2025, 2026), ())
    assert start(done).removed == ()
    assert start(ledger(*YEAR_1, (2026, "events"))).removed == ()
    assert start(Ledger()).removed == ()


def test_a_year_whose_stages_change_each_other_begins_with_its_first_stage() -> None:
    """It is said where finished stages are run again because of that, and nowhere else."""
    finished = ledger(*YEAR_1, YEAR_2[0])
    assert start(finished).kept_stages == ("events",)
    found = find_start(plan(2025, 2027), finished, NOW, counts(finished), other_stages=("late",))
    assert (found.year, found.stage, found.kept_stages, found.other_stages) == (2026, "events", (), ("late",))
    assert found.resumed and found.purge_from == 2026
    between = ledger(*YEAR_1)
    found = find_start(plan(2025, 2027), between, NOW, counts(between), other_stages=("late",))
    assert (found.year, found.stage, found.other_stages) == (2026, "events", ())
    first = ledger(YEAR_1[0])
    found = find_start(plan(2025, 2027), first, NOW, counts(first), other_stages=("late",))
    assert (found.year, found.stage, found.resumed, found.other_stages) == (2025, "load", False, ("late",))
