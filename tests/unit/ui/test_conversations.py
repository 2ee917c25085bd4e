"""Conversations without a browser: what is kept, what is refused, what goes on when nobody looks."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.core.errors import AssistantError, AssistantUnavailableError, ChatMessageError, ConfigurationError
from orchestrator.storage.base import ChatSessionRepository, StorageBackend
from orchestrator.storage.factory import create_storage_backend
from orchestrator.ui.assistants.base import Assistant, Change, Message, Proposal
from orchestrator.ui.assistants.schema import ConfigSchema
from orchestrator.ui.chat import markup
from orchestrator.ui.chat.conversations import MOST_A_MINUTE, MOST_OF_A_QUESTION, Conversations
from orchestrator.ui.chat.examples import examples
from orchestrator.ui.chat.records import proposal_record, read_proposal
from orchestrator.ui.chat.secret import FILE, workspace_secret
from orchestrator.ui.gradio_chat import GradioChatUI
from tests.support.fishery import SECRET, make_fishery
from tests.support.programs import run_python
from tests.support.workspaces import REPOSITORY

HALF = Proposal("half", (Change("vars.catch", 0.5, "half of it"),), ("Why?",), ("be nice",))
Piece = str | Proposal | Exception


class Scripted:
    """Says what it is told to say, and waits at an empty text until ``go_on`` is set; ``heard`` is what it was told."""

    def __init__(self, *pieces: Piece) -> None:
        self.pieces = pieces
        self.heard: list[tuple[Message, ...]] = []
        self.go_on = threading.Event()
        self.closed = threading.Event()

    def stream_chat(self, messages: Sequence[Message]) -> Iterator[str | Proposal]:
        """Yield the pieces."""
        self.heard.append(tuple(messages))
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                while piece == "" and not self.go_on.wait(0.02):
                    yield ""
                yield piece
        finally:
            self.closed.set()


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[StorageBackend]:
    """Open an empty store."""
    with create_storage_backend(f"sqlite:///{tmp_path / 'var' / 'history.db'}") as made:
        yield made


@pytest.fixture
def schema(tmp_path: Path) -> ConfigSchema:
    """Write a configuration with parameters."""
    return make_fishery(tmp_path)


def chat(assistant: Assistant, store: ChatSessionRepository, schema: ConfigSchema) -> GradioChatUI:
    """Make a chat without a page."""
    return GradioChatUI(assistant, store, schema)


def begun(made: GradioChatUI, *messages: str) -> str:
    """Begin a conversation, say something, and wait for the answers; return its id."""
    session_id = made.conversations.begin("somebody-with-a-long-name")
    for message in messages:
        list(made.generate_config(message, session_id))
    return session_id


def test_everything_said_is_kept(backend: StorageBackend, schema: ConfigSchema) -> None:
    """Another server over the same store knows it all, and tells the assistant what was proposed."""
    scripted = Scripted("Half, ", "then.", HALF)
    session_id = begun(chat(scripted, backend.chat_sessions, schema), "catch half of it")
    again = chat(scripted, backend.chat_sessions, schema)
    assert again.shown(session_id) == [
        {"role": "user", "content": "catch half of it"},
        {"role": "assistant", "content": "Half, then."},
    ]
    assert again.conversations.proposal(session_id) == HALF
    list(again.generate_config("and now?", session_id))
    assert scripted.heard[-1][:2] == (Message("user", "catch half of it"), Message("assistant", "Half, then.", HALF))
    found = backend.chat_sessions.get_session(session_id)
    assert found is not None
    wanted = "database: var/half.duckdb\nvars:\n  catch: 0.5\n"
    assert found.generated_config == {"name": "half", "overlay": {"vars.catch": 0.5}, "yaml": wanted}


def test_an_answer_grows_as_it_is_watched(backend: StorageBackend, schema: ConfigSchema) -> None:
    """Each piece is seen before the next one comes."""
    scripted = Scripted("one ", "", "two", HALF)
    made = chat(scripted, backend.chat_sessions, schema)
    watched = made.generate_config("x", made.conversations.begin("me"))
    seen = next(watched)
    while seen != "one ":
        seen = next(watched)
    scripted.go_on.set()
    assert list(watched)[-1] == "one two"


def test_an_answer_goes_on_when_nobody_looks(backend: StorageBackend, schema: ConfigSchema) -> None:
    """A browser that is closed loses nothing; one that comes back watches the rest."""
    scripted = Scripted("one ", "", "two", HALF)
    made = chat(scripted, backend.chat_sessions, schema)
    session_id = made.conversations.begin("me")
    next(made.generate_config("x", session_id))  # and the page is closed
    watched = made.watch(session_id)
    next(watched)
    scripted.go_on.set()
    list(watched)
    assert [one["content"] for one in made.shown(session_id)] == ["x", "one two"]
    assert list(made.watch(session_id)) == []


def test_an_answer_can_be_stopped(backend: StorageBackend, schema: ConfigSchema) -> None:
    """What was said until then is kept, the assistant is ended, and the next message is taken."""
    scripted = Scripted("one ", "", "never said", HALF)
    made = chat(scripted, backend.chat_sessions, schema)
    session_id = made.conversations.begin("me")
    watched = made.generate_config("x", session_id)
    while next(watched) != "one ":
        pass
    with pytest.raises(AssistantError, match="answer is being given"):
        next(made.generate_config("y", session_id))
    answer = made.conversations.answering(session_id)
    assert answer is not None
    answer.stop()
    list(watched)
    assert scripted.closed.is_set()
    assert made.shown(session_id)[-1]["content"] == "one  (Stopped.)"
    assert made.conversations.proposal(session_id) is None
    scripted.pieces = ("fine", HALF)
    list(made.generate_config("y", session_id))
    assert made.shown(session_id)[-1]["content"] == "fine"


def test_a_failure_is_an_answer(backend: StorageBackend, schema: ConfigSchema) -> None:
    """With what to do; the assistant is not told of it later, and what was proposed before stays."""
    scripted = Scripted("ok", HALF)
    made = chat(scripted, backend.chat_sessions, schema)
    session_id = begun(made, "half")
    scripted.pieces = (AssistantUnavailableError("It is not there, api_key=abc.", to_fix="look for it"),)
    list(made.generate_config("more", session_id))
    said = made.shown(session_id)[-1]["content"]
    assert said == "It is not there, api_key=***\nTo fix: look for it"
    scripted.pieces = (RuntimeError("secret details"),)
    list(made.generate_config("more", session_id))
    assert "unexpected RuntimeError" in made.shown(session_id)[-1]["content"]
    assert "secret details" not in made.shown(session_id)[-1]["content"]
    assert made.conversations.proposal(session_id) == HALF
    scripted.pieces = ("ok", HALF)
    list(made.generate_config("again", session_id))
    assert [message.content for message in scripted.heard[-1]] == ["half", "ok", "more", "more", "again"]


def test_what_is_refused(backend: StorageBackend, schema: ConfigSchema) -> None:
    """Nothing of it is stored: an empty message, a long one, an unknown conversation, too many a minute."""
    clock = [0.0]
    made = Conversations(Scripted("ok", HALF), backend.chat_sessions, schema, watch=lambda: clock[0])
    session_id = made.begin("me")
    for text, said in (("  ", "nothing to answer"), ("x" * (MOST_OF_A_QUESTION + 1), "at most 4,000")):
        with pytest.raises(ChatMessageError, match=said):
            made.say(session_id, text)
    with pytest.raises(LookupError):
        made.say("nobody", "hello")
    assert made.answering("nobody") is None
    for _ in range(MOST_A_MINUTE):
        answer = made.say(session_id, "hello")
        while not answer.wait(-1, 1)[2]:
            pass
    with pytest.raises(ChatMessageError, match=r"(?s)15 messages a minute.*in 60 seconds"):
        made.say(session_id, "hello")
    assert len(made.turns(session_id)) == 2 * MOST_A_MINUTE
    made.say(made.begin("you"), "hello")
    clock[0] = 61.0
    made.say(session_id, "hello")


def test_secrets_are_not_kept(backend: StorageBackend, schema: ConfigSchema) -> None:
    """Neither a key that somebody pastes, nor one that an assistant repeats."""
    schema.subject()  # from here on the values of secret parameters are known
    made = chat(Scripted(f"You said {SECRET}", HALF), backend.chat_sessions, schema)
    session_id = begun(made, "use api_key=abc-123-def please")
    assert [one["content"] for one in made.shown(session_id)] == ["use api_key=*** please", "You said ***"]


def test_conversations_of_others_are_not_listed(backend: StorageBackend, schema: ConfigSchema) -> None:
    """Each browser sees its own, by what was said first."""
    made = chat(Scripted("ok", HALF), backend.chat_sessions, schema)
    session_id = begun(made, "x" * 100)
    made.conversations.begin("somebody-with-a-long-name")  # nothing was said in it
    assert made.conversations.recent("somebody-with-a-long-name") == [(session_id, "x" * 59 + "…")]
    assert made.conversations.recent("somebody-else") == []


def test_validate_download_and_save(backend: StorageBackend, schema: ConfigSchema, tmp_path: Path) -> None:
    """By the loader, as the configuration is at that moment."""
    made = chat(Scripted("ok", HALF), backend.chat_sessions, schema)
    nothing = made.conversations.begin("me")
    for ask in (made.validate_config, made.download_config):
        with pytest.raises(ConfigurationError, match="Nothing is proposed yet"):
            ask(nothing)
    session_id = begun(made, "half")
    assert made.validate_config(session_id).errors == ()
    assert made.download_config(session_id) == ("half.yaml", "database: var/half.duckdb\nvars:\n  catch: 0.5\n")
    path = made.save_config(session_id, "")
    assert path == tmp_path / "config" / "scenarios" / "half.yaml"
    with pytest.raises(ConfigurationError, match="already"):
        made.save_config(session_id, "half")
    made.save_config(session_id, "half", replace=True)
    assert made.save_config(session_id, "other").name == "other.yaml"
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        made.save_config(session_id, "../../evil")
    config = tmp_path / "config" / "simulation.yaml"
    config.write_text(config.read_text().replace("maximum: 1", "maximum: 0.4"))
    assert "between 0 and 0.4" in made.validate_config(session_id).errors[0]


def test_a_run_saves_first(backend: StorageBackend, schema: ConfigSchema, tmp_path: Path) -> None:
    """Once: running the same again does not stumble over its own file; a scenario of others is not replaced."""
    started: list[str] = []

    def start(name: str) -> str:
        started.append(name)
        return f"/runs/{name}"

    made = GradioChatUI(Scripted("ok", HALF), backend.chat_sessions, schema, start_run=start)
    session_id = begun(made, "half")
    assert made.start_run(session_id, "") == ("half", "/runs/half")
    assert made.start_run(session_id, "half") == ("half", "/runs/half")
    (tmp_path / "config" / "scenarios" / "mine.yaml").write_text("vars: {catch: 0.9}\n")
    with pytest.raises(ConfigurationError, match="already"):
        made.start_run(session_id, "mine")
    assert started == ["half", "half"]


def test_the_extra_is_missing(tmp_path: Path) -> None:
    """The very line that installs it is given; only then is anything imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, importlib.abc\n"
        "class Gone(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'gradio': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
    )
    done = run_python(
        ["-m", "orchestrator.ui.gradio_chat"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"},
    )
    assert done.returncode == 2
    assert "needs the package gradio" in done.stderr
    assert "To fix: pip install 'dbt-year-orchestrator[ui]'" in done.stderr


EVIL = "<img src=x onerror=alert(1)>\"'&<script>"


def test_nothing_that_was_said_is_markup(schema: ConfigSchema) -> None:
    """Keys, words, questions, names and errors: all of it is escaped."""
    proposal = Proposal(EVIL, (Change(EVIL, EVIL, EVIL),), (EVIL,), (EVIL,))
    html = markup.proposal_html(schema.subject().check(proposal))
    html += markup.status_html(EVIL) + markup.error_html(ConfigurationError(EVIL, to_fix=EVIL))
    html += (
        markup.sessions_html(EVIL, [(EVIL + "2", EVIL)])
        + markup.bar_html([(EVIL, EVIL, EVIL)])
        + markup.link_html(EVIL, "/x", EVIL)
    )
    assert "<img" not in html
    assert "<script" not in html
    assert "&lt;img" in html
    for evil in ("javascript:alert(1)", "//elsewhere", "https://elsewhere", "/\\elsewhere"):
        assert "<a " not in markup.link_html("x", evil, "y")
    assert "<script" not in markup.plain(EVIL)


@pytest.mark.parametrize(
    "record",
    [
        None,
        5,
        "x",
        [],
        {"name": 5, "changes": "x", "questions": 5, "not_understood": [5]},
        {"changes": [None, 5, {"key": 5, "value": 1, "words": "x"}, {"key": "a", "value": {}, "words": "x"}]},
        {"changes": [{"key": "a", "value": float("inf"), "words": "x"}]},
    ],
)
def test_a_stored_proposal_is_a_strangers(record: object) -> None:
    """Whatever lies in the database, it is a proposal of plain values or none."""
    found = read_proposal(record)
    assert found is None or found == Proposal(None, ())


def test_a_proposal_comes_back_as_it_was() -> None:
    """Through JSON, with everything."""
    assert read_proposal(proposal_record(HALF)) == HALF


def test_examples_are_of_the_project(schema: ConfigSchema) -> None:
    """Within their ranges, each kind once; no secrets, no files."""
    assert examples(schema.subject()) == ["Harvest of 60 %", "Quota of 20", "Gear: lines", "Simulate until 2034"]


def test_the_secret_is_private_and_stays(tmp_path: Path) -> None:
    """Made once for each workspace, whoever comes first, readable to its owner alone."""
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.append(workspace_secret(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / FILE).parent.iterdir()] == [FILE.name]
    assert workspace_secret(tmp_path / "other") != made[0]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.write_text("short"), "too short"),
        (lambda file: file.mkdir(), "cannot be read"),
        (lambda file: file.symlink_to("/dev/zero"), "cannot be read"),
    ],
)
def test_a_secret_that_is_spoilt(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    """It is named, and not replaced behind anybody's back."""
    (tmp_path / FILE).parent.mkdir(parents=True)
    spoil(tmp_path / FILE)
    with pytest.raises(ConfigurationError, match=said):
        workspace_secret(tmp_path)
