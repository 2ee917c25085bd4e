"""Sweeps for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.formats import NOTHING, shown_path, shown_seconds, shown_size
from orchestrator.core.text import plural, shown_years
from orchestrator.reports.sides.groups import shown_value
from orchestrator.reports.sweeps import outcome_status
from orchestrator.scenarios.forecast import Forecast
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.results_database import kept_tables
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.status import SweepStatus
from orchestrator.scenarios.sweeping import PreparedSweep, SweepOutcome

STYLES = {"done": "green", "failed": "red", "running": "cyan", "cancelled": "yellow", "stopped": "yellow"}
SHOWN = {"cancelled": "stopped"}
MEMBERS_SHOWN, FAILURES_SHOWN, VALUES_SHOWN, NAMES_SHOWN = 30, 10, 12, 3


def show_outcome(output: Output, outcome: SweepOutcome, carried: Callable[[str], str]) -> None:
    """Say what became of a sweep, and where its results are."""
    failures = [(key, state) for key, state in outcome.states.items() if state.status == "failed"]
    _show_failures(output, failures)
    output.say()
    output.say(f"members   {_counted(outcome.states)} in {shown_seconds(outcome.seconds)}")
    if outcome.removed:
        output.say(f"removed   {plural(len(outcome.removed), 'member')} that this command does not name")
    if outcome.emptied:
        databases = plural(len(outcome.emptied), "database")
        output.say(f"removed   {databases} of members that were done (databases: {outcome.plan.databases})")
    if len(outcome.kept) == len(outcome.states):
        what = "Nothing was run" if outcome.removed or outcome.emptied else "Nothing to do"
        output.say(f"          {what}: all of them were done, and nothing has changed.")
    if outcome.changed:
        members = plural(len({key for keys in outcome.changed.values() for key in keys}), "member")
        again = carried(f"orchestrator sweep resume {outcome.plan.name}")
        output.say(f"changed   {', '.join(outcome.changed)}: {members} read it as it was before; {again} takes that up")
    unseen = dict.fromkeys(text for state in outcome.states.values() for text in state.not_compared)
    if unseen:
        output.say(f"Not compared: {'; '.join(unseen)}")
    tables = kept_tables(outcome.folder)
    if tables:
        output.say(f"results   {shown_path(outcome.folder.results_database)}: {', '.join(tables)}")
    output.say(f"folder    {shown_path(outcome.folder.path)}")
    if outcome_status(outcome) == "stopped":
        output.say(f"stopped   the same command goes on; {carried(f'orchestrator sweep status {outcome.plan.name}')}")


def show_status(output: Output, found: SweepStatus) -> None:
    """Show a sweep: sums, and its members where they are few, else those that run and failed."""
    assert found.plan is not None
    years = shown_years(found.plan.years)
    output.say(
        Text.assemble((f"Sweep {found.name} · {years} · ", "bold"), (found.status, STYLES.get(found.status, "")))
    )
    _show_varied(output, found.plan)
    output.say(f"members   {_counted(found.states)}")
    if found.holder is not None:
        output.say(f"run by    pid {found.holder.pid} on {found.holder.host}: {found.holder.command}")
    tables = kept_tables(found.folder)
    if tables:
        output.say(f"results   {shown_path(found.folder.results_database)}: {', '.join(tables)}")
    shown = {
        key: state
        for key, state in found.states.items()
        if len(found.states) <= MEMBERS_SHOWN or state.status == "running"
    }
    if shown:
        output.say()
        _show_members(output, found.plan, shown)
    _show_failures(output, [(key, state) for key, state in found.states.items() if state.status == "failed"])


def show_list(output: Output, found: Sequence[tuple[SweepStatus, int]]) -> None:
    """Write a line for each sweep."""
    table = plain_table()
    for heading in ("Sweep", "Status", "Members", "Years", "Made", "Size"):
        table.add_column(heading, justify="right" if heading == "Size" else "left", no_wrap=True)
    for one, size in found:
        plan = one.plan
        table.add_row(
            one.name,
            Text(one.status, STYLES.get(one.status, "")),
            _counted(one.states),
            NOTHING if plan is None else shown_years(plan.years),
            NOTHING if plan is None else _shown_moment(plan.created_at),
            shown_size(size),
        )
    output.show(table)


def show_preview(output: Output, sweep: PreparedSweep, expected: Forecast) -> None:
    """Say what a sweep would do."""
    plan = sweep.plan
    output.say(Text(f"Sweep {plan.name} · {plural(expected.members, 'member')}", "bold"))
    _show_varied(output, plan)
    output.say(f"scenarios {', '.join(plan.scenarios)}")
    if plan.seeds:
        output.say(f"seeds     {plural(len(plan.seeds), 'seed')}, {min(plan.seeds)} to {max(plan.seeds)}")
    output.say(f"years     {shown_years(plan.years)}")
    again = f" ({len(sweep.again):,} of them again: something has changed)" if sweep.again else ""
    output.say(f"to run    {plural(expected.to_run, 'member')}{again}; {len(sweep.kept):,} are done and unchanged")
    if sweep.dropped:
        output.say(f"removed   {plural(len(sweep.dropped), 'member')} that this command does not name")
    time = "unknown: nothing like it was run yet"
    if expected.seconds is not None:
        time = f"about {shown_seconds(expected.seconds)}" if expected.to_run else "nothing is to be run"
    output.say(f"time      {time}")
    size = f"none stay of members that are done (--databases {plan.databases})"
    if plan.databases == "all":
        size = "unknown" if expected.bytes is None else f"about {shown_size(expected.bytes)}"
    output.say(f"databases {size}")
    output.say(f"disk      {shown_size(expected.free)} are free")


def _show_varied(output: Output, plan: SweepPlan) -> None:
    """Say what differs between members, and what was set for all of them."""
    for one in plan.variations:
        values = ", ".join(map(shown_value, one.values[:VALUES_SHOWN]))
        output.say(f"varied    {one.key}: {values}{', …' if len(one.values) > VALUES_SHOWN else ''}")
    if plan.overrides:
        output.say(f"set       {', '.join(plan.overrides)}")


def _show_members(output: Output, plan: SweepPlan, states: dict[str, MemberState]) -> None:
    table = plain_table()
    for heading in ("Member", "Status", "Seconds", "Run"):
        table.add_column(heading, justify="right" if heading == "Seconds" else "left", no_wrap=heading != "Member")
    for key, state in states.items():
        seconds = NOTHING if state.seconds is None else f"{state.seconds:,.1f}"
        status = SHOWN.get(state.status, state.status)
        table.add_row(key, Text(status, STYLES.get(state.status, "")), seconds, (state.run_id or NOTHING)[:8])
    output.show(table)


def _show_failures(output: Output, failures: Sequence[tuple[str, MemberState]]) -> None:
    """Say why members failed, those that failed alike together."""
    alike: dict[tuple[str | None, str | None], list[tuple[str, int]]] = {}
    for key, state in failures:
        alike.setdefault((state.message, state.to_fix), []).append((key, state.attempts))
    for (message, to_fix), members in list(alike.items())[:FAILURES_SHOWN]:
        output.say()
        output.say(Text.assemble(("Failed: ", "bold red"), f"{_named(members)}. {message}"))
        if to_fix:
            output.say(Text.assemble(("To fix: ", "bold"), to_fix))
    if len(alike) > FAILURES_SHOWN:
        left = sum(len(members) for members in list(alike.values())[FAILURES_SHOWN:])
        output.say(f"\nand {left:,} more; --json has all of them")


def _named(members: Sequence[tuple[str, int]]) -> str:
    """Name members that failed alike, a few of many.

    >>> _named([("a", 2)]), _named([(key, 1) for key in "abcde"])
    ('a, 2 attempts', '5 members: a, b, c and 2 more')
    """
    if len(members) == 1:
        key, attempts = members[0]
        return f"{key}, {plural(attempts, 'attempt')}"
    shown = ", ".join(key for key, _ in members[:NAMES_SHOWN])
    more = f" and {len(members) - NAMES_SHOWN:,} more" if len(members) > NAMES_SHOWN else ""
    return f"{len(members):,} members: {shown}{more}"


def _counted(states: dict[str, MemberState]) -> str:
    """Return how many members there are of each status."""
    counts: dict[str, int] = {}
    for state in states.values():
        counts[SHOWN.get(state.status, state.status)] = counts.get(SHOWN.get(state.status, state.status), 0) + 1
    parts = [
        f"{counts[status]:,} {status}"
        for status in ("done", "failed", "running", "stopped", "pending")
        if status in counts
    ]
    return f"{len(states):,}: {', '.join(parts)}" if states else "none"


def _shown_moment(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return NOTHING
