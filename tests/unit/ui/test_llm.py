"""The assistant that asks a language model, against one on 127.0.0.1 that does everything wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from orchestrator.core.errors import (
    AssistantError,
    AssistantTimeoutError,
    AssistantUnavailableError,
    ConfigurationError,
    MissingExtraError,
    OrchestratorError,
)
from orchestrator.core.masking import masked
from orchestrator.ui.assistants.base import Change, Message, Proposal
from orchestrator.ui.assistants.llm import LlmAssistant, create_llm
from orchestrator.ui.assistants.llm_models import LanguageModel
from orchestrator.ui.assistants.schema import ConfigSchema
from tests.support.fake_llm import (
    FakeLlm,
    babbles,
    calls,
    fails,
    proposes,
    running_llm,
    says_raw,
    stalls,
    talks,
)
from tests.support.fishery import SECRET, make_fishery
from tests.support.programs import run_python
from tests.support.workspaces import REPOSITORY

KEY = "sk-a-very-secret-key-of-mine"
HELLO = (Message("user", "catch half of it"),)
WATCHED = """
import sys
reached = set()
def watch(event, arguments):
    if event == "socket.connect":
        reached.add(str(arguments[1]))
    if event == "socket.getaddrinfo":
        reached.add(str(arguments[0]))
sys.addaudithook(watch)
from pathlib import Path
from orchestrator.ui.assistants.base import Message
from orchestrator.ui.assistants.llm import create_llm
from tests.support.fishery import make_fishery
schema = make_fishery(Path(sys.argv[2]))
pieces = list(create_llm("openai", "fake", sys.argv[1], schema=schema).stream_chat([Message("user", "half")]))
print(pieces[-1].overlay)
print(sorted(reached))
"""


@pytest.fixture
def fake() -> Iterator[FakeLlm]:
    """Start a language model."""
    with running_llm() as made:
        yield made


@pytest.fixture
def schema(tmp_path: Path) -> ConfigSchema:
    """Write a configuration with parameters."""
    return make_fishery(tmp_path)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the keys of whoever runs the tests."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)


def ask(
    fake: FakeLlm, schema: ConfigSchema, messages: Sequence[Message] = HELLO, *, stall_seconds: float = 20
) -> tuple[str, Proposal]:
    """Ask, and return the whole text and the proposal, of which there is one, at the end."""
    pieces = list(assistant(fake, schema, stall_seconds).stream_chat(messages))
    texts, proposal = pieces[:-1], pieces[-1]
    assert isinstance(proposal, Proposal)
    return "".join(text for text in texts if isinstance(text, str)), proposal


def assistant(fake: FakeLlm, schema: ConfigSchema, stall_seconds: float = 20) -> LlmAssistant:
    """Make the assistant."""
    return create_llm("openai", "fake-1", fake.url, schema=schema, stall_seconds=stall_seconds)


def failure(fake: FakeLlm, schema: ConfigSchema, *, stall_seconds: float = 20) -> OrchestratorError:
    """Ask, and return the error."""
    with pytest.raises(OrchestratorError) as caught:
        ask(fake, schema, stall_seconds=stall_seconds)
    assert caught.value.to_fix is not None
    assert "rule-based assistant" in caught.value.to_fix
    assert "\n" not in caught.value.message
    return caught.value


def test_text_comes_as_it_is_written_and_then_a_proposal(fake: FakeLlm, schema: ConfigSchema) -> None:
    """Piece by piece, out of the middle of the model's JSON."""
    fake.says(
        proposes('Half of the "stock", then.\nTwo lines – ok?', {"vars.catch": 0.5}, name="half", questions=["Why?"])
    )
    pieces = list(assistant(fake, schema).stream_chat(HELLO))
    texts = [piece for piece in pieces if isinstance(piece, str) and piece]
    assert "".join(texts) == 'Half of the "stock", then.\nTwo lines – ok?'
    assert len(texts) > 3
    assert pieces[-1] == Proposal("half", (Change("vars.catch", 0.5, "so"),), ("Why?",))
    assert sum(isinstance(piece, Proposal) for piece in pieces) == 1


