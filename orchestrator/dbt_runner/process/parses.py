"""The parses of one project: the first, kept between runs, and those for vars that it cannot serve.

A parsed manifest is kept packed, and every command gets a copy of its own (:class:`Copies`), because dbt writes into
the one it is given: the second run of a model that refs an ephemeral one fails otherwise. A parse that was made with
other vars, or for another file of the database, is taken where that is proven to make no difference (see
:mod:`orchestrator.dbt_runner.project.variable_reach` and :mod:`orchestrator.dbt_runner.project.database_place`), and so
it serves the years of a simulation. Where it is not, the project is parsed again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from pathlib import Path

from dbt.adapters.factory import get_adapter_by_type
from dbt.config import RuntimeConfig
from dbt.contracts.graph.manifest import Manifest

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import DbtProjectError
from orchestrator.core.events import Emit, ProjectParsedAgain
from orchestrator.core.files import replace_file
from orchestrator.dbt_runner.adapter.answers import parse_error
from orchestrator.dbt_runner.adapter.dbt_command import DbtCommand
from orchestrator.dbt_runner.adapter.dbt_events import DbtEvents
from orchestrator.dbt_runner.process.cache_folder import CacheFolder
from orchestrator.dbt_runner.process.copies import Copies, pack
from orchestrator.dbt_runner.process.served_parse import ServedParse
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.file_records import FileRecord
from orchestrator.dbt_runner.project.inputs import env_vars_read, watched_folders, yaml_files
from orchestrator.dbt_runner.project.kept_parse import (
    KeptParse,
    cached_parse,
    last_inputs,
    parse_digest,
    partial_parse,
    relative_parse,
    store_parse,
)
from orchestrator.dbt_runner.project.manifest_facts import ReadProject, project_facts
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs, records_before
from orchestrator.dbt_runner.project.parse_key import TEMPLATE, digests_of
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.dbt_runner.project.var_templates import is_template
from orchestrator.dbt_runner.project.var_values import files_in_vars

PARTIAL_PARSE = "partial_parse.msgpack"


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
        self._before = before
        self._others: dict[str, Copies] = {}
        self._in_use: tuple[ServedParse, KeptParse] | None = None
        self._not_adopted: str | None = None

    def load(self) -> tuple[ProjectFacts, ParseInputs]:
        """Parse the project with the vars of the settings, or take a parse that was kept and serves them.

        Raises:
            DbtProjectError: no project, no profile, or it does not parse.
        """
        before, self._before = self._before, None
        if not (self._take_exact() or (before is not None and self._take_over(before)) or self._take_relative()):
            self._parse_and_keep()
        return self.facts, self._kept.inputs

    @property
    def facts(self) -> ProjectFacts:
        """Return what :meth:`load` found.

        Raises:
            DbtProjectError: nothing was loaded.
        """
        return self._kept.facts

    @property
    def served(self) -> ServedParse:
        """Return the first parse.

        Raises:
            DbtProjectError: nothing was loaded.
        """
        return self._loaded[0]

    @property
    def first(self) -> Manifest:
        """Return the first parse, to look at; what dbt is given is a copy of its own."""
        return self.served.project.manifest

    @property
    def first_digest(self) -> str:
        """Return what tells the first parse from any other."""
        return parse_digest(self.served.copies.packed)

    def manifest_for(self, variables: Vars) -> Manifest:
        """Return a copy of the parse that serves these vars: the first where that is proven, else one of their own."""
        reason = self._reuse_blocker(variables)
        if reason is None:
            return self.served.copies.another()
        key = json.dumps(variables, sort_keys=True, default=str)
        if key not in self._others:
            elapsed = stopwatch()
            self._others[key] = Copies(pack(self._parse(variables)))
            self._emit(ProjectParsedAgain(at=utc_now(), reason=reason, seconds=elapsed()))
        return self._others[key].another()

    def why_parsed_again(self, variables: Vars) -> str | None:
        """Say why the first parse does not provably serve these vars and all years, None where it does."""
        reason = self._reuse_blocker(variables, self._settings.year_vars)
        return None if reason is None else f"the project is parsed again for it: {reason}"

    @property
    def _loaded(self) -> tuple[ServedParse, KeptParse]:
        if self._in_use is None:
            raise DbtProjectError("The dbt project was not loaded.")
        return self._in_use

    @property
    def _kept(self) -> KeptParse:
        return self._loaded[1]

    def _take_exact(self) -> bool:
        """Take the parse that was kept for these very settings, where it is still one."""
        kept = cached_parse(self._settings)
        if kept is None:
            return False
        copies = Copies(kept.packed)
        if not self._prepare(copies.another()):
            return False
        self._use(ServedParse(copies, self._yaml(_config(kept.facts.adapter))), kept)
        return True

    def _take_over(self, before: Parses) -> bool:
        """Take the parse that this process served until now, where nothing but variables and places has changed."""
        inputs = before._kept.inputs.unchanged_relative(self._settings)
        if inputs is None:
            return False
        return self._adopt(before.served.copies, before.served, replace(before._kept, inputs=inputs)) is not None

    def _take_relative(self) -> bool:
        """Take a parse that was kept for other variables, or another file of the database, and keep it for these."""
        kept = relative_parse(self._settings)
        if kept is None:
            return False
        adopted = self._adopt(Copies(kept.packed), None, kept)
        if adopted is None:
            return False
        with self._cache.going_without():
            store_parse(self._settings, adopted)
        return True

    def _adopt(self, copies: Copies, served: ServedParse | None, base: KeptParse) -> KeptParse | None:
        """Use a parse that was made for other settings, where it provably serves these; return what it is for them."""
        if not self._prepare(copies.another()):
            return None
        config = _config(base.facts.adapter)
        served = served or ServedParse(copies, self._yaml(config))
        changed = base.inputs.changed_variables(self._settings)
        digests = [*base.inputs.variables.values(), *digests_of(self._settings.vars).values()]
        self._not_adopted = self._blocker(changed, served, base.facts, digests)
        if self._not_adopted is not None:
            return None
        read = project_facts(served.project, config, self._settings)
        if read.facts.shape.project != base.facts.shape.project:
            return None
        if read.facts.database_path != base.facts.database_path and read.facts.reads_database_path:
            self._not_adopted = "a template may read where the file of the database lies"
            return None
        inputs = self._inputs(served.project.manifest, config, read, base.inputs.files)
        adopted = KeptParse(read.facts, inputs, base.packed, base.warnings)
        self._use(served, adopted)
        return adopted

    def _use(self, served: ServedParse, kept: KeptParse) -> None:
        self._in_use = (served, kept)
        for text in kept.warnings:
            self._events.warn(text)

    def _prepare(self, manifest: Manifest) -> bool:
        """Make dbt ready for a kept parse: it reads profile and project, and takes the manifest as it is."""
        return bool(self._dbt.call(["parse"], self._settings.vars, manifest).success)

    def _parse_and_keep(self) -> None:
        settings, elapsed = self._settings, stopwatch()
        shared = None
        with self._cache.going_without():
            shared = partial_parse(settings)
            if shared.is_file():
                replace_file(self._target / PARTIAL_PARSE, shared.read_bytes())
        before = records_before(settings, last_inputs(settings))
        manifest = self._parse(settings.vars)
        packed = pack(manifest)
        config = _config(str(manifest.metadata.adapter_type))
        read = project_facts(ParsedProject(manifest, packed), config, settings)
        kept = KeptParse(read.facts, self._inputs(manifest, config, read, before), packed, self._events.warned)
        self._in_use = (ServedParse(Copies(packed), self._yaml(config)), kept)
        with self._cache.going_without():
            if shared is not None and (self._target / PARTIAL_PARSE).is_file():
                replace_file(shared, (self._target / PARTIAL_PARSE).read_bytes())
            store_parse(settings, kept)
        if self._not_adopted is not None:
            self._emit(ProjectParsedAgain(at=utc_now(), reason=self._not_adopted, seconds=elapsed()))

    def _inputs(
        self, manifest: Manifest, config: RuntimeConfig, read: ReadProject, before: Mapping[str, FileRecord]
    ) -> ParseInputs:
        """Return what decided a parse; ``before`` are records of files from before it."""
        settings = self._settings
        profiles_dir = settings.effective_profiles_dir()
        return ParseInputs.of(
            settings,
            folders=watched_folders(config),
            env_names=None if read.whole_environment else env_vars_read(manifest, config, profiles_dir),
            var_files=(*files_in_vars(config, settings.cwd), *read.patterns),
            before={**read.records, **before},
        )

    def _parse(self, variables: Vars) -> Manifest:
        answer = self._dbt.call(["parse"], variables, None)
        if not isinstance(answer.result, Manifest):
            database = None if self._in_use is None else self.facts.database_path
            raise parse_error(answer, self._settings, database, self._events.errors)
        return answer.result

    def _yaml(self, config: RuntimeConfig) -> dict[str, str]:
        return yaml_files(config, Path(config.project_root).resolve(), self._settings.effective_profiles_dir())

    def _reuse_blocker(self, variables: Vars, others: Set[str] = frozenset()) -> str | None:
        """Return why the first parse does not serve these vars and others' values, None where it provably does."""
        first, other = digests_of(self._settings.vars), digests_of(variables)
        changed = {name for name in {*first, *other} if first.get(name) != other.get(name)}
        return self._blocker(changed | others, self.served, self.facts, [*first.values(), *other.values()])

    def _blocker(
        self, changed: Set[str], served: ServedParse, facts: ProjectFacts, digests: Iterable[str]
    ) -> str | None:
        """Return why a parse with these facts does not serve other values of some variables; all have these digests."""
        years = self._settings.year_vars
        defaults = (is_template(text) for _, text in facts.var_defaults)
        if changed - years and (any(one.startswith(TEMPLATE) for one in digests) or any(defaults)):
            return "the value of a variable is a template"
        if not changed.isdisjoint(years):
            blocked = [f"{node.name}: {node.reuse_blocker}" for node in facts.nodes if node.reuse_blocker]
            if facts.reuse_blocker or blocked:
                return facts.reuse_blocker or blocked[0]
        reaches = (served.reach(name).blocker for name in sorted(changed - years))
        return next((reason for reason in reaches if reason is not None), None)


def _config(adapter: str) -> RuntimeConfig:
    """Return the configuration with which dbt worked last."""
    config: RuntimeConfig = get_adapter_by_type(adapter).config
    return config


def changed_variables(one: Vars, other: Vars) -> set[str]:
    """Return the variables that have two values, or that only one of two sets has; 1, 1.0 and true are three values."""
    first, second = digests_of(one), digests_of(other)
    return {name for name in {*first, *second} if first.get(name) != second.get(name)}
