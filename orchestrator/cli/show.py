"""``orchestrator show``: the rows of one table; nothing is written to the database."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from orchestrator.cli.command import ended, load_config, runner_with_facts
from orchestrator.cli.completion import table_names
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.rows import (
    ROWS_SHOWN,
    CsvOption,
    LimitOption,
    ParquetOption,
    require_one_format,
    show_rows,
    write_csv,
    write_parquet,
)
from orchestrator.core.formats import shown_path
from orchestrator.core.text import plural
from orchestrator.reports.row_text import columns_record, rows_record


def show(
    options: CommonOptions,
    output: Output,
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            autocompletion=table_names,
            help="A node of the project, schema.table, or a table.",
            show_default=False,
        ),
    ],
    *,
    year: Annotated[
        int | None,
        typer.Option("--year", metavar="Y", min=1, max=9999, help="Only rows of this year.", show_default=False),
    ] = None,
    limit: LimitOption = None,
    csv: CsvOption = False,
    parquet: ParquetOption = None,
) -> int:
    """Show the rows of a table; the database is only read."""
    from orchestrator.reports.table_rows import open_table  # the rooms below are slow to import

    require_one_format(options, csv=csv, parquet=parquet)
    if csv:
        output.keep_stdout()
    config = load_config(options)
    with (
        runner_with_facts(config, output) as (runner, facts),
        ended(runner),
        open_table(config, runner, facts, table, year=year) as found,
    ):
        if csv:
            rows = found.rows(limit)
            write_csv(output, rows.columns, rows.batches())
            return 0
        total, where = found.total(), f" of {found.label}" if found.is_one_of_several else ""
        if parquet is not None:
            columns = write_parquet(partial(found.write_parquet, limit=limit), parquet)
            written = total if limit is None else min(limit, total)
            record = {"ok": True, "status": "written", "table": found.label, **columns_record(columns)}
            output.write_json({**record, "file": parquet.absolute(), "total": total, "written": written})
            output.say(f"Wrote {plural(written, 'row')} of {found.label} to {shown_path(parquet.absolute())}.")
            return 0
        shown = found.rows(ROWS_SHOWN if limit is None else limit)
        rows_shown = [row for batch in shown.batches() for row in batch]
    record = {"ok": True, "status": "shown", "table": found.label, **rows_record(shown.columns, rows_shown)}
    output.write_json({**record, "total": total, "shown": len(rows_shown)})
    show_rows(output, shown.columns, rows_shown)
    few = len(rows_shown) < total
    output.say(f"\n{len(rows_shown):,} of {plural(total, 'row')}{where}" if few else f"\n{plural(total, 'row')}{where}")
    return 0
