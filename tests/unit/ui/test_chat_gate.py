"""What of the chat's server may be asked."""

from __future__ import annotations

import json

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from orchestrator.ui.chat.gate import ChatGate, Receive, Scope, Send

JOIN = "/chat/gradio_api/queue/join"
OWN = {"origin": "http://testserver"}
TEXT = (str, type(None))


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await PlainTextResponse(body)(scope, receive, send)


@pytest.fixture
def client() -> TestClient:
    """Give a browser of a page whose function 3 takes a text, a tick and anything."""
    return TestClient(ChatGate(_echo, "/chat", {3: [TEXT, (bool,), (object,)]}))


def test_a_call_of_the_page_is_passed_on(client: TestClient) -> None:
    """With its body as it came; any of the two signs of a browser will do."""
    call = json.dumps({"fn_index": 3, "data": ["a", True, {"b": 1}], "session_hash": "x"})
    for headers in (OWN, {"sec-fetch-site": "same-origin"}):
        answer = client.post(JOIN, content=call, headers=headers)
        assert (answer.status_code, answer.text) == (200, call)


def test_what_no_browser_sends_is_refused(client: TestClient) -> None:
    """Neither Origin nor Sec-Fetch-Site: somebody who hides where it comes from."""
    for path in (JOIN, "/chat/gradio_api/cancel", "/chat/gradio_api/reset"):
        assert client.post(path, content="{}").status_code == 403, path


@pytest.mark.parametrize(
    "call",
    [
        "",
        "nonsense",
        "[" * 100_000,
        "[]",
        '{"fn_index": 4, "data": ["a", true, 1]}',
        '{"fn_index": true, "data": ["a", true, 1]}',
        '{"fn_index": [3], "data": ["a", true, 1]}',
        '{"fn_index": 3, "data": ["a", true]}',
        '{"fn_index": 3, "data": [{"a": 1}, true, 1]}',
        '{"fn_index": 3, "data": ["a", "yes", 1]}',
        '{"fn_index": 3, "data": "abc"}',
        '{"fn_index": 3, "data": ["a", true, 1], "batched": true}',
    ],
    ids=lambda call: call[:40],
)
def test_a_call_that_the_page_does_not_make(client: TestClient, call: str) -> None:
    """It is refused before Gradio sees it."""
    assert client.post(JOIN, content=call, headers=OWN).status_code == 422
