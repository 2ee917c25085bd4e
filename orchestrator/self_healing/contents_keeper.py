"""Note in the ledger what the tables hold that are there before the first year."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.contents import KeptContents, are_compared, compared_nodes, contents_of, read_contents
from orchestrator.ledger.layouts import ledger_version, upgrade_statements
from orchestrator.ledger.reading import relation_key
from orchestrator.ledger.writing import LedgerWriter


class ContentsKeeper:
    """Notes contents for one parsed project; ``lasting`` are the unique ids of what is there before the first year."""

    def __init__(self, facts: ProjectFacts, lasting: Set[str]) -> None:
        self._facts = facts
        self._lasting = lasting

    def note(self, runner: DbtRunner, *, built: Set[str] = frozenset(), timeout: float | None = None) -> None:
        """Note what years read from now on; nothing is written where the ledger knows it already.

        Where it is not what they read before, that is counted, unless a stage has ``built`` it (unique ids).
        """
        if not are_compared(self._facts):
            return
        kept = read_contents(runner, self._facts.ledger)
        new = {}
        for key, (unique_id, now) in self._held(runner, timeout).items():
            before = kept.get(key)
            if before is None:
                new[key] = now
            elif not before.contents.same_as(now.contents):
                new[key] = replace(now, changes=before.changes + (unique_id not in built))
        self._write(runner, new, timeout)

    def note_changes(self, runner: DbtRunner) -> None:
        """Count what is not what the ledger knows; that stays what the tables should hold."""
        if not are_compared(self._facts):
            return
        kept = read_contents(runner, self._facts.ledger)
        held = self._held(runner, None)
        changed = {
            key: replace(before, changes=before.changes + 1)
            for key, before in kept.items()
            if key in held and not before.contents.same_as(held[key][1].contents)
        }
        self._write(runner, changed, None)

    def _held(self, runner: DbtRunner, timeout: float | None) -> dict[str, tuple[str, KeptContents]]:
        """Return unique id and contents of the tables that are there, by key of the relation."""
        nodes = compared_nodes(self._facts, self._lasting, runner.catalog(timeout))
        now = contents_of([node.relation for node in nodes], runner, self._facts)
        return {
            key: (node.unique_id, KeptContents(now[key])) for node in nodes for key in [relation_key(node.relation)]
        }

    def _write(self, runner: DbtRunner, new: dict[str, KeptContents], timeout: float | None) -> None:
        if new:
            place = self._facts.ledger
            lay_out = upgrade_statements(ledger_version(runner, place), place)
            runner.execute([*lay_out, *LedgerWriter.of(self._facts).contents(new)], timeout)