def test_the_model_is_told_what_may_be_varied(fake: FakeLlm, schema: ConfigSchema) -> None:
    """Name, unit, range, meaning, current value, years and seed; no secret, no file, no key that is out of reach."""
    fake.says(proposes("ok"))
    before = Proposal("old", (Change("vars.quota", 20, "20 t"),))
    ask(fake, schema, [Message("user", "20 t"), Message("assistant", "Done.", before), Message("user", "and lines")])
    told = fake.asked[0].text
    for words in ("vars.catch", "of the stock", "Share caught in a year", "harvest", "0.3", "tonnes", "lines"):
        assert words in told
    for words in ("simulation.start_year", "2029", "42", "vars.fleet", "and lines", "20 t", 'vars.quota\\": 20'):
        assert words in told
    for words in (SECRET, "vessel_key", "landings", "storage", "hooks", str(schema.subject().config.root)):
        assert words not in told


def test_what_does_not_fit_goes_back_to_the_model(fake: FakeLlm, schema: ConfigSchema) -> None:
    """With the loader's words, and the user sees that it was corrected."""
    fake.says(proposes("All of it, twice.", {"vars.catch": 2}), proposes("All of it.", {"vars.catch": 1.0}))
    text, proposal = ask(fake, schema)
    assert proposal.overlay == {"vars.catch": 1.0}
    assert text == "All of it, twice.\n\nThat did not fit what can be set. Corrected:\n\nAll of it."
    assert "between 0 and 1" in fake.asked[1].text
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    "key",
    [
        "hooks",
        "storage.url",
        "dbt.project_dir",
        "database",
        "publish.path",
        "vars.vessel_key",
        "vars.landings",
        "vars.unheard_of",
        "parameters.catch.maximum",
        "simulation.year_var",
        "__class__",
        "",
    ],
)
def test_what_is_out_of_reach_stays_there(fake: FakeLlm, schema: ConfigSchema, key: str) -> None:
    """A model that insists on it is given up after three times."""
    fake.says(proposes("Done!", {key: "evil"}))
    error = failure(fake, schema)
    assert isinstance(error, AssistantError)
    assert len(fake.asked) == 3
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "arguments",
    [
        "not JSON at all",
        '{"answer": "x", "changes": "hooks: [{call: os:system}]"}',
        '{"answer": "x", "changes": [{"key": "vars.note", "value": {"a": "b"}, "words": "x"}]}',
        '{"answer": "x", "overlay": {"hooks": []}, "changes": []}',
        '{"changes": []}',
        '["a"]',
        '{"answer": ' * 500,
        '{"answer": "x", "changes": [{"key": "vars.catch", "value": 1e999, "words": "x"}]}',
        '{"answer": "x", "changes": [{"key": "vars.note", "value": "{{ env_var(1) }}", "words": "x"}]}',
        '{"answer": "x", "name": "../../etc/passwd", "changes": []}',
    ],
)
def test_nonsense_in_the_place_of_a_proposal(fake: FakeLlm, schema: ConfigSchema, arguments: str) -> None:
    """Whatever it is: three times, and no more."""
    fake.says(calls("propose", arguments))
    assert isinstance(failure(fake, schema), AssistantError)
    assert len(fake.asked) == 3


def test_markup_stays_text(fake: FakeLlm, schema: ConfigSchema) -> None:
    """The assistant gives it on as it is; whoever shows it escapes it."""
    fake.says(proposes("<script>alert(1)</script>", {"vars.catch": 0.5}, not_understood=["<b>"]))
    text, proposal = ask(fake, schema)
    assert (text, proposal.not_understood) == ("<script>alert(1)</script>", ("<b>",))


def test_a_model_that_calls_other_tools_or_none(fake: FakeLlm, schema: ConfigSchema) -> None:
    """It is told what is wanted, and its text is no answer; then it is given up."""
    fake.says(calls("run_shell", '{"command": "rm -rf /"}'), talks("simulation: {start_year: 1}"), proposes("There."))
    assert ask(fake, schema)[0] == "There."
    fake.says(talks("scenario: evil"))
    error = failure(fake, schema)
    assert "not answer in the form" in error.message


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, AssistantUnavailableError, "refuses the key"),
        (403, AssistantUnavailableError, "refuses the key"),
        (404, AssistantUnavailableError, "does not know this model"),
        (402, AssistantUnavailableError, "used up"),
        (400, AssistantError, "refuses the question (HTTP 400: no)"),
        (418, AssistantError, "HTTP 418"),
        (500, AssistantUnavailableError, "failed by itself (HTTP 500"),
        (502, AssistantUnavailableError, "failed by itself (HTTP 502"),
        (503, AssistantUnavailableError, "not available at the moment"),
        (307, AssistantError, "HTTP 307"),
    ],
)
def test_what_a_server_refuses(
    fake: FakeLlm, schema: ConfigSchema, status: int, kind: type[AssistantError], said: str
) -> None:
    """Each status in a sentence; it is asked once, and no redirection is followed."""
    fake.says(fails(status, location="http://127.0.0.1:9/v1/chat/completions"))
    error = failure(fake, schema)
    assert isinstance(error, kind)
    assert said in error.message
    assert len(fake.asked) == 1


