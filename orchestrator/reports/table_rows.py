"""The rows of one table of a project, found by the name that a person gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseLockedError,
    StatementError,
    TableNotFoundError,
)
from orchestrator.core.events import ignore
from orchestrator.core.text import nearest
from orchestrator.database.catalog import Catalog
from orchestrator.database.duckdb_select import ReadOnlyDuckDB, SelectedRows, read_only
from orchestrator.database.names import RelationName
from orchestrator.database.reader import DatabaseReader, QueryReader
from orchestrator.database.sql import literal, quoted_name
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.pipeline.summary import read_summary
from orchestrator.pipeline.workflow import Summary
from orchestrator.pipeline.year_column import YearColumn
from orchestrator.self_healing.initialization_state import heal_advice
from orchestrator.wiring import one_mutex

ALL_YEARS = (0, 9999)
NAMES = "`orchestrator check` lists the tables of the project"


@dataclass(frozen=True)
class FoundTable:
    """A table that is there; ``label`` is the name of its node, or schema and name where no node builds it."""

    label: str
    relation: RelationName
    columns: tuple[tuple[str, str], ...]


class OpenTable:
    """The rows of a table, those of one year where one was asked for."""

    def __init__(self, found: FoundTable, database: QueryReader, where: str) -> None:
        self.label = found.label
        self._found = found
        self._database = database
        self._from = f" from {found.relation.quoted()}{where}"

    def total(self) -> int:
        """Count its rows."""
        ((count,),) = self._database.query(f"select count(*){self._from}")
        return int(str(count))

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """The (name, type) of its columns."""
        return self._found.columns

    def rows(self, limit: int | None) -> SelectedRows:
        """Return its rows, at most ``limit``."""
        sql = self._select(limit)
        if isinstance(self._database, ReadOnlyDuckDB):
            return self._database.select(sql)
        waiting = iter(self._database.query(sql))
        return SelectedRows(self._found.columns, lambda count: list(islice(waiting, count)))

    def write_parquet(self, file: Path, limit: int | None) -> tuple[tuple[str, str], ...]:
        """Write its rows to a Parquet file; return the (name, type) of its columns.

        Raises:
            ConfigurationError: the database is not a DuckDB file.
        """
        if not isinstance(self._database, ReadOnlyDuckDB):
            raise ConfigurationError(
                "--parquet needs a DuckDB file, and the database of this project is on a server.",
                to_fix="use --csv",
            )
        return self._database.write_parquet(self._select(limit), file)

    def _select(self, limit: int | None) -> str:
        columns = ", ".join(quoted_name(name) for name, _ in self._found.columns) or "*"
        return f"select {columns}{self._from}" + ("" if limit is None else f" limit {limit}")


@contextmanager
def open_table(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, name: str, *, year: int | None = None
) -> Iterator[OpenTable]:
    """Open a table of the project to be read; see :func:`find_table` for its ``name``.

    Raises:
        TableNotFoundError: there is no database yet, or no such table in it.
        ConfigurationError: rows of a year are asked for, and the table has no column of years.
        DatabaseLockedError: a run is in progress.
        DatabaseError: it cannot be read.
    """
    require_database(config, facts)
    with open_project_database(config, runner, facts) as database:
        found = find_table(facts, database.catalog(), name, simulates=config.simulation is not None)
        try:
            yield OpenTable(found, database, year_condition(config, found.label, found.columns, year))
        except StatementError as error:  # the statement is ours, so it is the table: a view whose tables are gone
            raise DatabaseError(f"{found.label} cannot be read: {error.message}") from error


def read_results(config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts) -> Summary | None:
    """Return the closing table of the years that are in the database; None where the project names none.

    Raises:
        TableNotFoundError: there is no database yet.
        DatabaseLockedError: a run is going on.
        DatabaseError: it cannot be read.
    """
    if config.simulation is None:
        return None
    require_database(config, facts)
    with open_project_database(config, runner, facts) as database:
        return read_summary(database, facts, config.simulation.year_column, ALL_YEARS)


def require_database(config: SimulationConfig, facts: ProjectFacts) -> None:
    """Refuse to read a database file that does not exist yet.

    Raises:
        TableNotFoundError: it does not.
    """
    path = facts.database_path
    if path is not None and not path.exists():
        raise TableNotFoundError(
            f"There is no database {path} yet.", to_fix=heal_advice(simulates=config.simulation is not None)
        )


@contextmanager
def holder_named(config: SimulationConfig, runner: DbtRunner) -> Iterator[None]:
    """Say of a locked database which run has it open, not which dbt process."""
    try:
        yield
    except DatabaseLockedError as error:
        raise (one_mutex(config, runner, ignore)().in_use() or error) from error


def find_table(facts: ProjectFacts, catalog: Catalog, name: str, *, simulates: bool) -> FoundTable:
    """Return the table that a person means by ``name``: a node, ``schema.table``, ``database.schema.table`` or a table.

    Case is ignored.

    Raises:
        TableNotFoundError: there is none, or there are several.
    """
    wanted = name.strip().replace('"', "").lower()
    nodes = {node.relation: node for node in facts.nodes if node.resource_type != "test"}
    named = [node for node in nodes.values() if wanted in _names_of(node)]
    built = [node for node in named if catalog.get(node.relation) is not None]
    relations = [node.relation for node in built] or [one for one in catalog.relations if wanted in _forms(one)]
    if len(relations) > 1:
        several = ", ".join(sorted(_full(one) for one in relations))
        raise TableNotFoundError(f"Several tables are called {name}: {several}.", to_fix="give one of these names")
    if relations:
        node = nodes.get(relations[0])
        label = f"{relations[0].schema}.{relations[0].name}" if node is None else node.name
        return FoundTable(label, relations[0], catalog.relations[relations[0]].columns)
    if named:
        raise _not_there(named[0], catalog, simulates=simulates)
    known = {one for node in nodes.values() if node.builds for one in (node.name,)}
    known |= {form for one in catalog.relations for form in (one.name, f"{one.schema}.{one.name}")}
    near = nearest(wanted, sorted(known))
    raise TableNotFoundError(
        f"There is no table {name!r} in the project or its database.",
        to_fix=NAMES if near is None else f"write {near}; {NAMES}",
    )


def open_project_database(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts
) -> AbstractContextManager[DatabaseReader]:
    """Open the database of a project to be read: its file, or by dbt's own connection where it is on a server.

    Raises:
        DatabaseLockedError: a run is in progress.
        DatabaseError: it cannot be read.
    """
    if facts.database_path is None:
        return nullcontext(runner)
    return _opened_file(config, runner, facts, facts.database_path)


@contextmanager
def _opened_file(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, path: Path
) -> Iterator[ReadOnlyDuckDB]:
    with (
        holder_named(config, runner),
        read_only(path, beside=facts.attachments, folder=runner.settings.cwd) as database,
    ):
        yield database


def _names_of(node: NodeFacts) -> set[str]:
    package = f"{node.fqn[0]}." if node.fqn else ""
    own = {node.unique_id, node.name, f"{package}{node.name}", node.identifier}
    return {one.lower() for one in own}


def _forms(relation: RelationName) -> set[str]:
    return {relation.name, f"{relation.schema}.{relation.name}", _full(relation)}


def _full(relation: RelationName) -> str:
    return ".".join(part for part in (relation.database, relation.schema, relation.name) if part)


def _not_there(node: NodeFacts, catalog: Catalog, *, simulates: bool) -> TableNotFoundError:
    why = catalog.unseen.get(node.relation.database)
    if why is not None:
        return TableNotFoundError(f"{node.name} is in the database {node.database}, which cannot be read here: {why}.")
    if not node.builds:
        return TableNotFoundError(
            f"{node.name} is an ephemeral model, for which dbt builds no table.", to_fix="name a model that reads it"
        )
    by_run = "run `orchestrator simulate`" if simulates else "run `orchestrator init`"
    return TableNotFoundError(f"{node.name} is not in the database: it is not built yet.", to_fix=by_run)


def year_condition(config: SimulationConfig, label: str, columns: Sequence[tuple[str, str]], year: int | None) -> str:
    """Return the condition for the rows of a year of a table with these columns; empty where no year is given.

    Raises:
        ConfigurationError: the table has no column of years.
    """
    if year is None:
        return ""
    if config.simulation is None:
        raise ConfigurationError(
            "--year needs a column of years, and this project has no section simulation that names one.",
            to_fix="leave out --year",
        )
    wanted = config.simulation.year_column
    column = next((YearColumn.of(*one) for one in columns if one[0].lower() == wanted.lower()), None)
    if column is None:
        raise ConfigurationError(
            f"{label} has no column {wanted}, which holds the year (simulation.year_column).",
            to_fix="leave out --year",
        )
    return f" where {column.number} = {literal(year)}"
