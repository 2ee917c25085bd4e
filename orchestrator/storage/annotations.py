"""Notes and tags of runs on SQLAlchemy."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from orchestrator.core.annotations import Annotations
from orchestrator.core.errors import RunNotFoundError
from orchestrator.storage.base import AbstractAnnotationRepository
from orchestrator.storage.models import Base, RunNote, RunTag, WorkflowRun
from orchestrator.storage.store import CHUNK, Store


class AnnotationRepository(Store, AbstractAnnotationRepository):
    """Notes in ``run_notes``, tags in ``run_tags``."""

    def of_runs(self, run_ids: Iterable[str]) -> dict[str, Annotations]:
        """Return notes and tags by run id; see the interface."""
        wanted = list(run_ids)
        with self._session() as session:
            found = [_of_runs(session, wanted[start : start + CHUNK]) for start in range(0, len(wanted), CHUNK)]
        return {run_id: annotations for part in found for run_id, annotations in part.items()}

    def set_note(self, run_id: str, text: str | None) -> None:
        """Give a run a note in place of its old one; None removes it."""
        with self._session() as session:
            _require_run(session, run_id)
            if text is None:
                session.execute(delete(RunNote).where(RunNote.run_id == run_id))
            else:
                session.merge(RunNote(run_id, text))
            session.commit()

    def set_tags(self, run_id: str, tags: Iterable[str]) -> None:
        """Give a run these tags in place of its old ones."""
        with self._session() as session:
            _require_run(session, run_id)
            session.execute(delete(RunTag).where(RunTag.run_id == run_id))
            session.add_all([RunTag(run_id, tag) for tag in tags])
            session.commit()


def annotations_of(session: Session, run_id: str) -> Annotations:
    """Return the note and the tags of one run, within a transaction."""
    return _of_runs(session, [run_id]).get(run_id, Annotations())


def annotation_records(run_id: str, annotations: Annotations) -> list[Base]:
    """Return a note and tags as what is stored."""
    notes = [] if annotations.note is None else [RunNote(run_id, annotations.note)]
    return [*notes, *(RunTag(run_id, tag) for tag in annotations.tags)]


def _of_runs(session: Session, run_ids: list[str]) -> dict[str, Annotations]:
    notes = {note.run_id: note.text for note in session.scalars(select(RunNote).where(RunNote.run_id.in_(run_ids)))}
    tags: dict[str, list[str]] = {}
    for one in session.scalars(select(RunTag).where(RunTag.run_id.in_(run_ids)).order_by(RunTag.tag)):
        tags.setdefault(one.run_id, []).append(one.tag)
    return {run_id: Annotations(notes.get(run_id), tuple(tags.get(run_id, ()))) for run_id in {*notes, *tags}}


def _require_run(session: Session, run_id: str) -> None:
    if session.get(WorkflowRun, run_id) is None:
        raise RunNotFoundError(f"The run history holds no run {run_id}.")
