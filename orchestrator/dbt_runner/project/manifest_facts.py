"""Read :class:`ProjectFacts` out of dbt's manifest; runs inside the dbt process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError, DbtProjectError
from orchestrator.database.capabilities import capabilities_of
from orchestrator.database.file_names import ANOTHER_NAME, IN_MEMORY, is_a_file, why_unusable
from orchestrator.database.names import SchemaName
from orchestrator.dbt_runner.analysis.reuse import vars_in_yaml
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.canonical import canonical, digest
from orchestrator.dbt_runner.project.chosen import chosen_nodes
from orchestrator.dbt_runner.project.config_inputs import is_batched
from orchestrator.dbt_runner.project.database_place import reads_database_path
from orchestrator.dbt_runner.project.edges import connected
from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts, ProjectShape
from orchestrator.dbt_runner.project.file_records import FileRecord
from orchestrator.dbt_runner.project.inputs import yaml_files
from orchestrator.dbt_runner.project.macro_reach import INTERNAL_PACKAGES, MacroReach
from orchestrator.dbt_runner.project.node_facts import NodeReader
from orchestrator.dbt_runner.project.node_inputs import NodeInputs
from orchestrator.dbt_runner.project.outside import attachments, disabled, external_file, source_files
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.profile_inputs import Pairs
from orchestrator.dbt_runner.project.replay_proof import ReplayProof
from orchestrator.dbt_runner.project.selectable import selectable
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.dbt_runner.project.shape import project_shape
from orchestrator.dbt_runner.project.source_facts import WATCHES, SourceFacts
from orchestrator.dbt_runner.project.source_inputs import external_location
from orchestrator.dbt_runner.project.var_values import VarValues
from orchestrator.dbt_runner.project.variable_reach import NODE_TYPES
from orchestrator.dbt_runner.project.year_reach import year_in_project

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode

SILENT_MACROS = ("materialization_", "generate_", "get_", "default__get_", "duckdb__", "postgres__")
PACKAGES = ("dbt-core", "dbt-adapters")
MAKES = re.compile(
    r"\b(?:create|set|reset|attach|use|load|install|pragma|alter|drop|call|insert|update|delete|copy)\b", re.I
)


@dataclass(frozen=True)
class ReadProject:
    """Facts of a project, and the files that they were made of beside its own.

    ``patterns`` name them as SQL does; ``records`` are of the files as they were read. ``whole_environment`` tells that
    a template may read any variable of the environment.
    """

    facts: ProjectFacts
    patterns: tuple[str, ...]
    records: dict[str, FileRecord]
    whole_environment: bool = field(kw_only=True)


def project_facts(project: ParsedProject, config: RuntimeConfig, settings: DbtSettings) -> ReadProject:
    """Collect the facts of a parsed project, with the profile and the variables of ``config``.

    Raises:
        DbtProjectError: a seed file cannot be read.
        ConfigurationError: a ``meta`` that the orchestrator reads has a wrong value.
    """
    project_dir = Path(config.project_root).resolve()
    profiles_dir, year_vars, cwd = settings.effective_profiles_dir(), settings.year_vars, settings.cwd
    chosen = settings.foundation
    manifest, adapter, macros = project.manifest, project.adapter, project.own_macros
    analysis = project.analysis(year_vars)
    values = VarValues(config, year_vars, cwd)
    files = yaml_files(config, project_dir, profiles_dir)
    at_path = reads_database_path(project, analysis, files)
    shape = project_shape(project, config, profiles_dir, reads_database_path=at_path)
    inputs = NodeInputs(project, config, analysis.environment, values, cwd, _whole(manifest, shape))
    reach = MacroReach(manifest, adapter, analysis, macros)
    replay = ReplayProof(manifest, config, analysis)
    reader = NodeReader(
        project_dir,
        analysis,
        project.analysis(year_vars, works_out=True),
        replay,
        values,
        macros,
        reach,
        inputs,
        database=str(config.credentials.database),
        package=str(config.project_name),
        packages_dir=str(config.packages_install_path),
    )
    every = every_node(manifest)
    hooks = [node for node in every.values() if _is_own_hook(node)]
    inputs.leave_out_written(lambda: reader.macros_reached(every.values()))
    inputs.come_before(hooks)
    before = tuple(pair for node in hooks if _comes_first(node, analysis, macros) for pair in reader.of_hook(node))

    def known(node: ManifestNode) -> NodeFacts:
        return _with_its_place(reader.facts(node, before), node, config, cwd, macros, years=bool(year_vars))

    nodes = [
        known(every[unique_id]) for unique_id in _in_order(every) if str(every[unique_id].resource_type) in NODE_TYPES
    ]
    sources = tuple(
        SourceFacts(
            unique_id=source.unique_id,
            name=source.name,
            source_name=source.source_name,
            file=source.original_file_path,
            database=source.database or "",
            schema=source.schema,
            identifier=source.identifier,
            prior_year_of=_text(source.meta.get("prior_year_of"), source.unique_id),
            watch=_watch({**source.source_meta, **source.meta}.get("watch"), source.unique_id),
            of_files=external_location(source) is not None,
            files=source_files(source, config, cwd),
        )
        for source in sorted(manifest.sources.values(), key=lambda source: source.unique_id)
        if source.config.enabled
    )
    reaches = year_in_project(manifest, analysis, reader.worked_out, files, hooks, values)
    facts = ProjectFacts(
        project_name=str(config.project_name),
        project_dir=project_dir,
        adapter=adapter,
        target=config.target_name,
        profile=config.profile_name,
        database_path=_database_path(config, adapter, cwd),
        nodes=connected(nodes, sources),
        sources=sources,
        reuse_blocker=reaches.project.blocker,
        decided=tuple(sorted(reaches.project.decided.items())),
        tests_blocker=reaches.tests.blocker,
        tests_decided=tuple(sorted(reaches.tests.decided.items())),
        versions=tuple(_versions((*PACKAGES, f"dbt-{adapter}", adapter))),
        unasked=_unasked(macros, reader, hooks),
        ledger=SchemaName(
            str(config.credentials.database) if capabilities_of(adapter).attaches_databases else "",
            settings.ledger_schema,
        ),
        shape=shape,
        reads_database_path=at_path,
        replay_blocker=replay.blocker_of_project(),
        simulates=bool(year_vars),
        attachments=attachments(config, cwd),
        disabled=disabled(manifest, NODE_TYPES),
        var_defaults=values.defaults(),
        vars_elsewhere=_vars_elsewhere(manifest, analysis, macros, files),
        foundation=chosen_nodes(manifest, chosen, "self_healing.foundation") if chosen else (),
        foundation_selector=" ".join(chosen),
        run_hooks=tuple(reader.facts_of_hook(node) for node in sorted(hooks, key=lambda node: node.index or 0)),
        selectable=selectable(manifest),
        written_files=inputs.files.written,
    )
    patterns = tuple(sorted(inputs.files.patterns))
    return ReadProject(facts, patterns, inputs.files.records, whole_environment=inputs.whole_environment)


def _with_its_place(
    facts: NodeFacts, node: ManifestNode, config: RuntimeConfig, cwd: Path, macros: dict[str, str], *, years: bool
) -> NodeFacts:
    """Add the file that a node writes and the signature of a function; without years nothing reads one."""
    file, untold = external_file(node, config, cwd, macros)
    code = facts.code
    if facts.resource_type == "function":
        signature = canonical([[one.to_dict() for one in node.arguments], node.returns.to_dict()])
        code = (*code, (f"signature of {facts.name}", digest(signature)))
    return replace(
        facts,
        code=code,
        uses_year=facts.uses_year and years,
        external_file=file,
        external_untold=untold,
        batched=is_batched(node),
    )


def _unasked(macros: dict[str, str], reader: NodeReader, hooks: list[ManifestNode]) -> Pairs:
    """Return (what, checksum or value) of what dbt runs by itself: its silent macros, on-run-start and on-run-end."""
    found = [(f"macro {name}", digest(text)) for name, text in macros.items() if name.startswith(SILENT_MACROS)]
    for node in hooks:
        found += reader.of_hook(node)
    return tuple(sorted(set(found)))


def _vars_elsewhere(
    manifest: Manifest, analysis: TemplateAnalysis, macros: Mapping[str, str], files: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the variables that something other than a node may read: hooks, macros, YAML, what is switched off."""
    found = vars_in_yaml(files)
    for name in macros:
        found |= analysis.macro(name).vars
    for node in manifest.nodes.values():
        if _is_own_hook(node):
            found |= analysis.of(node.raw_code).vars
    for nodes in manifest.disabled.values():
        for node in nodes:
            found |= analysis.of(getattr(node, "raw_code", "")).vars  # sources and exposures have none
    return tuple(sorted(found))


