"""The parses of one project: the first, kept between runs, and those for vars that it cannot serve.

A parsed manifest is kept packed, and every command gets a copy of its own (:class:`Copies`), because dbt writes into
the one it is given: the second run of a model that refs an ephemeral one fails otherwise. Where reuse for other vars is
not proven safe (see :mod:`orchestrator.dbt_runner.analysis.reuse`), the project is parsed again for those vars.
"""

from __future__ import annotations

import json
from functools import cached_property

from dbt.adapters.factory import get_adapter_by_type
from dbt.contracts.graph.manifest import Manifest

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import DbtProjectError
from orchestrator.core.events import Emit, ProjectParsedAgain
from orchestrator.core.files import replace_file
from orchestrator.dbt_runner.adapter.answers import parse_error
from orchestrator.dbt_runner.adapter.dbt_command import DbtCommand
from orchestrator.dbt_runner.adapter.dbt_events import DbtEvents
from orchestrator.dbt_runner.process.cache_folder import CacheFolder
from orchestrator.dbt_runner.process.copies import Copies, pack, unpacked
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.inputs import env_vars_read, watched_folders
from orchestrator.dbt_runner.project.kept_parse import (
    KeptParse,
    cached_parse,
    last_inputs,
    parse_digest,
    partial_parse,
    store_parse,
)
from orchestrator.dbt_runner.project.manifest_facts import project_facts
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs, records_before
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.dbt_runner.project.var_values import files_in_vars

PARTIAL_PARSE = "partial_parse.msgpack"


class Parses:
    """Parses a project as seldom as is safe; ``cache`` is where parses are kept, and dbt leaves what it parsed.

    What dbt warned of in a parse that was kept is said again by ``events``.
    """

    def __init__(self, cache: CacheFolder, dbt: DbtCommand, events: DbtEvents, emit: Emit) -> None:
        self._cache = cache
        self._settings = cache.settings
        self._dbt = dbt
        self._target = cache.target
        self._events = events
        self._emit = emit
        self._kept: dict[str, Copies] = {}
        self._facts: ProjectFacts | None = None

    def load(self) -> tuple[ProjectFacts, ParseInputs]:
        """Parse the project with the vars of the settings, or take the parse that was kept of it.

        Raises:
            DbtProjectError: no project, no profile, or it does not parse.
        """
        kept = cached_parse(self._settings)
        copies = None if kept is None else Copies(kept.packed)
        if kept is not None and copies is not None and self._prepare(copies.another()):
            for text in kept.warnings:
                self._events.warn(text)
        else:
            kept = self._parse_and_keep()
            copies = Copies(kept.packed)
        self._kept[_key(self._settings.vars)] = copies
        self._facts = kept.facts
        return kept.facts, kept.inputs

    @property
    def facts(self) -> ProjectFacts:
        """Return what :meth:`load` found.

        Raises:
            DbtProjectError: nothing was loaded.
        """
        if self._facts is None:
            raise DbtProjectError("The dbt project was not loaded.")
        return self._facts

    @cached_property
    def first(self) -> Manifest:
        """The first parse, to look at; what dbt is given is a copy of its own."""
        return unpacked(self._kept[_key(self._settings.vars)].packed)

    @property
    def first_digest(self) -> str:
        """Return what tells the first parse from any other."""
        return parse_digest(self._kept[_key(self._settings.vars)].packed)

    def manifest_for(self, variables: Vars) -> Manifest:
        """Return a copy of the parse that serves these vars: the first where that is proven, else one of their own."""
        key = _key(variables)
        if key not in self._kept:
            reason = self._reuse_blocker(variables)
            if reason is None:
                key = _key(self._settings.vars)
            else:
                elapsed = stopwatch()
                self._kept[key] = Copies(pack(self._parse(variables)))
                self._emit(ProjectParsedAgain(at=utc_now(), reason=reason, seconds=elapsed()))
        return self._kept[key].another()

    def why_parsed_again(self, variables: Vars) -> str | None:
        """Say why the first parse does not provably serve these vars, None where it does."""
        reason = self._reuse_blocker(variables)
        return None if reason is None else f"the project is parsed again for it: {reason}"

    def _prepare(self, manifest: Manifest) -> bool:
        """Make dbt ready for a kept parse: it reads profile and project, and takes the manifest as it is."""
        return bool(self._dbt.call(["parse"], self._settings.vars, manifest).success)

    def _parse_and_keep(self) -> KeptParse:
        settings = self._settings
        shared = None
        with self._cache.going_without():
            shared = partial_parse(settings)
            if shared.is_file():
                replace_file(self._target / PARTIAL_PARSE, shared.read_bytes())
        before = records_before(settings, last_inputs(settings))
        manifest = self._parse(settings.vars)
        packed = pack(manifest)
        config = get_adapter_by_type(str(manifest.metadata.adapter_type)).config
        read = project_facts(manifest, packed, config, settings)
        profiles_dir = settings.effective_profiles_dir()
        inputs = ParseInputs.of(
            settings,
            folders=watched_folders(config),
            env_names=None if read.whole_environment else env_vars_read(manifest, config, profiles_dir),
            var_files=(*files_in_vars(config, settings.cwd), *read.patterns),
            before={**read.records, **before},
        )
        kept = KeptParse(read.facts, inputs, packed, self._events.warned)
        with self._cache.going_without():
            if shared is not None and (self._target / PARTIAL_PARSE).is_file():
                replace_file(shared, (self._target / PARTIAL_PARSE).read_bytes())
            store_parse(settings, kept)
        return kept

    def _parse(self, variables: Vars) -> Manifest:
        answer = self._dbt.call(["parse"], variables, None)
        if not isinstance(answer.result, Manifest):
            database = self._facts.database_path if self._facts is not None else None
            raise parse_error(answer, self._settings, database, self._events.errors)
        return answer.result

    def _reuse_blocker(self, variables: Vars) -> str | None:
        """Return why the first parse does not serve these vars, None where it provably does."""
        first = self._settings.vars
        changed = {name for name in {*variables, *first} if variables.get(name) != first.get(name)}
        if not changed <= self._settings.year_vars:
            return f"vars {', '.join(sorted(changed))} differ from those of the parse"
        blocked = [f"{node.name}: {node.reuse_blocker}" for node in self.facts.nodes if node.reuse_blocker]
        return self.facts.reuse_blocker or (blocked[0] if blocked else None)


def _key(variables: Vars) -> str:
    return json.dumps(variables, sort_keys=True, default=str)
