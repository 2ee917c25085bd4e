"""Years × stages over real databases, from scripts, threads and several processes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from orchestrator import (
    Hook,
    HookContext,
    HookError,
    HookType,
    InitializationError,
    SimulationResult,
    StageTimeoutError,
    TestFailedError,
    YearSequenceError,
    create_orchestrator,
)
from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseLockedError,
    HookDefinitionError,
    NodeFailedError,
    OrchestratorError,
)
from orchestrator.core.events import (
    DbtReady,
    Event,
    HookFinished,
    LockAcquired,
    LockReleased,
    NodeFinished,
    RunFinished,
    RunStarted,
    StageStarted,
    StepFinished,
    StepStarted,
    YearsPurged,
    from_record,
)
from orchestrator.database.mutex import DatabaseMutex
from tests.integration.test_dbt_runner import SLOW
from tests.support.workspaces import WarmWorkspace, Workspace

Fresh = Callable[[str], Workspace]


def run(warm: WarmWorkspace, start: int | None = None, end: int | None = None) -> SimulationResult:
    """Run a range of years in the warm workspace."""
    return warm.again(start, end)


def test_a_plain_script_needs_no_guard(fresh: Fresh) -> None:
    """Three unguarded lines in a file run the simulation."""
    workspace = fresh("reservoir")
    script = workspace.root / "script.py"
    script.write_text(
        "from orchestrator import create_orchestrator\n"
        "result = create_orchestrator('config/simulation.yaml').execute_multi_year_simulation()\n"
        "print(result.status, [y.year for y in result.years], result.resumed_from)\n"
    )
    process = workspace.python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")
    out, complaint = process.communicate(timeout=120)
    assert out == "completed [2000, 2001, 2002] None\n", complaint
    assert complaint == ""
    assert workspace.sql("select count(*) from lake_level") == [(6,)]


def test_a_long_run_closes_the_file_now_and_then(fresh: Fresh) -> None:
    """Every fifth year begins with a closed database, which gives back the memory that an open one gathers."""
    workspace = fresh("reservoir")
    closed: list[int | None] = []

    def look(context: HookContext) -> None:
        if not orchestrator.runner.database_open:
            closed.append(context.year)

    with workspace.orchestrator(hooks=[Hook(HookType.PRE_YEAR, look)]) as orchestrator:
        result = orchestrator.execute_multi_year_simulation(2000, 2011)
    assert closed == [2005, 2010]
    assert len(result.years) == 12
    assert workspace.sql("select count(distinct water_year) from lake_level") == [(12,)]


def test_two_orchestrators_run_side_by_side_in_threads(fresh: Fresh, tmp_path: Path) -> None:
    """Two databases in one process do not wait for each other; one listener tells every event of the two runs apart."""
    workspace = fresh("reservoir")
    databases = [tmp_path / "a.duckdb", tmp_path / "b.duckdb"]
    both_inside = threading.Barrier(2, timeout=60)
    results: list[SimulationResult] = []
    threads_of: dict[str | None, set[int]] = {}

    def watch(event: Event) -> None:
        threads_of.setdefault(event.run_id, set()).add(threading.get_ident())
        workspace.events.append(event)

    def meet(context: HookContext) -> None:
        both_inside.wait()

    def simulate(database: Path) -> None:
        hook = Hook(HookType.PRE_YEAR, meet, name="meet")
        with create_orchestrator(workspace.config, database=database, hooks=[hook], listeners=[watch]) as orchestrator:
            results.append(orchestrator.execute_multi_year_simulation(2000, 2001))

    threads = [threading.Thread(target=simulate, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(result.database) for result in results) == [str(database) for database in databases]
    for database in databases:
        with duckdb.connect(str(database), read_only=True) as connection:
            assert connection.execute("select count(*) from lake_level").fetchall() == [(4,)]
    assert set(threads_of) == {result.run_id for result in results}
    assert sorted(map(len, threads_of.values())) == [1, 1]
    kinds = {RunStarted, DbtReady, LockAcquired, LockReleased, HookFinished, StepFinished, NodeFinished, RunFinished}
    for result in results:
        own = [event for event in workspace.events if event.run_id == result.run_id]
        assert {type(event) for event in own} >= kinds
        assert {e.lock_path for e in own if isinstance(e, LockAcquired)} == {f"{result.database}.lock"}
        lines = (workspace.root / "var" / "runs" / result.run_id / "events.jsonl").read_text().splitlines()
        assert [from_record(json.loads(line)) for line in lines] == own


def test_what_is_outside_of_a_run_names_none(warm: WarmWorkspace) -> None:
    """Before and after a run, and in another thread while it goes on, an orchestrator's events belong to no run."""

    def heal() -> None:
        warm.warm.initializer.ensure_initialized()

    def heal_elsewhere(context: HookContext) -> None:
        thread = threading.Thread(target=heal)
        thread.start()
        thread.join()

    heal()
    warm.warm.hooks.register_hook(Hook(HookType.PRE_SIMULATION, heal_elsewhere, name="elsewhere"))
    try:
        result = run(warm, 2000, 2000)
    finally:
        warm.warm.hooks.unregister_hook("elsewhere")
    heal()
    steps = [event for event in warm.events if isinstance(event, StepFinished)]
    assert [event.run_id for event in steps] == [None, result.run_id, None, None]
    others = [event for event in warm.events if not isinstance(event, (StepStarted, StepFinished))]
    assert {event.run_id for event in others} == {result.run_id}


