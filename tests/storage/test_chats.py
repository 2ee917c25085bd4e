"""What every store does with conversations, on SQLite and on PostgreSQL."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.core.errors import ChatMessageError, ChatSessionNotFoundError, StorageError
from orchestrator.storage.base import MOST_OF_A_MESSAGE, ChatSessionRepository, StorageBackend
from orchestrator.storage.engine import opened, read_url
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.initialization import ensure_initialized
from tests.storage.test_initialization import ask, make_old, outcomes
from tests.support.programs import start_python

REPOSITORY = Path(__file__).parents[2]
NOBODY = "00000000-0000-4000-8000-000000000000"
MANY_MESSAGES = """
import sys
from orchestrator.storage.factory import create_storage_backend
url, session_id, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
with create_storage_backend(url) as backend:
    for number in range(count):
        print(backend.chat_sessions.add_message(session_id, "user", f"{sys.argv[4]} {number}").id)
        own = backend.chat_sessions.create_session("me")
        backend.chat_sessions.update_config(own, {"writer": sys.argv[4], "number": number})
"""


@pytest.fixture
def chats(backend: StorageBackend) -> ChatSessionRepository:
    """Return the conversations of an empty store."""
    return backend.chat_sessions


def test_the_interface_says_what_a_store_can_do() -> None:
    """And does nothing itself."""
    with pytest.raises(TypeError, match="abstract"):
        ChatSessionRepository()  # type: ignore[abstract]


def test_a_conversation_comes_back_as_it_was(chats: ChatSessionRepository) -> None:
    """Oldest message first, with its role, its time and what belongs to it."""
    session_id = chats.create_session("me")
    begun = chats.get_session(session_id)
    assert begun is not None
    assert (begun.user_identifier, begun.status, begun.generated_config) == ("me", "in_progress", None)
    said = [
        chats.add_message(session_id, "user", "growth of 5 %, then <b>7</b>"),
        chats.add_message(session_id, "assistant", "a\0b ✓", {"proposal": {"changes": [1, None]}, "x": float("nan")}),
        chats.add_message(session_id, "user", ""),
    ]
    found = chats.get_messages(session_id)
    assert [message.id for message in found] == [message.id for message in said]
    assert [(message.role, message.content) for message in found] == [
        ("user", "growth of 5 %, then <b>7</b>"),
        ("assistant", "a\ufffdb ✓"),
        ("user", ""),
    ]
    assert [message.details for message in found] == [{}, {"proposal": {"changes": [1, None]}, "x": None}, {}]
    assert begun.created_at <= found[0].created_at <= found[1].created_at
    assert [message.content for message in chats.get_messages(session_id, limit=2)] == ["a\ufffdb ✓", ""]
    now = chats.get_session(session_id)
    assert now is not None
    assert now.created_at == begun.created_at
    assert now.updated_at > begun.updated_at


def test_what_it_led_to_is_kept(chats: ChatSessionRepository) -> None:
    """As any JSON value; None takes it back, and the status changes only where one is given."""
    session_id = chats.create_session("me")
    chats.update_config(session_id, {"vars": {"rate": 0.05}}, status="completed")
    chats.update_config(session_id, "scenario: growth")
    found = chats.get_session(session_id)
    assert found is not None
    assert (found.generated_config, found.status) == ("scenario: growth", "completed")
    chats.update_config(session_id, None, status="in_progress")
    found = chats.get_session(session_id)
    assert found is not None
    assert (found.generated_config, found.status) == (None, "in_progress")


def test_recent_conversations_of_one_user(chats: ChatSessionRepository) -> None:
    """The one that was changed last first, ten of them by default, and never those of others."""
    mine = [chats.create_session("me") for _ in range(12)]
    chats.create_session("you")
    chats.add_message(mine[3], "user", "again")
    chats.update_config(mine[5], {})
    listed = [one.session_id for one in chats.list_recent_sessions("me")]
    assert listed == [mine[5], mine[3], *(mine[number] for number in (11, 10, 9, 8, 7, 6, 4, 2))]
    assert [one.session_id for one in chats.list_recent_sessions("me", limit=1)] == [mine[5]]
    assert chats.list_recent_sessions("nobody") == []
    assert chats.list_recent_sessions("%") == []


def test_ids_cannot_be_guessed(chats: ChatSessionRepository) -> None:
    """Whoever knows one may read the conversation: each is random, of 122 bits."""
    made = {chats.create_session("me") for _ in range(20)}
    assert len({session_id[:8] for session_id in made}) == 20
    assert {session_id[14] for session_id in made} == {"4"}


def test_messages_go_with_their_conversation(chats: ChatSessionRepository, url: str) -> None:
    """Those of others stay."""
    gone, kept = chats.create_session("me"), chats.create_session("me")
    for session_id in (gone, kept):
        chats.add_message(session_id, "user", "hello")
    assert chats.delete_session(gone) is True
    assert chats.delete_session(gone) is False
    assert chats.get_session(gone) is None
    assert chats.get_messages(gone) == []
    assert [message.content for message in chats.get_messages(kept)] == ["hello"]
    assert ask(url, "select count(*) from chat_messages") == [(1,)]


@pytest.mark.parametrize("session_id", [NOBODY, "", "a\0b\udc80", "x" * 5000, "' or 1 = 1 --"])
def test_an_unknown_conversation(chats: ChatSessionRepository, session_id: str) -> None:
    """Whatever stands in an address: it holds nothing, and nothing can be said in it."""
    assert chats.get_session(session_id) is None
    assert chats.get_messages(session_id) == []
    assert chats.delete_session(session_id) is False
    with pytest.raises(ChatSessionNotFoundError, match="no conversation") as caught:
        chats.add_message(session_id, "user", "hello")
    assert len(str(caught.value)) < 500
    with pytest.raises(ChatSessionNotFoundError):
        chats.update_config(session_id, {})


def test_what_is_not_kept(chats: ChatSessionRepository) -> None:
    """A role that is none, what is too long, a status that is none, a user without a name: each is named."""
    session_id = chats.create_session("me")
    long = "x" * (MOST_OF_A_MESSAGE + 1)
    with pytest.raises(ChatMessageError, match="no role 'system'"):
        chats.add_message(session_id, "system", "obey")
    with pytest.raises(ChatMessageError, match="100,001 characters"):
        chats.add_message(session_id, "user", long)
    with pytest.raises(ChatMessageError, match="belongs to a message"):
        chats.add_message(session_id, "user", "x", {"x": long})
    with pytest.raises(ChatMessageError, match="A configuration"):
        chats.update_config(session_id, long)
    with pytest.raises(ChatMessageError, match="no status 'done'"):
        chats.update_config(session_id, {}, status="done")
    for name in ("", "x" * 201):
        with pytest.raises(ChatMessageError, match="name of a user"):
            chats.create_session(name)
    chats.add_message(session_id, "user", long[1:])
    assert len(chats.get_messages(session_id)) == 1


def test_the_database_knows_the_roles_too(chats: ChatSessionRepository, url: str) -> None:
    """What another program writes is held to them."""
    session_id = chats.create_session("me")
    wrong = (
        "insert into chat_messages (session_id, role, content, created_at, metadata) "
        "values (:id, 'system', 'obey', '2026-01-01 00:00:00', '{}')"
    )
    with opened(read_url(url)) as engine, engine.begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.text(wrong), {"id": session_id})


def test_threads_lose_nothing(chats: ChatSessionRepository) -> None:
    """Eight of them write into one conversation; each finds its own messages in its own order."""
    session_id = chats.create_session("me")

    def write(writer: int) -> list[int]:
        return [chats.add_message(session_id, "user", f"{writer} {number}").id for number in range(15)]

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(8)))
    found = chats.get_messages(session_id)
    assert {message.id for message in found} == {one for ids in written for one in ids}
    assert len(found) == 120
    for writer, ids in enumerate(written):
        assert [message.id for message in found if message.content.startswith(f"{writer} ")] == ids


def test_processes_lose_nothing(url: str) -> None:
    """Four of them write into one conversation, and into conversations of their own."""
    with create_storage_backend(url) as backend:
        session_id = backend.chat_sessions.create_session("all")
        started = [
            start_python(["-c", MANY_MESSAGES, url, session_id, "25", str(n)], cwd=REPOSITORY, stdin=subprocess.PIPE)
            for n in range(4)
        ]
        for process in started:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        written = [int(one) for out, _ in outcomes(started) for one in out.split()]
        found = backend.chat_sessions.get_messages(session_id)
        assert [message.id for message in found] == sorted(written)
        assert len(found) == 100
        assert {message.content for message in found} == {f"{n} {number}" for n in range(4) for number in range(25)}
        own = backend.chat_sessions.list_recent_sessions("me", limit=1000)
        assert len(own) == 100
        assert all(isinstance(one.generated_config, dict) for one in own)


def test_an_older_store_gets_conversations(url: str) -> None:
    """Its runs stay, and a conversation can be held in it at once."""
    make_old(url, runs=3)
    ensure_initialized(url)
    with create_storage_backend(url) as backend:
        session_id = backend.chat_sessions.create_session("me")
        backend.chat_sessions.add_message(session_id, "user", "hello")
        assert len(backend.runs.list_runs()) == 3
        assert len(backend.chat_sessions.get_messages(session_id)) == 1


def test_a_store_that_is_gone_is_named(tmp_path: Path) -> None:
    """An error of ours, not one of SQLAlchemy."""
    with closing(create_storage_backend(f"sqlite:///{tmp_path / 'a.db'}")) as backend:
        (tmp_path / "a.db").unlink()
        (tmp_path / "a.db").mkdir()
        with pytest.raises(StorageError, match="run history"):
            backend.chat_sessions.create_session("me")
