"""What of Gradio's server may be asked: what the page needs, by this page, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_OF_A_BODY = 256 * 1024  # bytes
READ = re.compile(
    r"(/|/config|/theme\.css|/favicon\.ico|/(assets|static|svelte)/[\w./@+-]+"
    r"|/gradio_api/(info|startup-events|app_id|queue/data|heartbeat/\w+|login_check|theme\.css))/?"
)
WRITTEN = re.compile(r"/gradio_api/(queue/join|cancel|reset)/?")
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
    """An ASGI application around the chat at ``path``; everything beside it is passed on."""

    def __init__(self, app: AsgiApp, path: str) -> None:
        self._app, self._path = app, path

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
        status = self._refusal(scope, path.removeprefix(self._path) or "/")
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
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower():
            return 403
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return 403
        length = headers.get("content-length", "")
        return None if length.isdigit() and int(length) <= MOST_OF_A_BODY else 413
