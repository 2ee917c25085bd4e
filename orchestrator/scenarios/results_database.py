"""The database of a sweep's results: a table of members, and a view of each kept table over all Parquet files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from orchestrator.core.permissions import file_mode
from orchestrator.database.sql import literal, quoted_name
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.kept_columns import OWN_COLUMNS
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.state import MemberState

if TYPE_CHECKING:
    import duckdb

DONE = "done"
EXACT_BITS = 53  # whole numbers of a double


def value_columns(plan: SweepPlan) -> dict[str, str]:
    """Return the name of the column of each varied key: its last part, or all of it where that is not enough."""
    keys = [one.key for one in plan.variations]
    found: dict[str, str] = {}
    lasts = [key.rpartition(".")[2].lower() for key in keys]
    for key, last in zip(keys, lasts, strict=True):
        column = key if last in OWN_COLUMNS or lasts.count(last) > 1 else key.rpartition(".")[2]
        while column.lower() in {name.lower() for name in (*found.values(), *OWN_COLUMNS)}:
            column += "_"  # names of columns differ in more than their case
        found[key] = column
    return found


def write_results(folder: SweepFolder, plan: SweepPlan, states: Mapping[str, MemberState]) -> None:
    """Write the database of results anew, in the place of the old one.

    Its views name their files in full, so that they can be read from any working folder; after the sweep's folder was
    moved, it is written again (:func:`results_stand_elsewhere`).

    Raises:
        OSError: it cannot be written.
    """
    import duckdb  # slow to import

    new = folder.path / f".{folder.results_database.name}.new"
    new.unlink(missing_ok=True)
    new.with_name(f"{new.name}.wal").unlink(missing_ok=True)
    try:
        with duckdb.connect(str(new)) as connection:
            _fill(connection, folder, plan, states)
        new.chmod(file_mode(folder.results_database))
        new.replace(folder.results_database)
    except duckdb.Error as error:
        raise OSError(str(error)) from error
    finally:
        new.unlink(missing_ok=True)


def kept_tables(folder: SweepFolder) -> tuple[str, ...]:
    """Return the names of the tables of which there are rows."""
    return tuple(
        sorted(path.name for path in folder.results.glob("*") if path.is_dir() and any(path.rglob("*.parquet")))
    )


def results_stand_elsewhere(folder: SweepFolder) -> bool:
    """Tell whether the views of the results name files of another place: the folder was moved, or copied."""
    if not folder.results_database.exists():
        return False
    import duckdb  # slow to import

    try:
        with duckdb.connect(str(folder.results_database), read_only=True) as connection:
            found = connection.execute("select place from about").fetchone()
    except duckdb.Error:
        return True
    return found is None or found[0] != str(folder.path.resolve())


def _fill(
    connection: duckdb.DuckDBPyConnection, folder: SweepFolder, plan: SweepPlan, states: Mapping[str, MemberState]
) -> None:
    connection.execute("create table about as select ? as name, ? as place", [plan.name, str(folder.path.resolve())])
    columns = value_columns(plan)
    kinds = {key: _kind([member.values.get(key) for member in plan.members]) for key in columns}
    own = [f"{quoted_name(column)} {kinds[key]}" for key, column in columns.items()]
    connection.execute(
        "create table members ("
        + ", ".join(["member varchar primary key", "scenario varchar", "seed bigint", *own, "status varchar"])
        + ")"
    )
    seeds = _seeds(folder)
    places = ", ".join("?" for _ in range(len(columns) + 4))
    for member in plan.members:
        values = [_plain(member.values.get(key), kinds[key]) for key in columns]
        status = states.get(member.key, MemberState()).status
        seed = seeds.get(member.key, member.seed)
        connection.execute(
            f"insert into members values ({places})", [member.key, member.scenario, seed, *values, status]
        )
    for table in kept_tables(folder):
        _view(connection, folder.results / table, table, list(columns.values()))


def _seeds(folder: SweepFolder) -> dict[str, int]:
    """Return the random seeds of members with rows, by key: those of scenarios, where the sweep itself names none."""
    files = folder.results.glob("*/*/seed=*/*.parquet")
    return {file.stem: int(file.parent.name.removeprefix("seed=")) for file in files}


def _view(connection: duckdb.DuckDBPyConnection, path: Path, table: str, columns: list[str]) -> None:
    """Make the view of one table; rows of a member that is not done are not in it."""
    files = literal(str(path.resolve() / "scenario=*" / "seed=*" / "*.parquet"))
    given = ", ".join(f"members.{quoted_name(column)}" for column in columns)
    taken = ", ".join(quoted_name(name) for name in ("scenario", "seed", "member"))
    source = (
        f"read_parquet({files}, hive_partitioning = true, union_by_name = true, "
        "hive_types = {'scenario': varchar, 'seed': bigint})"
    )
    theirs = [str(name) for name, *_ in connection.execute(f"describe from {source}").fetchall()]
    connection.execute(
        f"create view {quoted_name(view_name(table))} as "
        f"select rows.scenario, rows.seed, rows.member{', ' + given if given else ''}, members.status, "
        f"rows.* exclude ({taken}){_renamed(theirs, columns)} "
        f"from {source} as rows "
        f"join members on members.member = rows.member and members.status = {literal(DONE)}"
    )


def _renamed(theirs: Sequence[str], columns: Sequence[str]) -> str:
    """Give a column of the table itself another name where a varied key has that name: with ``_`` behind it."""
    known = {name.lower() for name in (*theirs, *columns)}
    found = []
    for name in theirs:
        if name.lower() in {column.lower() for column in columns}:
            new = f"{name}_"
            while new.lower() in known:
                new += "_"
            known.add(new.lower())
            found.append(f"{quoted_name(name)} as {quoted_name(new)}")
    return f" rename ({', '.join(found)})" if found else ""


def view_name(table: str) -> str:
    """Return the name of the view of a kept table, which may not be that of a table of ours."""
    return f"{table}_" if table.lower() in ("members", "about") else table


def _kind(values: list[JsonValue]) -> str:
    """Return the type of a column that holds all of these values."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    whole = [value for value in values if isinstance(value, int)]
    if kinds == {int}:
        return next((name for name, bits in (("bigint", 63), ("hugeint", 127)) if _fit(whole, bits)), "varchar")
    return "double" if kinds and kinds <= {int, float} and _fit(whole, EXACT_BITS) else "varchar"


def _fit(values: Sequence[int], bits: int) -> bool:
    return all(-(2**bits) <= value < 2**bits for value in values)


def _plain(value: JsonValue, kind: str) -> JsonValue:
    return value if value is None or isinstance(value, str) or kind != "varchar" else json.dumps(value)
