"""Macros by which a node reads the year although its own code does not."""

from __future__ import annotations

from orchestrator.dbt_runner.project.facts import NodeFacts

_MACRO = "macro "


def told_year_macros(node: NodeFacts) -> str | None:
    """Name the project's macros that dbt calls to build a node, where one of them, and nothing else, reads the year."""
    if node.uses_year or not node.names_year:
        return None
    names = [what.removeprefix(_MACRO) for what, _ in node.code if what.startswith(_MACRO)]
    if not names:
        return None
    if len(names) == 1:
        return f"is built by the macro {names[0]}, which reads the year"
    return f"is built by macros that read the year ({', '.join(names)}, or one of them)"
