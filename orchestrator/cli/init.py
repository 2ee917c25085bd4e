"""``orchestrator init``: make the required tables ready, now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orchestrator.cli.command import exit_fast_unless_hooked, load_config, orchestrator_for, progress_for
from orchestrator.cli.confirmation import confirm
from orchestrator.cli.options import NO_VALUE, CommonOptions, TimeoutOption
from orchestrator.cli.output import Output
from orchestrator.cli.plan import show_healing
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.formats import shown_path
from orchestrator.core.text import plural
from orchestrator.reports.results import initialization_record
from orchestrator.self_healing.left_out import told_left_out

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.self_healing.initialization_state import InitializationResult


def init(
    options: CommonOptions,
    output: Output,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar=NO_VALUE, help="Show what would be built; write nothing.")
    ] = False,
    recreate: Annotated[
        bool,
        typer.Option(
            "--recreate", metavar=NO_VALUE, help="Move the database file aside and build a new one; nothing is deleted."
        ),
    ] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept",
            metavar="TABLE",
            help="Take a stale table as it is, because its rows are up to date; repeatable.",
            show_default=False,
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar=NO_VALUE, help="Do not ask before --recreate.")] = False,
    timeout: TimeoutOption = None,
) -> int:
    """Build the required tables that are not ready, and nothing else."""
    if accept:
        return _accept(
            options,
            output,
            accept,
            beside=[flag for flag, given in (("--dry-run", dry_run), ("--recreate", recreate)) if given],
        )
    if dry_run:
        return _dry_run(options, output, recreate=recreate)
    if recreate:
        return _recreate(options, output, timeout=timeout, yes=yes)
    config = load_config(options, timeout=timeout)
    with orchestrator_for(config, [progress := progress_for(output)]) as orchestrator:
        facts = None if config.database_path is not None else orchestrator.runner.known_facts()
        output.say(_heading("Initializing", config.database_path if facts is None else facts.database_path))
        with progress:
            result = orchestrator.initialize()
    facts = orchestrator.runner.known_facts()
    database = config.database_path if facts is None else facts.database_path
    output.write_json({"database": database, **initialization_record(result)}, result.state)
    _show_result(output, result, database)
    left = None if facts is None else told_left_out(orchestrator.initializer.left_out(facts))
    if left is not None:
        output.say(left)
    exit_fast_unless_hooked(orchestrator)
    return 0


def _accept(options: CommonOptions, output: Output, names: list[str], *, beside: list[str]) -> int:
    from orchestrator.maintenance.acceptance import accept_tables  # slow to import

    if beside:
        raise ConfigurationError(
            f"--accept builds nothing, so {' and '.join(beside)} cannot be used with it.",
            to_fix=f"leave out --accept, or {' and '.join(beside)}",
        )
    with progress_for(output) as progress, orchestrator_for(load_config(options), [progress]) as orchestrator:
        found = accept_tables(orchestrator, names)
    accepted = [one.table.name for one in found]
    output.write_json({"accepted": accepted}, "accepted")
    for one in found:
        output.say(f"Accepted {one.table.name}, which {one.detail}")
    for name in names:
        if name not in accepted:
            output.say(f"{name} is ready; there was nothing to accept.")
    return 0


def _dry_run(options: CommonOptions, output: Output, *, recreate: bool) -> int:
    from orchestrator.maintenance.recreate import database_file, empty_plan  # slow to import
    from orchestrator.reports.plan import healing_record

    config = load_config(options)
    with progress_for(output) as progress, orchestrator_for(config, [progress]) as orchestrator:
        if recreate:
            moved = database_file(orchestrator)
            plan = empty_plan(orchestrator)
        else:
            moved = None
            plan = orchestrator.initializer.plan()
    if plan.refusal is not None and output.json:
        raise plan.refusal
    output.write_json({"healing": healing_record(plan)} | ({"set_aside": moved} if recreate else {}), "planned")
    if moved is not None:
        output.say(f"{shown_path(moved)} would be moved aside." if moved.exists() else f"There is no {moved} yet.")
    show_healing(output, plan)
    if plan.refusal is not None:
        raise plan.refusal
    return 0


def _recreate(options: CommonOptions, output: Output, *, timeout: float | None, yes: bool) -> int:
    from orchestrator.maintenance.recreate import database_file, recreate_database  # slow to import

    config = load_config(options, timeout=timeout)
    output.say(_heading("Recreating", config.database_path))
    with orchestrator_for(config, [progress := progress_for(output)]) as orchestrator:
        if not yes:
            what = f"Recreating moves {shown_path(database_file(orchestrator))} aside and builds a new, empty one"
            confirm(output, what, "nothing is deleted", declined="Nothing was changed.")
        with progress:
            done = recreate_database(orchestrator, emit=progress)
    output.write_json(
        {"database": done.database, **initialization_record(done.initialization), "set_aside": done.moved_to},
        done.initialization.state,
    )
    _show_result(output, done.initialization, done.database)
    return 0


def _heading(what: str, database: Path | None) -> Text:
    return Text(f"{what} {shown_path(database)}", "bold")


def _show_result(output: Output, result: InitializationResult, database: Path | None) -> None:
    if not result.missing_tables_found:
        output.say(f"Nothing to do: every required table is ready ({result.seconds * 1000:.0f} ms).")
        return
    created, count = ", ".join(result.tables_created), len(result.tables_created)
    if count:
        output.say(f"Created {plural(count, 'table')}: {created}")
    if result.tables_repaired:
        output.say(f"Repaired {len(result.tables_repaired)}: {', '.join(result.tables_repaired)}")
    where = f" in {shown_path(database)}"
    output.say(Text(f"Every required table is ready{where} after {result.seconds:.1f} s.", "bold"))
