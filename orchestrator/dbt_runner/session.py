"""One dbt project inside the dbt process: parsed once, invoked many times.

The parsed manifest is kept as msgpack bytes and every invocation gets its own copy, because dbt writes into the
one it is given: the second run of a model that refs an ephemeral one fails otherwise. Where reuse for other
vars is not proven safe (see :mod:`orchestrator.dbt_runner.reuse`), the project is parsed again for those vars.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import msgpack
from dbt.adapters.factory import get_adapter_by_type
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt.contracts.results import RunExecutionResult
from dbt.parser.manifest import extended_mashumaro_encoder, extended_msgpack_decoder
from dbt_common.clients.jinja import get_environment
from dbt_common.events.base_types import EventMsg

from orchestrator.dbt_runner.answers import command_error, compiled_sql, node_result, parse_error
from orchestrator.dbt_runner.database import ProjectDatabase
from orchestrator.dbt_runner.dbt_events import DbtEvents
from orchestrator.dbt_runner.facts_cache import (
    PARTIAL_PARSE,
    cached_parse,
    parse_digest,
    store_parse,
    tapes_path,
    watched_files,
)
from orchestrator.dbt_runner.manifest_facts import project_facts
from orchestrator.dbt_runner.project import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project_inputs import env_vars_read, watched_folders
from orchestrator.dbt_runner.replay import Aside, Replayer
from orchestrator.dbt_runner.replay_proof import ReplayProof
from orchestrator.dbt_runner.results import DbtResult, NodeResult
from orchestrator.dbt_runner.selection import ExactSelectors
from orchestrator.dbt_runner.settings import CreateEmpty, DbtSettings, Invoke, Select, Vars
from orchestrator.dbt_runner.tape_shelf import TapeShelf
from orchestrator.dbt_runner.var_values import files_in_vars
from orchestrator.events import (
    DbtReady,
    Emit,
    ProjectParsedAgain,
)
from orchestrator.exceptions import (
    DbtProjectError,
    NothingSelectedError,
)
from orchestrator.timing import stopwatch, utc_now

QUIET = ("--log-level", "none", "--log-level-file", "none", "--no-write-json", "--no-send-anonymous-usage-stats")
TYPES_OF = {
    "run": ("model",),
    "seed": ("seed",),
    "test": ("test", "unit_test"),
    "build": ("model", "seed", "snapshot", "test", "unit_test"),
}


class DbtSession:
    """The dbt side of the process border; every method runs in the main thread of the dbt process.

    ``aside`` runs a function beside the main thread, which alone gets signals.
    """

    def __init__(self, settings: DbtSettings, emit: Emit, aside: Aside) -> None:
        self._settings = settings = _with_writable_cache(settings)
        self._emit = emit
        self._on_event = DbtEvents(emit)
        _remove_leftovers(settings.cache_dir)
        self._target = settings.cache_dir / f"target-{os.getpid()}"
        self._target.mkdir(exist_ok=True)
        self._manifests: dict[str, bytes] = {}
        self._facts: ProjectFacts | None = None
        self._database: ProjectDatabase | None = None
        self._aside = aside
        self._replayer: Replayer | None = None

    def load(self) -> ProjectFacts:
        """Parse the project with the vars of the settings and keep the result.

        Raises:
            DbtProjectError: no project, no profile, or it does not parse.
        """
        elapsed = stopwatch()
        kept = cached_parse(self._settings)
        facts, packed = kept if kept is not None and self._prepare(kept[1]) else self._parse_and_keep()
        self._manifests[_key(self._settings.vars)] = packed
        self._facts = facts
        self._database = ProjectDatabase(facts)
        self._emit(DbtReady(at=utc_now(), seconds=elapsed(), nodes=len(facts.nodes), adapter=facts.adapter))
        return facts

    def _prepare(self, packed: bytes) -> bool:
        """Make dbt ready for a kept parse: it reads profile and project, and takes the manifest as it is."""
        return bool(self._dbt(["parse", *self._vars(self._settings.vars)], _unpacked(packed)).success)

    def _parse_and_keep(self) -> tuple[ProjectFacts, bytes]:
        shared = self._settings.cache_dir / PARTIAL_PARSE
        if shared.is_file():
            shutil.copyfile(shared, self._target / PARTIAL_PARSE)
        before = watched_files(self._settings)
        manifest = self._parse(self._settings.vars)
        packed = manifest.to_msgpack(extended_mashumaro_encoder)
        config = get_adapter_by_type(str(manifest.metadata.adapter_type)).config
        profiles_dir = self._settings.effective_profiles_dir()
        facts = project_facts(manifest, packed, config, profiles_dir, self._settings.year_vars, self._settings.cwd)
        if (self._target / PARTIAL_PARSE).is_file():
            (self._target / PARTIAL_PARSE).replace(shared)
        names = env_vars_read(manifest, config, profiles_dir)
        var_files = files_in_vars(config, self._settings.cwd)
        if names is not None:
            store_parse(self._settings, facts, packed, before, watched_folders(config), names, var_files)
        return facts, packed

    def invoke(self, request: Invoke) -> DbtResult:
        """Run one dbt command and return what its own results say.

        Raises:
            NothingSelectedError: no node, or not every node that was named, was selected.
            DbtError: dbt failed before it had results.
        """
        elapsed = stopwatch()
        self.database.open()
        if request.replay and self._reuse_blocker(self._changed(request.vars)) is None:
            nodes, replayed = self._replayed(request)
        else:
            nodes, replayed = tuple(result for result, _ in self._run(request)), False
        return DbtResult(request.command, nodes, elapsed(), replayed)

    def _replayed(self, request: Invoke) -> tuple[tuple[NodeResult, ...], bool]:
        """Run a stage from its tape as far as that goes, else by dbt, and then put it on tape."""
        replayer = self._replayer = self._replayer or self._new_replayer()
        repeated = replayer.repeat(request)
        if repeated is None:
            before = replayer.look()
            with self._on_event.recorded() as sent:
                results = self._run(request)
            replayer.keep(request, before, sent, results)
            return tuple(result for result, _ in results), False
        if not repeated.left:
            return repeated.nodes, not repeated.by_dbt
        return (*repeated.nodes, *self._run_nodes(request, repeated.left)), False

    def _run_nodes(self, request: Invoke, unique_ids: tuple[str, ...]) -> tuple[NodeResult, ...]:
        return tuple(result for result, _ in self._run(replace(request, select=(), nodes=unique_ids)))

    def _run(self, request: Invoke) -> list[tuple[NodeResult, str]]:
        """Run one dbt command; return the outcome and the compiled SQL of each node, as they were done."""
        args = [request.command, *self._selection(request), *self._vars(request.vars)]
        if request.full_refresh:
            args.append("--full-refresh")
        if request.nodes and request.command == "build":
            args += ["--indirect-selection", "empty"]  # those nodes, and none of their tests
        answer = self._dbt(args, _unpacked(self._manifest_for(request.vars)))
        if not isinstance(answer.result, RunExecutionResult):
            raise command_error(answer, f"dbt {request.command}", self._settings, self._path)
        results = [(node_result(one), compiled_sql(one)) for one in answer.result.results]
        if not any(node.failed for node, _ in results):
            self._compare(request, {node.unique_id for node, _ in results})
        return results

    def _compile(self, nodes: Sequence[NodeFacts], variables: Vars) -> dict[str, str] | None:
        """Return the compiled SQL of these nodes by unique id, None when dbt cannot compile them."""
        selection = ["--select", *map(self._selectors.of, nodes), "--indirect-selection", "empty"]
        manifest = _unpacked(self._manifest_for(variables))
        answer = self._dbt(["compile", *selection, *self._vars(variables)], manifest, on_event=self._warn)
        if not isinstance(answer.result, RunExecutionResult) or not answer.success:
            return None
        return {one.node.unique_id: compiled_sql(one) for one in answer.result.results}

    def _warn(self, message: EventMsg) -> None:
        """Pass on what a command that nobody asked for warns of."""
        if str(message.info.level) == "warn":
            self._on_event(message)

    def _new_replayer(self) -> Replayer:
        return Replayer(
            self.facts,
            self.database,
            self._replay_proof,
            self._settings.year_vars,
            self._compile,
            self._run_nodes,
            self._aside,
            TapeShelf(self.facts, tapes_path(self._settings), parse_digest(self._manifests[_key(self._settings.vars)])),
            int(get_adapter_by_type(self.facts.adapter).config.threads),
            self._emit,
        )

    def _replay_proof(self) -> ReplayProof:
        config = get_adapter_by_type(self.facts.adapter).config
        return ReplayProof(self._first_manifest, config, get_environment(None, capture_macros=True))

    def select(self, request: Select) -> tuple[str, ...]:
        """Return the unique ids that a command with this selection would touch, in dbt's order."""
        args = ["ls", "--output", "json", "--output-keys", "unique_id", "--quiet"]
        for resource_type in TYPES_OF[request.command]:
            args += ["--resource-type", resource_type]
        if request.select:
            args += ["--select", *request.select]
        manifest = _unpacked(self._manifest_for(request.vars))
        answer = self._dbt([*args, *self._vars(request.vars)], manifest)
        if not isinstance(answer.result, list):
            raise command_error(answer, "dbt ls", self._settings, self._path)
        return tuple(json.loads(line)["unique_id"] for line in answer.result)

    def create_empty(self, request: CreateEmpty) -> None:
        """Create a model's table without rows; see :meth:`ProjectDatabase.create_empty`."""
        self.database.create_empty(self._first_manifest.nodes[request.unique_id])

    @cached_property
    def _first_manifest(self) -> Manifest:
        """The first parse, to look at; what dbt is given is a copy of its own."""
        return _unpacked(self._manifests[_key(self._settings.vars)])

    @cached_property
    def _selectors(self) -> ExactSelectors:
        manifest = self._first_manifest
        return ExactSelectors(one.fqn for part in (manifest.nodes, manifest.unit_tests) for one in part.values())

    def close(self) -> None:
        """Release the database and remove this session's own folder."""
        if self._database is not None:
            self._database.release()
        if self._replayer is not None:
            self._replayer.save()
        shutil.rmtree(self._target, ignore_errors=True)

    @property
    def database(self) -> ProjectDatabase:
        """Return the project's database."""
        if self._database is None:
            raise DbtProjectError("The dbt project was not loaded.")
        return self._database

    @property
    def facts(self) -> ProjectFacts:
        """Return what :meth:`load` found."""
        if self._facts is None:
            raise DbtProjectError("The dbt project was not loaded.")
        return self._facts

    @property
    def _path(self) -> Path | None:
        return self._facts.database_path if self._facts is not None else None

    def _manifest_for(self, variables: Vars) -> bytes:
        """Return the parse that serves these vars: the first one where that is proven, else one of their own."""
        key = _key(variables)
        if key in self._manifests:
            return self._manifests[key]
        reason = self._reuse_blocker(self._changed(variables))
        if reason is None:
            return self._manifests[_key(self._settings.vars)]
        elapsed = stopwatch()
        self._manifests[key] = self._parse(variables).to_msgpack(extended_mashumaro_encoder)
        self._emit(ProjectParsedAgain(at=utc_now(), reason=reason, seconds=elapsed()))
        return self._manifests[key]

    def _changed(self, variables: Vars) -> set[str]:
        """Return the names of the vars that differ from those of the first parse."""
        first = self._settings.vars
        return {name for name in {*variables, *first} if variables.get(name) != first.get(name)}

    def _reuse_blocker(self, changed: set[str]) -> str | None:
        if not changed <= self._settings.year_vars:
            return f"vars {', '.join(sorted(changed))} differ from those of the parse"
        blocked = [f"{node.name}: {node.reuse_blocker}" for node in self.facts.nodes if node.reuse_blocker]
        return self.facts.reuse_blocker or (blocked[0] if blocked else None)

    def _parse(self, variables: Vars) -> Manifest:
        answer = self._dbt(["parse", *self._vars(variables)], None)
        if not isinstance(answer.result, Manifest):
            raise parse_error(answer, self._settings, self._path)
        return answer.result

    def _dbt(
        self, args: list[str], manifest: Manifest | None, on_event: Callable[[EventMsg], None] | None = None
    ) -> dbtRunnerResult:
        settings = self._settings
        place = ["--project-dir", _project_path(settings), "--target-path", str(self._target)]
        place += ["--profiles-dir", str(settings.effective_profiles_dir())]
        for flag, value in (("--profile", settings.profile), ("--target", settings.target)):
            place += [flag, value] if value is not None else []
        if settings.threads is not None and args[0] != "ls":
            place += ["--threads", str(settings.threads)]
        quiet = [*QUIET, "--log-path", str(self._target)]
        answer = dbtRunner(manifest=manifest, callbacks=[on_event or self._on_event]).invoke([*quiet, *args, *place])
        if isinstance(answer.exception, (KeyboardInterrupt, SystemExit)):
            raise KeyboardInterrupt
        return answer

    def _vars(self, variables: Vars) -> list[str]:
        return ["--vars", json.dumps(variables, default=str)] if variables else []

    def _selection(self, request: Invoke) -> list[str]:
        if not request.nodes:
            return ["--select", *request.select] if request.select else []
        return ["--select", *(self._selectors.of(self._known(unique_id)) for unique_id in request.nodes)]

    def _known(self, unique_id: str) -> NodeFacts:
        node = self.facts.node(unique_id)
        if node is None:
            raise NothingSelectedError(f"The dbt project has no node {unique_id}.")
        return node

    def _compare(self, request: Invoke, ran: set[str]) -> None:
        missing = [self._known(unique_id).name for unique_id in request.nodes if unique_id not in ran]
        if missing:
            raise NothingSelectedError(
                f"dbt {request.command} did not run {', '.join(missing)}, though it was asked to."
            )
        if not ran:
            chosen = " ".join(request.select) or "everything"
            raise NothingSelectedError(
                f"dbt {request.command} --select {chosen} matched no node of {self._settings.project_dir}.",
                to_fix="correct the selector in the configuration (`orchestrator plan` lists what each one matches)",
            )


