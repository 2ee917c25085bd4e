"""Note in the ledger what the tables hold that are there before the first year."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import replace

from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.contents import (
    Contents,
    KeptContents,
    compared_nodes,
    contents_of,
    read_contents,
)
from orchestrator.ledger.layouts import ledger_version, upgrade_statements
from orchestrator.ledger.views import anything_is_compared, compared_views, definitions_of
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.self_healing.registry import node_of
from orchestrator.self_healing.table_checker import TableExistenceChecker

Note = Callable[[KeptContents | None, Contents], KeptContents | None]


class ContentsKeeper:
    """Notes contents for one parsed project; ``lasting`` are the unique ids of what is there before the first year."""

    def __init__(self, facts: ProjectFacts, lasting: Set[str]) -> None:
        self._facts = facts
        self._lasting = lasting

    def built(self, runner: DbtRunner, renewed: Set[str], timeout: float | None = None) -> None:
        """Note what a repair has built: that is what the tables should hold; what years have read stays as it is.

        ``renewed`` are the unique ids of tables of which code or inputs have changed: years begin anew because of that,
        and not because the rows are others.
        """

        def note(before: KeptContents | None, now: Contents) -> KeptContents:
            return KeptContents(now) if before is None else replace(before, contents=now)

        self._note(runner, note, timeout, functions=True)
        again = ContentsKeeper(self._facts, self._lasting & renewed)
        again._note(runner, lambda before, _: before and replace(before, read=None), timeout, functions=True)

    def left_by_hooks(self, runner: DbtRunner) -> None:
        """Note what hooks before the repair have left: that is what the tables should hold, where they are known."""
        self._note(runner, lambda before, now: before and replace(before, contents=now))

    def read_from_now_on(self, runner: DbtRunner, *, by_stages: bool = False) -> None:
        """Note what the years to come read; that is what the tables should hold.

        Where it is not what years have read so far, it is counted, unless stages have built it anew.
        """

        def note(before: KeptContents | None, now: Contents) -> KeptContents:
            if before is None:
                return KeptContents(now, now)
            other = before.read is not None and not before.read.same_as(now) and not by_stages
            return KeptContents(now, now, before.changes + other)

        self._note(runner, note)

    def changed_by_hooks(self, runner: DbtRunner) -> None:
        """Count what hooks during the years have changed; what the tables should hold stays as it is."""

        def note(before: KeptContents | None, now: Contents) -> KeptContents | None:
            if before is None or before.contents.same_as(now):
                return before
            return replace(before, changes=before.changes + 1)

        self._note(runner, note)

    def _note(self, runner: DbtRunner, note: Note, timeout: float | None = None, *, functions: bool = False) -> None:
        """Write what ``note`` makes of each table; nothing where the ledger knows it already."""
        if not anything_is_compared(self._facts) or not self._lasting:
            return
        catalog = runner.catalog(timeout)
        nodes = compared_nodes(self._facts, self._lasting, catalog, functions=functions)
        views = compared_views(self._facts, self._lasting, catalog)
        if not nodes and not views:
            return
        kept = read_contents(runner, self._facts.ledger)
        now = contents_of([node.relation for node in nodes], runner, self._facts)
        now |= definitions_of(views, runner, self._facts)
        noted = {key: note(kept.get(key), one) for key, one in now.items()}
        new = {key: one for key, one in noted.items() if one is not None and one != kept.get(key)}
        if new:
            place = self._facts.ledger
            lay_out = upgrade_statements(ledger_version(runner, place), place)
            runner.execute([*lay_out, *LedgerWriter.of(self._facts).contents(new)], timeout)


@contextmanager
def hooks_before_healing(checker: TableExistenceChecker, runner: DbtRunner) -> Iterator[None]:
    """Call hooks within: what they change is part of the simulation, what was wrong before them will be healed."""
    wrong = {node_of(finding.table, checker.facts).unique_id for finding in checker.findings()}
    yield
    ContentsKeeper(checker.facts, checker.lasting_ids - wrong).left_by_hooks(runner)
