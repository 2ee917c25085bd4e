"""The gate before every page: refuses what the guard does not allow, and gives every answer its headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote

from orchestrator.core.text import ascii_json
from orchestrator.ui.security import (
    CHAT,
    CHAT_POLICY,
    HEADERS,
    MOST_OF_A_BODY,
    OWN_POLICY,
    SAFE_METHODS,
    SESSION_SECONDS,
    UPLOADS,
    Guard,
    TooManyAttemptsError,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
OPEN = ("/sign-in", "/static/", "/favicon.ico")
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 1000
SECONDS_FOR_A_BODY = 30.0
WRONG_HOST = "This server does not answer to that name. Call it by the address that `orchestrator ui` has shown."
OTHER_ORIGIN = "This request comes from another site, and was refused."
OLD_PAGE = "This page is from before the server was started. Load it again, and repeat what you did."


class Gate:
    """An ASGI application around another one."""

    def __init__(self, app: AsgiApp, guard: Guard, seconds_for_a_body: float = SECONDS_FOR_A_BODY) -> None:
        self._app = app
        self._guard = guard
        self._seconds_for_a_body = seconds_for_a_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        cookie = _cookie(headers.get("cookie", ""), self._guard.cookie)
        refusal = self._refusal(scope, headers, cookie)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, refused=refusal is not None, cookie=cookie)
            return
        answer = _Answer(send, scope["path"])
        if refusal is not None:
            await answer.refuse(*refusal)
            return
        try:
            bearer = self._guard.has_bearer(headers.get("authorization"), _address(scope))
        except TooManyAttemptsError as error:
            await answer.refuse(429, str(error))
            return
        if not bearer and not self._may_enter(scope, cookie):
            await answer.ask_to_sign_in(scope)
            return
        known = cookie is not None and self._guard.knows_session(cookie)
        session = cookie if known and cookie is not None else self._guard.new_session(signed_in=False)
        if not known and not scope["path"].startswith("/static/"):
            answer.set_cookie(self._guard.cookie, session)
        scope.setdefault("state", {})["session"] = session
        if scope["method"] in SAFE_METHODS:
            await self._app(scope, receive, answer.send)
        else:
            await self._change(scope, headers, receive, answer, cookie, bearer=bearer)

    async def _change(
        self,
        scope: Scope,
        headers: dict[str, str],
        receive: Receive,
        answer: _Answer,
        cookie: str | None,
        *,
        bearer: bool,
    ) -> None:
        """Pass a request on that changes something, where it is not too often, too large, too slow or a stranger's."""
        if not self._guard.changes.allows(_address(scope)):
            await answer.refuse(429, "Too many requests in a minute. Wait a little, and try again.")
            return
        try:
            async with asyncio.timeout(self._seconds_for_a_body):
                body = await _body(receive)
        except TimeoutError:
            await answer.refuse(408, "The request did not come to its end in time.")
            return
        if body is None:
            await answer.refuse(413, f"The request is larger than {MOST_OF_A_BODY // 1024} kB.")
            return
        if not _is_chat(scope["path"]) and not self._accept_form(scope, headers, cookie, body, bearer=bearer):
            await answer.refuse(403, OLD_PAGE)
            return
        await self._app(scope, _replayed(body, receive), answer.send)

    def _refusal(self, scope: Scope, headers: dict[str, str], cookie: str | None) -> tuple[int, str] | None:
        if not self._guard.knows_host(headers.get("host", "")):
            return 421, WRONG_HOST
        if any(scope["path"].rstrip("/").endswith(path.removeprefix(CHAT)) for path in UPLOADS):
            return 403, "This server takes no files."
        if scope["type"] == "websocket":
            return None if self._guard.same_origin(headers) else (403, OTHER_ORIGIN)
        if scope["method"] in SAFE_METHODS:
            return None
        return None if self._guard.same_origin(headers) else (403, OTHER_ORIGIN)

    def _may_enter(self, scope: Scope, cookie: str | None) -> bool:
        free = self._guard.settings.password is None or scope["path"].startswith(OPEN)
        return free or self._guard.is_signed_in(cookie)

    def _accept_form(
        self, scope: Scope, headers: dict[str, str], cookie: str | None, body: bytes, *, bearer: bool
    ) -> bool:
        """Read the fields of a form; tell whether it was made for this session."""
        kind = headers.get("content-type", FORM).partition(";")[0].strip().lower()
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return False
        if kind != FORM:
            return False
        form = dict(fields)
        scope["state"]["form"] = form
        if bearer:
            return True  # no browser sends that by itself
        return self._guard.knows_form(cookie, headers.get("x-form-token") or form.get("form_token"))

    async def _websocket(
        self, scope: Scope, receive: Receive, send: Send, *, refused: bool, cookie: str | None
    ) -> None:
        if refused or not self._may_enter(scope, cookie):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)


class _Answer:
    """Sends an answer with the headers that every one gets."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = path
        self._extra: list[tuple[bytes, bytes]] = []

    def set_cookie(self, name: str, value: str) -> None:
        text = f"{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS}"
        self._extra.append((b"set-cookie", text.encode()))

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            policy = CHAT_POLICY if _is_chat(self._path) else OWN_POLICY
            given = [(name, value) for name, value in message.get("headers", []) if name.lower() != b"server"]
            names = {name.lower() for name, _ in given}
            ours = [("content-security-policy", policy), *HEADERS, ("cache-control", "no-store")]
            wanted = [(name.encode(), value.encode()) for name, value in ours]
            message["headers"] = [*given, *(one for one in wanted if one[0] not in names), *self._extra]
        await self._send(message)

    async def refuse(self, status: int, text: str) -> None:
        """Answer that something is not done."""
        if self._path.endswith(".json"):
            error = {"type": "Refused", "message": text, "to_fix": None}
            await self._whole(status, "application/json", ascii_json({"ok": False, "status": "failed", "error": error}))
            return
        await self._whole(status, "text/plain; charset=utf-8", text)

    async def ask_to_sign_in(self, scope: Scope) -> None:
        """Lead to the page where one signs in; a program is told what is missing."""
        if scope["method"] not in SAFE_METHODS or self._path.endswith(".json") or _wants_events(scope):
            self._extra.append((b"www-authenticate", b"Bearer"))
            await self.refuse(401, "Sign in first, or send the token as `Authorization: Bearer TOKEN`.")
            return
        await self._whole(303, "text/plain", "", location=f"/sign-in?to={quote(self._path)}")

    async def _whole(self, status: int, kind: str, text: str, location: str | None = None) -> None:
        body = text.encode()
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        if location is not None:
            headers.append((b"location", location.encode()))
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


def _cookie(header: str, name: str) -> str | None:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return None
    return None if found is None else found.value


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_chat(path: str) -> bool:
    return path == CHAT or path.startswith(f"{CHAT}/")


def _wants_events(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"])


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body of a request, None where it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MOST_OF_A_BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body that was read, and then goes on as before."""
    waiting = [body]

    async def again() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again
