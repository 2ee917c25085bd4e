"""Everything beside its own code and variables that decides the rows of a node; runs inside the dbt process.

What templates of the project read is told by
:class:`~orchestrator.dbt_runner.analysis.template_record.TemplateRecord`. What dbt's own macros read of a node is
known: its config, its columns, its relation and those of its sources.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment

from orchestrator.dbt_runner.analysis.marks import UNKNOWN
from orchestrator.dbt_runner.analysis.named_files import SEARCH_PATH, NamedFiles
from orchestrator.dbt_runner.analysis.named_relations import NOT_BY_NAME, relations_read
from orchestrator.dbt_runner.analysis.not_reproducible import (
    CLOCK,
    not_reproducible,
    python_not_reproducible,
    sets_seed,
)
from orchestrator.dbt_runner.analysis.python_code import names_in, python_parts, reads_anything
from orchestrator.dbt_runner.analysis.rendered_with import rendered_with
from orchestrator.dbt_runner.analysis.sql_parts import SqlParts
from orchestrator.dbt_runner.analysis.template_record import TemplateRecord
from orchestrator.dbt_runner.project.canonical import canonical, digest
from orchestrator.dbt_runner.project.config_inputs import config_inputs, entry_inputs, is_batched, reads_config
from orchestrator.dbt_runner.project.environment import environment_values, every_name, names_read
from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.file_inputs import FileInputs
from orchestrator.dbt_runner.project.input_kinds import (
    COMPARED,
    DISPATCH,
    PROJECT_NAME,
    SHARE,
    VERSION,
    WHOLE_PROJECT,
)
from orchestrator.dbt_runner.project.module_inputs import ModuleInputs
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.printed_values import PrintedValues
from orchestrator.dbt_runner.project.profile_inputs import Pairs, flag_inputs, profile_inputs, target_inputs
from orchestrator.dbt_runner.project.session_inputs import session_inputs
from orchestrator.dbt_runner.project.source_inputs import files_in, is_loaded, source_files, source_inputs, source_parts
from orchestrator.dbt_runner.project.var_values import VarValues

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.nodes import ManifestNode

ANYTHING = frozenset({UNKNOWN, "invocation_args_dict", "context", "builtins"})
WHOLE = ANYTHING | {"graph", "selected_resources"}
PERHAPS_WRITTEN = "files that a macro or a hook may write, under a name that is computed"


class NodeInputs:
    """Inputs of the nodes of one project; ``whole`` is a hash of all of it."""

    def __init__(
        self,
        project: ParsedProject,
        config: RuntimeConfig,
        environment: Environment,
        values: VarValues,
        cwd: Path,
        whole: str,
    ) -> None:
        manifest = self._manifest = project.manifest
        self._config = config
        self._environment = environment
        self._printed = PrintedValues(environment, values, config.to_target_dict())
        self._macros = project.own_macros
        self._cwd = cwd
        self._whole = whole
        self._nodes = every_node(manifest)
        python = (node.raw_code for node in self._nodes.values() if str(node.language) == "python")
        self._found: dict[tuple[str, int], tuple[SqlParts, NamedFiles]] = {}
        self._parts = project.parts
        self._parts.update((code, python_parts(code)) for code in python if code not in self._parts)
        self.files = FileInputs(cwd)
        self._modules = ModuleInputs(config, cwd)
        self._seeded = False
        self._before: tuple[str, ...] = ()
        self.whole_environment = False

    def of(self, node: ManifestNode, code: TemplateRecord, texts: Collection[str]) -> Pairs:
        """Return (what, checksum or value) of a node's inputs; ``texts`` are its code and that of macros it reaches."""
        open_ = not any("env_var" in text for text in texts)
        sources = [self._manifest.sources[one] for one in node.depends_on_nodes if one in self._manifest.sources]
        functions = [self._manifest.functions[one] for one in node.depends_on_nodes if one in self._manifest.functions]
        found = [(COMPARED, SHARE)]
        found += config_inputs(node, whole=reads_config(code.reads), open_=open_)
        found += entry_inputs(node, code.reads)
        found += self.files.of(files_in([node.meta, node.config.meta, node.config.extra], self._cwd))
        for source in sources:
            found += source_inputs(source, self._config, batched=is_batched(node))
            found += self.files.of(source_files(source, self._environment, self._cwd))
        found += [(f"function {one.name}", digest(one.raw_code, canonical(one.config.to_dict()))) for one in functions]
        return (*found, *self._of_project(code), *self._of_files(node.package_name, texts), *self.everywhere)

    def of_text(self, package: str, code: TemplateRecord, texts: Collection[str]) -> Pairs:
        """Return the inputs of what is no node, such as a hook of the whole project."""
        return (*self._of_project(code), *self._of_files(package, texts))

    def environment_of(self, code: TemplateRecord, texts: Collection[str]) -> Pairs:
        """Return what is read of the environment, as variables are kept."""
        anything = not ANYTHING.isdisjoint(code.reads)
        self.whole_environment |= anything
        names = every_name() if anything else set()
        if "dbt_metadata_envs" in code.reads:
            names |= {name for name in every_name() if name.startswith("DBT_ENV_CUSTOM_ENV_")}
        if "flags" in code.reads:
            names |= {name for name in every_name() if name.startswith("DBT_")}
        return tuple(environment_values(names | names_read(texts, self._manifest.env_vars)))

    def unseen(self, node: ManifestNode, texts: Collection[str]) -> tuple[str, ...]:
        """Return what gives a node other rows although no input has changed."""
        parts = [self.parts(text) for text in texts]
        checks_snapshot = str(node.resource_type) == "snapshot" and node.config.get("strategy") == "check"
        found = not_reproducible(parts, seeded=self._seeded)
        clock = (CLOCK,) if checks_snapshot and CLOCK not in found else ()
        beside = self._beside(node.package_name, [*parts, *self._of_sources(node)], ())
        beside += self._beside_code(node)
        return tuple(dict.fromkeys((*clock, *found, *beside, *self._before)))

    def python_unseen(self, node: ManifestNode, texts: Collection[str]) -> tuple[str, ...]:
        """Return the same of a python model."""
        code, parts = node.raw_code, [self.parts(text) for text in texts]
        why = reads_anything(code)
        opened = () if why is None else (f"what its Python may open, as {why}",)
        beside = self._beside(node.package_name, [*parts, *self._of_sources(node)], names_in(code))
        beside += self._beside_code(node)
        return tuple(dict.fromkeys((*python_not_reproducible(code), *opened, *beside, *self._before)))

    def _beside_code(self, node: ManifestNode) -> tuple[str, ...]:
        """Return what is not compared of the files of its sources and its config, and of what plugins open for it."""
        named = files_in([node.meta, node.config.meta, node.config.extra], self._cwd)
        sources = [self._manifest.sources[one] for one in node.depends_on_nodes if one in self._manifest.sources]
        named = named.union(*(source_files(one, self._environment, self._cwd) for one in sources))
        written = (PERHAPS_WRITTEN,) if self.files.perhaps_written(named) else ()
        if str(node.resource_type) == "seed":  # no SQL of the project, and no source
            return written
        return (*written, *self._modules.unseen(loads_source=any(map(is_loaded, sources))))

    def _of_sources(self, node: ManifestNode) -> list[SqlParts]:
        sources = (self._manifest.sources[one] for one in node.depends_on_nodes if one in self._manifest.sources)
        return [parts for one in sources if (parts := source_parts(one)) is not None]

    def _beside(self, package: str, parts: Collection[SqlParts], names: Collection[str]) -> tuple[str, ...]:
        """Return what of files, databases and relations is read and not compared."""
        named = self._named(package, parts)
        relative = self._searches and any(not os.path.isabs(one) for one in named.patterns)  # noqa: PTH117 - a pattern
        relations = sorted(relations_read(parts, names))
        selection = any("selected_resources" in one.jinja for one in parts)
        return (
            *(("what else a command builds",) if selection else ()),
            *(("files whose names are computed",) if named.computed else ()),
            *((PERHAPS_WRITTEN,) if self.files.perhaps_written(named.patterns) else ()),
            *((f"files that DuckDB looks for in its {SEARCH_PATH}",) if relative else ()),
            *(f"files at {one}" for one in sorted(named.remote)),
            *(f"the database at {one}" for one in sorted(named.attached)),
            *(one if one in NOT_BY_NAME else f"{one} without ref() or source()" for one in relations),
        )

    @cached_property
    def _searches(self) -> bool:
        """Tell whether files may be looked for in other folders than the one where dbt runs."""
        texts = (rendered_with(node) + str(getattr(node, "raw_code", "")) for node in self._nodes.values())
        settings = canonical(self._config.credentials.to_dict(omit_none=True))
        return any(SEARCH_PATH in text.lower() for text in (*texts, *self._macros.values(), settings))

    def leave_out_written(self, reached: Callable[[], Collection[str]]) -> None:
        """Leave out the files that the project writes itself: its nodes and hooks, and the macros that they reach."""
        found: list[NamedFiles] = []
        others: set[Path] = set()
        for node in self._nodes.values():
            texts = (str(getattr(node, "raw_code", "")), rendered_with(node))
            found.append(self._named(node.package_name, map(self.parts, texts)))
            location = node.config.get("location")
            if isinstance(location, str) and str(node.config.materialized) == "external":
                others.add(self._cwd / location)
        macros = {
            name: self._named(self._config.project_name, [self.parts(text)]) for name, text in self._macros.items()
        }
        if any(one.written for one in macros.values()):
            found += [macros[name] for name in reached() if name in macros]
        self.files.leave_out(NamedFiles.all_of(found), others)

    def come_before(self, hooks: Collection[ManifestNode]) -> None:
        """Note the hooks that run before every node: what they read counts for all, and one may set a seed."""
        parts = [self.parts(hook.raw_code) for hook in hooks]
        self._seeded = any(sets_seed(one) for one in parts)
        first = [self.parts(hook.raw_code) for hook in hooks if "on-run-start" in hook.tags]
        self._before = self._beside(self._config.project_name, first, ())

    @cached_property
    def everywhere(self) -> Pairs:
        """Return the inputs that all nodes share."""
        dispatch = [(DISPATCH, canonical(self._config.dispatch))] if self._config.dispatch else []
        modules = self.files.of({*self._modules.patterns, *self._modules.named_files()})
        flags = flag_inputs(self._config)
        session = session_inputs(self._manifest, self._config, self._macros.values())
        return (*profile_inputs(self._config), *flags, *dispatch, *modules, *session)

    def parts(self, text: str) -> SqlParts:
        """Take a template apart, once."""
        if text not in self._parts:
            self._parts[text] = SqlParts.of(self._environment, text)
        return self._parts[text]

    def _of_project(self, code: TemplateRecord) -> Pairs:
        reads = code.reads
        parts = {name.partition(".")[2] for name in reads if name.startswith(("target.", "env."))}
        if "database" in reads:
            parts.add("database")
        every = not reads.isdisjoint({"target", "env", "adapter.config"} | ANYTHING)
        found = [*target_inputs(self._config, None if every else parts)]
        if "flags" in reads:
            found += [(f"dbt flag {name}", canonical(value)) for name, value in sorted(self._config.flags.items())]
        if "project_name" in reads:
            found.append((PROJECT_NAME, self._config.project_name))
        if "dbt_version" in reads:
            found.append((f"{VERSION} dbt-core", self._manifest.metadata.dbt_version))
        if not reads.isdisjoint(WHOLE):
            found.append((WHOLE_PROJECT, self._whole))
        return tuple(found)

    def _of_files(self, package: str, texts: Collection[str]) -> Pairs:
        return self.files.of(self._named(package, [self.parts(text) for text in texts]).patterns)

    def _named(self, package: str, parts: Iterable[SqlParts]) -> NamedFiles:
        found: list[NamedFiles] = []
        for one in parts:
            if (package, id(one)) not in self._found:  # a macro is part of many nodes
                printed = partial(self._printed.of, package, template=one.template)
                self._found[package, id(one)] = one, NamedFiles.of(one, printed, self._cwd)
            found.append(self._found[package, id(one)][1])
        return NamedFiles.all_of(found)