def test_a_model_that_is_asked_too_often(fake: FakeLlm, schema: ConfigSchema) -> None:
    """The seconds that it asks to wait are given on."""
    fake.says(fails(429, retry_after="17"))
    error = failure(fake, schema)
    assert isinstance(error, AssistantUnavailableError)
    assert "429" in error.message
    assert "try again in 17 seconds" in str(error.to_fix)
    assert len(fake.asked) == 1


@pytest.mark.parametrize("after", ["", "Half of"])
def test_a_model_that_is_silent(fake: FakeLlm, schema: ConfigSchema, after: str) -> None:
    """At once, or in the middle of an answer; it is given up after its seconds, and the connection is closed."""
    fake.says(stalls(fake, after))
    error = failure(fake, schema, stall_seconds=0.7)
    assert isinstance(error, AssistantTimeoutError)
    assert "silent for 0.7 seconds" in error.message
    assert fake.hung_up.wait(10)


def test_whoever_listens_may_stop(fake: FakeLlm, schema: ConfigSchema) -> None:
    """While nothing comes, empty texts do; closing the iterator closes the connection."""
    fake.says(stalls(fake, "Half of"))
    stream = assistant(fake, schema).stream_chat(HELLO)
    said = ""
    while said != "Half of":
        piece = next(stream)
        assert isinstance(piece, str)
        said += piece
    assert next(stream) == ""
    stream.close()  # type: ignore[attr-defined]
    assert fake.hung_up.wait(10)


def test_an_answer_without_end(fake: FakeLlm, schema: ConfigSchema) -> None:
    """It is cut, and the connection closed."""
    fake.says(babbles())
    assert "has no end" in failure(fake, schema).message
    assert fake.hung_up.wait(10)


def test_a_heap_of_bytes(fake: FakeLlm, schema: ConfigSchema) -> None:
    """Nobody reads gigabytes of one line."""
    fake.says(says_raw(b"data: " + b"x" * (12 * 1024 * 1024), "text/event-stream"))
    assert "has no end" in failure(fake, schema).message


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<html>login</html>", "text/html"),
        (b"{}", "application/json"),
        (b"", "text/event-stream"),
        (b"data: nonsense\n\n", "text/event-stream"),
        (b"data: {}\n\ndata: [DONE]\n\n", "text/event-stream"),
        (b'data: {"choices": 5}\n\n', "text/event-stream"),
        (b"\xff\xfe\x00", "text/event-stream"),
        (b'data: {"error": {"message": "inside"}}\n\n', "text/event-stream"),
    ],
)
def test_what_is_no_answer_at_all(fake: FakeLlm, schema: ConfigSchema, content: bytes, kind: str) -> None:
    """A page of a hotel, an empty answer, garbage: an error of ours each time."""
    fake.says(says_raw(content, kind))
    assert isinstance(failure(fake, schema), AssistantError)


def test_a_server_that_is_not_there(schema: ConfigSchema) -> None:
    """Its place is named."""
    with pytest.raises(AssistantUnavailableError, match=r"127\.0\.0\.1:9 cannot be reached"):
        list(create_llm("openai", "x", "http://127.0.0.1:9/v1", schema=schema).stream_chat(HELLO))
    with pytest.raises(AssistantUnavailableError, match="ollama serve"):
        list(create_llm("ollama", "x", "http://127.0.0.1:9/v1", schema=schema).stream_chat(HELLO))


def test_a_connection_that_breaks(fake: FakeLlm, schema: ConfigSchema) -> None:
    """In the middle of an answer."""

    def breaks(handler: object) -> None:
        handler.begin_events()  # type: ignore[attr-defined]
        handler.raw(b'data: {"id": "c')  # type: ignore[attr-defined]
        raise ConnectionResetError

    fake.says(breaks)
    assert isinstance(failure(fake, schema), AssistantError)


