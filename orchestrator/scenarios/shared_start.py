"""What members have in common before their first year, built once and copied: seeds, foundation, empty state tables.

The copy is a shortcut and never an authority: each member's own healing compares every table that it finds with what
the member is made of, and rebuilds what differs. So a copy can cost time, and cannot cost a row.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from orchestrator.config.schema import HookType
from orchestrator.core.files import flush_folder
from orchestrator.core.permissions import file_mode, make_folder
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.self_healing.initialization_state import TableTier
from orchestrator.self_healing.registry import node_of

CLONE = 0x40049409  # FICLONE of <linux/fs.h>: both files share their blocks until one is written to


class SharedStart:
    """Databases that are healed and have no year yet, in ``folder``, by what they are made of.

    ``varied`` are the variables that differ between the members: where all of them decide the start, no two members
    have it in common.
    """

    def __init__(self, folder: Path, varied: Collection[str]) -> None:
        self._folder = folder
        self._varied = frozenset(varied)

    def prepare(self, orchestrator: PipelineOrchestrator, database: Path) -> bool:
        """Give a member that has no database one that is healed; return whether it is a copy of another's.

        Raises:
            OrchestratorError: healing failed.
        """
        facts = orchestrator.runner.current_facts()
        before = before_years(orchestrator, facts)
        read = frozenset(name for node in before for name in facts.variables_of(node))
        hooks = orchestrator.hooks.list_hooks(HookType.PRE_INITIALIZATION)  # which may do what they like
        if database.exists() or hooks or ANY_VAR in read or (self._varied and self._varied <= read):
            return False
        start = self._folder / f"{_digest(facts, before)}.duckdb"
        if start.is_file():
            with suppress(OSError):  # removed meanwhile, or no room: the member heals itself
                copy_file(start, database)
                return True
            database.unlink(missing_ok=True)
            return False
        orchestrator.initializer.ensure_initialized()
        orchestrator.runner.release()
        if not Path(f"{database}.wal").exists():
            with suppress(OSError):  # no room for it: the next member heals itself
                make_folder(self._folder)
                copy_file(database, start)
        return False

    def remove(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self._folder, ignore_errors=True)


def before_years(orchestrator: PipelineOrchestrator, facts: ProjectFacts) -> tuple[NodeFacts, ...]:
    """Return the nodes that healing builds with rows, and those that they are built from; state tables are empty."""
    checker = orchestrator.initializer.checker(facts)
    required, facts = checker.required, checker.facts
    built = {node_of(table, facts).unique_id for table in required if table.tier is not TableTier.STATE}
    wanted = built | facts.ancestors(built)
    return tuple(node for node in facts.nodes if node.unique_id in wanted)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file whole or not at all, sharing its blocks where the file system can.

    Raises:
        OSError: it cannot be read or written; nothing is left of the copy.
    """
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with source.open("rb") as read, new.open("wb") as written:
            os.fchmod(written.fileno(), file_mode(target))
            try:
                fcntl.ioctl(written.fileno(), CLONE, read.fileno())
            except OSError:
                shutil.copyfileobj(read, written, 1 << 20)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    flush_folder(target.parent)


def _digest(facts: ProjectFacts, nodes: Collection[NodeFacts]) -> str:
    """Return a digest of all that decides these nodes."""
    parts = [[node.unique_id, facts.decided_by(node), facts.inputs_of(node), node.upstream] for node in nodes]
    whole = canonical([facts.shape.project, facts.versions, facts.unasked, parts])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]
