"""``orchestrator query``: the rows of one statement of SQL that only reads."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from orchestrator.cli.command import ended, load_config, runner_with_facts
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.rows import (
    ROWS_SHOWN,
    CsvOption,
    LimitOption,
    ParquetOption,
    beside_of,
    require_one_format,
    show_rows,
    write_csv,
    write_parquet,
)
from orchestrator.core.formats import shown_path
from orchestrator.core.text import plural
from orchestrator.reports.row_text import columns_record, rows_record

PLAN = (("explain_key", "VARCHAR"), ("explain_value", "VARCHAR"))  # the columns of an explain statement


def query(
    options: CommonOptions,
    output: Output,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement, in quotes.", show_default=False)],
    *,
    limit: LimitOption = None,
    csv: CsvOption = False,
    parquet: ParquetOption = None,
) -> int:
    """Run one statement that only reads, in DuckDB's SQL, and show its rows."""
    from orchestrator.reports.user_query import left_notes, open_for_query  # the rooms below are slow to import

    require_one_format(options, csv=csv, parquet=parquet)
    if csv:
        output.keep_stdout()
    config = load_config(options)
    beside = None if parquet is None else beside_of(parquet)
    with (
        runner_with_facts(config, output) as (runner, facts),
        ended(runner),
        open_for_query(config, runner, facts, writes=beside) as database,
    ):
        statement = database.one_that_reads(sql)
        notes = left_notes(database, facts, statement)
        noted = {"notes": list(notes)} if notes else {}
        for note in notes:
            output.say(Text(f"! {note}", "yellow"))
        if parquet is not None:
            columns = write_parquet(partial(database.write_parquet, statement, limit=limit), parquet)
            output.write_json(
                {"ok": True, "status": "written", **columns_record(columns), "file": parquet.absolute(), **noted}
            )
            output.say(f"Wrote the rows to {shown_path(parquet.absolute())}.")
            return 0
        found = database.select(statement)
        if csv:
            write_csv(output, found.columns, found.batches() if limit is None else [found.first(limit)])
            return 0
        most = ROWS_SHOWN if limit is None else limit
        rows = found.first(most + 1)
    more, rows = len(rows) > most, rows[:most]
    record = {"ok": True, "status": "shown", **rows_record(found.columns, rows)}
    output.write_json({**record, "total": None if more else len(rows), "shown": len(rows), **noted})
    if found.columns == PLAN:
        for _, text in rows:
            output.say(str(text))
        return 0
    show_rows(output, found.columns, rows)
    output.say(f"\nThe first {plural(most, 'row')}; --limit shows more." if more else f"\n{plural(len(rows), 'row')}")
    return 0
