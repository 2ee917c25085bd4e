"""Read :class:`NodeFacts` of one node of dbt's manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.analysis.change_kinds import ChangedRelation, is_named
from orchestrator.dbt_runner.analysis.changed_relations import changed_by_python, changed_relations
from orchestrator.dbt_runner.analysis.marks import ANY_VAR, UNKNOWN
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.analysis.template_record import GrowingRecord, TemplateRecord
from orchestrator.dbt_runner.project.canonical import canonical, digest
from orchestrator.dbt_runner.project.config_inputs import full_name
from orchestrator.dbt_runner.project.facts import ColumnFacts, NodeFacts
from orchestrator.dbt_runner.project.input_kinds import HOOK, VAR
from orchestrator.dbt_runner.project.macro_reach import MacroReach
from orchestrator.dbt_runner.project.node_code import code_of_node, with_templates
from orchestrator.dbt_runner.project.node_inputs import NodeInputs
from orchestrator.dbt_runner.project.profile_inputs import Pairs
from orchestrator.dbt_runner.project.replay_proof import ReplayProof
from orchestrator.dbt_runner.project.seed_files import SeedFile
from orchestrator.dbt_runner.project.var_values import VarValues
from orchestrator.dbt_runner.project.year_reach import YearReach, lookup, year_in_code

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode

LONGEST_DESCRIPTION = 1000
_LOOK_UP = re.compile(
    r"""(?:get_relation|Relation\.create)\s*\((?:[^()]*?\bidentifier\s*=\s*["'](?P<name>[^"']+)["']"""
    r"""|[^(),=]+,[^(),=]+,\s*["'](?P<third>[^"']+)["'])"""
)


@dataclass(frozen=True)
class NodeReader:
    """What it takes to tell the facts of a project's nodes; ``macros`` are the texts of the project's own.

    ``worked_out`` is the analysis that works out what the year decides.
    """

    project_dir: Path
    analysis: TemplateAnalysis
    worked_out: TemplateAnalysis
    replay: ReplayProof
    values: VarValues
    macros: Mapping[str, str]
    reach: MacroReach
    inputs: NodeInputs
    database: str
    package: str
    packages_dir: str

    def facts(self, node: ManifestNode, before: Pairs) -> NodeFacts:
        """Return what is known of a node before it runs; ``before`` are inputs of what dbt runs before every node.

        Raises:
            DbtProjectError: a seed file cannot be read.
            ConfigurationError: a ``meta`` that the orchestrator reads has a wrong value.
        """
        kind = str(node.resource_type)
        has_rows: bool | None = None
        checksum = node.checksum.checksum
        columns = tuple(
            ColumnFacts(column.name, column.data_type, column.description) for column in node.columns.values()
        )
        if kind == "seed":
            path = Path(node.root_path or self.project_dir) / node.original_file_path
            if not path.is_file():
                path = self.project_dir / node.original_file_path
            seed = SeedFile.read(path, node.config.delimiter)
            has_rows, checksum = seed.has_rows, seed.checksum
            declared = {name: str(data_type) for name, data_type in node.config.column_types.items()}
            columns = tuple(ColumnFacts(name, declared.get(name)) for name in seed.header)
        known = self.values.known(node.package_name)
        own, code = code_of_node(node, self.analysis, known)
        reach = YearReach()
        if code.blocker is not None and kind != "seed":
            _, worked_out = code_of_node(node, self.worked_out, known)
            reach = year_in_code(code, worked_out, lookup(known), self.analysis.year_vars)
        replay_blocker = self.replay.blocker(node)
        whole = self._with_materialization(node, code)
        reached = [name for name in sorted(self.analysis.implementations(whole.macros)) if name in self.macros]
        texts = [*own, *(self.macros[name] for name in reached)]
        name = full_name(node)
        meta = {**node.meta, **node.config.meta}
        return NodeFacts(
            unique_id=node.unique_id,
            name=name,
            resource_type=kind,
            fqn=tuple(map(str, node.fqn)),  # a class of dbt is among them, to import
            file=self._file(node),
            database=node.database or "",
            schema=node.schema,
            identifier=node.alias,
            materialized=str(node.config.materialized),
            tags=tuple(node.tags),
            checksum=checksum,
            columns=columns,
            contract=kind == "model" and node.config.contract.enforced,
            depends_on=tuple(node.depends_on_nodes),
            min_rows=_whole_number(meta.get("min_rows"), node.unique_id),
            summary=meta.get("summary") is True,
            labels=_labels(node),
            has_rows=has_rows,
            appends=node.config.materialized == "incremental" and not node.config.get("unique_key"),
            full_refresh=node.config.get("full_refresh") is True,
            writes_other_years=_true_or_false(meta, "writes_other_years", node.unique_id),
            code=(
                (f"{kind} {name}", digest(checksum)),
                (f"place of {name}", self._place(node)),
                *((f"macro {one}", digest(self.macros[one])) for one in reached),
            ),
            inputs=(
                *self.values.of(node.package_name, whole.vars),
                *self.inputs.environment_of(whole, texts),
            ),
            uses_year=code.uses_year and kind != "seed",
            names_year=not whole.vars.isdisjoint(self.analysis.year_vars) and kind != "seed",
            prints_year=code.prints_year and kind != "seed",
            reuse_blocker=reach.blocker,
            decided=tuple(sorted(reach.decided.items())),
            replay_blocker=replay_blocker,
            vars=tuple(sorted(whole.vars)),
            reads_itself=kind == "model" and _names_this(self.analysis.of(node.raw_code)),
            looks_up=_looked_up(node.raw_code) if kind == "model" else (),
            selectable=_selectable(node) if kind != "test" else (),
            changes_others=replay_blocker is not None and self.replay.changes_others(node),
            reads=(*self.inputs.of(node, whole, texts), *before) if kind != "test" else (),
            description=str(node.description or "")[:LONGEST_DESCRIPTION],
            changes=self._changes(node, own, code, reached),
            unseen=self._unseen(node, [*own, *(self.macros[o] for o in reached if not self.reach.is_for_others(o))]),
        )

    def macros_reached(self, nodes: Iterable[ManifestNode]) -> frozenset[str]:
        """Return the macros of the project and its packages that some of these nodes and hooks reach."""
        found: set[str] = set()
        for node in nodes:
            _, code = code_of_node(node, self.analysis, self.values.known(node.package_name))
            found |= self._with_materialization(node, code).macros
        reached = self.analysis.implementations(found)
        return frozenset(name for name in reached if name in self.macros and not self.reach.is_for_others(name))

    def _file(self, node: ManifestNode) -> str:
        """Return the file of a node, of the project or of one of its packages."""
        if node.package_name == self.package:
            return str(node.original_file_path)
        return str(Path(self.packages_dir, node.package_name, node.original_file_path))

    def of_hook(self, node: ManifestNode) -> Pairs:
        """Return (what, checksum or value) of a hook of the project: its text, and all that it reads."""
        known = self.facts_of_hook(node)
        return (*known.code, *((f"{VAR} {name}", value) for name, value in known.inputs), *known.reads)

    def facts_of_hook(self, node: ManifestNode) -> NodeFacts:
        """Return what is known of a hook that dbt runs with each command; it builds nothing."""
        text = node.raw_code
        values = self.values.known(node.package_name)
        rendered, code = with_templates((text,), self.analysis.of(text), self.analysis, values)
        reached = [name for name in sorted(self.analysis.implementations(code.macros)) if name in self.macros]
        texts = [*rendered, *(self.macros[name] for name in reached)]
        return NodeFacts(
            unique_id=node.unique_id,
            name=node.name,
            resource_type=str(node.resource_type),
            fqn=tuple(map(str, node.fqn)),
            file=self._file(node),
            database=node.database or "",
            schema=node.schema,
            identifier=node.alias,
            materialized="",
            tags=tuple(node.tags),
            checksum=digest(text),
            columns=(),
            contract=False,
            depends_on=tuple(node.depends_on_nodes),
            min_rows=None,
            summary=False,
            labels=(),
            has_rows=None,
            appends=False,
            full_refresh=False,
            writes_other_years=False,
            code=(
                (f"{HOOK} {node.name}", digest(text)),
                *((f"macro {name}", digest(self.macros[name])) for name in reached),
            ),
            inputs=(*self.values.of(node.package_name, code.vars), *self.inputs.environment_of(code, texts)),
            uses_year=code.uses_year,
            prints_year=code.prints_year,
            reuse_blocker=None,
            vars=tuple(sorted(code.vars)),
            reads=self.inputs.of_text(node.package_name, code, texts),
            changes=self._changes(node, rendered, code, reached),
        )

    def _changes(
        self, node: ManifestNode, own: Sequence[str], code: TemplateRecord, reached: Sequence[str]
    ) -> tuple[ChangedRelation, ...]:
        """Return what statements in a node's texts and in the macros that it reaches change.

        A macro that only its materialization calls is handed the node's own relation: what it names itself counts.
        """
        found: set[ChangedRelation] = set()
        for text in own:
            python = str(node.language) == "python" and text == node.raw_code
            found |= changed_by_python(text) if python else self._changed(text)
        called = self.analysis.implementations(code.macros)
        for name in reached:
            if not self.reach.is_for_others(name):
                changed = self._changed(self.macros[name])
                found |= changed if name in called else {one for one in changed if is_named(one)}
        return tuple(sorted(found))

    def _changed(self, text: str) -> frozenset[ChangedRelation]:
        return changed_relations(self.analysis.environment, text, self.analysis.year_vars)

    def _with_materialization(self, node: ManifestNode, code: TemplateRecord) -> TemplateRecord:
        """Return a node's code with what the project's own macros do that dbt builds it by."""
        whole = GrowingRecord()
        whole.add(code)
        if str(node.resource_type) != "test":
            for name in self.reach.of(node):
                whole.add(self.analysis.macro(name))
                whole.macros.add(name)
        if UNKNOWN in whole.reads:
            whole.vars.add(ANY_VAR)
        return whole.frozen()

    def _place(self, node: ManifestNode) -> str:
        place = f"{node.schema}.{node.alias}"
        return place if node.database in (None, self.database) else f"{node.database}.{place}"

    def _unseen(self, node: ManifestNode, texts: list[str]) -> tuple[str, ...]:
        if str(node.resource_type) == "test":
            return ()
        if str(node.language) == "python":
            return self.inputs.python_unseen(node, texts)
        return self.inputs.unseen(node, texts)


def _names_this(code: TemplateRecord) -> bool:
    """Tell whether a template names its own relation, and not only the parts of its name."""
    return any(use.name == "this" and use.attribute is None for use in code.uses.names)


def _looked_up(text: str) -> tuple[str, ...]:
    """Return the identifiers of relations that a template asks the database for.

    >>> _looked_up("{% set a = adapter.get_relation(this.database, this.schema, 'Stock') %}")
    ('stock',)
    """
    found = [one["name"] or one["third"] for one in _LOOK_UP.finditer(text)]
    return tuple(sorted({name.lower() for name in found if name}))


def _selectable(node: ManifestNode) -> tuple[tuple[str, str], ...]:
    """Return by what selectors of dbt may choose a node, beside its name, file and tags, and what decides its rows."""
    config = node.config
    shown = {name: config.get(name) for name in ("docs", "grants", "persist_docs", "static_analysis")}
    access, version, latest = (getattr(node, name, None) for name in ("access", "version", "latest_version"))
    found = {
        "package": node.package_name,
        "group": config.get("group"),
        "access": getattr(access, "value", access),
        "version": None if version is None else f"{version} of {latest}",
        "config": canonical(
            {name: value.to_dict() if hasattr(value, "to_dict") else value for name, value in shown.items()}
        ),
    }
    return tuple((what, str(value)) for what, value in found.items() if value is not None)


def _labels(node: ManifestNode) -> tuple[tuple[str, str, str], ...]:
    found = []
    for column in node.columns.values():
        meta = {**column.meta, **column.config.meta}
        if "label" in meta:
            found.append((column.name, str(meta["label"]), str(meta.get("format", "integer"))))
    return tuple(found)


def _true_or_false(meta: Mapping[str, object], name: str, unique_id: str) -> bool:
    value = meta.get(name, False)
    if isinstance(value, bool):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.{name} is {value!r}, but must be true or false.",
        to_fix="correct it where the dbt project configures this node",
    )


def _whole_number(value: object, unique_id: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.min_rows is {value!r}, but must be a whole number of rows, 0 or more.",
        to_fix="correct it in the YAML file of the dbt project that describes this node",
    )
