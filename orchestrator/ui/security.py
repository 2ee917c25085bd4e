"""Who may call the server and how: hosts, sessions, tokens of forms, sizes and rates, headers of answers."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
import threading
from urllib.parse import urlsplit

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import OrchestratorError
from orchestrator.ui.rates import Rates
from orchestrator.ui.settings import LOOPBACK, UiSettings

SESSION_SECONDS = 12 * 3600
MOST_OF_A_BODY = 256 * 1024
CHANGES_A_MINUTE = 120
SIGN_INS_A_MINUTE = 10
MOST_SIGNED_OUT = 10_000  # sessions
CHAT = "/chat"
UPLOADS = ("/chat/gradio_api/upload", "/chat/upload")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# Gradio writes scripts and styles into its page; they still reach nothing but this server.
CHAT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
)


class TooManyAttemptsError(OrchestratorError):
    """Signals that an address has tried too many passwords in a minute."""


class Guard:
    """Decides about requests of one server; its secret lives as long as the server does."""

    def __init__(self, settings: UiSettings) -> None:
        self.settings = settings
        self.cookie = f"orchestrator-ui-{settings.port}"
        self.changes = Rates(CHANGES_A_MINUTE)
        self._attempts = Rates(SIGN_INS_A_MINUTE)
        self.most_signed_out = MOST_SIGNED_OUT
        self._signed_out: dict[str, float] = {}
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(32)
        self._known_token: bytes | None = None
        names = {*LOOPBACK, *settings.allowed_hosts}
        if settings.exposed:
            names |= {settings.host, socket.gethostname(), f"{socket.gethostname()}.local"}
        self._names = frozenset(name.lower() for name in names)

    def knows_host(self, header: str) -> bool:
        """Tell whether a Host header names this server: a foreign name that leads here is an attack (DNS rebinding)."""
        try:
            host = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        return host.lower() in self._names or (self.settings.exposed and _is_address(host))

    def same_origin(self, headers: dict[str, str]) -> bool:
        """Tell whether a request that changes something comes from a page of this server, by what its browser says."""
        origin = headers.get("origin")
        if origin is not None:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
        return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")

    def new_session(self, *, signed_in: bool) -> str:
        """Return the cookie of a new session."""
        body = f"{secrets.token_urlsafe(32)}.{int(utc_now().timestamp())}.{'in' if signed_in else 'out'}"
        return f"{body}.{self._sign('session', body)}"

    def knows_session(self, cookie: str | None) -> bool:
        """Tell whether a session is of this server, and not too old."""
        body, _, mark = (cookie or "").rpartition(".")
        if not body or not hmac.compare_digest(mark.encode(), self._sign("session", body).encode()):
            return False
        name, began, _ = body.split(".")
        return name not in self._signed_out and utc_now().timestamp() - int(began) < SESSION_SECONDS

    def is_signed_in(self, cookie: str | None) -> bool:
        """Tell whether a session is of somebody who has given the password."""
        return self.knows_session(cookie) and (cookie or "").split(".")[2] == "in"

    def sign_out(self, cookie: str | None) -> None:
        """End a session: whoever has kept its cookie is asked to sign in."""
        if cookie is None or not self.is_signed_in(cookie):
            return
        name, began, *_ = cookie.split(".")
        now = utc_now().timestamp()
        with self._lock:
            kept = {name: ends for name, ends in self._signed_out.items() if ends > now}
            kept[name] = int(began) + SESSION_SECONDS
            while len(kept) > self.most_signed_out:
                del kept[next(iter(kept))]
            self._signed_out = kept

    def has_bearer(self, authorization: str | None, address: str) -> bool:
        """Tell whether a program has sent the password.

        Raises:
            TooManyAttemptsError: too many that are not it have come from its address.
        """
        kind, _, token = (authorization or "").partition(" ")
        return self.settings.password is not None and kind.lower() == "bearer" and self.fits(token.strip(), address)

    def fits(self, token: str, address: str) -> bool:
        """Tell whether this is the password; what fitted once costs no second look, and only what does not is counted.

        Raises:
            TooManyAttemptsError: too many that are not it have come from this address.
        """
        if self.settings.password is None:
            return False
        if not self._attempts.allows(address):
            raise TooManyAttemptsError("Too many attempts to sign in.", to_fix="wait a minute, and try again")
        mark = hmac.digest(self._secret, token.encode("utf-8", "replace"), hashlib.sha256)
        known = self._known_token is not None and hmac.compare_digest(mark, self._known_token)
        if not known and not self.settings.password.fits(token):
            return False
        self._attempts.take_back(address)
        self._known_token = mark
        return True

    def form_token(self, cookie: str) -> str:
        """Return the token of a form; another one each time, so that a compressed page does not give it away."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{self._sign('form', f'{cookie}.{nonce}')}"

    def knows_form(self, cookie: str | None, token: str | None) -> bool:
        """Tell whether a form was made for this session."""
        nonce, _, mark = (token or "").partition(".")
        if cookie is None or not nonce or not self.knows_session(cookie):
            return False
        return hmac.compare_digest(mark.encode("utf-8", "replace"), self._sign("form", f"{cookie}.{nonce}").encode())

    def _sign(self, kind: str, text: str) -> str:
        return hmac.new(self._secret, f"{kind}:{text}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:40]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
