"""The rows of a table of a side, written to a Parquet file to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, DatabaseError, StatementError, TableNotFoundError
from orchestrator.core.text import nearest
from orchestrator.database.duckdb_select import read_only
from orchestrator.database.sql import literal
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import read_ledger
from orchestrator.reports.run_history import SHORT, find_run
from orchestrator.reports.sides.databases import state_notes
from orchestrator.reports.sides.finding import kind_of
from orchestrator.reports.sides.groups import DONE, OpenSweep, chosen_members, group_name, open_sweep
from orchestrator.reports.sides.members import MemberTables
from orchestrator.reports.sides.names import SideName, side_name
from orchestrator.reports.sides.rows import Columns, RowComparison, RowsOfSide, row_comparison
from orchestrator.reports.sides.sources import Sources, as_run
from orchestrator.reports.sides.sweeps import outdated_note
from orchestrator.reports.table_rows import open_project_database, open_table, year_condition
from orchestrator.scenarios.freshness import outdated_members
from orchestrator.scenarios.kept_columns import table_columns

if TYPE_CHECKING:
    import duckdb


@contextmanager
def compared_rows(
    sources: Sources, names: Sequence[str], table: str, key: Sequence[str], *, year: int | None = None
) -> Iterator[RowComparison]:
    """Compare the rows of a table of two sides by its key, those of one year where one is given.

    Each side is a scenario, the run that its database was made by, or one member of a sweep. Databases are only read:
    the rows are copied into a temporary folder first.

    Raises:
        ConfigurationError: a name, the key or the year is wrong, or they are not two single sides.
        TableNotFoundError: a side has not this table.
        DatabaseError: a database cannot be read, or a run has it open.
    """
    if len(names) != 2:
        raise ConfigurationError(f"Rows are compared of two sides, not of {len(names)}.", to_fix="name two of them")
    with TemporaryDirectory(prefix="orchestrator-rows-") as made:
        folder = Path(made)
        first, second = (
            _written(sources, side_name(name), table, year, folder / f"{number}.parquet")
            for number, name in enumerate(names)
        )
        if first.database is not None and first.database == second.database:
            raise ConfigurationError(
                f"{first.side} and {second.side} have one database, {first.database}: the rows of only one of them are "
                "there, those of the last run.",
                to_fix="give each scenario a database of its own in its file, such as "
                "`database: var/NAME.duckdb`, and simulate both again",
            )
        simulation = sources.config.simulation
        column = None if simulation is None or year is not None else simulation.year_column
        with row_comparison(first, second, key, folder, year=column) as found:
            yield found


def _written(sources: Sources, name: SideName, table: str, year: int | None, file: Path) -> RowsOfSide:
    match kind_of(sources, name):
        case "sweep":
            return _of_member(sources, name, table, year, file)
        case "run":
            return _of_run(sources, name, table, year, file)
        case _:
            config = sources.scenario(name.name)
            return _of_database(sources, config, name.written, table, year, file)


def _of_database(
    sources: Sources, config: SimulationConfig, side: str, table: str, year: int | None, file: Path
) -> RowsOfSide:
    with sources.open_project(config) as (runner, facts):
        if facts.database_path is None:
            raise ConfigurationError(
                f"The database of {side} is on a server, and only rows of DuckDB files can be compared.",
                to_fix="compare the results by year, without --rows",
            )
        with open_table(config, runner, facts, table, year=year) as found:
            columns = found.write_parquet(file, None)
        notes: list[str] = []
        if config.simulation is not None:
            with open_project_database(config, runner, facts) as database:
                notes = state_notes(side, config, database, read_ledger(database, facts.ledger, facts), facts)
        return RowsOfSide(side, found.label, columns, file, facts.database_path.resolve(), tuple(notes))


def _of_run(sources: Sources, name: SideName, table: str, year: int | None, file: Path) -> RowsOfSide:
    assert sources.history is not None  # else there is no such run
    run = find_run(sources.history, name.name)
    short = run.id[:SHORT]
    if run.database is None or not Path(run.database).is_file():
        raise TableNotFoundError(
            f"The database of run {short} is not there any more, and its rows with it.",
            to_fix="compare the results by year, without --rows, or the rows of a scenario",
        )
    config = as_run(sources.config, run.scenario or sources.config.scenario, run.config_snapshot, Path(run.database))
    with (
        sources.open_project(config) as (runner, facts),
        open_project_database(config, runner, facts) as database,
    ):
        last = read_ledger(database, facts.ledger, facts).last_run_id()
    if last != run.id:
        raise TableNotFoundError(
            f"The rows of run {short} are not there any more: run {str(last)[:SHORT]} has used its database since.",
            to_fix="compare the results by year, which are in the history, without --rows",
        )
    return replace(_of_database(sources, config, f"run {short}", table, year, file), database=None)


def _of_member(sources: Sources, name: SideName, table: str, year: int | None, file: Path) -> RowsOfSide:
    folder = sources.sweep(name.name)
    assert folder is not None  # its kind would not be known else
    sweep = open_sweep(folder)
    members = [one for one in chosen_members(sweep, name.conditions) if sweep.states[one.key].status == DONE]
    if len(members) != 1:
        raise ConfigurationError(
            f"{name.written} stands for {len(members)} finished members, and rows are compared of one.",
            to_fix=f"choose one by conditions on all keys, such as {_example(sweep)}",
        )
    with sources.open_project(sources.config) as (_, facts):
        tables = MemberTables(folder, _node(facts, table))
        outdated = outdated_members(sources.config, folder, sweep.plan, sweep.states, facts)
    kept = tables.files().get(members[0].key)
    database = tables.database(members[0])
    label = f"{tables.node.name} of {name.written}"
    if kept is not None:
        columns = _from_file(sources.config, label, kept, year, file)
    elif database is not None:
        columns = _from_database(sources.config, label, tables.relation, database, year, file)
    else:
        raise TableNotFoundError(
            f"{name.written} has kept neither {table} nor its database.",
            to_fix=f"sweep again with --keep {tables.node.name}",
        )
    notes = (outdated_note(sweep.name, name.written, 1, 1),) if members[0].key in outdated else ()
    return RowsOfSide(name.written, tables.node.name, columns, file, notes=notes)


def _from_file(config: SimulationConfig, label: str, kept: Path, year: int | None, file: Path) -> Columns:
    """Copy the rows that a sweep kept of a member, with the columns of the table alone, as its database has them."""
    import duckdb  # slow to import

    try:
        with duckdb.connect() as connection:
            source = f"read_parquet({literal(kept)}, hive_partitioning = false)"
            own = f"select {table_columns(connection.sql(f'from {source}').columns)} from {source}"
            where = year_condition(config, label, _columns(connection.sql(own)), year)
            relation = connection.sql(f"select * from ({own}){where}")
            relation.write_parquet(str(file))
            return _columns(relation)
    except duckdb.Error as error:
        raise DatabaseError(f"{label} cannot be read: {str(error).splitlines()[0]}") from error


def _from_database(
    config: SimulationConfig, label: str, relation: str, database: Path, year: int | None, file: Path
) -> Columns:
    with read_only(database) as opened:
        try:
            columns = opened.select(f"select * from {relation} limit 0").columns
            where = year_condition(config, label, columns, year)
            return opened.write_parquet(f"select * from {relation}{where}", file)
        except StatementError as error:  # the statement is ours
            raise DatabaseError(f"{label} cannot be read: {error.message}") from error


def _columns(relation: duckdb.DuckDBPyRelation) -> Columns:
    return tuple(zip(relation.columns, map(str, relation.types), strict=True))


def _example(sweep: OpenSweep) -> str:
    """Return how a person would name one member of a sweep."""
    first = sweep.plan.members[0]
    group = group_name(sweep, first)
    if first.seed is None:
        return group
    return f"{group[:-1]},seed={first.seed}]" if group.endswith("]") else f"{group}[seed={first.seed}]"


def _node(facts: ProjectFacts, name: str) -> NodeFacts:
    nodes = [node for node in facts.nodes if node.builds]
    found = next((node for node in nodes if name.lower() in (node.name.lower(), node.unique_id.lower())), None)
    if found is None:
        near = nearest(name, [node.name for node in nodes])
        fix = "`orchestrator check` lists the tables of the project"
        raise TableNotFoundError(
            f"There is no table {name!r} in the project.", to_fix=fix if near is None else f"write {near}; {fix}"
        )
    return found
