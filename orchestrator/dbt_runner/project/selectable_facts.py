"""Facts of what selectors of dbt can name although dbt does not build it."""

from __future__ import annotations

from typing import NamedTuple


class Selectable(NamedTuple):
    """Something that dbt does not build, and that selectors can name: a source, exposure, metric, saved query and such.

    ``tags`` are its tags, ``nodes`` the unique ids of what it reads, both in order.
    """

    kind: str
    name: str
    tags: tuple[str, ...]
    nodes: tuple[str, ...]
