"""Read the CSV files of seeds: what dbt makes of them, and what is wrong with one that it cannot load."""

from __future__ import annotations

import csv
import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import DbtProjectError


@dataclass(frozen=True)
class SeedFile:
    """A seed's columns by the names that dbt gives them, whether it has a row, and the SHA-256 of its bytes.

    ``header`` is empty where the names cannot be told from the first line.
    """

    header: tuple[str, ...]
    has_rows: bool
    checksum: str

    @classmethod
    def read(cls, path: Path, delimiter: str) -> SeedFile:
        """Read a seed; runs inside the dbt process.

        Raises:
            DbtProjectError: it cannot be read, or is not UTF-8.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=delimiter)
                header = _names(next(reader, []))
                has_rows = any(reader)
            with path.open("rb") as binary:
                checksum = hashlib.file_digest(binary, "sha256").hexdigest()
        except UnicodeDecodeError as error:
            raise DbtProjectError(
                f"Seed file {path} is not UTF-8: byte {error.start} cannot be read.",
                to_fix="save the file as UTF-8",
            ) from error
        except (OSError, csv.Error) as error:
            raise DbtProjectError(
                f"Seed file {path} cannot be read: {error}", to_fix="correct the file, or make it readable for you"
            ) from error
        return cls(header, has_rows, checksum)


def seed_trouble(path: Path, delimiter: str) -> str | None:
    """Return what is plainly wrong with a CSV file, in one sentence; None where nothing is."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(reader, None)
            if header is None:
                return "The file is empty; its first line must name the columns."
            if not header:
                return "Its first line, which must name the columns, is empty."
            for row in reader:
                if row and len(row) != len(header):
                    return f"Line {reader.line_num} has {len(row)} fields, and the header has {len(header)}."
    except csv.Error as error:
        return f"Line {reader.line_num} is not valid CSV: {error}."
    except (OSError, UnicodeDecodeError):
        return None
    return None


def _names(header: list[str]) -> tuple[str, ...]:
    """Return the columns of a header as agate names them for dbt: double and empty ones get names of their own."""
    from agate.utils import deduplicate  # dbt brings it along, and takes its time

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = tuple(str(name) for name in deduplicate(header, column_names=True))
    return () if len({name.lower() for name in names}) < len(names) else names
