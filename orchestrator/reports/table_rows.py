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
from orchestrator.dbt_runner.project.places import moves, plain, shown_place, with_places
from orchestrator.ledger.places import left_behind, relation_of_year
from orchestrator.ledger.reading import Ledger, read_ledger
from orchestrator.pipeline.summary import read_summary
from orchestrator.pipeline.workflow import Summary
from orchestrator.pipeline.year_column import YearColumn
from orchestrator.self_healing.initialization_state import heal_advice
from orchestrator.wiring import one_mutex

ALL_YEARS = (0, 9999)
NO_YEARS = Ledger()
NAMES = "`orchestrator check` lists the tables of the project"


@dataclass(frozen=True)
class FoundTable:
    """A table that is there; ``label`` is the name of its node, or schema and name where no node builds it.

    Those are given, too, where it ``is_one_of_several`` tables of a node, as the year decides its name.
    """

    label: str
    relation: RelationName
    columns: tuple[tuple[str, str], ...]
    is_one_of_several: bool = False


class OpenTable:
    """The rows of a table, those of one year where one was asked for."""

    def __init__(self, found: FoundTable, database: QueryReader, where: str) -> None:
        self.label = found.label
        self.is_one_of_several = found.is_one_of_several
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
        catalog = database.catalog()
        ledger = read_ledger(database, facts.ledger, facts)
        found = find_table(facts, catalog, name, simulates=config.simulation is not None, ledger=ledger, year=year)
        if left_behind(database, facts, ledger, [found.relation]):
            raise _left_behind(found.relation)
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


def find_table(
    facts: ProjectFacts,
    catalog: Catalog,
    name: str,
    *,
    simulates: bool,
    ledger: Ledger = NO_YEARS,
    year: int | None = None,
) -> FoundTable:
    """Return the table that a person means by ``name``: a node, ``schema.table``, ``database.schema.table`` or a table.

    Case is ignored. Of a node that has several tables, as the year decides its name, it is that of ``year``; what
    finished years have built is in the ``ledger``.

    Raises:
        TableNotFoundError: there is none, or there are several.
    """
    wanted = name.strip().replace('"', "").lower()
    there = with_places(facts, ledger.staged).nodes
    nodes = {node.relation: node for node in there if node.resource_type != "test"}
    named = [node for node in nodes.values() if wanted in _names_of(node)]
    built = [node for node in named if catalog.get(node.relation) is not None]
    relations = [node.relation for node in built] or [one for one in catalog.relations if wanted in _forms(one)]
    first = _with_several_tables(facts, named, wanted)
    if first is not None and year is not None:
        relations = [_of_year(ledger, catalog, first, year, relations)]
    if len(relations) > 1 and first is not None:
        several = ", ".join(sorted(map(shown_place, relations)))
        raise TableNotFoundError(
            f"{first.name} is another table in some years: {several}.",
            to_fix="give one of these names, or a year with --year",
        )
    if len(relations) > 1:
        several = ", ".join(sorted(_full(one) for one in relations))
        raise TableNotFoundError(f"Several tables are called {name}: {several}.", to_fix="give one of these names")
    if relations:
        node = nodes.get(relations[0])
        own = node is not None and plain(node.unique_id) == node.unique_id and not moves(node)
        label = node.name if node is not None and own else shown_place(relations[0])
        return FoundTable(label, relations[0], catalog.relations[relations[0]].columns, node is not None and not own)
    if named:
        raise _not_there(named[0], catalog, simulates=simulates)
    known = {one for node in nodes.values() if node.builds for one in (node.name,)}
    known |= {form for one in catalog.relations for form in (one.name, f"{one.schema}.{one.name}")}
    near = nearest(wanted, sorted(known))
    raise TableNotFoundError(
        f"There is no table {name!r} in the project or its database.",
        to_fix=NAMES if near is None else f"write {near}; {NAMES}",
    )


def _with_several_tables(facts: ProjectFacts, named: Sequence[NodeFacts], wanted: str) -> NodeFacts | None:
    """Return the one node that a name means, not one of its tables, where it may have several; else None."""
    nodes = {plain(node.unique_id) for node in named if wanted in _own_names(node)}
    first = facts.node(nodes.pop()) if len(nodes) == 1 else None
    return first if first is not None and (moves(first) or len(named) > 1) else None


def _of_year(
    ledger: Ledger, catalog: Catalog, node: NodeFacts, year: int, others: Sequence[RelationName]
) -> RelationName:
    """Return the table of a node that a year built.

    Raises:
        TableNotFoundError: no finished stage of that year has built one, or it is gone.
    """
    relation = relation_of_year(ledger, node, year)
    if relation is not None and catalog.get(relation) is not None:
        return relation
    what = "no finished stage of" if relation is None else f"{shown_place(relation)} is gone, which was that of"
    raise TableNotFoundError(
        f"{node.name} is another table in some years, and {what} {year}" + (" built it." if relation is None else "."),
        to_fix=f"run `orchestrator simulate`; there are {', '.join(sorted(map(shown_place, others)))}"
        if others
        else "run `orchestrator simulate`",
    )


def _left_behind(relation: RelationName) -> TableNotFoundError:
    return TableNotFoundError(
        f"No node of the project builds {shown_place(relation)} as the project is now, with these variables: its rows "
        "are those that an earlier run left.",
        to_fix="`orchestrator query` reads it all the same",
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
    return {*_own_names(node), node.identifier.lower()}


def _own_names(node: NodeFacts) -> set[str]:
    package = f"{node.fqn[0]}." if node.fqn else ""
    own = {plain(node.unique_id), node.name, f"{package}{node.name}"}
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
