"""Files that external models of stages write: what they held when a stage had written them, and whether they do still.

They lie outside of the database, which has a view of them. Another database that is simulated with the same project, a
program or a person may write them, and a backup does not bring them back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import replace
from pathlib import Path

from orchestrator.core.clocks import utc_now
from orchestrator.core.formats import FILE, FILES
from orchestrator.database.catalog import Catalog
from orchestrator.database.file_names import is_a_file
from orchestrator.database.reader import QueryReader
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import Ledger, read_built_tables
from orchestrator.ledger.views import texts_of
from orchestrator.ledger.watched import with_watched
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.ledger.written_files import lost_by
from orchestrator.pipeline.resume import Loss

_TEXT = re.compile(r"'((?:[^']|'')*)'")
_WILDCARD = re.compile(r"[*?\[]")


class StageFiles:
    """Notes and compares the files of external models other than ``lasting`` (unique ids), which healing compares.

    ``folder`` is what relative paths in views are relative to.
    """

    def __init__(self, facts: ProjectFacts, lasting: Set[str], folder: Path | None) -> None:
        self._facts = facts
        self._folder = folder
        self._lasting = lasting
        self._writers = [node for node in facts.nodes if _is_external(node) and node.unique_id not in lasting]
        self._built: set[str] = set()

    def begin(self, staged: Iterable[str]) -> None:
        """Take up what finished stages built, ``staged`` (unique ids)."""
        self._built = set(staged)

    def left(self, runner: DbtRunner, built: Iterable[str]) -> tuple[str, ...]:
        """State which files a stage has left that has just ``built`` these nodes (unique ids)."""
        new = set(built)
        self._built |= new
        return self._stated(runner, self._with_their_files(runner, new))

    def left_lasting(self, runner: DbtRunner, built: Iterable[str]) -> tuple[str, ...]:
        """State which files a stage has left of what was there before the first year, and is compared with them."""
        again = self._lasting & set(built)
        return self._stated(runner, [n for n in self._facts.nodes if n.external_file and n.unique_id in again])

    def left_by_hooks(self, runner: DbtRunner) -> tuple[str, ...]:
        """State what hooks have changed in the files of all that was built."""
        nodes = self._with_their_files(runner, self._built)
        known = read_built_tables(runner, self._facts.ledger, self._facts) if nodes else {}
        changed = [n for n in nodes if (row := known.get(n.unique_id)) is not None and lost_by(n, row.code) is not None]
        return self._stated(runner, changed)

    def altered(self, ledger: Ledger, rebuilt: Set[str], reader: QueryReader, catalog: Catalog) -> tuple[Loss, ...]:
        """Return what does not hold any more what the stage that wrote it last has left; its year is that of the stage.

        ``rebuilt`` are the unique ids of what a stage that was cut off may have built meanwhile.
        """
        years = {unique_id: stage.year for stage in ledger.stages for unique_id in sorted(stage.nodes)}
        nodes = self._with_their_files(reader, years.keys() - rebuilt)
        known = read_built_tables(reader, self._facts.ledger, self._facts, catalog) if nodes else {}
        losses = []
        for node in nodes:
            row = known.get(node.unique_id)
            lost = lost_by(node, row.code) if row is not None else None
            if lost is not None:
                of = FILES if max(lost) > 1 or Path(node.external_file or "").is_dir() else FILE
                losses.append(Loss(years[node.unique_id], node.unique_id, *lost, whole=True, of=of))
        return tuple(losses)

    def _stated(self, runner: DbtRunner, nodes: list[NodeFacts]) -> tuple[str, ...]:
        if not nodes:
            return ()
        return LedgerWriter.of(self._facts).built(with_watched(self._facts, runner), nodes, utc_now())

    def _with_their_files(self, reader: QueryReader, unique_ids: Set[str]) -> list[NodeFacts]:
        """Return the external models among these, with the file that the view of each reads now: that of the year."""
        wanted = [node for node in self._writers if node.unique_id in unique_ids]
        texts = texts_of(wanted, reader, self._facts)
        there = [(node, texts[node.relation]) for node in wanted if node.relation in texts]
        return [replace(node, external_file=self._file_in(text) or node.external_file) for node, text in there]

    def _file_in(self, definition: str) -> str | None:
        """Return the file that a view reads, or the folder where it reads several; None where it names none."""
        found = _TEXT.search(definition)
        if found is None or self._folder is None:
            return None
        path = found[1].replace("''", "'")
        if not is_a_file(path):
            return path
        parts = Path(path).expanduser().parts
        wild = next((number for number, part in enumerate(parts) if _WILDCARD.search(part)), len(parts))
        return str(self._folder / Path(*parts[:wild]))


def _is_external(node: NodeFacts) -> bool:
    return node.external_file is not None or node.external_untold is not None
