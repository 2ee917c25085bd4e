"""Make the study of a parsed project; runs inside the dbt process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.analysis.named_relations import NOT_BY_NAME, relations_read
from orchestrator.dbt_runner.analysis.sql_parts import SqlParts
from orchestrator.dbt_runner.analysis.variable_record import VariableUses
from orchestrator.dbt_runner.analysis.variable_uses import variable_uses
from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.study import HOOKS, ProjectStudy, RunHook, TextStudy
from orchestrator.dbt_runner.project.variable_reach import NODE_TYPES

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode


def study_project(project: ParsedProject, project_dir: Path) -> ProjectStudy:
    """Study a parsed project."""
    analysis = project.analysis(())
    environment = analysis.environment
    macros = {name: analysis.macro(name).vars - {ANY_VAR} for name in project.own_macros}
    manifest = project.manifest
    own_package = str(manifest.metadata.project_name)
    texts: list[TextStudy] = []
    for node in every_node(manifest).values():
        if str(node.resource_type) in NODE_TYPES and str(node.language) != "python":
            uses = variable_uses(environment, node.raw_code, macros)
            named = relations_read([SqlParts.of(environment, node.raw_code)]) - NOT_BY_NAME
            study = _of_node(node, replace(uses, words=uses.words | set(_columns(node))))
            texts.append(replace(study, by_name=tuple(sorted(named)), from_package=node.package_name != own_package))
    for macro in manifest.macros.values():
        if project.is_own(macro.package_name):
            uses = variable_uses(environment, macro.macro_sql, macros)
            foreign = macro.package_name != own_package
            texts.append(TextStudy(macro.unique_id, macro.original_file_path, uses, from_package=foreign))
    texts_of = {one.unique_id: one.macro_sql for one in manifest.macros.values()}
    texts_of |= {one.unique_id: one.raw_code for one in every_node(manifest).values()}
    return ProjectStudy(
        tuple(one if one.from_package else _in_file(one, texts_of[one.unique_id], project_dir) for one in texts),
        tuple(_hooks(manifest, own_package)),
    )


def _of_node(node: ManifestNode, uses: VariableUses) -> TextStudy:
    config: Mapping[str, object] = node.config
    incremental = str(node.config.materialized) == "incremental"
    key = config.get("unique_key") if incremental else None
    keys = (key,) if isinstance(key, str) else tuple(map(str, key)) if isinstance(key, (list, tuple)) else ()
    strategy = config.get("incremental_strategy") if incremental else None
    return TextStudy(node.unique_id, node.original_file_path, uses, None if strategy is None else str(strategy), keys)


def _columns(node: ManifestNode) -> Iterator[str]:
    return (str(name).lower() for name in node.columns)


def _hooks(manifest: Manifest, package: str) -> Iterator[RunHook]:
    for node in manifest.nodes.values():
        if str(node.resource_type) == "operation" and node.package_name == package:
            yield from (RunHook(kind, node.raw_code) for kind in HOOKS if kind in node.tags)


def _in_file(study: TextStudy, text: str, project_dir: Path) -> TextStudy:
    """Count lines from the beginning of the file: dbt cuts what is empty there, and takes a macro out of its file."""
    try:
        whole = (project_dir / study.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return study
    before = whole.find(text.strip())
    above = 0 if before < 0 else whole.count("\n", 0, before) - _empty_lines(text)
    if above <= 0:
        return study
    uses = study.uses
    return replace(
        study,
        uses=replace(
            uses,
            reads=tuple(replace(one, line=one.line + above) for one in uses.reads),
            columns=tuple(replace(one, line=one.line + above) for one in uses.columns),
            checks=tuple(replace(one, line=one.line + above) for one in uses.checks),
            this_at=None if uses.this_at is None else uses.this_at + above,
            looked_up=tuple((name, line + above) for name, line in uses.looked_up),
        ),
    )


def _empty_lines(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")
