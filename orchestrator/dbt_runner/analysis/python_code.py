"""What the source of a python model can read: by permission, for Python can read anything."""

from __future__ import annotations

import ast

KNOWN_MODULES = frozenset(
    [
        "__future__",
        "bisect",
        "calendar",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "duckdb",
        "enum",
        "fractions",
        "functools",
        "itertools",
        "math",
        "numpy",
        "operator",
        "pandas",
        "polars",
        "pyarrow",
        "random",
        "re",
        "scipy",
        "statistics",
        "string",
        "textwrap",
        "time",
        "typing",
        "uuid",
    ]
)
READERS = frozenset(
    ["compile", "eval", "exec", "getattr", "globals", "input", "locals", "open", "setattr", "vars", "__import__"]
)
FROM_OUTSIDE = ("read_", "scan_", "from_csv", "from_parquet", "genfromtxt", "loadtxt", "load", "fromfile", "memmap")
PARTS_OF_DBT = frozenset({"config", "ref", "source", "is_incremental", "this"})


def reads_anything(source: str) -> str | None:
    r"""Return why a python model may read what cannot be told, None where it reads tables and its config alone.

    >>> reads_anything("def model(dbt, session):\n    return dbt.ref('a').df()")
    >>> reads_anything("import os\ndef model(dbt, session):\n    return dbt.ref('a')")
    'it imports os'
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return "it cannot be read"
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules = [one.name.partition(".")[0] for one in names]
            case ast.ImportFrom(module=module):
                modules = [(module or ".").partition(".")[0]]
            case ast.Name(id=name) if name in READERS:
                return f"it calls {name}"
            case ast.Attribute(attr=name) if name.startswith(FROM_OUTSIDE):
                return f"it calls {name}"
            case ast.Attribute(value=ast.Name(id="dbt"), attr=part) if part not in PARTS_OF_DBT:
                return f"it reads dbt.{part}"
            case _:
                continue
        unknown = [name for name in modules if name not in KNOWN_MODULES]
        if unknown:
            return f"it imports {unknown[0]}"
    return None
