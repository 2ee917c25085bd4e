"""Macros that dbt calls for a node by itself: its materialization, and a project's own in the place of dbt's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.reuse import NAMING_MACROS
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode

INTERNAL_PACKAGES = ("dbt", "dbt_postgres", "dbt_duckdb")
CALLED_BY_NAME_ALONE = (
    "utils",
    "generic_test_sql",
    "unit_test_sql",
    "get_custom_name",
    "freshness",
    "show",
    "validate_sql",
)
"""Folders and files of dbt's macros that templates call, or nothing that builds: a walk finds their callers."""
CALLED_BY_TEMPLATES = frozenset(
    ["is_incremental", "load_relation", "set_sql_header", "make_hook_config", "in_transaction"]
)
"""Other macros of dbt that models call, and neither its Python nor what builds; a walk finds their callers, too."""
AFTER_PYTHON = "py_script_postfix"
"""The macro whose text dbt adds to each Python model; it calls ``is_incremental()``."""
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(|'([A-Za-z_]\w*)'|\"([A-Za-z_]\w*)\"")
"""A name that is called, or that stands in quotes, as for ``adapter.dispatch()``."""
_STRATEGIES = re.compile(r"get_incremental_\w+_sql|snapshot_\w+_strategy")


class MacroReach:
    """Answers for one project; only names of macros that are not dbt's own are told.

    ``own`` maps the name of each of these to its text. Macros that dbt's Python calls cannot be found by reading
    templates: a project's own macro in the place of one of them is reached by every node.
    """

    def __init__(self, manifest: Manifest, adapter: str, analysis: TemplateAnalysis, own: Iterable[str]) -> None:
        self._adapter = adapter
        self._analysis = analysis
        self._own = frozenset(own)
        internal = {*INTERNAL_PACKAGES, f"dbt_{adapter}"}
        self._texts: dict[str, str] = {}
        folders: dict[str, str] = {}
        for macro in manifest.macros.values():
            if macro.package_name in internal:
                self._texts[macro.name] = self._texts.get(macro.name, "") + macro.macro_sql
                folders[macro.name] = macro.original_file_path
        self._known = self._own | set(self._texts)
        self._words: dict[str, frozenset[str]] = {}
        self._found: dict[tuple[str, str, bool], frozenset[str]] = {}
        self.everywhere = self._everywhere(folders) if self._own else frozenset()

    def is_for_others(self, name: str) -> bool:
        """Tell whether ``dispatch`` passes a macro over, as one for another database."""
        base = name.partition("__")[2]
        chosen = (f"{self._adapter}__{base}", f"default__{base}")
        return bool(base) and name not in chosen and not self._known.isdisjoint(chosen)

    def of(self, node: ManifestNode) -> frozenset[str]:
        """Return the macros that dbt calls to build a node."""
        kind = str(node.config.materialized)
        strategy = str(node.config.get("incremental_strategy" if kind == "incremental" else "strategy") or "")
        python = str(node.language) == "python"
        key = (kind, strategy, python)
        if key not in self._found:
            start = self._materializations(kind) | ({AFTER_PYTHON} & self._known if python else set())
            self._found[key] = self._reached(start, strategy) | self.everywhere
        return self._found[key]

    def _materializations(self, kind: str) -> set[str]:
        return {f"materialization_{kind}_{adapter}" for adapter in ("default", self._adapter)} & self._known

    def _reached(self, start: Iterable[str], strategy: str | None) -> frozenset[str]:
        """Follow every name of a macro; names that dbt puts together are those of strategies."""
        seen = set(start)
        if strategy is not None:
            named = {f"get_incremental_{strategy or 'default'}_sql", f"snapshot_{strategy}_strategy"}
            seen |= self._analysis.implementations(named) & self._known
        pending = list(seen)
        while pending:
            name = pending.pop()
            called = set(self._called(name))
            if name in self._own:
                called |= self._analysis.macro(name).macros & self._known
            pending += called - seen
            seen |= called
        return frozenset(seen & self._own)

    def _called(self, name: str) -> frozenset[str]:
        if name not in self._words:
            words = _CALLED.findall(_COMMENT.sub("", self._texts.get(name, "")))
            named = {word for found in words for word in found if self._analysis.known(word)}
            self._words[name] = frozenset(self._analysis.implementations(named) & self._known)
        return self._words[name]

    def _everywhere(self, folders: dict[str, str]) -> frozenset[str]:
        placed = {name: self._shadowed(name) for name in self._own}
        called_by_python = {
            name
            for name, shadowed in placed.items()
            if shadowed is not None
            and shadowed not in NAMING_MACROS
            and shadowed not in CALLED_BY_TEMPLATES
            and not shadowed.startswith(("materialization_", "test_"))
            and not _STRATEGIES.fullmatch(shadowed)
            and not any(part in folders.get(shadowed, "") for part in CALLED_BY_NAME_ALONE)
        }
        if not called_by_python:
            return frozenset()
        kinds = {name for name in self._texts if name.startswith("materialization_")}
        return self._reached(called_by_python - self._reached(kinds, None), None)

    def _shadowed(self, name: str) -> str | None:
        """Return the macro of dbt in whose place one stands, None where it is nobody else's."""
        parts = name.split("__")
        names = ["__".join(parts[start:]) for start in range(len(parts))]
        return next((one for one in names if one in self._texts), None)
