"""Proof that the statements dbt sends for a node differ from year to year in its compiled SQL alone.

The proof is by permission: a node's own settings, and every name in its Jinja and in that of the macros it reaches,
must be known not to look at data, at the clock or at the invocation. Whatever is not known makes dbt run the node.
Names are those of the record of a template (:mod:`orchestrator.dbt_runner.analysis.template_uses`).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.database.capabilities import capabilities_of
from orchestrator.dbt_runner.analysis.jinja_names import FIXED_NAMES, SHARED_NAMES
from orchestrator.dbt_runner.analysis.rendered_with import rendered_with
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.analysis.template_uses import TemplateUses, Use

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode

MATERIALIZATIONS = ("table", "view", "incremental")
STRATEGIES = (None, "default", "append", "delete+insert", "merge")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SAME_EVERY_YEAR = frozenset({"is_incremental", "should_full_refresh", "should_store_failures"})
ASKING = frozenset({"run_query", "statement", "noop_statement"})
PARSE_TIME_MACROS = ("generate_alias_name", "generate_schema_name", "generate_database_name", "test_")
ALLOWED_NAMES = _words(
    "ref source var env_var config this target execute return exceptions log print debug caller varargs kwargs range "
    "dict zip set namespace tojson fromjson toyaml fromyaml local_md5 project_name schema database dbt_version "
    "_dbt_generic_test_kwargs column validation"
)
MODEL_CONFIG = _words(
    "access alias contract database description docs enabled event_time group incremental_predicates "
    "incremental_strategy indexes materialized merge_exclude_columns merge_update_columns meta on_schema_change "
    "persist_docs post-hook post_hook pre-hook pre_hook predicates schema tags unique_key"
)
TEST_CONFIG = _words(
    "alias database description docs enabled error_if fail_calc group limit meta name schema severity tags warn_if "
    "where"
)
OF_NODES = SAME_EVERY_YEAR | {"this", "config", "schema", "database"}
CONTEXT_NAMES = (FIXED_NAMES | SHARED_NAMES | frozenset({"builtins", "context", "flags", "dbt"})) - ALLOWED_NAMES
CONSTRAINTS = ("not_null", "primary_key", "unique", "check")


class ReplayProof:
    """Answers for one parsed project; ``None`` means that nothing stands against a replay."""

    def __init__(self, manifest: Manifest, config: RuntimeConfig, analysis: TemplateAnalysis) -> None:
        self._manifest = manifest
        self._config = config
        self._analysis = analysis
        self._internal = {"dbt", f"dbt_{config.credentials.type}"}
        self._packages = {macro.package_name for macro in manifest.macros.values()}
        self._names = analysis.names()
        self._known: dict[TemplateUses, _Found] = {}

    def blocker(self, node: ManifestNode) -> str | None:
        """Return why a node must be run by dbt itself, None when its statements may be sent again."""
        return self._in_settings(node) or self._in_code(node)

    def changes_others(self, node: ManifestNode) -> bool:
        """Tell whether a node must be run by dbt together with others: it may change how these come out."""
        parts = [rendered_with(part) + part.raw_code for part in self._with_ephemerals(node)]
        return any(uses.changes_shared for code in parts for uses in self._reached(code))

    def blocker_of_project(self) -> str | None:
        """Return why all nodes must be run by dbt itself, None when it depends on the node."""
        config, credentials = self._config, self._config.credentials
        if not capabilities_of(credentials.type).replayable:
            return f"the adapter is {credentials.type}"
        for hook in self._manifest.nodes.values():
            reason = self._in_run_hook(hook) if str(hook.resource_type) == "operation" else None
            if reason is not None:
                return f"hook {hook.name}: {reason}"
        for setting in ("plugins", "attach", "is_ducklake", "disable_transactions"):
            if getattr(credentials, setting, None):
                return f"the profile sets {setting}"
        path = str(credentials.path)
        if "://" in path or path.startswith(("md:", "motherduck:")):
            return "the database is not a local file"
        comment = config.query_comment
        if comment.comment != type(comment)().comment or comment.append or comment.job_label:
            return "the project has a query comment of its own"
        return self._overridden()

    def _overridden(self) -> str | None:
        """Return which of dbt's own macros the project replaces, None when it leaves them as they are."""
        own = {_bare(macro.name) for macro in self._manifest.macros.values() if macro.package_name in self._internal}
        replayed = tuple(f"materialization_{kind}_" for kind in (*MATERIALIZATIONS, "test"))
        for macro in self._manifest.macros.values():
            foreign = macro.package_name not in self._internal
            if foreign and _bare(macro.name) in own and not _bare(macro.name).startswith(PARSE_TIME_MACROS):
                return f"macro {macro.name} replaces one of dbt's own"
            if foreign and macro.name.startswith(replayed):
                return f"the project brings its own {macro.name}"
        return None

    def _in_settings(self, node: ManifestNode) -> str | None:
        kind = str(node.resource_type)
        if kind == "test":
            if node.config.store_failures or node.config.store_failures_as:
                return f"{node.name} stores its failures"
            return self._unknown_settings(node, TEST_CONFIG)
        if kind != "model" or str(node.language) != "sql":
            return f"{node.name} is neither an SQL model nor a data test"
        config = node.config
        if config.materialized not in MATERIALIZATIONS:
            return f"{node.name} is materialized as {config.materialized}"
        if not all(hook.transaction for hook in (*config.pre_hook, *config.post_hook)):
            return f"{node.name} has a hook outside its transaction"
        if config.get("indexes") and config.materialized != "incremental":
            return f"{node.name} has indexes, which dbt gives new names each time"
        if config.materialized == "incremental" and config.incremental_strategy not in STRATEGIES:
            return f"{node.name} has incremental strategy {config.incremental_strategy}"
        if config.grants:
            return f"{node.name} has grants"
        constraints = [*node.constraints, *(c for column in node.columns.values() for c in column.constraints)]
        if any(str(getattr(one.type, "value", one.type)) not in CONSTRAINTS for one in constraints):
            return f"{node.name} has a constraint that ties it to other tables"
        return self._unknown_settings(node, MODEL_CONFIG)

    def _unknown_settings(self, node: ManifestNode, known: frozenset[str]) -> str | None:
        for name, value in {**node.config.extra, **node.unrendered_config}.items():
            if name.lstrip("+") not in known and value not in (None, False, [], {}):
                return f"{node.name} has the setting {name}"
        return None

    def _in_run_hook(self, hook: ManifestNode) -> str | None:
        """Return what stands against a hook of a command; there it has no relation and no settings of its own."""
        for uses in self._reached(hook.raw_code):
            found = next((use.name for use in uses.names if use.name in OF_NODES), None)
            reason = self._found(uses).reason or (f"it uses {found}" if found is not None else None)
            if reason is not None:
                return reason
        return None

    def _in_code(self, node: ManifestNode) -> str | None:
        for part in self._with_ephemerals(node):
            for uses in self._reached(rendered_with(part) + part.raw_code):
                reason = self._found(uses).reason
                if reason is not None:
                    return f"{part.name}: {reason}"
        return None

    def _with_ephemerals(self, node: ManifestNode) -> list[ManifestNode]:
        """Return a node and the ephemeral models whose code becomes a part of its own."""
        found = [node]
        for part in found:
            parents = [self._manifest.nodes.get(parent) for parent in part.depends_on_nodes]
            found += [
                one
                for one in parents
                if one is not None and one.config.materialized == "ephemeral" and one not in found
            ]
        return found

    def _reached(self, code: str) -> list[TemplateUses]:
        """Return what a template and the macros that it reaches use."""
        found = [self._analysis.of(code).uses]
        seen: set[str] = set()
        for uses in found:
            new = [name for name in self._found(uses).macros if name not in seen]
            seen.update(new)
            found += map(self._analysis.uses, new)
        return found

    def _found(self, uses: TemplateUses) -> _Found:
        if uses not in self._known:
            macros = self._analysis.implementations(uses.dispatched) & self._names
            macros |= {use.attribute for use in uses.names if self._is_qualified(use) and use.attribute is not None}
            macros |= {use.name for use in uses.names if not self._is_qualified(use) and use.name in self._names}
            reached = (macros & self._names) - SAME_EVERY_YEAR - ASKING
            self._known[uses] = _Found(self._reason(uses, macros), tuple(sorted(reached)))
        return self._known[uses]

    def _reason(self, uses: TemplateUses, macros: Set[str]) -> str | None:
        if uses.unreadable:
            return "its template cannot be read"
        if uses.changes_shared:
            return "it may change what other templates read"
        if "random" in uses.filters:
            return "it draws lots"
        hidden = uses.given & CONTEXT_NAMES
        if hidden:
            return f"it gives {min(hidden)} another meaning"
        asking = macros & ASKING
        if asking:
            return f"it queries the database with {min(asking)}()"
        for use in uses.names:
            if use.name == "exceptions" and not (use.attribute or "").startswith("raise_"):
                return "it warns"
            allowed = use.name in ALLOWED_NAMES or use.name in self._names or self._is_qualified(use)
            if not allowed:
                return f"it uses {use.name}"
        unknown = macros - self._names - SAME_EVERY_YEAR
        return f"it calls {min(unknown)}" if unknown else None

    def _is_qualified(self, use: Use) -> bool:
        """Tell whether a name only says of which package a macro is called."""
        return use.called and use.attribute is not None and use.name in self._packages


@dataclass(frozen=True)
class _Found:
    """What stands against a replay in one template, and the macros that it calls."""

    reason: str | None
    macros: tuple[str, ...]


def _bare(name: str) -> str:
    """Return a macro's name without the adapter it is for.

    >>> _bare("duckdb__dateadd"), _bare("test_not_null")
    ('dateadd', 'test_not_null')
    """
    return name.partition("__")[2] or name
