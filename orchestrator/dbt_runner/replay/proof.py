"""Proof that the statements dbt sends for a node differ from year to year in its compiled SQL alone.

The proof is by permission: a node's own settings, and every name in its Jinja and in that of the macros it reaches,
must be known not to look at data, at the clock or at the invocation. Whatever is not known makes dbt run the node.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jinja2 import Environment, TemplateSyntaxError, nodes

from orchestrator.database.capabilities import capabilities_of
from orchestrator.dbt_runner.analysis.jinja_names import FIXED_NAMES, SHARED_NAMES
from orchestrator.dbt_runner.analysis.own_objects import changes_shared
from orchestrator.dbt_runner.analysis.rendered_with import rendered_with
from orchestrator.dbt_runner.analysis.template_names import TemplateNames, dispatched

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
    "incremental_strategy materialized merge_exclude_columns merge_update_columns meta on_schema_change predicates "
    "schema tags unique_key"
)
TEST_CONFIG = _words(
    "alias database description docs enabled error_if fail_calc group limit meta name schema severity tags warn_if "
    "where"
)
CONTEXT_NAMES = (FIXED_NAMES | SHARED_NAMES | frozenset({"builtins", "context", "flags", "dbt"})) - ALLOWED_NAMES
CHANGES = "it may change what other templates read"
CONSTRAINTS = ("not_null", "primary_key", "unique", "check")


class ReplayProof:
    """Answers for one parsed project, by unique id; ``None`` means that nothing stands against a replay."""

    def __init__(self, manifest: Manifest, config: RuntimeConfig, environment: Environment) -> None:
        self._manifest = manifest
        self._config = config
        self._environment = environment
        self._internal = {"dbt", f"dbt_{config.credentials.type}"}
        self._packages = {macro.package_name for macro in manifest.macros.values()}
        self._texts: dict[str, list[str]] = {}
        for macro in manifest.macros.values():
            self._texts.setdefault(macro.name, []).append(macro.macro_sql)
        self._foreign = {m.name for m in manifest.macros.values() if m.package_name not in self._internal}
        self._macros: dict[str, str | None] = {}
        self._known: dict[str, str | None] = {}
        self._project = self._find_project_blocker()

    def blocker(self, unique_id: str) -> str | None:
        """Return why a node must be run by dbt itself, None when its statements may be sent again."""
        if unique_id not in self._known:
            node = self._manifest.nodes.get(unique_id)
            if node is None:
                found: str | None = f"{unique_id} is neither a model nor a data test"
            else:
                found = self._project or self._in_settings(node) or self._in_code(node)
            self._known[unique_id] = found
        return self._known[unique_id]

    def changes_shared(self, unique_id: str) -> bool:
        """Tell whether a node must be run by dbt, and together with others: it may change how these come out."""
        return (self.blocker(unique_id) or "").endswith(CHANGES)

    def _find_project_blocker(self) -> str | None:
        config, credentials = self._config, self._config.credentials
        if not capabilities_of(credentials.type).replayable:
            return f"the adapter is {credentials.type}"
        hooks = [node for node in self._manifest.nodes.values() if str(node.resource_type) == "operation"]
        if config.on_run_start or config.on_run_end or any(hook.package_name not in self._internal for hook in hooks):
            return "the project has on-run-start or on-run-end hooks"
        if config.dispatch:
            return "the project changes the dispatch of macros"
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
        if config.pre_hook or config.post_hook:
            return f"{node.name} has hooks"
        if config.materialized == "incremental" and config.incremental_strategy not in STRATEGIES:
            return f"{node.name} has incremental strategy {config.incremental_strategy}"
        if config.grants or any(config.persist_docs.values()):
            return f"{node.name} has grants or persists its docs"
        constraints = [*node.constraints, *(c for column in node.columns.values() for c in column.constraints)]
        if any(str(getattr(one.type, "value", one.type)) not in CONSTRAINTS for one in constraints):
            return f"{node.name} has a constraint that ties it to other tables"
        return self._unknown_settings(node, MODEL_CONFIG)

    def _unknown_settings(self, node: ManifestNode, known: frozenset[str]) -> str | None:
        for name, value in {**node.config.extra, **node.unrendered_config}.items():
            if name.lstrip("+") not in known and value not in (None, False, [], {}):
                return f"{node.name} has the setting {name}"
        return None

    def _in_code(self, node: ManifestNode) -> str | None:
        found = self._in_text(rendered_with(node) + node.raw_code)
        if found is not None:
            return f"{node.name}: {found}"
        for parent in node.depends_on_nodes:
            above = self._manifest.nodes.get(parent)
            if above is not None and above.config.materialized == "ephemeral":
                found = self._in_code(above)
                if found is not None:
                    return found
        return None

    def _in_text(self, text: str) -> str | None:
        try:
            tree = self._environment.parse(text)
        except TemplateSyntaxError:
            return "its template cannot be read"
        return self._in_tree(tree)

    def _in_tree(self, tree: nodes.Template) -> str | None:
        if changes_shared(tree):
            return CHANGES
        if any(one.name == "random" for one in tree.find_all(nodes.Filter)):
            return "it draws lots"
        names = TemplateNames.of(tree)
        called = {call.node.name for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name)}
        own = names.own - (self._foreign | (called & self._texts.keys()))  # the name may be that of a macro elsewhere
        hidden = (names.own - names.params | _params_elsewhere(tree)) & CONTEXT_NAMES
        if hidden:
            return f"it gives {min(hidden)} another meaning"
        harmless = {id(name) for name in self._qualifiers(tree)}
        raising = {id(one.node) for one in tree.find_all(nodes.Getattr) if one.attr.startswith("raise_")}
        for name in tree.find_all(nodes.Name):
            if name.ctx != "load" or name.name in own or id(name) in harmless:
                continue
            if name.name == "exceptions":
                found = None if id(name) in raising else "it warns"
            elif name.name in self._texts:
                found = self._in_macro(name.name)
            else:
                found = None if name.name in ALLOWED_NAMES else f"it uses {name.name}"
            if found is not None:
                return found
        return self._first(self._in_macro(name) for name in self._called(tree))

    def _qualifiers(self, tree: nodes.Template) -> Iterable[nodes.Name]:
        """Return the names before a dot that only say whose macro is called: of a package, or of dispatch."""
        for call in tree.find_all(nodes.Call):
            if dispatched(call) is not None:
                yield from call.node.find_all(nodes.Name)
            match call.node:
                case nodes.Getattr(node=nodes.Name(name=name) as qualifier, attr=attr):
                    if name in self._packages and attr in self._texts:
                        yield qualifier

    def _called(self, tree: nodes.Template) -> Iterable[str]:
        for call in tree.find_all(nodes.Call):
            name = dispatched(call)
            if name is not None:
                yield from (macro for macro in self._texts if macro == name or macro.endswith(f"__{name}"))
            match call.node:
                case nodes.Getattr(node=nodes.Name(name=package), attr=attr) if package in self._packages:
                    yield attr

    def _in_macro(self, name: str) -> str | None:
        if name in SAME_EVERY_YEAR:
            return None
        if name in ASKING:
            return f"it queries the database with {name}()"
        if name not in self._macros:
            self._macros[name] = None  # what is being looked at may call itself
            if name not in self._texts:
                self._macros[name] = f"it calls {name}"
            else:
                self._macros[name] = self._first(self._in_text(text) for text in self._texts[name])
        return self._macros[name]

    def _first(self, found: Iterable[str | None]) -> str | None:
        return next((reason for reason in found if reason is not None), None)


def _params_elsewhere(tree: nodes.Template) -> set[str]:
    """Return the names that stand for a parameter in one part of a template, and may stand for dbt's own in another.

    Whoever reads a macro's text finds nothing but the macro: its parameters are that everywhere, save in defaults.
    """
    outer = [node for node in tree.body if isinstance(node, nodes.Macro)]
    found = {param.name for node in tree.find_all(nodes.Macro) if node not in outer for param in node.args}
    found |= {param.name for node in tree.find_all(nodes.CallBlock) for param in node.args}
    for macro in outer:
        params = {param.name for param in macro.args}
        found |= {name.name for default in macro.defaults for name in default.find_all(nodes.Name)} & params
        found |= {default.name for default in macro.defaults if isinstance(default, nodes.Name)} & params
    return found if len(outer) < 2 else found | {param.name for macro in outer for param in macro.args}


def _bare(name: str) -> str:
    """Return a macro's name without the adapter it is for.

    >>> _bare("duckdb__dateadd"), _bare("test_not_null")
    ('dateadd', 'test_not_null')
    """
    return name.partition("__")[2] or name
