"""The closing tables of a sweep's members: from the tables that were kept of them, else from their databases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import DatabaseError
from orchestrator.core.untrusted import is_file_name
from orchestrator.database.duckdb_select import read_only
from orchestrator.database.sql import literal, quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import read_ledger
from orchestrator.pipeline.workflow import Summary, SummaryColumn
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.kept_columns import kept_name
from orchestrator.scenarios.plan import Member

FILE = "orchestrator file"


@dataclass(frozen=True)
class MemberTables:
    """Where the members of a sweep keep the rows of one node."""

    folder: SweepFolder
    node: NodeFacts

    def files(self) -> dict[str, Path]:
        """Return the kept Parquet files by the key of their member."""
        name = self.node.name
        return {one.stem: one for one in (self.folder.results / name).rglob("*.parquet")} if is_file_name(name) else {}

    def seeds(self) -> dict[str, int]:
        """Return the random seeds of members of which a table was kept, by their key, as the places of files say."""
        places = {key: file.parent.name.removeprefix("seed=") for key, file in self.files().items()}
        return {key: int(seed) for key, seed in places.items() if seed.isdecimal()}

    def database(self, member: Member) -> Path | None:
        """Return the database of a member, None where it was not kept."""
        path = self.folder.member(member.key).database
        return path if is_file_name(member.key) and path.is_file() else None

    @property
    def relation(self) -> str:
        """The name of the table in a member's database, for SQL."""
        return quoted_name(self.node.relation.schema, self.node.relation.name)


def summaries_of(
    tables: MemberTables, members: Sequence[Member], columns: tuple[SummaryColumn, ...]
) -> dict[str, Summary]:
    """Return closing tables by the key of their member; ``columns`` begin with the year.

    A member that left neither file nor database is not there.

    Raises:
        DatabaseError: a file or a database cannot be read, or has not these columns.
    """
    files = tables.files()
    kept = {member.key: files[member.key] for member in members if member.key in files}
    found = _from_files(kept, columns) if kept else {}
    for member in members:
        path = None if member.key in found else tables.database(member)
        if path is not None:
            found[member.key] = Summary(columns, tuple(_from_database(path, tables.relation, columns)))
    return found


def inputs_of(tables: MemberTables, members: Sequence[Member], facts: ProjectFacts) -> Mapping[str, str]:
    """Return what the first member whose database is kept was made of; nothing where none is."""
    path = next((path for member in members if (path := tables.database(member)) is not None), None)
    if path is None:
        return {}
    place = type(facts.ledger)("", facts.ledger.schema)
    with read_only(path) as database:
        ledger = read_ledger(database, place)
    return ledger.components_of(ledger.stages[-1].fingerprint) if ledger.stages else {}


def _from_files(files: Mapping[str, Path], columns: Sequence[SummaryColumn]) -> dict[str, Summary]:
    """Read all files at once; a column that none of a member's files has is NULL."""
    import duckdb  # slow to import

    names = ", ".join(quoted_name(kept_name(column.name)) for column in columns)
    paths = ", ".join(literal(path) for path in files.values())
    sql = (
        f"select {names}, {quoted_name(FILE)} from read_parquet([{paths}], union_by_name = true, "
        f"hive_partitioning = false, filename = {literal(FILE)}) order by 1"
    )
    try:
        with duckdb.connect() as connection:
            rows = connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise DatabaseError(
            f"The kept tables of the sweep cannot be read: {_first_line(error)}",
            to_fix="run the same `orchestrator sweep run` again, which writes what is missing",
        ) from error
    keys = {str(path): key for key, path in files.items()}
    found: dict[str, list[tuple[object, ...]]] = {key: [] for key in files}
    for *values, file in rows:
        found[keys[str(file)]].append(tuple(values))
    return {key: Summary(tuple(columns), tuple(lines)) for key, lines in found.items()}


def _from_database(path: Path, relation: str, columns: Sequence[SummaryColumn]) -> Iterator[tuple[object, ...]]:
    names = ", ".join(quoted_name(column.name) for column in columns)
    with read_only(path) as database:
        yield from database.query(f"select {names} from {relation} order by 1")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
