"""The parses of one project: the first, kept between runs, and those for vars that it cannot serve.

A parsed manifest is kept packed, and every command gets a copy of its own (:class:`Copies`), because dbt writes into
the one it is given: the second run of a model that refs an ephemeral one fails otherwise. A parse that was made with
other vars, or for another file of the database, is taken where that is proven to make no difference (see
:mod:`orchestrator.dbt_runner.process.parse_in_use`), and so one serves the years of a simulation, or one the first year
and one all others. Where none does, the project is parsed again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dbt.adapters.factory import get_adapter_by_type
from dbt.config import RuntimeConfig
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.graph.nodes import ManifestNode

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import DbtProjectError
from orchestrator.core.events import Emit, ProjectParsedAgain
from orchestrator.core.files import replace_file
from orchestrator.dbt_runner.adapter.answers import parse_error
from orchestrator.dbt_runner.adapter.dbt_command import DbtCommand
from orchestrator.dbt_runner.adapter.dbt_events import DbtEvents
from orchestrator.dbt_runner.adapter.project_errors import refuse_special_files
from orchestrator.dbt_runner.process.cache_folder import CacheFolder
from orchestrator.dbt_runner.process.copies import Copies, pack
from orchestrator.dbt_runner.process.parse_in_use import ParseInUse, blocker
from orchestrator.dbt_runner.process.served_parse import ServedParse
from orchestrator.dbt_runner.project.edges import KEEPS_ROWS, joined
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.file_records import FileRecord
from orchestrator.dbt_runner.project.inputs import env_vars_read, watched_folders, yaml_files
from orchestrator.dbt_runner.project.kept_parse import (
    AllYears,
    KeptParse,
    cached_parse,
    last_inputs,
    partial_parse,
    relative_parse,
    store_parse,
)
from orchestrator.dbt_runner.project.manifest_facts import ReadProject, project_facts
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs, records_before
from orchestrator.dbt_runner.project.parse_key import digests_of
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.settings import DbtSettings, Vars
from orchestrator.dbt_runner.project.var_values import files_in_vars

PARTIAL_PARSE = "partial_parse.msgpack"
MOST_KEPT = 6
"""So many parses of one run are kept; where each year needs one of its own, they would fill the disk."""
MOST_BRANCHES = 5
"""So many years are parsed before the first to learn of nodes and edges that only later ones have."""


class Parses:
    """Parses a project as seldom as is safe; ``cache`` is where parses are kept, and dbt leaves what it parsed.

    What dbt warned of in a parse that was kept is said again by ``events``. ``before`` are the parses that this process
    served until now, maybe with other vars and for another file of the database.
    """

    def __init__(
        self, cache: CacheFolder, dbt: DbtCommand, events: DbtEvents, emit: Emit, before: Parses | None = None
    ) -> None:
        self._cache = cache
        self._settings = cache.settings
        self._dbt = dbt
        self._target = cache.target
        self._events = events
        self._emit = emit
        self._before: list[ParseInUse] = [] if before is None else before._in_use
        self._in_use: list[ParseInUse] = []
        self._not_adopted: str | None = None
        self._loaded = False

    def load(self) -> tuple[ProjectFacts, ParseInputs]:
        """Parse the project with the vars of the settings, or take a parse that was kept and serves them.

        Raises:
            DbtProjectError: no project, no profile, or it does not parse.
        """
        settings = self._settings
        taken_over = None
        taken = self._take_exact(settings)
        if taken is None:
            taken = taken_over = self._take_over(settings, self._before[:1])
        taken = taken or self._take_relative()
        if taken is None:
            elapsed = stopwatch()
            taken = self._parse_and_keep(settings)
            if self._not_adopted is not None:
                self._emit(ProjectParsedAgain(at=utc_now(), reason=self._not_adopted, seconds=elapsed()))
        self._in_use = [taken]
        known = self._with_all_years(taken, keep=taken_over is None)
        self._loaded = True
        return known

    @property
    def facts(self) -> ProjectFacts:
        """Return the facts that :meth:`load` found: those of its parse, with the nodes that there are in all years.

        Raises:
            DbtProjectError: nothing was loaded.
        """
        return self.first.kept.facts_of_all_years(self._settings) or self.first.facts

    @property
    def first(self) -> ParseInUse:
        """Return the parse that :meth:`load` made or took.

        Raises:
            DbtProjectError: nothing was loaded.
        """
        if not self._in_use:
            raise DbtProjectError("The dbt project was not loaded.")
        return self._in_use[0]

    def node(self, unique_id: str) -> ManifestNode:
        """Return a node of the first parse that has it."""
        manifests = (one.served.project.manifest for one in self._in_use)
        return next(found.nodes[unique_id] for found in manifests if unique_id in found.nodes)

    def _with_all_years(self, first: ParseInUse, *, keep: bool) -> tuple[ProjectFacts, ParseInputs]:
        """Return facts and inputs of a parse, with what is known of the nodes in the branches of later years.

        What there is only in these would be nobody's else: neither removed before a year is built again, nor part of
        what decides it.
        """
        settings, kept = self._settings, first.kept
        facts = kept.facts_of_all_years(settings)
        if facts is None:
            later = settings.later_years
            for year in dict.fromkeys((0, len(later) - 1, *range(len(later)))):  # the second and the last before others
                if len(self._in_use) < MOST_BRANCHES:
                    self.serving({**settings.vars, **later[year]}, tests=False)
            others = [one.kept for one in self._in_use[1:]]
            nodes = joined(kept.facts.nodes, [one.facts.nodes for one in others])
            inputs = kept.inputs
            for one in others:
                inputs = inputs.joined(one.inputs)
            kept = replace(kept, inputs=inputs, all_years=AllYears(AllYears.of(settings), nodes))
            self._in_use[0] = replace(first, kept=kept)
            if keep:
                with self._cache.going_without():
                    store_parse(settings, kept)
            facts = self.facts
        return facts, kept.inputs

    def number(self, one: ParseInUse) -> int:
        """Return which of the parses in use one is; 0 is the first."""
        return next(number for number, other in enumerate(self._in_use) if other is one)

    def serving(self, variables: Vars, *, tests: bool) -> ParseInUse:
        """Return a parse that serves these vars: the first where that is proven, else another.

        ``tests`` tells that what is decided about tests counts too: the command runs some, or may select by them.
        """
        years = self._settings.year_vars
        reasons = [blocker(one, variables, years, tests=tests) for one in self._in_use]
        found = next((one for one, reason in zip(self._in_use, reasons, strict=True) if reason is None), None)
        if found is not None:
            return found
        settings = replace(self._settings, vars=variables)
        taken = self._take_exact(settings) or self._take_over(settings, self._before[1:])
        if taken is None:
            elapsed = stopwatch()
            taken = self._parse_and_keep(settings, first=False)
            self._emit(ProjectParsedAgain(at=utc_now(), reason=str(reasons[-1]), seconds=elapsed()))
        if self._loaded:
            self._require_same_files(taken, str(reasons[-1]))
        self._in_use.append(taken)
        if self._loaded:
            self._require_known(taken)
        return taken

    def _require_same_files(self, later: ParseInUse, why: str) -> None:
        """Make sure that the project is still what it was when the run began.

        Raises:
            DbtProjectError: it is not; what was built until now is made of what it was.
        """
        settings = self._settings
        changed = self.first.kept.inputs.files_changed_until(later.kept.inputs, settings.project_dir)
        if changed:
            names = ", ".join(os.path.relpath(path, settings.cwd) for path in changed)
            raise DbtProjectError(
                f"{names} changed while the run went on, and dbt has to read the project again for this year ({why}). "
                "Nothing of the stage was run.",
                to_fix="run the same command again: finished years stay where the change decides none of their rows",
            )

    def _require_known(self, later: ParseInUse) -> None:
        """Make sure that the tables which a later parse adds rows to were known when the run began.

        Raises:
            DbtProjectError: one was not, so that its rows of an earlier run may not have been removed.
        """
        nodes = self.facts.nodes
        known = {node.relation for node in nodes}
        new = [node for node in later.facts.nodes if node.materialized in KEEPS_ROWS and node.relation not in known]
        if not new:
            return
        first = self.first
        all_years = AllYears(AllYears.of(self._settings), joined(nodes, [later.facts.nodes]))
        with self._cache.going_without():
            store_parse(self._settings, replace(first.kept, all_years=all_years))
        raise DbtProjectError(
            f"In this year dbt adds rows to {', '.join(sorted(node.name for node in new))}, which the other years that "
            f"were looked at do not have ({MOST_BRANCHES} at most). Nothing of the stage was run.",
            to_fix="run the same command again: that is known now",
        )

    def _take_exact(self, settings: DbtSettings) -> ParseInUse | None:
        """Take the parse that was kept for these very settings, where it is still one."""
        kept = cached_parse(settings)
        if kept is None:
            return None
        copies = Copies(kept.packed)
        if not self._prepare(copies.another(), settings):
            return None
        return self._taken(ServedParse(copies, self._yaml(_config(kept.facts.adapter))), kept)

    def _take_over(self, settings: DbtSettings, served_before: list[ParseInUse]) -> ParseInUse | None:
        """Take a parse that this process served until now, where nothing but variables and places has changed."""
        for one in served_before:
            inputs = one.kept.inputs.unchanged_relative(settings)
            if inputs is not None:
                taken = self._adopt(settings, one.served.copies, one.served, replace(one.kept, inputs=inputs))
                if taken is not None:
                    return taken
        return None

    def _take_relative(self) -> ParseInUse | None:
        """Take a parse that was kept for other variables, or another file of the database, and keep it for these."""
        kept = relative_parse(self._settings)
        taken = None if kept is None else self._adopt(self._settings, Copies(kept.packed), None, kept)
        if taken is not None:
            with self._cache.going_without():
                store_parse(self._settings, taken.kept)
        return taken

    def _adopt(
        self, settings: DbtSettings, copies: Copies, served: ServedParse | None, base: KeptParse
    ) -> ParseInUse | None:
        """Use a parse that was made for other settings, where it provably serves these."""
        if not self._prepare(copies.another(), settings):
            return None
        config = _config(base.facts.adapter)
        served = served or ServedParse(copies, self._yaml(config))
        made = ParseInUse(served, base)
        self._not_adopted = blocker(made, settings.vars, settings.year_vars, tests=True)
        if self._not_adopted is not None:
            return None
        read = project_facts(served.project, config, settings)
        if read.facts.shape.project != base.facts.shape.project:
            return None
        if read.facts.database_path != base.facts.database_path and read.facts.reads_database_path:
            self._not_adopted = "a template may read where the file of the database lies"
            return None
        inputs = self._inputs(settings, served.project.manifest, config, read, base.inputs.files)
        return self._taken(served, KeptParse(read.facts, inputs, base.packed, base.warnings))

    def _taken(self, served: ServedParse, kept: KeptParse) -> ParseInUse:
        for text in kept.warnings if not self._in_use else ():
            self._events.warn(text)
        return ParseInUse(served, kept)

    def _prepare(self, manifest: Manifest, settings: DbtSettings) -> bool:
        """Make dbt ready for a kept parse: it reads profile and project, and takes the manifest as it is."""
        return bool(self._dbt.call(["parse"], settings.vars, manifest).success)

    def _parse_and_keep(self, settings: DbtSettings, *, first: bool = True) -> ParseInUse:
        """Parse the project; the ``first`` parse is offered to other variables, and dbt's own partial one kept."""
        shared = None
        with self._cache.going_without():
            shared = partial_parse(settings) if first else None
            if shared is not None and shared.is_file():
                replace_file(self._target / PARTIAL_PARSE, shared.read_bytes())
        before = records_before(settings, last_inputs(settings))
        manifest = self._parse(settings.vars)
        packed = pack(manifest)
        config = _config(str(manifest.metadata.adapter_type))
        read = project_facts(ParsedProject(manifest, packed), config, settings)
        inputs = self._inputs(settings, manifest, config, read, before)
        kept = KeptParse(read.facts, inputs, packed, self._events.warned)
        with self._cache.going_without():
            if shared is not None and (self._target / PARTIAL_PARSE).is_file():
                replace_file(shared, (self._target / PARTIAL_PARSE).read_bytes())
            if len(self._in_use) < MOST_KEPT:
                store_parse(settings, kept, latest=first)
        return ParseInUse(ServedParse(Copies(packed), self._yaml(config)), kept)

    def _inputs(
        self,
        settings: DbtSettings,
        manifest: Manifest,
        config: RuntimeConfig,
        read: ReadProject,
        before: Mapping[str, FileRecord],
    ) -> ParseInputs:
        """Return what decided a parse; ``before`` are records of files from before it."""
        profiles_dir = settings.effective_profiles_dir()
        return ParseInputs.of(
            settings,
            folders=watched_folders(config),
            env_names=None if read.whole_environment else env_vars_read(manifest, config, profiles_dir),
            var_files=(*files_in_vars(config, settings.cwd), *read.patterns),
            before={**read.records, **before},
        )

    def _parse(self, variables: Vars) -> Manifest:
        refuse_special_files(self._settings.project_dir)
        answer = self._dbt.call(["parse"], variables, None)
        if not isinstance(answer.result, Manifest):
            database = self._in_use[0].facts.database_path if self._in_use else None
            raise parse_error(answer, self._settings, database, self._events.errors)
        return answer.result

    def _yaml(self, config: RuntimeConfig) -> dict[str, str]:
        return yaml_files(config, Path(config.project_root).resolve(), self._settings.effective_profiles_dir())


def _config(adapter: str) -> RuntimeConfig:
    """Return the configuration with which dbt worked last."""
    config: RuntimeConfig = get_adapter_by_type(adapter).config
    return config


def changed_variables(one: Vars, other: Vars) -> set[str]:
    """Return the variables that have two values, or that only one of two sets has; 1, 1.0 and true are three values."""
    first, second = digests_of(one), digests_of(other)
    return {name for name in {*first, *second} if first.get(name) != second.get(name)}
