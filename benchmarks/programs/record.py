"""Record what dbt sends to DuckDB: ``python record.py COMMANDS.json STATEMENTS.jsonl``.

One line per statement: the number of the dbt command it belongs to, the SQL, the bound values. The project is parsed
once for each set of vars; what dbt sends does not depend on that. Only one thread is recorded.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.environments import local
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

ENDS = ("commit", "rollback")


class Recorder:
    """Writes statements; a transaction that a connection leaves open is closed in the record."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w")
        self.command = 0
        self._open: dict[int, bool] = {}

    def statement(self, cursor: object, sql: str, bindings: object) -> None:
        """Write what a cursor executes."""
        word = sql.strip().rstrip(";").lower()
        word = word.rpartition("*/")[2].strip() if len(word) < 2_000 else ""
        if word.startswith("begin"):
            self._open[id(cursor)] = True
        elif word in ENDS:
            self._open[id(cursor)] = False
        self._write(sql, bindings)

    def rolled_back(self, cursor: object) -> None:
        """Write the end of a transaction that was left open."""
        if self._open.pop(id(cursor), False):
            self._write("rollback", None)

    def _write(self, sql: str, bindings: object) -> None:
        values = list(bindings) if isinstance(bindings, (list, tuple)) else None
        self._file.write(json.dumps([self.command, sql, values], default=str) + "\n")

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def listen(recorder: Recorder) -> None:
    """Put the recorder between dbt and DuckDB."""
    cursors, connections = local.DuckDBCursorWrapper, local.DuckDBConnectionWrapper
    execute, rollback, close = cursors.execute, connections.rollback, connections.close

    def recorded_execute(self: object, sql: str, bindings: object = None) -> object:
        recorder.statement(self, sql, bindings)
        return execute(self, sql, bindings)

    def recorded_rollback(self: object) -> object:
        recorder.rolled_back(self._cursor)  # type: ignore[attr-defined]
        return rollback(self)

    def recorded_close(self: object) -> object:
        recorder.rolled_back(self._cursor)  # type: ignore[attr-defined]
        return close(self)

    cursors.execute = recorded_execute
    connections.rollback = recorded_rollback
    connections.close = recorded_close


def main() -> None:
    """Run the commands, each parse shared by the commands that follow it with the same vars."""
    recorder = Recorder(Path(sys.argv[2]))
    listen(recorder)
    parsed: dict[str, bytes] = {}
    for number, arguments in enumerate(json.loads(Path(sys.argv[1]).read_text())):
        recorder.command = number
        variables = arguments[arguments.index("--vars") + 1]
        if variables not in parsed:
            answer = dbtRunner().invoke(["parse", "--vars", variables])
            assert isinstance(answer.result, Manifest), answer.exception
            parsed = {variables: answer.result.to_msgpack()}
        answer = dbtRunner(manifest=Manifest.from_msgpack(parsed[variables])).invoke(arguments)
        if not answer.success:
            sys.exit(f"dbt {arguments} failed: {answer.exception}")
    if DuckDBConnectionManager._ENV is not None:
        DuckDBConnectionManager._ENV.close()
    recorder.close()


main()
