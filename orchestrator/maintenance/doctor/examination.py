"""Examine a whole workspace: what it runs on, what it is told, what its database holds, what others left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.clocks import stopwatch
from orchestrator.core.errors import ConfigurationError, DatabaseError, DatabaseLockedError, OrchestratorError
from orchestrator.core.text import plural
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.database.names import SchemaName
from orchestrator.database.reader import DatabaseReader
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.ledger.places import in_all_places
from orchestrator.maintenance.doctor.database_check import (
    check_file,
    check_ledger,
    check_tables,
    check_years,
    failed,
    scan_file,
    unexamined,
)
from orchestrator.maintenance.doctor.diagnosis import (
    Diagnosis,
    Report,
    Status,
    check_passed,
    from_error,
    problem_found,
    worth_noting,
)
from orchestrator.maintenance.doctor.environment_check import (
    check_disk,
    check_locks,
    check_versions,
    dead_folders,
    described_holder,
    leftover_files,
    profile_problem,
)
from orchestrator.maintenance.doctor.history_check import check_history
from orchestrator.maintenance.doctor.inputs_check import check_inputs
from orchestrator.maintenance.doctor.leftovers import kept_as_backups, leftover_relations, relations_of
from orchestrator.maintenance.doctor.registry_check import check_registry
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.self_healing.planning import plan_repair
from orchestrator.self_healing.registry import configured_tables, with_required
from orchestrator.self_healing.table_checker import TableExistenceChecker

CHECKS = (
    "versions", "profile", "parse", "registry", "inputs", "database", "locks", "scan", "ledger", "tables", "leftovers",
    "history", "disk",
)  # fmt: skip


def ignore(_: object) -> None:
    """Tell nobody."""


def examine(
    orchestrator: PipelineOrchestrator,
    *,
    tell: Callable[[Diagnosis], None] = ignore,
    busy: Callable[[str], None] = ignore,
) -> Report:
    """Make every check there is; what one of them finds keeps none of the others from being made.

    Nothing is written to the database, and its mutex is not taken: while another process holds it, the database is
    left alone. Starts dbt and parses. ``tell`` is called with each diagnosis as soon as it is known, ``busy`` with
    what goes on.
    """
    return _Examination(orchestrator, tell, busy).make()


@dataclass(frozen=True)
class _Project:
    """The outcome of the parse: ``facts`` None when it failed, ``mismatch`` when dbt uses another database."""

    facts: ProjectFacts | None
    mismatch: ConfigurationError | None = None


class _Examination:
    """One examination; what was found so far."""

    def __init__(
        self,
        orchestrator: PipelineOrchestrator,
        tell: Callable[[Diagnosis], None],
        busy: Callable[[str], None],
    ) -> None:
        self._orchestrator = orchestrator
        self._config = orchestrator.config
        self._simulates = orchestrator.config.simulation is not None
        self._runner = orchestrator.runner
        self._tell = tell
        self._busy = busy
        self._found: list[Diagnosis] = []

    def make(self) -> Report:
        """Make the checks in the order of CHECKS."""
        folders = dead_folders(self._runner.settings.cache_dir)  # dbt removes them when it starts
        self._add(check_versions())
        self._busy("starting dbt and parsing the project")
        project = self._parse()
        if project.facts is None:
            self._add(unexamined("the project does not parse", "registry", "inputs"))
        else:
            self._busy("asking dbt what the selectors match")
            self._add(check_registry(self._config, self._runner, project.facts))
            self._add(check_inputs(self._with_hook_tables(project.facts)))
        self._database(project, folders)
        self._busy("looking at the run history")
        self._add(check_history(self._config))
        self._busy("looking at the disk")
        path = self._path(project)
        self._add(check_disk(path.parent if path is not None else self._config.root, path))
        return Report(tuple(self._found))

    def _add(self, diagnoses: Iterable[Diagnosis]) -> None:
        for diagnosis in diagnoses:
            self._found.append(diagnosis)
            self._tell(diagnosis)

    def _has_problem(self, *checks: str) -> bool:
        return any(d.check in checks and d.status is Status.PROBLEM for d in self._found)

    def _parse(self) -> _Project:
        seconds = stopwatch()
        try:
            facts = self._runner.parsed()
        except OrchestratorError as error:
            profile = profile_problem(self._runner.settings)
            if profile is not None:
                self._add([profile, *unexamined("dbt cannot parse without a valid profile", "parse")])
            else:
                self._add(
                    [check_passed("profile", str(self._runner.settings.effective_profiles_dir() / "profiles.yml"))]
                )
                self._add(
                    [from_error("parse", error, "correct what dbt names here, and run `orchestrator doctor` again")]
                )
            return _Project(None)
        self._add([check_passed("profile", f"{facts.profile}, target {facts.target}, {facts.adapter}")])
        self._add([check_passed("parse", f"{plural(len(facts.nodes), 'node')} in {seconds():.1f} s")])
        try:
            self._runner.facts()
        except ConfigurationError as error:
            return _Project(facts, mismatch=error)
        return _Project(facts)

    def _path(self, project: _Project) -> Path | None:
        if self._config.database_path is not None:
            return self._config.database_path
        return project.facts.database_path if project.facts is not None else None

    def _database(self, project: _Project, folders: list[Path]) -> None:
        path = self._path(project)
        if path is None and project.facts is None:
            why = "the project must be parsed to find the database"
            self._add(unexamined(why, "database", "locks", "scan", "ledger", "tables"))
            self._leftovers([], None, folders, in_use=False)
            return
        self._add(self._place(project, path))
        mutex = self._orchestrator.mutex
        holder = mutex.holder()
        self._add(check_locks(mutex, holder))
        if holder is not None:
            remedy = "run `orchestrator doctor` again when it is done"
            self._add(
                [problem_found("scan", f"not examined: the database is in use by {described_holder(holder)}", remedy)]
            )
            self._add(unexamined("the database is in use", "ledger", "tables"))
            self._leftovers([], path, folders, in_use=True)
        elif path is not None and not path.is_file():
            self._add(unexamined("there is no database", "scan", "ledger", "tables"))
            self._leftovers([], path, folders, in_use=False)
        else:
            in_use = self._scan(path)
            self._leftovers(self._contents(project, path), path, folders, in_use=in_use)

    def _place(self, project: _Project, path: Path | None) -> list[Diagnosis]:
        if project.mismatch is not None:
            return [from_error("database", project.mismatch)]
        if path is not None:
            return check_file(path, simulates=self._simulates)
        assert project.facts is not None
        return [check_passed("database", f"{project.facts.adapter} (from the profile); not a file")]

    def _scan(self, path: Path | None) -> bool:
        """Read the whole file; return whether another program has it open."""
        if path is None:
            self._add([worth_noting("scan", "not examined: only DuckDB files are read block by block")])
            return False
        self._busy("reading the database")
        try:
            self._add(scan_file(path, self._busy))
        except DatabaseLockedError as error:
            self._add([from_error("scan", error, subject=str(path))])
            return True
        return False

    def _contents(self, project: _Project, path: Path | None) -> list[Diagnosis]:
        """Look at the ledger and the required tables; return what relations were left over."""
        self._busy("looking at the tables")
        facts = project.facts
        place = SchemaName("", self._config.ledger.schema)
        if facts is not None and project.mismatch is None:
            place = facts.ledger
        try:
            with self._reader(path, facts) as reader:
                self._add(check_ledger(reader, place))
                relations = relations_of(reader)
                if facts is None:
                    self._add(unexamined("the project does not parse", "tables"))
                elif project.mismatch is not None:
                    self._add(unexamined("the profile uses another database", "tables"))
                    facts = None
                else:
                    self._add(self._years(facts, kept_as_backups(relations)))
                    self._add(self._tables(reader, facts))
                return leftover_relations(relations, facts if facts is None else in_all_places(reader, facts))
        except DatabaseError as error:
            missing = [check for check in ("ledger", "tables") if not any(d.check == check for d in self._found)]
            self._add(failed(check, error, explained=self._has_problem("scan")) for check in missing)
            return []

    def _years(self, facts: ProjectFacts, reported: set[str]) -> list[Diagnosis]:
        """Compare the finished years with what the ledger says of them, where it can be read."""
        if self._config.simulation is None or self._has_problem("registry", "scan", "ledger"):
            return []
        try:
            required = {table.name for table in self._orchestrator.initializer.checker(facts).required}
            return check_years(self._orchestrator.find_start(), required | reported)
        except OrchestratorError as error:
            return [failed("ledger", error, explained=False)]

    def _reader(self, path: Path | None, facts: ProjectFacts | None) -> AbstractContextManager[DatabaseReader]:
        if path is None:
            return nullcontext(self._runner)
        return DuckDBReader(path, beside=() if facts is None else facts.attachments, folder=self._config.root)

    def _with_hook_tables(self, facts: ProjectFacts) -> ProjectFacts:
        """Add what functions build, which nobody else loads; a list that does not fit is the registry's finding."""
        try:
            return with_required(facts, configured_tables(self._config))[0]
        except OrchestratorError:
            return facts

    def _tables(self, reader: DatabaseReader, facts: ProjectFacts) -> list[Diagnosis]:
        configured = configured_tables(self._config)
        if configured is not None:  # one that nothing builds is the registry's finding, and hides no other
            configured = tuple(
                t for t in configured if t.built_by or facts.buildable(t.selector) or facts.buildable(t.name)
            )
        try:
            whole, required = with_required(facts, configured)
            checker = TableExistenceChecker(required, whole, lambda: nullcontext(reader))
            findings = checker.findings()
            refused = plan_repair(checker, findings, reader).refusal if findings else None
            return check_tables(findings, len(checker.required), refused, simulates=self._simulates)
        except OrchestratorError as error:
            return [failed("tables", error, explained=self._has_problem("registry", "scan", "ledger"))]

    def _leftovers(
        self, relations: list[Diagnosis], database: Path | None, folders: list[Path], *, in_use: bool
    ) -> None:
        found = [*relations, *leftover_files(database, folders, in_use=in_use)]
        self._add(found or [check_passed("leftovers", "none")])
