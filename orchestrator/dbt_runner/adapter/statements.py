"""Statements that dbt sent to the database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SentStatements:
    """Statements that dbt sent while it ran one stage, by unique id, and the nodes that sent some to compile.

    ``warned`` are the nodes of which dbt warned, an empty name where it did not say of which. ``hooks`` are what the
    hooks of nodes said, in their order.
    """

    statements: dict[str, list[str]]
    compiling: set[str]
    warned: set[str]
    hooks: dict[str, list[str]]
