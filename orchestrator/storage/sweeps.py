"""Sweeps on SQLAlchemy, and which run is a member of which."""

from __future__ import annotations

from pathlib import PurePath

from sqlalchemy import delete, select

from orchestrator.storage.base import AbstractSweepRepository
from orchestrator.storage.models import SweepRecord
from orchestrator.storage.store import Store

_PLACE = ("var", "sweeps", "*", "members", "*")  # of a member's database file


class SweepRepository(Store, AbstractSweepRepository):
    """Sweeps in ``sweeps``."""

    def save(self, sweep: SweepRecord) -> None:
        """Store a sweep in the place of the one of its name."""
        with self._session() as session:
            session.merge(sweep)
            session.commit()

    def list_sweeps(self, limit: int | None = None) -> list[SweepRecord]:
        """Return sweeps of all workflows, newest first."""
        with self._session() as session:
            query = select(SweepRecord).order_by(SweepRecord.started_at.desc(), SweepRecord.name).limit(limit)
            return list(session.scalars(query))

    def delete(self, workflow_name: str, name: str) -> bool:
        """Remove a sweep; its runs stay. Tell whether it was there."""
        own = (SweepRecord.workflow_name == workflow_name, SweepRecord.name == name)
        with self._session() as session:
            removed = session.execute(delete(SweepRecord).where(*own).returning(SweepRecord.name)).first()
            session.commit()
            return removed is not None


def member_of(database: str) -> tuple[str | None, str | None]:
    """Return sweep and member whose database a file is by its place, None and None for any other.

    >>> member_of("/home/me/lakes/var/sweeps/growth/members/a-1/simulation.duckdb")
    ('growth', 'a-1')
    >>> member_of("/home/me/lakes/var/simulation.duckdb")
    (None, None)
    """
    above = PurePath(database).parts[-1 - len(_PLACE) : -1]
    if len(above) != len(_PLACE) or any(want not in ("*", found) for want, found in zip(_PLACE, above, strict=True)):
        return None, None
    return above[2], above[4]
