"""Files that the SQL of stages reads while a run goes on: what they were when it began, and whether they still are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.file_records import FileRecord, same_files
from orchestrator.dbt_runner.project.input_kinds import FILE

State = tuple[int, int, int, int]
"""Size, times of modification and of change in ns, inode: no file is written, or put back, without another one."""


class FilesInUse:
    """The data files, and the files of seeds, that the nodes of one run read; it begins when this is made.

    A file that was written counts as changed, also where it holds again what it held: nobody knows what was read.
    Files that the project writes itself are left out.
    """

    def __init__(self, facts: ProjectFacts, runner: DbtRunner) -> None:
        self._facts = facts
        self._folder = runner.settings.cwd
        self._inputs, self._settings = runner.parse_inputs(), runner.settings
        self._changed: set[Path] = set()
        self._states: dict[str, dict[Path, State]] = {}
        known = {} if self._inputs is None else self._inputs.files
        for node in facts.nodes:
            for pattern in self._patterns(node):
                if pattern not in self._states:
                    self._states[pattern] = self._begin(pattern, known)

    def changed(self, unique_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the files, read by nodes with these unique ids, that were written since the run began."""
        nodes = (node for unique_id in unique_ids if (node := self._facts.node(unique_id)) is not None)
        patterns = {pattern for node in nodes for pattern in self._patterns(node)}
        found = {path for pattern in patterns if pattern in self._states for path in self._written(pattern)}
        return tuple(sorted(map(self._shown, found)))

    def changed_but(self, read: Set[str]) -> tuple[str, ...]:
        """Return the other files of the project, than those that were ``read``, that are not what dbt has parsed."""
        found = () if self._inputs is None else self._inputs.changed_files(self._settings)
        own = set(map(self._shown, self._own()))
        return tuple(file for file in map(self._shown, found) if file not in own and file not in read)

    def _patterns(self, node: NodeFacts) -> Iterator[str]:
        if node.resource_type == "seed":
            yield str(self._facts.project_dir / node.file)
        for what, _ in node.reads:
            if what.startswith(f"{FILE} "):
                yield what.removeprefix(f"{FILE} ")

    def _begin(self, pattern: str, known: dict[str, FileRecord]) -> dict[Path, State]:
        states = self._look(pattern)
        for path in states:
            record = known.get(str(path))
            if record is not None and not _holds(path, record):
                self._changed.add(path)
        return states

    def _written(self, pattern: str) -> set[Path]:
        before, now = self._states[pattern], self._look(pattern)
        differ = {path for path in {*before, *now} if before.get(path) != now.get(path)}
        return differ | (self._changed & before.keys())

    def _own(self) -> set[Path]:
        """Return the files that the project writes itself, of those that are there now: each year may write another."""
        return {file for pattern in self._facts.written_files for file in files_matching(pattern, self._folder)}

    def _look(self, pattern: str) -> dict[Path, State]:
        found, own = {}, self._own()
        for path in files_matching(pattern, self._folder):
            try:
                state = path.stat()
            except OSError:
                continue
            if path not in own:
                found[path] = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
        return found

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._folder)) if path.is_relative_to(self._folder) else str(path)


def _holds(path: Path, record: FileRecord) -> bool:
    """Tell whether a file holds what it held when dbt read the project; it is read only where that is not sure."""
    return same_files({str(path): record}, [str(path)]) is not None
