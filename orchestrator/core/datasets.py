"""What a node of dbt reads and writes, as those name it who follow data from place to place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """A relation: ``namespace`` names its database, ``columns`` are (name, type) where they are known."""

    namespace: str
    name: str
    columns: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class NodeDatasets:
    """What a node reads, and what it writes: nothing where it is a test or ephemeral."""

    inputs: tuple[Dataset, ...] = ()
    outputs: tuple[Dataset, ...] = ()


DatasetsOf = Callable[[str], NodeDatasets]
"""Tells what the node of a unique id reads and writes, nothing where the node is not known."""


def no_datasets(unique_id: str) -> NodeDatasets:
    """Know nothing of any node."""
    return NodeDatasets()
