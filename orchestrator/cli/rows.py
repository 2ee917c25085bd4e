"""Rows of a database as a command gives them: a table for people, CSV, JSON or a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.row_text import Columns, csv_lines, one_line

ROWS_SHOWN = 20
NULL = "NULL"
MAGIC = b"PAR1"  # what every Parquet file begins with
NUMBERS = (int, float, Decimal)

LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        max=2**62,
        help=f"At most this many rows; by default {ROWS_SHOWN}, and all with --csv and --parquet.",
        show_default=False,
    ),
]
CsvOption = Annotated[bool, typer.Option("--csv", metavar=NO_VALUE, help="Write all rows to standard output as CSV.")]
ParquetOption = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="FILE", help="Write all rows to a Parquet file.", show_default=False),
]


def require_one_format(options: CommonOptions, *, csv: bool, parquet: Path | None) -> None:
    """Refuse --csv together with what also wants standard output or the rows.

    Raises:
        ConfigurationError: they cannot be used together, or the Parquet file must not be written.
    """
    other = "--json" if options.json else "--parquet" if parquet is not None else None
    if csv and other is not None:
        raise ConfigurationError(f"--csv and {other} cannot be used together.", to_fix="leave out one of them")
    if parquet is not None:
        _require_writable(parquet)


def show_rows(output: Output, columns: Columns, rows: Sequence[tuple[object, ...]]) -> None:
    """Write rows for people: numbers to the right, NULL dimmed, no value cut."""
    table = plain_table()
    for number, (name, _) in enumerate(columns):
        values = [row[number] for row in rows if row[number] is not None]
        numbers = bool(values) and all(isinstance(value, NUMBERS) and type(value) is not bool for value in values)
        table.add_column(Text(one_line(name)), justify="right" if numbers else "left", no_wrap=numbers)
    for row in rows:
        table.add_row(*(Text(NULL, "dim") if value is None else Text(one_line(value)) for value in row))
    output.show(table)


def write_csv(output: Output, columns: Columns, batches: Iterable[list[tuple[object, ...]]]) -> None:
    """Write rows as CSV, a line at a time."""
    output.write_data(csv_lines(columns, batches))


def write_parquet(write: Callable[[Path], Columns], file: Path) -> Columns:
    """Let ``write`` make a Parquet file beside its place and move it there when it is whole; return its columns."""
    beside = beside_of(file)
    try:
        columns = write(beside)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return columns


def beside_of(file: Path) -> Path:
    """Return the absolute path at which a file is written before it is moved to its place."""
    return file.absolute().with_name(f".{file.name}.{os.getpid()}")


def _require_writable(file: Path) -> None:
    """Refuse to write over what is no Parquet file, and where there is no folder."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise ConfigurationError(f"--parquet: there is no folder {folder}.", to_fix=f"make it: mkdir -p '{folder}'")
    if not os.access(folder, os.W_OK):
        raise ConfigurationError(f"--parquet: {folder} is not writable.", to_fix="name a file in another folder")
    if file.exists() and not _is_parquet(file):
        raise ConfigurationError(
            f"--parquet: {file} exists, and is not a Parquet file.", to_fix="name another file, or remove that one"
        )


def _is_parquet(file: Path) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as content:
        return content.read(len(MAGIC)) == MAGIC
