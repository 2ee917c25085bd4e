"""A language model on 127.0.0.1 that speaks OpenAI's language, and does what a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Reply = Callable[["Handler"], None]
PIECE = 7  # characters of a proposal that come at once


class Handler(BaseHTTPRequestHandler):
    """Answers one request with the next reply of the script."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Note what was asked, and answer."""
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length))
        fake = self.server.fake
        headers = {name.lower(): value for name, value in self.headers.items()}
        fake.asked.append(Asked(self.path, headers, body))
        try:
            fake.next_reply()(self)
        except (BrokenPipeError, ConnectionResetError):
            fake.hung_up.set()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def begin_events(self) -> None:
        """Begin a stream of events, which ends with the connection."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def event(self, document: object) -> None:
        """Send one event."""
        self.raw(f"data: {json.dumps(document)}\n\n".encode())

    def raw(self, content: bytes) -> None:
        """Send bytes."""
        self.wfile.write(content)
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    """The server; its threads end with the process."""

    daemon_threads = True
    fake: FakeLlm


@dataclass(frozen=True)
class Asked:
    """A request: its path, headers and JSON."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, object]

    @property
    def text(self) -> str:
        """All of it as text."""
        return json.dumps(self.body, ensure_ascii=False)


@dataclass
class FakeLlm:
    """What was ``asked`` and what is answered next; the last reply of the script is repeated."""

    url: str = ""
    script: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def says(self, *replies: Reply) -> None:
        """Set what is answered from now on."""
        self.script = list(replies)

    def next_reply(self) -> Reply:
        """Return what is answered now."""
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def proposes(
    answer: str,
    changes: Mapping[str, object] | None = None,
    *,
    name: str | None = None,
    questions: Sequence[str] = (),
    not_understood: Sequence[str] = (),
) -> Reply:
    """Return a reply that calls the tool with a proposal, piece by piece."""
    listed = [{"key": key, "value": value, "words": "so"} for key, value in (changes or {}).items()]
    document = {"answer": answer, "name": name, "changes": listed, "questions": list(questions)}
    return calls("propose", json.dumps(document | {"not_understood": list(not_understood)}))


def calls(tool: str, arguments: str) -> Reply:
    """Return a reply that calls a tool."""

    def reply(handler: Handler) -> None:
        handler.begin_events()
        for number, start in enumerate(range(0, max(len(arguments), 1), PIECE)):
            function: dict[str, object] = {"arguments": arguments[start : start + PIECE]}
            call: dict[str, object] = {"index": 0, "function": function}
            if number == 0:
                function["name"] = tool
                call |= {"id": "call_1", "type": "function"}
            handler.event(chunk({"tool_calls": [call]}))
        end(handler, "tool_calls")

    return reply


def talks(text: str) -> Reply:
    """Return a reply in plain text, without a proposal."""

    def reply(handler: Handler) -> None:
        handler.begin_events()
        handler.event(chunk({"role": "assistant", "content": text}))
        end(handler, "stop")

    return reply


def fails(status: int, document: object = None, **headers: str) -> Reply:
    """Return a reply with an HTTP status."""

    def reply(handler: Handler) -> None:
        content = json.dumps(document if document is not None else {"error": {"message": "no"}}).encode()
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.raw(content)

    return reply


def says_raw(content: bytes, kind: str = "application/json") -> Reply:
    """Return a reply of any bytes."""

    def reply(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", kind)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.raw(content)

    return reply


def stalls(fake: FakeLlm, after: str = "") -> Reply:
    """Return a reply that begins, and then says nothing until the test releases it or the other side hangs up."""

    def reply(handler: Handler) -> None:
        handler.begin_events()
        if after:
            function = {"name": "propose", "arguments": f'{{"answer": "{after}'}
            call = {"index": 0, "id": "call_1", "type": "function", "function": function}
            handler.event(chunk({"tool_calls": [call]}))
        while not fake.released.wait(0.05):
            handler.raw(b": still here\n\n")

    return reply


def babbles() -> Reply:
    """Return a reply without an end."""

    def reply(handler: Handler) -> None:
        handler.begin_events()
        function = {"name": "propose", "arguments": '{"answer": "'}
        call: dict[str, object] = {"index": 0, "id": "call_1", "type": "function", "function": function}
        handler.event(chunk({"tool_calls": [call]}))
        while True:
            handler.event(chunk({"tool_calls": [{"index": 0, "function": {"arguments": "bla " * 1000}}]}))

    return reply


def chunk(delta: Mapping[str, object], finish: str | None = None) -> dict[str, object]:
    """Return one piece of an answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": [choice]}


def end(handler: Handler, reason: str) -> None:
    """End an answer."""
    handler.event(chunk({}, reason))
    handler.raw(b"data: [DONE]\n\n")


@contextmanager
def running_llm() -> Iterator[FakeLlm]:
    """Start the server and end it."""
    server = Server(("127.0.0.1", 0), Handler)
    server.fake = FakeLlm(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.fake
    finally:
        server.fake.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
