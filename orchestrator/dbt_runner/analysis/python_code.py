"""What the source of a python model can read: by permission, for Python can read anything."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import replace

from orchestrator.dbt_runner.analysis.lexed_template import GAP
from orchestrator.dbt_runner.analysis.sql_parts import SqlParts

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
    [
        *("compile", "eval", "exec", "getattr", "globals", "input", "locals", "open", "setattr", "vars", "__import__"),
        *("__builtins__", "__loader__", "__spec__"),
    ]
)
FROM_OUTSIDE = (
    *("read_", "scan_", "from_csv", "from_parquet", "genfromtxt", "loadtxt", "load", "fromfile", "memmap"),
    *("connect", "modules", "environ"),
)
WHOLE_MODULES = frozenset({"duckdb"})
"""Modules of which a function may be imported under any name, and can read anything."""
RUNS_SQL = frozenset(["sql", "query", "execute", "executemany", "table_function", "from_query", "from_substrait"])
"""Functions of DuckDB that run SQL, which can read whatever it names."""
READS_RELATION = frozenset(["table", "view"])
OWN_PACKAGE = "."
"""Stands for what a module imports from the package that it is a part of."""
PARTS_OF_DBT = frozenset({"config", "ref", "source", "is_incremental", "this"})


def python_parts(source: str) -> SqlParts:
    r"""Return the texts of a python model as literals that may be SQL; what an f-string prints is a gap.

    >>> [one.text for one in python_parts("a = f'data/{b}.csv'").literals]
    ['data/\x000\x00.csv']
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return SqlParts.of_texts([], [])
    texts: list[str] = []
    expressions: list[str] = []
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    about = _docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READS_RELATION:
            texts += [f"from {one.value!s}" for one in node.args[:1] if isinstance(one, ast.Constant)]
        if isinstance(node, ast.JoinedStr):
            text = ""
            for part in node.values:
                if isinstance(part, ast.Constant):
                    text += str(part.value)
                elif isinstance(part, ast.FormattedValue):
                    text += f"{GAP}{len(expressions)}{GAP}"
                    expressions.append(ast.unparse(part.value))
            texts.append(text)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts | about:
            texts.append(node.value)
    return replace(SqlParts.of_texts([], texts), expressions=tuple(expressions))


def _docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the constants that only tell what something is about."""
    owners = (node for node in ast.walk(tree) if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)))
    firsts = (node.body[0] for node in owners if node.body)
    return {id(one.value) for one in firsts if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)}


def names_in(source: str) -> frozenset[str]:
    """Return the names that a python model gives to values: SQL can read a data frame by its name."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return frozenset()
    stored = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return frozenset([*stored, *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))])


def reads_anything(source: str, besides: Collection[str] = ()) -> str | None:
    r"""Return why a python model may read what cannot be told, None where it reads tables and its config alone.

    ``besides`` are modules, and names of DuckDB, that it may import as well.

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
            case ast.Import() | ast.ImportFrom():
                unknown = [name for name in _modules(node) if name not in KNOWN_MODULES and name not in besides]
                whole = _of_whole_module(node, besides)
                if whole is not None:
                    return whole
                if unknown:
                    return f"it imports {unknown[0]}"
            case ast.Name(id=name) if name in READERS:
                return f"it calls {name}"
            case ast.Attribute(attr=name) if name.startswith(FROM_OUTSIDE):
                return f"it calls {name}"
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if _is_computed(name, node):
                return f"it calls {name} with what it computes"
            case ast.Attribute(value=ast.Name(id="dbt"), attr=part) if part not in PARTS_OF_DBT:
                return f"it reads dbt.{part}"
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    others = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in called)
    return next((f"it hands on {node.attr}" for node in others if node.attr in RUNS_SQL), None)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or OWN_PACKAGE]
    names = [OWN_PACKAGE] if isinstance(node, ast.ImportFrom) and node.level else names
    return [name.partition(".")[0] or OWN_PACKAGE for name in names]


def _of_whole_module(node: ast.Import | ast.ImportFrom, besides: Collection[str]) -> str | None:
    if not isinstance(node, ast.ImportFrom) or node.module not in WHOLE_MODULES:
        return None
    names = [one.name for one in node.names if one.name not in besides]
    return f"it imports {names[0]} from {node.module}" if names else None


def modules_in(source: str) -> frozenset[str]:
    """Return the modules that a source imports, each by the first part of its name; none where it cannot be read."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return frozenset()
    imports = (node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom)))
    return frozenset(name for node in imports for name in _modules(node))


def _is_computed(name: str, call: ast.Call) -> bool:
    """Tell whether a function runs SQL, or reads a relation, that is not written out in its call."""
    if name not in RUNS_SQL and name not in READS_RELATION:
        return False
    given = [*call.args[:1], *(one.value for one in call.keywords)]
    return name == "table_function" or not all(isinstance(one, (ast.Constant, ast.JoinedStr)) for one in given)
