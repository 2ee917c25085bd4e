"""The shape of the run history: which version it has, how it is brought to the newest, and whether it is whole.

Only this module knows Alembic. Everything happens on a connection, and in a transaction, of the caller's.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from orchestrator.core.errors import StorageCorruptionError, StorageVersionError
from orchestrator.storage.head import HEAD, TABLES, VERSION_TABLE, VERSIONS

MIGRATIONS = Path(__file__).parent / "migrations"


def version_of(connection: Connection) -> str | None:
    """Return the version of the schema, None where there is none.

    Raises:
        StorageVersionError: it is newer than this program.
        StorageCorruptionError: a table is gone, or the tables are those of another program.
    """
    there = set(sa.inspect(connection).get_table_names())
    found = None
    if VERSION_TABLE in there:
        found = connection.execute(sa.text(f"select version_num from {VERSION_TABLE}")).scalar()
    return known_version(None if found is None else str(found), there)


def known_version(found: str | None, there: set[str]) -> str | None:
    """Return the version that was ``found`` in a database with the tables ``there``, None where there is no schema.

    Raises:
        StorageVersionError: it is newer than this program.
        StorageCorruptionError: a table is gone, or the tables are those of another program.
    """
    if found is None:
        foreign = sorted(there & set(TABLES[HEAD]))
        if foreign:
            raise StorageCorruptionError(
                f"The database of storage.url has a table {foreign[0]} that does not belong to a run history.",
                to_fix="name a database of its own in storage.url",
            )
        return None
    if found not in VERSIONS:
        raise StorageVersionError(
            f"The run history has schema version {found}, and this version of the orchestrator knows versions up to "
            f"{HEAD}.",
            to_fix="use the newer version of the orchestrator that wrote it",
        )
    gone = sorted(set(TABLES[found]) - there)
    if gone:
        raise StorageCorruptionError(
            f"The run history is missing its table {gone[0]}.",
            to_fix="put a backup in its place, or remove it: `orchestrator runs import` fills a new one from var/runs",
        )
    return found


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest version, from none or an older one, and make sure of it.

    Raises:
        StorageCorruptionError: afterwards something is not there, or is not as it was.
    """
    from alembic import command  # a tenth of a second, and rarely needed
    from alembic.config import Config

    before = _counts(connection)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, version_table=VERSION_TABLE)
    command.upgrade(config, "head")
    _verify(connection, before)


def _counts(connection: Connection) -> dict[str, int]:
    there = set(sa.inspect(connection).get_table_names()) & set(TABLES[HEAD])
    return {name: int(connection.execute(sa.text(f"select count(*) from {name}")).scalar_one()) for name in there}


def _verify(connection: Connection, before: dict[str, int]) -> None:
    from orchestrator.storage.models import Base

    inspector = sa.inspect(connection)
    after = _counts(connection)
    lost = {name: count for name, count in before.items() if after.get(name) != count}
    wrong = [f"{name} had {count} rows and has {after.get(name)}" for name, count in lost.items()]
    for table in Base.metadata.sorted_tables:
        there = {found["name"] for found in inspector.get_columns(table.name)}
        wrong += [f"{table.name} lacks {column.name}" for column in table.columns if column.name not in there]
    if connection.dialect.name == "sqlite":
        loose = connection.exec_driver_sql("pragma foreign_key_check")
        wrong += [f"{row[0]} refers to a row that does not exist" for row in loose]
    if wrong or version_of(connection) != HEAD:
        raise StorageCorruptionError(f"The run history is inconsistent after the upgrade: {'; '.join(wrong[:5])}.")