def _is_own_hook(node: ManifestNode) -> bool:
    return str(node.resource_type) == "operation" and node.package_name not in INTERNAL_PACKAGES


def _comes_first(node: ManifestNode, analysis: TemplateAnalysis, macros: dict[str, str]) -> bool:
    """Tell whether a hook runs before every node, and makes or sets something that a node may read."""
    if "on-run-start" not in node.tags:
        return False
    names = analysis.implementations(analysis.of(node.raw_code).macros)
    return any(MAKES.search(text) for text in (node.raw_code, *(macros[name] for name in names if name in macros)))


def _whole(manifest: Manifest, shape: ProjectShape) -> str:
    """Return a hash of everything in a project."""
    nodes = sorted(every_node(manifest).items())
    texts = [[unique_id, node.checksum.checksum, node.raw_code] for unique_id, node in nodes]
    return digest(shape.project, canonical(texts))[:16]


def _in_order(nodes: Mapping[str, ManifestNode]) -> list[str]:
    """Return node ids, parents before children, by name where the graph leaves it open.

    Raises:
        DbtProjectError: nodes read each other in a circle, which dbt itself notices only when it runs them.
    """
    order: dict[str, None] = {}
    above: dict[str, None] = {}

    def visit(unique_id: str) -> None:
        stack = [(unique_id, False)]
        while stack:
            current, parents_done = stack.pop()
            if current in order or current not in nodes:
                continue
            if parents_done:
                order[current] = None
                del above[current]
                continue
            if current in above:
                raise _circle([*above][[*above].index(current) :], nodes)
            above[current] = None
            stack.append((current, True))
            parents = nodes[current].depends_on_nodes
            stack.extend((parent, False) for parent in sorted(parents, reverse=True) if parent not in order)

    for unique_id in sorted(nodes):
        visit(unique_id)
    return list(order)


