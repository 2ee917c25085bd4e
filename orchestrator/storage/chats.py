"""Conversations on SQLAlchemy."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ChatMessageError, ChatSessionNotFoundError
from orchestrator.core.events import jsonable
from orchestrator.storage.base import (
    CHAT_ROLES,
    CHAT_STATUSES,
    MOST_OF_A_MESSAGE,
    MOST_OF_A_NAME,
    ChatSessionRepository,
)
from orchestrator.storage.columns import clean
from orchestrator.storage.models import ChatMessage, ChatSession
from orchestrator.storage.store import Store


class SqlChatSessionRepository(Store, ChatSessionRepository):
    """Conversations in ``chat_sessions``, what was said in ``chat_messages``."""

    def create_session(self, user_identifier: str) -> str:
        """Begin a conversation of somebody; see the interface."""
        if not 0 < len(user_identifier) <= MOST_OF_A_NAME:
            raise ChatMessageError(
                f"The name of a user has {len(user_identifier)} characters, but must have 1 to {MOST_OF_A_NAME}."
            )
        with self._session() as session:
            made = ChatSession(user_identifier)
            session.add(made)
            session.commit()
            return made.session_id

    def get_session(self, session_id: str) -> ChatSession | None:
        """Return a conversation, None when there is none of that id."""
        with self._session() as session:
            return session.get(ChatSession, clean(session_id))

    def add_message(
        self, session_id: str, role: str, content: str, metadata: Mapping[str, object] | None = None
    ) -> ChatMessage:
        """Append what somebody said; see the interface."""
        if role not in CHAT_ROLES:
            raise ChatMessageError(f"There is no role {role!r} in a conversation; there are {', '.join(CHAT_ROLES)}.")
        details = dict(metadata or {})
        _require_short("A message", content)
        _require_short("What belongs to a message", _as_text(details))
        with self._session() as session:
            _touch(session, session_id)  # first: writers of one conversation wait here, and so ids keep its order
            message = ChatMessage(session_id, role, content, details=details)
            session.add(message)
            session.commit()
            return message

    def get_messages(self, session_id: str, limit: int | None = None) -> list[ChatMessage]:
        """Return what was said, oldest first; see the interface."""
        query = select(ChatMessage).where(ChatMessage.session_id == clean(session_id))
        with self._session() as session:
            return list(session.scalars(query.order_by(ChatMessage.id.desc()).limit(limit)))[::-1]

    def update_config(self, session_id: str, generated_config: object | None, *, status: str | None = None) -> None:
        """Store what the conversation has led to; see the interface."""
        if status is not None and status not in CHAT_STATUSES:
            raise ChatMessageError(f"There is no status {status!r}; there are {', '.join(CHAT_STATUSES)}.")
        _require_short("A configuration", _as_text(generated_config))
        with self._session() as session:
            changed: dict[str, object] = {"generated_config": generated_config}
            _touch(session, session_id, **changed | ({} if status is None else {"status": status}))
            session.commit()

    def list_recent_sessions(self, user_identifier: str, limit: int = 10) -> list[ChatSession]:
        """Return the conversations of somebody, the one that was changed last first."""
        query = select(ChatSession).where(ChatSession.user_identifier == user_identifier)
        with self._session() as session:
            newest = query.order_by(ChatSession.updated_at.desc(), ChatSession.session_id).limit(limit)
            return list(session.scalars(newest))

    def delete_session(self, session_id: str) -> bool:
        """Remove a conversation; the database removes what was said in it."""
        with self._session() as session:
            removed = delete(ChatSession).where(ChatSession.session_id == clean(session_id))
            found = session.execute(removed.returning(ChatSession.session_id)).first() is not None
            session.commit()
            return found


def _touch(session: Session, session_id: str, **changed: object) -> None:
    """Change a conversation, its time in any case."""
    wanted = update(ChatSession).where(ChatSession.session_id == clean(session_id)).returning(ChatSession.session_id)
    if session.execute(wanted.values(updated_at=utc_now(), **changed)).first() is None:
        raise ChatSessionNotFoundError(
            f"There is no conversation {session_id[:MOST_OF_A_NAME]!r}.",
            to_fix="begin a new one: open the chat without a session in its address",
        )


def _as_text(value: object) -> str:
    return json.dumps(jsonable(value), ensure_ascii=False, default=str)


def _require_short(what: str, text: str) -> None:
    if len(text) > MOST_OF_A_MESSAGE:
        raise ChatMessageError(
            f"{what} has {len(text):,} characters; at most {MOST_OF_A_MESSAGE:,} are kept.",
            to_fix="say it in several messages, or in fewer words",
        )
