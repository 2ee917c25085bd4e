"""Columns of the tables that are gathered of members: how they are called in their Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.database.sql import quoted_name

OWN_COLUMNS = ("scenario", "seed", "member", "status")
"""What a row of results says of its member; a column of the table itself with such a name gets ``_`` behind it."""
MEMBER = "member"
"""The column in each file that names its member."""
_TAKEN = re.compile(rf"({'|'.join(OWN_COLUMNS)})_*", re.IGNORECASE)


def kept_name(name: str) -> str:
    """Return the name in the file of a column of a table.

    >>> kept_name("level"), kept_name("Seed"), kept_name("seed_"), kept_name("seeds")
    ('level', 'Seed_', 'seed__', 'seeds')
    """
    return f"{name}_" if _TAKEN.fullmatch(name) else name


def own_name(kept: str) -> str:
    """Return the name of a column in its table, by that in the file.

    >>> [own_name(kept_name(name)) for name in ("level", "Seed", "seed_", "seeds", "level_")]
    ['level', 'Seed', 'seed_', 'seeds', 'level_']
    """
    return kept[:-1] if kept.endswith("_") and _TAKEN.fullmatch(kept) else kept


def table_columns(kept: Iterable[str]) -> str:
    """Return what selects the columns of the table itself from a file of these columns, under their own names.

    >>> table_columns(["member", "year", "seed_"])
    '"year" as "year", "seed_" as "seed"'
    """
    chosen = (name for name in kept if name.lower() != MEMBER)
    return ", ".join(f"{quoted_name(name)} as {quoted_name(own_name(name))}" for name in chosen)