def _circle(unique_ids: list[str], nodes: Mapping[str, ManifestNode]) -> DbtProjectError:
    circle = [nodes[unique_id] for unique_id in unique_ids]
    path = " → ".join(node.name for node in [circle[0], *reversed(circle[1:]), circle[0]])
    return DbtProjectError(
        f"The dbt project has a cycle of models: {path} ({circle[0].original_file_path}).",
        to_fix="remove one ref() from the cycle; what a year reads of the year before is a source with "
        "meta.prior_year_of",
    )


def _database_path(config: RuntimeConfig, adapter: str, cwd: Path) -> Path | None:
    if not capabilities_of(adapter).file_backed:
        return None
    path = str(config.credentials.path)
    where = f"Profile {config.profile_name!r} with target {config.target_name!r}"
    if path.startswith(IN_MEMORY):
        raise ConfigurationError(
            f"{where} uses an in-memory database, which is lost when the dbt process ends.",
            to_fix="give the profile's target a path, such as `path: project.duckdb`",
        )
    if not is_a_file(path):
        return None
    file = (cwd / path).resolve()
    reason = why_unusable(file, named=path)
    if reason is not None:
        raise ConfigurationError(
            f"{where} has its database in {path}, and {reason}.",
            to_fix=f"write `path: {file}`, the file itself, in profiles.yml"
            if why_unusable(file) is None
            else ANOTHER_NAME,
        )
    return file


def _versions(packages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def _watch(value: object, unique_id: str) -> str | None:
    if value is None or value in WATCHES:
        return None if value is None else str(value)
    raise ConfigurationError(
        f"{unique_id}: meta.watch is {value!r}, but must be {' or '.join(WATCHES)}.",
        to_fix="correct it in the YAML file of the dbt project that describes this source",
    )


def _text(value: object, unique_id: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.prior_year_of is {value!r}, but must be the name of a model.",
        to_fix="correct it in the YAML file of the dbt project that describes this source",
    )
