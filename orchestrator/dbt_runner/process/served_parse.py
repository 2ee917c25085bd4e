"""A parse in use: its manifests, and the proof for which variables it serves."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from orchestrator.dbt_runner.process.copies import Copies, unpacked
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.variable_reach import VariableReach, variable_reach


class ServedParse:
    """A parse that dbt is given copies of, whatever settings it was made for.

    ``files`` are the texts of the project's YAML files by path, as they were when the parse was taken into use.
    """

    def __init__(self, copies: Copies, files: Mapping[str, str]) -> None:
        self.copies = copies
        self._files = files
        self._reaches: dict[str, VariableReach] = {}

    @cached_property
    def project(self) -> ParsedProject:
        """The parse, to look at; what dbt is given is a copy of its own."""
        return ParsedProject(unpacked(self.copies.packed), self.copies.packed)

    def reach(self, name: str) -> VariableReach:
        """Return what a variable reaches."""
        if name not in self._reaches:
            self._reaches[name] = variable_reach(self.project, name, self._files)
        return self._reaches[name]