def test_one_orchestrator_in_two_threads_runs_one_after_the_other(warm: WarmWorkspace) -> None:
    """Threads that share an orchestrator wait for each other: no row is doubled."""
    before = warm.digests()
    threads = [threading.Thread(target=run, args=(warm,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.status for event in warm.events if isinstance(event, RunFinished)] == ["completed"] * 2
    assert warm.digests() == before


def test_a_run_inside_a_run_is_refused(warm: WarmWorkspace) -> None:
    """A hook that starts the same orchestrator, or another on the same database, fails at once and says why."""
    before = warm.digests()

    def nest(context: HookContext) -> None:
        with pytest.raises(OrchestratorError, match="inside another run"):
            warm.warm.execute_multi_year_simulation()
        with warm.orchestrator() as other, pytest.raises(DatabaseLockedError, match="already held by this thread"):
            other.execute_multi_year_simulation()

    warm.warm.hooks.register_hook(Hook(HookType.PRE_STAGE, nest, name="nest", stage="balance"))
    try:
        run(warm)
    finally:
        warm.warm.hooks.unregister_hook("nest")
    assert warm.digests() == before


def test_a_second_run_heals_nothing_and_gives_the_same_rows(warm: WarmWorkspace) -> None:
    """The same range again purges its years first, so no row is doubled."""
    before = warm.digests()
    result = run(warm)
    assert warm.digests() == before
    assert result.initialization is not None
    assert result.initialization.tables_created == ()
    assert [event.step for event in warm.events if isinstance(event, StepStarted)] == ["check_tables"]
    purged = [event for event in warm.events if isinstance(event, YearsPurged)]
    assert [(event.from_year, event.rows) for event in purged] == [(2000, 24)]


def test_a_range_in_two_parts_gives_the_same_rows(warm: WarmWorkspace) -> None:
    """2000–2001 followed by 2002 equals 2000–2002."""
    before = warm.digests()
    run(warm, 2000, 2001)
    assert warm.sql("select max(water_year) from lake_level") == [(2001,)]
    run(warm, 2002, 2002)
    assert warm.digests() == before


def test_a_year_without_its_predecessor_is_refused(warm: WarmWorkspace, fresh: Fresh) -> None:
    """The error says what is there and what to run first; nothing is built."""
    warm.sql("delete from lake_level where water_year > 2000", "delete from inflow where water_year > 2000")
    before = warm.digests()
    with pytest.raises(YearSequenceError, match=r"inflow has 0 rows of 2001, but had 6 ") as caught:
        run(warm, 2002, 2002)
    assert "orchestrator simulate 2001-2002" in str(caught.value)
    assert warm.digests() == before
    empty = fresh("reservoir")
    with pytest.raises(YearSequenceError, match=r"no year has been simulated"):
        empty.simulate(2001, 2002)


def test_a_lost_state_table_is_not_taken_for_an_empty_year(warm: WarmWorkspace) -> None:
    """A dropped table of the year before is refused, not created empty and read."""
    warm.sql("drop table lake_level")
    with pytest.raises(
        YearSequenceError, match=r"table lake_level is gone, which stage balance of 2000 built"
    ) as caught:
        run(warm, 2002, 2002)
    assert "orchestrator simulate 2000-2002" in str(caught.value)
    assert "lake_level" not in warm.tables()
    run(warm)
    assert warm.sql("select count(*) from lake_level") == [(6,)]


@pytest.mark.parametrize(("start", "end"), [(1999, 2001), (2002, 2000)])
def test_an_impossible_range_is_refused(warm: WarmWorkspace, start: int, end: int) -> None:
    """Years before the first, and a range that ends before it begins, are configuration errors."""
    with pytest.raises(ConfigurationError):
        run(warm, start, end)


def test_hooks_see_the_run_and_its_connection(warm: WarmWorkspace) -> None:
    """Hooks of every kind are called in the order of the run, with a context that reads and writes."""
    seen: list[tuple[str, int | None, str | None]] = []

    def note(context: HookContext) -> None:
        seen.append(("note", context.year, context.stage))

    def count(context: HookContext) -> None:
        rows = context.query("select count(*) from lake_level")
        context.execute(f"create or replace table counted as select {rows[0][0]} as n")
        seen.append(("count", context.year, context.stage))

    added = [
        Hook(HookType.PRE_SIMULATION, note, name="first"),
        Hook(HookType.PRE_YEAR, note, name="year"),
        Hook(HookType.POST_STAGE, count, name="balance only", stage="balance"),
        Hook(HookType.POST_SIMULATION, note, name="last"),
    ]
    for hook in added:
        warm.warm.hooks.register_hook(hook)
    try:
        run(warm, 2000, 2001)
    finally:
        for hook in added:
            warm.warm.hooks.unregister_hook(hook.name)
    assert seen == [
        ("note", None, None),
        ("note", 2000, None),
        ("count", 2000, "balance"),
        ("note", 2001, None),
        ("count", 2001, "balance"),
        ("note", None, None),
    ]
    assert warm.sql("select n from counted") == [(4,)]


def test_a_failing_hook_stops_the_run_and_is_named(warm: WarmWorkspace) -> None:
    """The error comes from the hook's own, ON_FAILURE hooks see it, and the mutex is free."""
    failures: list[BaseException | None] = []

    def refuse(context: HookContext) -> None:
        raise ValueError(f"no {context.year}")

    warm.warm.hooks.register_hook(Hook(HookType.PRE_YEAR, refuse, name="refuse"))
    warm.warm.hooks.register_hook(
        Hook(HookType.ON_FAILURE, lambda context: failures.append(context.error), name="watch")
    )
    try:
        with pytest.raises(HookError, match=r"pre_year.*refuse.*no 2000") as caught:
            run(warm)
    finally:
        warm.warm.hooks.unregister_hook("refuse")
        warm.warm.hooks.unregister_hook("watch")
    assert isinstance(caught.value.__cause__, ValueError)
    assert failures == [caught.value]
    assert DatabaseMutex(warm.database, run_id="probe").holder() is None
    assert [e.status for e in warm.events if isinstance(e, RunFinished)] == ["failed"]


def test_what_a_run_is_handed_ends_with_it(warm: WarmWorkspace) -> None:
    """While a run goes on its mutex names it; what heals outside of it is noted and counted as something else."""
    noted: list[tuple[str | None, str]] = []

    def look(context: HookContext) -> None:
        holder = warm.warm.mutex.holder()
        noted.append((None if holder is None else holder.run_id, context.run_id))

    warm.warm.hooks.register_hook(Hook(HookType.PRE_YEAR, look, name="look"))
    try:
        first, second = run(warm, 2000, 2000), run(warm, 2000, 2000)
    finally:
        warm.warm.hooks.unregister_hook("look")
    assert noted == [(first.run_id, first.run_id), (second.run_id, second.run_id)]
    assert first.initialization is not second.initialization
    with warm.warm.mutex.held(0) as mutex:
        holder = mutex.holder()
        assert holder is not None and holder.run_id not in (first.run_id, second.run_id)


def test_a_hook_for_no_stage_is_refused(warm: WarmWorkspace) -> None:
    """A hook that would never be called is an error before anything runs."""
    warm.warm.hooks.register_hook(Hook(HookType.POST_STAGE, print, name="lost", stage="flow"))
    try:
        with pytest.raises(HookDefinitionError, match=r"(?s)'lost' is limited to stage 'flow'.*balance") as caught:
            run(warm)
    finally:
        warm.warm.hooks.unregister_hook("lost")
    assert caught.value.exit_code == 2
    assert warm.events == []
    with pytest.raises(ConfigurationError, match="5 is not a listener"):
        create_orchestrator(warm.config, listeners=[5])  # type: ignore[list-item]


def test_what_is_no_configuration_is_told_in_words_of_python(warm: WarmWorkspace) -> None:
    """Wrong arguments are errors of this package, and send nobody to the command line."""
    with pytest.raises(ConfigurationError, match=r"5 is not a configuration\.\nTo fix: give the path of a YAML file"):
        create_orchestrator(5)  # type: ignore[arg-type]
    for wrong in (["a"], [5], "a"):
        with pytest.raises(ConfigurationError, match=r"is not a string of the form key\.path=value") as caught:
            create_orchestrator(warm.config, overrides=wrong)  # type: ignore[arg-type]
        assert "--set" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="does not exist") as caught:
        create_orchestrator(warm.root / "nowhere.yaml")
    assert caught.value.to_fix is not None and "name another file (on the command line" in caught.value.to_fix
    with pytest.raises(ConfigurationError, match="Year '2000' is not a whole number"):
        warm.warm.execute_multi_year_simulation("2000", "2001")  # type: ignore[arg-type]


def test_healing_errors_keep_their_class_through_the_hook(warm: WarmWorkspace) -> None:
    """A healing that fails inside a run is caught as what it is, and as a HookError."""
    warm.complete()
    warm.sql("alter table lake_level add column note varchar")
    with pytest.raises(InitializationError) as caught:
        run(warm, 2002, 2002)
    assert isinstance(caught.value, HookError)
    assert caught.value.hook_name == "self_healing"


def test_without_healing_a_gap_stops_the_run_early(simulated: Fresh) -> None:
    """With self-healing off nothing is built, and the error names what is missing."""
    workspace = simulated("reservoir")
    workspace.sql("drop table rain")
    with pytest.raises(InitializationError, match=r"rain does not exist") as caught:
        workspace.simulate(auto_initialize=False)
    assert "orchestrator init" in str(caught.value)
    assert "rain" not in workspace.tables()
    assert not [event for event in workspace.events if isinstance(event, StageStarted)]


def test_every_event_is_a_json_line(warm: WarmWorkspace) -> None:
    """The run's file holds each event, with start, end, seconds and success in every step."""
    warm.sql("drop table rain")
    result = run(warm, 2000, 2000)
    lines = (warm.root / "var" / "runs" / result.run_id / "events.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert (records[0]["event"], records[-1]["event"]) == ("RunStarted", "RunFinished")
    assert len(records) == len(warm.events)
    steps = [record for record in records if record["event"] == "StepFinished"]
    assert {"check_tables", "load_seeds", "verify"} <= {step["step"] for step in steps}
    for step in steps:
        assert step["success"] is True
        assert step["seconds"] >= 0
        assert step["started_at"] <= step["completed_at"]


def test_a_failed_dbt_test_stops_the_run_and_shows_the_rows(warm: WarmWorkspace) -> None:
    """The error names the test and how many rows fail, and the query that it points to finds them."""
    hook = Hook(
        HookType.PRE_STAGE,
        lambda context: context.execute("update lake_level set level = -1 where water_year = 2000"),
        name="dry up",
        stage="checks",
    )
    warm.warm.hooks.register_hook(hook)
    try:
        with pytest.raises(TestFailedError, match=r"assert_lakes_hold_water found 2 failing rows") as caught:
            run(warm)
    finally:
        warm.warm.hooks.unregister_hook("dry up")
    path = Path(next(word for word in str(caught.value).split() if word.endswith(".sql")))
    assert len(warm.sql(path.read_text())) == 2
    assert not [e for e in warm.events if isinstance(e, StageStarted) and e.year == 2001]


def test_a_failed_model_names_stage_node_and_message(simulated: Fresh) -> None:
    """A model that fails in a year is told with node, file and the database's message."""
    workspace = simulated("reservoir")
    model = workspace.root / "dbt" / "models" / "yearly" / "inflow.sql"
    model.write_text(model.read_text().replace("r.depth * l.area", "r.depth * l.no_such_column"))
    with pytest.raises(NodeFailedError, match=r"no_such_column") as caught:
        workspace.simulate()
    assert str(model) in str(caught.value)
    assert caught.value.nodes == ("model.reservoir.inflow",)
    assert caught.value.__notes__ == ["in stage flows of 2000"]


def test_a_stage_that_takes_too_long_is_stopped(simulated: Fresh, no_orphans: None) -> None:
    """timeout_seconds of a stage interrupts it; the error says which stage of which year."""
    workspace = simulated("reservoir")
    model = workspace.root / "dbt" / "models" / "yearly" / "slow.sql"
    model.write_text("{{ config(materialized='table', tags=['FLOWS']) }}\n" + SLOW)
    stages = [{"name": "flows", "select": "slow", "timeout_seconds": 1.5}]
    with pytest.raises(StageTimeoutError, match=r"Stage flows of 2000 .* 1\.5 seconds") as caught:
        workspace.simulate(overrides={"stages": stages})
    assert caught.value.exit_code == 124
    assert DatabaseMutex(workspace.database, run_id="probe").holder() is None
    assert "slow" not in workspace.tables()


def test_a_stage_of_the_first_year_runs_once(warm: WarmWorkspace, simulated: Fresh) -> None:
    """first_year_only means the first year of the simulation, not of the range."""
    workspace = simulated("reservoir")
    stages = [{"name": "flows", "select": "tag:FLOWS", "first_year_only": True}, {"name": "balance", "select": "rain"}]
    overrides = {"stages": [stages[0], {"name": "balance", "select": "lake_shape"}]}
    with workspace.orchestrator(overrides=overrides) as orchestrator:
        first = orchestrator.execute_multi_year_simulation(2000, 2001, forgo_years=True)
    assert [[stage.name for stage in year.stages] for year in first.years] == [["flows", "balance"], ["balance"]]


def test_a_scenario_is_laid_over_the_configuration(warm: WarmWorkspace, simulated: Fresh) -> None:
    """Vars of the configuration reach dbt: twice the rain is twice the inflow."""
    workspace = simulated("reservoir")
    before = workspace.sql("select sum(volume) from inflow where water_year = 2000")[0][0]
    workspace.sql("drop view stg_rain")
    workspace.simulate(2000, 2000, overrides={"vars.rain_factor": 2})
    after = workspace.sql("select sum(volume) from inflow where water_year = 2000")[0][0]
    assert after == 2 * before  # type: ignore[operator]


def test_the_fingerprint_follows_what_decides(warm: WarmWorkspace, simulated: Fresh) -> None:
    """Equal for a repeated run and for another range, different for another var or seed."""
    first = run(warm, 2000, 2001).fingerprint
    assert run(warm, 2002, 2002).fingerprint == first
    workspace = simulated("reservoir")
    with workspace.orchestrator() as orchestrator:
        assert orchestrator.execute_multi_year_simulation(2000, 2000, forgo_years=True).fingerprint == first
    with workspace.orchestrator(overrides={"vars.rain_factor": 2}) as orchestrator:
        assert orchestrator.execute_multi_year_simulation(2000, 2000, forgo_years=True).fingerprint != first
