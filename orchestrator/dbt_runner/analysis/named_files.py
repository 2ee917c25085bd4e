"""Files that SQL names by a literal, as patterns: what is printed into a name counts as any text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from itertools import product
from math import prod
from pathlib import Path

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.lexed_template import GAP
from orchestrator.dbt_runner.analysis.sql_parts import END, NAME, TEXT, Literal, SqlParts

LONGEST_NAME, MOST_NAMES = 1000, 100
ValueOf = Callable[[str], Collection[str] | None]
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
    def of(cls, parts: SqlParts, value_of: ValueOf, folder: Path) -> NamedFiles:
        """Find them; ``value_of`` gives all that an expression may print, None where that is not known.

        It may be ``*``, for what is surely a part of a name; of what is not known, a part of it may be a folder.

        A literal that stands where a file is read counts in any case, another one where there is such a file in
        ``folder``.
        """
        found = _Found(folder, set(_UNQUOTED.findall(parts.marked)), computed=_computes(parts))
        in_list = False
        for literal in parts.literals:
            in_list = literal.before.rstrip().endswith("[") or (
                in_list and _LIST_GOES_ON.fullmatch(literal.before) is not None
            )
            read = _is_read(literal) or (in_list and literal.before.rstrip().endswith(","))
            names, known = _filled(literal.text, parts.expressions, value_of)
            for name in names:
                found.add(literal, _LOCAL_URL.sub("", name), read=read, known=known)
        return cls(
            frozenset(found.patterns),
            frozenset(found.written),
            frozenset(found.remote),
            frozenset(found.attached),
            found.computed,
            frozenset(found.perhaps_written),
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


@dataclass
class _Found:
    """What is found of one template."""

    folder: Path
    patterns: set[str]
    written: set[str] = field(default_factory=set)
    perhaps_written: set[str] = field(default_factory=set)
    remote: set[str] = field(default_factory=set)
    attached: set[str] = field(default_factory=set)
    computed: bool = field(default=False, kw_only=True)

    def add(self, literal: Literal, name: str, *, read: bool, known: bool) -> None:
        """Add a name that a literal may have: ``read`` tells that it is a file's, ``known`` that all of it is known."""
        if not name.strip("*/ ") or len(name) > LONGEST_NAME or "\n" in name:
            self.computed |= read and 0 < len(name) <= LONGEST_NAME and literal.quote == "'"
        elif _WRITES.search(literal.before):
            self.written.add(name)
            self.perhaps_written |= set() if known else {name}
        elif _ATTACHES.search(literal.before) or (read and name.lower().endswith(DATABASES)):
            self.attached.add(name)
        elif name.lower().endswith(DATABASES):
            return
        elif _REMOTE.match(name) and read:
            self.remote.add(name)
        elif read or _is_there(name, self.folder):
            self.patterns.add(name)
            self.computed |= read and not known


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


def _filled(text: str, expressions: tuple[str, ...], value_of: ValueOf) -> tuple[set[str], bool]:
    """Return a text with all that may be printed into it, and whether that is known."""
    printed = {number: value_of(expressions[int(number)]) for number in set(_GAP.findall(text))}
    known = {number: values for number, values in printed.items() if values is not None}
    if prod(map(len, known.values())) > MOST_NAMES:
        known = {}
    names = {_with(text, dict(zip(known, values, strict=True))) for values in product(*known.values())}
    return names, known.keys() == printed.keys()


def _with(text: str, chosen: Mapping[str, str]) -> str:
    return _GAP.sub(lambda gap: chosen.get(gap[1], "*"), text)
