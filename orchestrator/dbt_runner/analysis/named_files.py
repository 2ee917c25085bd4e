"""Files that SQL names by a literal, as patterns: what is printed into a name counts as any text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.lexed_template import GAP
from orchestrator.dbt_runner.analysis.sql_parts import END, NAME, TEXT, Literal, SqlParts

LONGEST_NAME = 1000
DATABASES = (".duckdb", ".db", ".wal", ".ddb", ".sqlite", ".sqlite3")
SEARCH_PATH = "file_search_path"
_READERS = r"\b(?:read_\w+|\w+_scan|scan_\w+|sniff_csv|glob|parquet_\w+|st_read\w*)\s*\("
_READS = re.compile(
    rf"(?:{_READERS}\s*[\[(]*\s*|\b(?:from|join)\s+\(*\s*|\bimport\s+database\s+)$",
    re.IGNORECASE,
)
_RUNS = r"\bquery(?:_table)?\s*\("
_COMPUTES = re.compile(
    rf"(?:{_READERS}|{_RUNS})"
    rf"(?!\s*(?:{TEXT}|{NAME}[^{NAME}]*{NAME}|\[\s*{TEXT}(?:\s*,\s*{TEXT})*\s*,?\s*\])\s*[,)])",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(rf"(?:{_READERS}|{_RUNS}|\b(?:from|join)\s)\s*[\[(]*\s*['\"]?\s*$", re.IGNORECASE)
_PART_OF_NAME = re.compile(r"[\w\-*%{}]*[/.][\w./\-*%{}]*")
_WRITES = re.compile(r"\b(?:to|into|export\s+database)\s+$", re.IGNORECASE)
_ATTACHES = re.compile(r"\battach\s+(?:database\s+)?(?:(?:if\s+not\s+exists|or\s+replace)\s+)?$", re.IGNORECASE)
DATA_FILE = re.compile(
    r"\.(?:csv|tsv|txt|parquet|jsonl?|ndjson|xlsx?|arrow|feather|avro|orc)(?:\.(?:gz|zst|bz2))?$", re.I
)
_UNQUOTED = re.compile(
    r"\b(?:from|join)\s+(\w+\.(?:csv|tsv|parquet|jsonl?|ndjson|xlsx|arrow|avro))\b(?!\s*[.(])", re.IGNORECASE
)
_LIST_GOES_ON = re.compile(r"\s*,\s*$")
_GAP = re.compile(f"{GAP}(\\d+){GAP}")
_LOCAL_URL = re.compile(r"^file:(?://localhost(?=/)|//(?=/))?(?=/)", re.IGNORECASE)
_REMOTE = re.compile(r"^\w{2,}:(?://)?(?!\\)")


@dataclass(frozen=True)
class NamedFiles:
    """Files that templates name: ``patterns`` in the words of the SQL, ``written`` by it, ``remote`` ones.

    ``attached`` are databases it opens. ``computed`` tells that a file is read whose name cannot be told.
    ``perhaps_written`` are those of ``written`` whose names are not known: what is written may be another file.
    """

    patterns: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    remote: frozenset[str] = frozenset()
    attached: frozenset[str] = frozenset()
    computed: bool = False
    perhaps_written: frozenset[str] = frozenset()

    @classmethod
    def of(cls, parts: SqlParts, value_of: Callable[[str], str | None], folder: Path) -> NamedFiles:
        """Find them; ``value_of`` gives what an expression prints, None where that is not known.

        It may be ``*``, for what is surely a part of a name; of what is not known, a part of it may be a folder.

        A literal that stands where a file is read counts in any case, another one where there is such a file in
        ``folder``.
        """
        patterns = set(_UNQUOTED.findall(parts.marked))
        written: set[str] = set()
        perhaps_written: set[str] = set()
        remote: set[str] = set()
        attached: set[str] = set()
        computed = _computes(parts)
        in_list = False
        for literal in parts.literals:
            in_list = literal.before.rstrip().endswith("[") or (
                in_list and _LIST_GOES_ON.fullmatch(literal.before) is not None
            )
            read = _is_read(literal) or (in_list and literal.before.rstrip().endswith(","))
            name, known = _filled(literal.text, parts.expressions, value_of)
            name = _LOCAL_URL.sub("", name)
            if not name.strip("*/ ") or len(name) > LONGEST_NAME or "\n" in name:
                computed |= read and 0 < len(name) <= LONGEST_NAME and literal.quote == "'"
            elif _WRITES.search(literal.before):
                written.add(name)
                perhaps_written |= set() if known else {name}
            elif _ATTACHES.search(literal.before) or (read and name.lower().endswith(DATABASES)):
                attached.add(name)
            elif name.lower().endswith(DATABASES):
                continue
            elif _REMOTE.match(name) and read:
                remote.add(name)
            elif read or _is_there(name, folder):
                patterns.add(name)
                computed |= read and not known
        return cls(
            frozenset(patterns),
            frozenset(written),
            frozenset(remote),
            frozenset(attached),
            computed,
            frozenset(perhaps_written),
        )

    @classmethod
    def all_of(cls, found: Sequence[NamedFiles]) -> NamedFiles:
        """Return what several templates name together."""
        return cls(
            frozenset().union(*(one.patterns for one in found)),
            frozenset().union(*(one.written for one in found)),
            frozenset().union(*(one.remote for one in found)),
            frozenset().union(*(one.attached for one in found)),
            any(one.computed for one in found),
            frozenset().union(*(one.perhaps_written for one in found)),
        )


def _computes(parts: SqlParts) -> bool:
    """Tell whether SQL computes the name of a file, or Jinja puts one together.

    What Jinja takes as it is, from a variable or a literal, is known by these.
    """
    statements = [one.rstrip() for one in parts.marked.split(END)]
    if any(_COMPUTES.search(one) and _UNFINISHED.search(one) is None for one in statements):
        return True
    put_together = any(_PART_OF_NAME.fullmatch(one) for one in parts.joined)
    return put_together and any(_UNFINISHED.search(one) for one in statements)


def _is_read(literal: Literal) -> bool:
    """Tell whether a file stands where this literal does; an identifier does where it looks like one."""
    reads = _READS.search(literal.before)
    if reads is None or (reads[0][-1:] not in "([" and not set("./*\0") & set(literal.text)):
        return False
    return literal.quote == "'" or DATA_FILE.search(literal.text) is not None


def _is_there(name: str, folder: Path) -> bool:
    try:
        if "~" not in name and not has_magic(name) and not os.path.lexists(os.path.join(folder, name)):  # noqa: PTH118
            return False  # as most texts of SQL, of which there are thousands
        return not (folder / name).is_dir() and any(path.is_file() for path in files_matching(name, folder))
    except (OSError, ValueError):
        return False


def _filled(text: str, expressions: tuple[str, ...], value_of: Callable[[str], str | None]) -> tuple[str, bool]:
    """Return a text with what is printed into it, and whether all of that is known."""
    printed = {number: value_of(expressions[int(number)]) for number in _GAP.findall(text)}
    name = _GAP.sub(lambda gap: "*" if (known := printed[gap[1]]) is None else known, text)
    return name, None not in printed.values()
