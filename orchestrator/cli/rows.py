"""Rows of a database as a command gives them: a table for people, CSV, JSON or a Parquet file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import ascii_json, escaped

ROWS_SHOWN = 20
NULL = "NULL"
MAGIC = b"PAR1"  # what every Parquet file begins with
NUMBERS = (int, float, Decimal)
Columns = tuple[tuple[str, str], ...]  # (name, type)

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
    """Write rows as CSV, a line at a time: NULL is an empty field, an empty text is two quotes."""

    def lines() -> Iterator[str]:
        yield ",".join(_field(name) for name, _ in columns)
        for batch in batches:
            for row in batch:
                yield ",".join("" if value is None else _field(plain(value)) for value in row)

    output.write_data(lines())


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


def rows_record(columns: Columns, rows: Sequence[tuple[object, ...]]) -> dict[str, object]:
    """Return columns and rows for JSON; a decimal that a number of JSON cannot hold exactly is a text."""
    names = [name for name, _ in columns]
    return {
        **columns_record(columns),
        "rows": [dict(zip(names, map(_json_value, row), strict=True)) for row in rows],
    }


def columns_record(columns: Columns) -> dict[str, object]:
    """Return columns for JSON."""
    return {"columns": [{"name": name, "type": kind} for name, kind in columns]}


def plain(value: object) -> str:
    r"""Write one value as text, nothing rounded.

    >>> plain(True), plain(0.1), plain(Decimal("1E+3")), plain(datetime(2025, 1, 1)), plain([1, None]), plain(b"a")
    ('true', '0.1', '1000', '2025-01-01 00:00:00', '[1, null]', '\\x61')
    """
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.isoformat(" ")
        case date():
            return value.isoformat()
        case bytes():
            return "".join(f"\\x{byte:02x}" for byte in value)
        case list() | tuple() | dict():
            return ascii_json(value)
        case _:
            return str(value)


def one_line(value: object) -> str:
    r"""Write one value on one line, so that its width is that of its text.

    >>> print(one_line("a\nb\tc"))
    a\nb\tc
    """
    return escaped(plain(value)).replace("\n", "\\n").replace("\t", "\\t")


def _json_value(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value) if Decimal(repr(float(value))) == value else plain(value)
    return plain(value) if isinstance(value, bytes) else value


def _field(text: str) -> str:
    """Write one field of CSV, in quotes where it needs them.

    >>> _field("a"), _field('a "b", c'), _field("")
    ('a', '"a ""b"", c"', '""')
    """
    if text and not set(text) & set(',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


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
