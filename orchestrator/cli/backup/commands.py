"""``orchestrator backup create | list | verify | restore | prune``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orchestrator.cli.command import load_config, orchestrator_for, progress_for
from orchestrator.cli.confirmation import confirm
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import BackupDamagedError
from orchestrator.core.formats import shown_path, shown_size

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.maintenance.backup.backup import Backup
    from orchestrator.maintenance.backup.workspace import WorkspaceDatabase

NameArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Backup or the beginning of its name; by default the newest."),
]
FOUND = 3
KEEP = 5


def create(
    options: CommonOptions,
    output: Output,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is made; kept with it.")] = "by hand",
) -> int:
    """Copy every database of the workspace, or the one of --database, and write down what is in them."""
    from orchestrator.maintenance.backup.backup import create_backup  # the rooms below are slow to import
    from orchestrator.maintenance.backup.workspace import chosen

    config = load_config(options)
    databases = chosen(workspace_databases(config), options.database)
    with progress_for(output) as progress:
        made = create_backup(
            databases,
            config.root,
            reason=reason,
            lock_timeout=config.self_healing.lock_timeout_seconds,
            history_url=config.storage_url,
            emit=progress,
        )
    output.write_json(backup_record(made), "created")
    _show_databases(output, made)
    output.say()
    output.say(f"backup    {shown_path(made.folder)}")
    output.say(f"restore   {options.carried_by(f'orchestrator backup restore {made.name}')}")
    return 0


def list_(options: CommonOptions, output: Output) -> int:
    """List backups, newest first."""
    from orchestrator.maintenance.backup.backup import list_backups

    config = load_config(options)
    backups = list_backups(config.root)
    output.write_json({"backups": [backup_record(backup) for backup in backups]}, "listed")
    if not backups:
        output.say(options.same_workspace("No backup yet: `orchestrator backup create` makes one."))
        return 0
    table = plain_table()
    for heading in ("Backup", "Databases", "Size", "Reason"):
        table.add_column(heading, justify="right" if heading in ("Databases", "Size") else "left")
    for backup in backups:
        metadata = backup.metadata
        if metadata is None:
            table.add_row(backup.name, "", "", Text(backup.problem or "cannot be read", "red"))
            continue
        size = sum(record.bytes for record in metadata.databases)
        later = " (dated later than now: a clock was wrong)" if backup.is_later_than(utc_now()) else ""
        table.add_row(backup.name, str(len(metadata.databases)), shown_size(size), f"{metadata.reason}{later}")
    output.show(table)
    return 0


def verify(options: CommonOptions, output: Output, name: NameArgument = None) -> int:
    """Read every byte of a backup and compare it with what was written; ends with 3 where it is damaged."""
    from orchestrator.maintenance.backup.backup import find_backup, verify_backup
    from orchestrator.maintenance.backup.pruning import foreign_files

    config = load_config(options)
    backup = find_backup(config.root, name)
    problem = None
    try:
        with progress_for(output) as progress:
            verify_backup(backup, emit=progress)
    except BackupDamagedError as error:
        problem = error.message
    whole = problem is None
    foreign = foreign_files(backup)
    document = {**backup_record(backup), "whole": whole, "problem": problem, "foreign_files": foreign}
    output.write_json(document, "whole" if whole else "damaged", ok=whole)
    if problem is not None:
        output.errors.print(Text.assemble(("✗ ", "red"), problem), soft_wrap=not output.errors.is_terminal)
        return FOUND
    output.say(Text(f"Backup {backup.name} is whole.", "bold green"))
    if foreign:
        output.say(f"In its folder is also what is no part of it: {', '.join(foreign)}.")
    return 0


def restore(
    options: CommonOptions,
    output: Output,
    name: NameArgument = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar=NO_VALUE, help="Do not ask before overwriting.")] = False,
) -> int:
    """Put a backup, or one --database of it, in the place of what is there, which is backed up first."""
    from orchestrator.maintenance.backup.backup import find_backup
    from orchestrator.maintenance.backup.bounds import bounds_of
    from orchestrator.maintenance.backup.outside import files_not_restored
    from orchestrator.maintenance.backup.restore import restore_backup

    config = load_config(options)
    backup = find_backup(config.root, name)
    only = None if options.database is None else options.database.expanduser().absolute()
    if not yes:
        names = "what is there" if backup.metadata is None else ", ".join(one.name for one in backup.metadata.databases)
        confirm(
            output,
            f"Restoring {backup.name} overwrites {names}",
            "what is there is backed up first",
            declined="Nothing was restored.",
        )
    with progress_for(output) as progress:
        done = restore_backup(
            backup,
            config.root,
            only=only,
            history_url=config.storage_url,
            bounds=bounds_of(config),
            lock_timeout=config.self_healing.lock_timeout_seconds,
            emit=progress,
        )
    kept = None if done.kept is None else done.kept.name
    outside = files_not_restored(done, config.root, config.ledger.schema)
    document = {"restored": backup.name, "databases": done.databases, "kept": kept, "files_not_restored": outside}
    output.write_json(document, "restored")
    output.say(f"Restored {', '.join(done.databases)} from {backup.name}.")
    if outside:
        output.say(f"A backup holds no files that external models wrote: {', '.join(outside)}.")
        look = options.carried_by("orchestrator doctor")
        output.say(f"To see which are not those of {backup.name}: {look}. The next run makes them anew.")
    if kept is not None:
        undo = options.carried_by(f"orchestrator backup restore {kept}")
        output.say(f"The previous databases are backed up; to undo: {undo}")
    return 0


def prune(
    options: CommonOptions,
    output: Output,
    *,
    keep: Annotated[int, typer.Option("--keep", metavar="K", min=1, help="How many of the newest to keep.")] = KEEP,
) -> int:
    """Remove all but the newest backups; the newest one that is whole always stays."""
    from orchestrator.maintenance.backup.pruning import prune_backups

    config = load_config(options)
    with progress_for(output) as progress:
        done = prune_backups(config.root, keep, lock_timeout=config.self_healing.lock_timeout_seconds, emit=progress)
    output.write_json({"removed": [backup.name for backup in done.removed], "left": done.left}, "pruned")
    for backup in done.removed:
        output.say(f"Removed {backup.name}")
    if not done.removed:
        output.say("There is nothing to remove.")
    for name, reason in done.left.items():
        output.say(f"Left alone and not counted: {name} {reason}.")
    return 0


def workspace_databases(config: SimulationConfig) -> tuple[WorkspaceDatabase, ...]:
    """Return the databases of a configuration; where the dbt profile names the file, the project is asked."""
    from orchestrator.maintenance.backup.workspace import databases_of

    if config.database_path is not None:
        return databases_of(config)
    with orchestrator_for(config, []) as orchestrator:
        facts = orchestrator.runner.current_facts()
        return databases_of(config, facts.database_path)


def backup_record(backup: Backup) -> dict[str, object]:
    """Return a backup for JSON."""
    metadata = None if backup.metadata is None else backup.metadata.model_dump()  # times as in all documents
    return {"name": backup.name, "folder": backup.folder, "problem": backup.problem, "metadata": metadata}


def _show_databases(output: Output, backup: Backup) -> None:
    assert backup.metadata is not None
    table = plain_table()
    for heading in ("Database", "Kind", "Tables", "Rows", "Size"):
        table.add_column(heading, justify="left" if heading in ("Database", "Kind") else "right")
    for record in backup.metadata.databases:
        rows = sum(record.tables.values())
        size = shown_size(record.bytes) + (" compacted" if record.compacted else "")
        table.add_row(record.name, record.kind, f"{len(record.tables):,}", f"{rows:,}", size)
    output.say()
    output.show(table)
