"""What of Gradio's server may be asked: what the page needs, by this page, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Inputs = Mapping[int, Sequence[tuple[type, ...]]]
"""What each function of the page takes, by its number: the types that each of its values may have."""

MOST_OF_A_BODY = 256 * 1024  # bytes
READ = re.compile(
    r"(/|/config|/theme\.css|/favicon\.ico|/(assets|static|svelte)/[\w./@+-]+"
    r"|/gradio_api/(info|startup-events|app_id|queue/data|heartbeat/\w+|login_check|theme\.css))/?"
)
WRITTEN = re.compile(r"/gradio_api/(queue/join|cancel|reset)/?")
CALL = re.compile(r"/gradio_api/queue/join/?")
NEVER = re.compile(r"\.\.|//|\\")
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; "
        b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)


class ChatGate:
    """An ASGI application around the chat at ``path``; everything beside it is passed on.

    With ``inputs``, a call that the page cannot have made is refused here: Gradio would write a traceback.
    """

    def __init__(self, app: AsgiApp, path: str, inputs: Inputs | None = None) -> None:
        self._app, self._path, self._inputs = app, path, inputs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        path = str(scope.get("path", ""))
        if scope["type"] == "websocket" and path.startswith(self._path):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http" or not (path == self._path or path.startswith(f"{self._path}/")):
            await self._app(scope, receive, send)
            return
        within = path.removeprefix(self._path) or "/"
        status = self._refusal(scope, within)
        if status is None and self._inputs is not None and CALL.fullmatch(within):
            body = await _body(receive)
            receive = _replayed(body, receive)
            status = None if _fits(body, self._inputs) else 422
        if status is not None:
            headers = [(b"content-type", b"text/plain"), *HEADERS]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"This is not part of the chat."})
            return

        async def with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message.get("headers", [])}
                added = [(name, value) for name, value in HEADERS if name not in names]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _refusal(self, scope: Scope, path: str) -> int | None:
        """Return the status with which a request is refused, None where it is not."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if NEVER.search(path):
            return 404
        if scope["method"] in ("GET", "HEAD"):
            return None if READ.fullmatch(path) else 404
        if scope["method"] != "POST" or not WRITTEN.fullmatch(path):
            return 404
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None and site is None:
            return 403  # every browser says one of them
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            return 403
        if site not in (None, "same-origin", "none"):
            return 403
        length = headers.get("content-length", "")
        return None if length.isdigit() and int(length) <= MOST_OF_A_BODY else 413


def _fits(body: bytes, inputs: Inputs) -> bool:
    """Tell whether a call is one of the page: of one of its functions, with as many values of the right types."""
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(call, dict) or call.get("batched") or call.get("simple_format"):
        return False
    number, values = call.get("fn_index"), call.get("data")
    if type(number) is not int or number not in inputs or not isinstance(values, list):
        return False
    kinds = inputs[number]
    return len(values) == len(kinds) and all(isinstance(one, kind) for one, kind in zip(values, kinds, strict=True))


async def _body(receive: Receive) -> bytes:
    """Return the whole body of a request, whose length the gate has seen."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body") or len(body) > MOST_OF_A_BODY:
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then goes on as before."""
    waiting = [body]

    async def again() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return again
