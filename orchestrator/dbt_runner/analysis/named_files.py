"""Files that SQL names by a literal, as patterns: what is printed into a name counts as any text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.file_patterns import files_matching
from orchestrator.dbt_runner.analysis.sql_parts import GAP, Literal, SqlParts

LONGEST_NAME = 1000
DATABASES = (".duckdb", ".db", ".wal", ".ddb")
_READS = re.compile(
    r"(?:\b(?:read_\w+|\w+_scan|scan_\w+|sniff_csv|glob|parquet_\w+|st_read\w*|read_xlsx|query_table)\s*\(\s*\[?\s*|"
    r"\b(?:from|join)\s+)$",
    re.IGNORECASE,
)
_WRITES = re.compile(r"\b(?:to|into|export\s+database)\s+$", re.IGNORECASE)
_ATTACHES = re.compile(r"\battach\s+(?:database\s+)?(?:if\s+not\s+exists\s+)?$", re.IGNORECASE)
_FORMATS = re.compile(
    r"\.(?:csv|tsv|txt|parquet|jsonl?|ndjson|xlsx?|arrow|feather|avro|orc)(?:\.(?:gz|zst|bz2))?$", re.I
)
_GAP = re.compile(f"{GAP}(\\d+){GAP}")
_REMOTE = re.compile(r"^\w{2,}:(?://)?(?!\\)")


@dataclass(frozen=True)
class NamedFiles:
    """Files that templates name: ``patterns`` in the words of the SQL, ``written`` by it, ``remote`` ones.

    ``computed`` tells that a file is read whose name cannot be told at all.
    """

    patterns: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    remote: frozenset[str] = frozenset()
    computed: bool = False

    @classmethod
    def of(cls, parts: Iterable[SqlParts], value_of: Callable[[str], str | None], folder: Path) -> NamedFiles:
        """Find them; ``value_of`` gives the value of an expression, None where it is not known or not always the same.

        A literal that stands where a file is read counts in any case, another one where there is such a file in
        ``folder``.
        """
        patterns: set[str] = set()
        written: set[str] = set()
        remote: set[str] = set()
        computed = False
        for one in parts:
            for literal in one.literals:
                name = _filled(literal.text, one.expressions, value_of)
                if not name.strip("*/ ") or len(name) > LONGEST_NAME or "\n" in name:
                    computed |= _is_read(literal) and len(name) <= LONGEST_NAME and literal.quote == "'"
                elif _WRITES.search(literal.before):
                    written.add(name)
                elif _ATTACHES.search(literal.before) or name.lower().endswith(DATABASES):
                    continue
                elif _REMOTE.match(name) and _is_read(literal):
                    remote.add(name)
                elif _is_read(literal) or _is_there(name, folder):
                    patterns.add(name)
        return cls(frozenset(patterns), frozenset(written), frozenset(remote), computed)


def _is_read(literal: Literal) -> bool:
    """Tell whether a file stands where this literal does; an identifier does where it looks like one."""
    reads = _READS.search(literal.before)
    if reads is None or (reads[0][-1:] not in "([" and not set("./*") & set(literal.text)):
        return False
    return literal.quote == "'" or _FORMATS.search(literal.text) is not None


def _is_there(name: str, folder: Path) -> bool:
    try:
        return not (folder / name).is_dir() and any(path.is_file() for path in files_matching(name, folder))
    except (OSError, ValueError):
        return False


def _filled(text: str, expressions: tuple[str, ...], value_of: Callable[[str], str | None]) -> str:
    def value(gap: re.Match[str]) -> str:
        known = value_of(expressions[int(gap[1])])
        return "*" if known is None else known

    return _GAP.sub(value, text)
