"""A parsed project, and what is read of it once for all variables and databases that the parse serves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import msgpack
from dbt_common.clients.jinja import get_environment

from orchestrator.database.names import RelationName
from orchestrator.dbt_runner.analysis.sql_parts import SqlParts
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.macro_reach import INTERNAL_PACKAGES

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

    from orchestrator.dbt_runner.project.facts import NodeFacts

ROOT = "root_path"  # of seeds, absolute
LEFT_OUT = frozenset({"raw_code", "checksum", "created_at", ROOT})
SECTIONS = (
    *("nodes", "sources", "macros", "exposures", "functions", "groups", "selectors", "disabled", "unit_tests"),
    *("metrics", "semantic_models", "saved_queries"),
)
Section = dict[str, object]


class ParsedProject:
    """The ``manifest`` of a parse, which nobody writes into, and ``packed``, the same as dbt packs it."""

    def __init__(self, manifest: Manifest, packed: bytes) -> None:
        self.manifest = manifest
        self.packed = packed
        self.parts: dict[str, SqlParts] = {}
        self._analyses: dict[tuple[frozenset[str], bool], TemplateAnalysis] = {}

    @property
    def adapter(self) -> str:
        """The name of the adapter that the project was parsed with."""
        return str(self.manifest.metadata.adapter_type)

    def is_own(self, package: str) -> bool:
        """Tell whether a package is one of the project's, and none that comes with dbt or the adapter."""
        return package not in {*INTERNAL_PACKAGES, f"dbt_{self.adapter}"}

    def names_in_sql(self, node: NodeFacts) -> tuple[str, ...]:
        """Return the names by which compiled SQL reads what a node builds: by ``ref``, and as a source."""
        own = [one.relation_name for one in self.manifest.nodes.values() if one.unique_id == node.unique_id]
        sources = [
            source.relation_name
            for source in self.manifest.sources.values()
            if RelationName.of(source.database, source.schema, source.identifier) == node.relation
        ]
        return tuple(dict.fromkeys(str(name) for name in (*own, *sources) if name))

    def analysis(self, variables: Iterable[str], *, works_out: bool = False) -> TemplateAnalysis:
        """Return the analysis of the project's templates with these variables as those that change.

        With ``works_out`` it notes what they decide by expressions that can be worked out.
        """
        key = frozenset(variables), works_out
        if key not in self._analyses:
            self._analyses[key] = self._analysis(*key)
        return self._analyses[key]

    @cached_property
    def own_macros(self) -> dict[str, str]:
        """The text of each macro of the project and its packages; those of dbt itself go by their version."""
        texts: dict[str, list[str]] = {}
        for _, macro in sorted(self.manifest.macros.items()):
            if self.is_own(macro.package_name):
                texts.setdefault(macro.name, []).append(macro.macro_sql)
        return {name: "\0".join(found) for name, found in texts.items()}

    @cached_property
    def lasting(self) -> str:
        """A hash of all entries of the manifest, without their texts and the folders in which they stand."""
        found, sections = hashlib.sha256(), self._sections()
        for section in SECTIONS:
            found.update(canonical([section, _lasting(sections[section])]).encode())
        return found.hexdigest()

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The folders, as absolute paths, in which entries of the manifest say that they stand."""
        sections = self._sections()
        listed = [entry for section in SECTIONS for entry in sections[section].values()]
        entries = [one for entry in listed for one in (entry if isinstance(entry, list) else [entry])]
        found = {str(one[ROOT]) for one in entries if isinstance(one, dict) and one.get(ROOT) is not None}
        return tuple(sorted(found))

    def _sections(self) -> dict[str, Section]:
        """Return the manifest as plain values, which are large and asked for twice."""
        found: dict[str, Section] = msgpack.unpackb(self.packed, strict_map_key=False)
        return found

    def _analysis(self, changing: frozenset[str], works_out: bool) -> TemplateAnalysis:  # noqa: FBT001 - a key's parts
        texts: dict[str, list[str]] = {}
        for macro in self.manifest.macros.values():
            texts.setdefault(macro.name, []).append(macro.macro_sql)
        macros = self.manifest.macros.values()
        of_dbt = {macro.macro_sql for macro in macros if not self.is_own(macro.package_name)}
        named = [(name, text) for name in texts for text in texts[name]]
        environment = get_environment(None, capture_macros=True)
        return TemplateAnalysis(environment, named, changing, of_dbt, works_out=works_out)


def _lasting(section: Section) -> Section:
    """Leave out of each entry its text, and when it was parsed; of disabled nodes there may be several by one name."""
    return {
        name: [_entry(one) for one in entry] if isinstance(entry, list) else _entry(entry)
        for name, entry in section.items()
    }


def _entry(entry: object) -> object:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key not in LEFT_OUT}
