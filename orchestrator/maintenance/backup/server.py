"""The run history of a PostgreSQL server: dumped and put back by PostgreSQL's own programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchestrator.core.errors import BackupError, DatabaseLockedError
from orchestrator.core.masking import is_secret, masked
from orchestrator.core.permissions import touch
from orchestrator.maintenance.backup.files import digest_of, flush_file
from orchestrator.maintenance.backup.metadata import DatabaseRecord, FileRecord
from orchestrator.maintenance.backup.workspace import POSTGRESQL, WorkspaceDatabase
from orchestrator.storage.head import TABLES, VERSION_TABLE, VERSIONS

DUMP_SUFFIX = ".dump"
SECONDS_FOR_OTHERS = 5
SERVICE = "orchestrator"
SECRET_KEYS = ("scram_client_key", "scram_server_key")  # beside those that are called like secrets
OURS = tuple(sorted({VERSION_TABLE, *(name for names in TABLES.values() for name in names)}))


def save_server(database: WorkspaceDatabase, target: Path, *, damaged: bool) -> DatabaseRecord:
    """Dump our tables of a server's database into ``target``; with ``damaged`` also where some are missing.

    Raises:
        BackupError: there is no history, or not all of it, or ``pg_dump`` is missing or failed.
        StorageError: the server cannot be asked.
    """
    from sqlalchemy import text

    from orchestrator.storage.engine import opened, read_url
    from orchestrator.storage.error_translation import translate_errors

    assert database.url is not None
    url = read_url(database.url)
    with translate_errors(url), opened(url) as engine, engine.connect() as connection:
        engine_version = str(connection.execute(text("show server_version")).scalar_one())
        there = tables_there(database.url)
        version = None
        if VERSION_TABLE in there:
            version = connection.execute(text(f"select version_num from {VERSION_TABLE}")).scalar_one_or_none()
        expected = TABLES.get(str(version), TABLES[VERSIONS[-1]])
        names = [one for one in expected if one in there]
        counts = {one: int(connection.execute(text(f"select count(*) from {one}")).scalar_one()) for one in names}
    if not there:
        raise BackupError(f"There is no run history at {masked(database.url)}.", to_fix="run `orchestrator simulate`")
    lacking = [one for one in (VERSION_TABLE, *expected) if one not in there]
    if lacking and not damaged:
        raise BackupError(
            f"The run history at {masked(database.url)} has no table {', '.join(lacking)}.",
            to_fix="restore a backup of it: `orchestrator backup list`",
        )
    wanted = [word for one in there for word in ("-t", one)]
    major = int(engine_version.split(".")[0])
    touch(target)
    run_program("pg_dump", major, ["-Fc", "--no-owner", *wanted, "-f", str(target)], database.url)
    flush_file(target)
    digest = digest_of(target)
    return DatabaseRecord(
        name=database.name,
        kind=POSTGRESQL,
        path=None,
        url=masked(database.url),
        files=(FileRecord(name=target.name, suffix=DUMP_SUFFIX, bytes=digest.bytes, sha256=digest.sha256),),
        engine=engine_version,
        storage_version=None,
        schema_version=None if version is None else str(version),
        fingerprint=None,
        tables=counts,
        compacted=False,
        whole=not lacking,
    )


def tables_there(url: str) -> tuple[str, ...]:
    """Return which of our tables a server's database has.

    Raises:
        StorageError: the server cannot be asked.
    """
    from sqlalchemy import text

    from orchestrator.storage.engine import opened, read_url
    from orchestrator.storage.error_translation import translate_errors

    made = read_url(url)
    with translate_errors(made), opened(made) as engine, engine.connect() as connection:
        question = text("select 1 where to_regclass(:name) is not null")
        return tuple(name for name in OURS if connection.execute(question, {"name": name}).first() is not None)


def refuse_busy_server(url: str) -> None:
    """Make sure that nobody is in the middle of a write to the history: its tables are replaced.

    Raises:
        DatabaseLockedError: somebody is.
        StorageError: the server cannot be asked.
    """
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    from orchestrator.storage.engine import opened, read_url
    from orchestrator.storage.error_translation import translate_errors

    names, made = tables_there(url), read_url(url)
    if not names:
        return
    busy: OperationalError | None = None
    with translate_errors(made), opened(made) as engine, engine.connect() as connection:
        connection.execute(text(f"set local lock_timeout = '{SECONDS_FOR_OTHERS}s'"))
        try:
            connection.execute(text(f"lock table {', '.join(names)} in access exclusive mode"))
        except OperationalError as error:
            if "lock timeout" not in str(error):
                raise
            busy = error
        connection.rollback()
    if busy is not None:
        raise DatabaseLockedError(
            f"The run history at {masked(url)} is in use by another connection.",
            to_fix="wait for it to end (`select * from pg_stat_activity` names it), or restore only the other "
            "databases, one at a time, with --database",
        ) from busy


def restore_server(dump: Path, major: int, url: str | None) -> None:
    """Put a dump in the place of the history, in one transaction of the server; doing it again changes nothing.

    Raises:
        BackupError: ``url`` names no server, or a program is missing or failed; the history is as it was.
    """
    place = server_url(dump, url)
    # A dump of an older schema knows nothing of the tables that came later, and they refer to those that it replaces.
    ours = f"set client_min_messages = warning; drop table if exists {', '.join(OURS)}"
    with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
        script = Path(folder) / "history.sql"
        run_program("pg_restore", major, ["--no-owner", "-f", str(script), str(dump)])
        at_once = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
        run_program("psql", major, [*at_once, "-c", ours, "-f", str(script)], place)


def server_url(dump: Path, url: str | None) -> str:
    """Return the URL of the server that a dump goes to.

    Raises:
        BackupError: it names none.
    """
    if url is None or not url.startswith("postgres"):
        raise BackupError(
            f"{dump} is a PostgreSQL run history, but storage.url is not a PostgreSQL URL.",
            to_fix="give its URL: --set storage.url=postgresql://…, or restore only the other databases, one at a "
            "time, with --database",
        )
    return url


def run_program(name: str, major: int, args: list[str], url: str | None = None) -> None:
    """Run one of PostgreSQL's programs, of the server's version or a newer one; no secret is in its command line.

    Raises:
        BackupError: it is not installed, too old, or failed.
    """
    command = [str(find_program(name, major)), *args]
    with ExitStack() as stack:
        environment = dict(os.environ)
        if url is not None:
            place, beside = stack.enter_context(_without_secrets(url))
            command += ["--no-password", "-d", place]
            environment |= beside
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        where = "" if url is None else f" for {masked(url)}"
        raise BackupError(
            f"{name} failed{where}: {masked(' '.join(done.stderr.split()))[:400]}",
            to_fix="correct what it says, or take the other databases alone with --database",
        )


@contextmanager
def _without_secrets(url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield a URL that anybody may see, and the environment that says the rest of it.

    The password has a variable of its own. What else is a secret, such as ``sslpassword``, stands in a service file,
    which only we can read and which is removed at the end.

    Raises:
        BackupError: there is a service of the user's beside such a secret, and libpq takes one only; or the secret
            cannot be written to a file.
    """
    from sqlalchemy import URL

    from orchestrator.storage.engine import read_url

    made = read_url(url)
    query = {name: value for name, value in made.query.items() if name != "password"}
    secrets = {name: str(query.pop(name)) for name in list(query) if is_secret(name) or name in SECRET_KEYS}
    password = made.query.get("password", made.password)
    environment = {} if password is None else {"PGPASSWORD": str(password)}
    service = query.get("service") or os.environ.get("PGSERVICE")
    if secrets and service:
        raise BackupError(
            f"storage.url has {', '.join(secrets)} beside the service {service}, and both need a service file.",
            to_fix=f"write {', '.join(secrets)} into the section [{service}] of yours, and remove it from the URL",
        )
    if not all(value.isprintable() for value in secrets.values()):
        raise BackupError(f"storage.url has a control character in {', '.join(secrets)}, which no service file takes.")
    with ExitStack() as stack:
        if secrets:
            file = stack.enter_context(tempfile.NamedTemporaryFile("w", prefix="orchestrator-", encoding="utf-8"))
            file.write("".join([f"[{SERVICE}]\n", *(f"{name}={value}\n" for name, value in secrets.items())]))
            file.flush()
            environment["PGSERVICEFILE"] = file.name
            query["service"] = SERVICE
        place = URL.create("postgresql", made.username, None, made.host, made.port, made.database, query)
        yield place.render_as_string(hide_password=False), environment


def find_program(name: str, major: int) -> Path:
    """Return where a program of PostgreSQL is, of a version or newer.

    Raises:
        BackupError: it is not there.
    """
    candidates = [Path(found) for found in [shutil.which(name)] if found]
    candidates += sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    versions = []
    for program in candidates:
        printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"(\d+)(?:\.\d+)?", printed)
        versions.append(int(found[1]) if found else 0)
        if found and int(found[1]) >= major:
            return program
    has = f"the one here is of version {max(versions)}" if versions else "it is not installed here"
    raise BackupError(
        f"The run history on PostgreSQL {major} is copied with {name}, and {has}.",
        to_fix=f"install PostgreSQL's client programs of version {major} or newer (apt-get install postgresql-client)",
    )