def test_a_key_is_sent_and_shown_nowhere(fake: FakeLlm, schema: ConfigSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes from the environment, and what a server says of it is masked."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    fake.says(fails(400, {"error": {"message": f"Incorrect API key provided: {KEY}"}}))
    error = failure(fake, schema)
    assert fake.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(error)
    assert "***" in error.message
    assert masked(f"told {KEY}") == "told ***"
    assert KEY not in repr(assistant(fake, schema))


def test_a_compatible_server_gets_no_key_of_others(
    fake: FakeLlm, schema: ConfigSchema, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the one that is meant for it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    fake.says(proposes("ok"))
    made = create_llm("compatible", "m", fake.url, schema=schema)
    list(made.stream_chat(HELLO))
    assert KEY not in fake.asked[0].headers["authorization"]
    monkeypatch.setenv("ORCHESTRATOR_LLM_API_KEY", "for-this-one")
    list(made.stream_chat(HELLO))
    assert fake.asked[1].headers["authorization"] == "Bearer for-this-one"


@pytest.mark.parametrize(
    ("provider", "variable"),
    [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY"), ("google", "GOOGLE_API_KEY")],
)
def test_a_key_that_is_missing(schema: ConfigSchema, provider: str, variable: str) -> None:
    """The variable is named."""
    with pytest.raises(ConfigurationError, match=variable) as caught:
        list(create_llm(provider, "m", schema=schema).stream_chat(HELLO))
    assert "rule-based" in str(caught.value.to_fix)


def test_a_key_goes_nowhere_unencrypted(schema: ConfigSchema, monkeypatch: pytest.MonkeyPatch) -> None:
    """To another machine by https alone."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(ConfigurationError, match="everybody on the way") as caught:
        list(create_llm("openai", "m", "http://example.invalid/v1", schema=schema).stream_chat(HELLO))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("provider", ["anthropic", "google"])
def test_other_providers_are_told_apart(
    fake: FakeLlm, schema: ConfigSchema, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Each speaks its own language, and its failures are told in ours."""
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", KEY)
    fake.says(fails(401, {"error": {"message": "bad", "type": "authentication_error", "code": 401}}))
    with pytest.raises(AssistantUnavailableError, match="refuses the key"):
        list(create_llm(provider, "m", fake.url.removesuffix("/v1"), schema=schema).stream_chat(HELLO))
    assert len(fake.asked) == 1
    fake.says(fails(429, retry_after="3"))
    with pytest.raises(AssistantUnavailableError, match="asked too often"):
        list(create_llm(provider, "m", fake.url.removesuffix("/v1"), schema=schema).stream_chat(HELLO))
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("words", "url", "said"),
    [
        ("gpt-5", None, "no provider of language models 'gpt-5'"),
        ("openai:", None, "has no name"),
        ("compatible:m", None, "needs a URL"),
        ("openai:m", "ftp://x", "is no URL"),
        ("openai:m", "https://me:pass-word@host/v1", "is no URL"),
        ("openai:m", "not a url", "is no URL"),
    ],
)
def test_a_model_that_is_none(words: str, url: str | None, said: str) -> None:
    """It is refused before anything is asked."""
    with pytest.raises(ConfigurationError, match=said) as caught:
        LanguageModel.read(words, url)
    assert "pass-word" not in str(caught.value)


def test_nothing_to_answer(fake: FakeLlm, schema: ConfigSchema) -> None:
    """An empty message costs no request."""
    for messages in ([], [Message("user", "  ")], [Message("assistant", "Hello.")]):
        with pytest.raises(AssistantError, match="nothing to answer"):
            list(assistant(fake, schema).stream_chat(messages))
    assert fake.asked == []


def test_the_extra_is_missing(tmp_path: Path) -> None:
    """The very line that installs it is given; only then is anything imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, importlib.abc\n"
        "class Gone(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'pydantic_ai': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Gone())\n"
    )
    code = "from orchestrator.ui.assistants.llm import create_llm; create_llm('openai', 'm')"
    done = run_python(["-c", code], cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert MissingExtraError.__name__ in done.stderr
    assert "pip install 'dbt-year-orchestrator[llm]'" in done.stderr


def test_no_other_connection_is_opened(fake: FakeLlm, tmp_path: Path) -> None:
    """Neither telemetry nor prices nor anything else: the model alone is reached, and no name is looked up."""
    fake.says(proposes("Half.", {"vars.catch": 0.5}))
    done = run_python(["-c", WATCHED, fake.url, str(tmp_path)], cwd=REPOSITORY, check=True)
    overlay, reached = done.stdout.splitlines()
    assert overlay == "{'vars.catch': 0.5}"
    port = fake.url.split(":")[2].split("/")[0]
    assert set(eval(reached)) <= {f"('127.0.0.1', {port})", "127.0.0.1"}  # noqa: S307  # what we printed
    assert "pydantic" not in done.stderr.lower()
