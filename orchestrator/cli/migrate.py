"""``orchestrator migrate``: bring every database to the newest shape, or leave it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orchestrator.cli.backup.commands import workspace_databases
from orchestrator.cli.command import load_config, progress_for
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import DatabaseLockedError

if TYPE_CHECKING:
    from orchestrator.maintenance.migrate import Migration


def migrate(
    options: CommonOptions,
    output: Output,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar=NO_VALUE, help="Say what would be done; change nothing.")
    ] = False,
) -> int:
    """Bring ledgers, storage versions and the run history to the newest shape: backup, apply, verify, keep or restore.

    Each database by itself; ends with 1 if one of them failed, which is then as it was, and with 75 if one is in use.
    """
    from orchestrator.maintenance.backup.workspace import chosen
    from orchestrator.maintenance.migrate import FAILED, IN_USE, REFUSED, migrate_databases  # slow to import

    config = load_config(options)
    databases = chosen(workspace_databases(config), options.database)
    with progress_for(output) as progress:
        found = migrate_databases(
            databases,
            config.root,
            dry_run=dry_run,
            lock_timeout=config.self_healing.lock_timeout_seconds,
            history_url=config.storage_url,
            emit=progress,
        )
    outcomes = {one.outcome for one in found}
    failed = bool(outcomes & {FAILED, REFUSED, IN_USE})
    status = "failed" if failed else "planned" if dry_run else "migrated"
    output.write_json({"dry_run": dry_run, "failed": failed, "databases": found}, status, ok=not failed)
    for one in found:
        _show(output, one, options)
    if outcomes & {FAILED, REFUSED}:
        return 1
    return DatabaseLockedError.exit_code if failed else 0


def _show(output: Output, one: Migration, options: CommonOptions) -> None:
    style = "green" if one.outcome == "migrated" else "red" if one.error is not None else ""
    output.say(Text.assemble((f"{one.database}  ", "bold"), (one.outcome, style)))
    for change in one.changes:
        output.say(f"  {change}")
    if one.error is not None:
        output.say(Text(f"  {options.same_workspace(one.error)}".replace("\n", "\n  "), "red"))
    if one.backup is not None:
        output.say(f"  backup {one.backup}")
