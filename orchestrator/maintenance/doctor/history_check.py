"""Look at the run history without writing a byte of it: which version it has, and can it be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.masking import masked
from orchestrator.core.untrusted import parsed_json
from orchestrator.maintenance.backup.saving import missing
from orchestrator.maintenance.backup.workspace import POSTGRESQL, WorkspaceDatabase, history_of
from orchestrator.maintenance.doctor.diagnosis import Diagnosis, check_passed, from_error, size, worth_noting
from orchestrator.storage.head import HEAD, TABLES, VERSION_TABLE

_ANY_JSON = ("value", "generated_config")  # columns; other columns of JSON hold objects
_PLAIN: dict[str, type | tuple[type, ...]] = {"TEXT": str, "VARCHAR": str, "FLOAT": (float, int), "INTEGER": int}


def check_history(config: SimulationConfig) -> list[Diagnosis]:
    """Tell whether the run history can be read, all of it where it is a file, and is of a version known here."""
    if not config.storage.enabled:
        return [check_passed("history", "none is kept")]
    history = history_of(config)
    where = masked(config.storage_url) if history.path is None else str(history.path)
    try:
        version = None if missing(history) else history_version(history, whole=True)
    except OrchestratorError as error:
        return [from_error("history", error, "correct storage.url")]
    if version is None:
        return [check_passed("history", "none yet; the first run makes it")]
    if version != HEAD:
        detail = f"has schema {version}; the next command that uses it makes a backup of it and brings it to {HEAD}"
        return [worth_noting("history", detail, subject=where)]
    held = "" if history.path is None else f", {size(history.path.stat().st_size)}"
    return [check_passed("history", f"{where}{held}")]


def history_version(history: WorkspaceDatabase, *, whole: bool = False) -> str | None:
    """Return the version of a run history's schema, None where it has none yet; nothing is written.

    With ``whole`` every page of a SQLite file is read, and every value of a history of the version known here.

    Raises:
        StorageError: it cannot be read, is not a run history, or a newer version of this program wrote it.
        ConfigurationError: its URL is none.
    """
    assert history.url is not None
    if history.kind == POSTGRESQL:
        from orchestrator.storage.engine import opened, read_url  # SQLAlchemy: a fifth of a second
        from orchestrator.storage.error_translation import translate_errors
        from orchestrator.storage.schema import version_of

        url = read_url(history.url)
        with translate_errors(url), opened(url) as engine, engine.connect() as server:
            version = version_of(server)
            if whole and version == HEAD:
                _require_no_damage(history.url, server.exec_driver_sql)
            return version
    assert history.path is not None
    try:
        version, tables = _read(history.path, history.url, whole=whole)
    except sqlite3.Error as error:
        from orchestrator.storage.engine import read_url  # as above
        from orchestrator.storage.error_translation import storage_error

        raise storage_error(read_url(history.url), str(error)) from error
    if version == HEAD and tables.issuperset(TABLES[HEAD]):
        return HEAD
    from orchestrator.storage.schema import known_version  # as above

    return known_version(version, tables)


def _require_no_damage(history: str, rows: Callable[[str], Iterable[Sequence[object]]]) -> None:
    from orchestrator.storage.damage import damage_error, damages  # as above
    from orchestrator.storage.engine import read_url

    url = read_url(history)
    found = list(damages(rows, url.get_dialect()()))
    if found:
        raise damage_error(url, found)


def _is_suspect(connection: sqlite3.Connection, table: str) -> bool:
    """Tell whether a value of a table may be damaged; whether it is, is for the types of the columns to say."""
    columns = connection.execute(f"pragma table_info({table})").fetchall()
    kinds = ["any" if name in _ANY_JSON else str(kind).partition("(")[0] for _, name, kind, *_ in columns]
    for row in connection.execute(f"select * from {table}"):
        if not all(value is None or _is_of(kind, value) for kind, value in zip(kinds, row, strict=True)):
            return True
    return False


def _is_of(kind: str, value: object) -> bool:
    if kind in _PLAIN:
        return isinstance(value, _PLAIN[kind])
    try:
        if kind == "DATETIME":
            return datetime.fromisoformat(str(value)).year > 0
        return isinstance(parsed_json(str(value)), dict if kind == "JSON" else object)
    except ValueError:
        return False


def _read(file: Path, url: str, *, whole: bool) -> tuple[str | None, set[str]]:
    """Return the version that a SQLite file says it has, and the names of its tables."""
    # Where there is no log, SQLite is kept from making one: it would stay behind.
    still = "" if Path(f"{file}-wal").exists() else "&immutable=1"
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{still}", uri=True)) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        tables = {str(name) for (name,) in names}
        if whole and connection.execute("pragma quick_check").fetchall() != [("ok",)]:
            raise sqlite3.DatabaseError("database disk image is malformed")
        found = None
        if VERSION_TABLE in tables:
            found = connection.execute(f"select version_num from {VERSION_TABLE}").fetchone()
        known = TABLES[HEAD] if whole and found == (HEAD,) and tables.issuperset(TABLES[HEAD]) else ()
        if any(_is_suspect(connection, table) for table in known):
            _require_no_damage(url, connection.execute)
    return None if found is None else str(found[0]), tables
