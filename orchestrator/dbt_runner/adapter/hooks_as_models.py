"""Hooks in the place of models, so that dbt compiles them: of a command, and of nodes along with these."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping

from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ManifestNode

TAG = "orchestrator_9d1c7e_hooks"
_COPIED_INTO = "__dbt__cte__"  # how dbt names an ephemeral model in the SQL of a node; a hook has none of these


class HooksAsModels:
    """Models in a manifest that is compiled, one for each hook of some nodes; they have the tag :data:`TAG`."""

    def __init__(self, manifest: Manifest, unique_ids: Collection[str]) -> None:
        self._manifest = manifest
        self._of: dict[str, list[str]] = {}
        self._queries: set[str] = set()
        for unique_id in unique_ids:
            node = manifest.nodes.get(unique_id)
            if node is None:
                continue
            if str(node.resource_type) == "operation":
                self._queries.add(unique_id)
                self._add(unique_id, self._model_like(node), node.raw_code)
            elif str(node.resource_type) == "model":
                for hook in (*node.config.pre_hook, *node.config.post_hook):
                    self._add(unique_id, node, hook.sql)

    def __bool__(self) -> bool:
        return bool(self._of)

    def queries(self) -> set[str]:
        """Return the unique ids of the hooks of commands among the nodes: dbt cannot select these themselves."""
        return self._queries

    def hooks(self, unique_id: str, compiled: Mapping[str, str]) -> list[str] | None:
        """Return what the hooks of a node say, None where a compiled text of dbt's is not what it would send."""
        texts = [compiled.get(one) for one in self._of.get(unique_id, ())]
        found = [text for text in texts if text is not None and _COPIED_INTO not in text]
        return found if len(found) == len(texts) else None

    def _add(self, unique_id: str, like: ManifestNode | None, code: str) -> None:
        added = self._of.setdefault(unique_id, [])
        if like is None:
            added.append("")  # the text of which is not found
            return
        made = copy.copy(like)
        made.name = f"{TAG}_{sum(map(len, self._of.values()))}"
        made.unique_id = f"model.{made.package_name}.{made.name}"
        made.fqn = [made.package_name, made.name]
        made.raw_code, made.compiled_code, made.compiled = code, None, False
        made.extra_ctes, made.extra_ctes_injected = [], False
        made.tags = [TAG]
        self._manifest.nodes[made.unique_id] = made
        added.append(made.unique_id)

    def _model_like(self, hook: ManifestNode) -> ManifestNode | None:
        """Return a model that reads what a hook reads, in its package; None where the project has none like it."""
        model = next((one for one in self._manifest.nodes.values() if _is_plain(one)), None)
        if model is None:
            return None
        made = copy.copy(model)
        made.package_name, made.original_file_path = hook.package_name, hook.original_file_path
        made.depends_on, made.refs, made.sources = hook.depends_on, hook.refs, hook.sources
        return made


def _is_plain(node: ManifestNode) -> bool:
    sql_model = str(node.resource_type) == "model" and str(node.language) == "sql"
    return sql_model and str(node.config.materialized) in ("table", "view")


def without_first_hooks(manifest: Manifest) -> Manifest:
    """Take out of a manifest what dbt would run before its nodes, and return it."""
    for unique_id, node in list(manifest.nodes.items()):
        if str(node.resource_type) == "operation" and "on-run-start" in node.tags:
            del manifest.nodes[unique_id]
    return manifest
