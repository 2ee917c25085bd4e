"""Names in SQL of the database in a file, and files that dbt-duckdb cannot work in.

DuckDB names a database after its file, and dbt-duckdb works that name out a second time, by a rule of its own. Both
rules are written down here, and nowhere else; tests hold them to the originals.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlparse

from orchestrator.core.text import is_encodable

LONGEST_PART = 255  # bytes: what file systems take
LONGEST_NAME = 200  # bytes: locks, logs and copies beside it have longer names
IN_MEMORY = ":memory:"
ANOTHER_NAME = "choose another name for the file (letters, digits, dots, - and _), and a folder without ? and #"
_TAKEN = frozenset({"main", "system", "temp"})
_SERVICE = re.compile("md:|motherduck:|ducklake:|[a-z][a-z0-9+]+:/", re.IGNORECASE)  # Path makes one / of two


def database_in(path: Path) -> str:
    """Return what DuckDB calls the database in a file: it goes by the file that a symbolic link leads to.

    >>> database_in(Path("var/sim.v2.duckdb")), database_in(Path(".hidden.duckdb")), database_in(Path("Main.duckdb"))
    ('sim', 'hidden', 'Main_db')
    """
    file = path.resolve().name.partition("?")[0]
    name = file.lstrip(".").partition(".")[0] or file
    return f"{name}_db" if name.lower() in _TAKEN else name


def database_for_dbt(path: Path) -> str:
    """Return what dbt-duckdb takes the database in a file to be called; it does not look at links.

    >>> database_for_dbt(Path("main.duckdb")), database_for_dbt(Path("a#b.duckdb"))
    ('main', 'a')
    """
    return Path(urlparse(str(path)).path).name.lstrip(".").partition(".")[0]


def is_a_file(path: str) -> bool:
    """Tell whether DuckDB takes a path for that of a file, and not for a service or for memory.

    >>> is_a_file("var/sim.duckdb"), is_a_file(":memory:"), is_a_file("md:mine")
    (True, False, False)
    """
    return not path.startswith(IN_MEMORY) and _SERVICE.match(path) is None


def why_unusable(path: Path, *, named: str | None = None) -> str | None:
    """Say why dbt cannot work in a file, None when it can; ``named`` is how dbt is told of it, where not by its path.

    >>> why_unusable(Path("var/simulation.duckdb"))
    >>> why_unusable(Path("temp.duckdb"))
    'DuckDB calls the database in it "temp_db", and dbt calls it "temp"'
    """
    try:
        file = path.resolve()
    except RuntimeError:
        return "this is a symbolic link that leads back to itself"
    if any(len(os.fsencode(part)) > LONGEST_PART for part in file.parts) or len(os.fsencode(file.name)) > LONGEST_NAME:
        return f"its name is too long: at most {LONGEST_NAME} bytes, and {LONGEST_PART} for each folder"
    if not is_encodable(str(file)):
        return "its name, or that of a folder above it, is not UTF-8 text"
    called, for_dbt = database_in(file), database_for_dbt(file if named is None else Path(named))
    found = next((character for character in "\"'" if character in called), "\\" if "\\" in file.name else None)
    if found is not None:
        return f"dbt cannot work in a file with a {found} in its name"
    if called != for_dbt:
        return f'DuckDB calls the database in it "{called}", and dbt calls it "{for_dbt}"'
    return None