def _with_writable_cache(settings: DbtSettings) -> DbtSettings:
    """Make the cache folder; where that is not allowed, one below the system's temporary folder serves."""
    try:
        settings.cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError:
        return replace(settings, cache_dir=Path(tempfile.mkdtemp(prefix="orchestrator-")))
    if os.access(settings.cache_dir, os.W_OK):
        return settings
    return replace(settings, cache_dir=Path(tempfile.mkdtemp(prefix="orchestrator-")))


def _project_path(settings: DbtSettings) -> str:
    """Return the project's path, relative where it has a quote: dbt-duckdb does not escape it when it loads seeds."""
    path = str(settings.project_dir)
    return os.path.relpath(path, settings.cwd) if "'" in path else path


def _remove_leftovers(cache_dir: Path) -> None:
    """Remove the folders of dbt processes that were killed."""
    for folder in cache_dir.glob("target-*"):
        pid = folder.name.rpartition("-")[2]
        if pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc/self").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _unpacked(packed: bytes) -> Manifest:
    return Manifest.from_msgpack(packed, decoder=_decoded)


def _decoded(packed: bytes) -> object:
    """Decode as dbt does, dates too, and let keys be numbers, which dbt's own decoder refuses."""
    return msgpack.unpackb(packed, ext_hook=extended_msgpack_decoder, raw=False, strict_map_key=False)


def _key(variables: Vars) -> str:
    return json.dumps(variables, sort_keys=True, default=str)
