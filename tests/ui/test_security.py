"""Who may call the server, and how."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.ui.app import create_app
from orchestrator.ui.gate import Gate
from orchestrator.ui.passwords import hashed, read_hash
from orchestrator.ui.rates import Rates
from orchestrator.ui.security import CHANGES_A_MINUTE, Guard
from orchestrator.ui.settings import UiSettings
from tests.support.ui import Visitor

PHRASE = "four words nobody says"
CHANGING = (
    "/runs",
    "/runs/x/cancel",
    "/runs/x/resume",
    "/runs/x/note",
    "/health/heal",
    "/health/doctor",
    "/parameters",
    "/new-sweep",
    "/sweeps/x/cancel",
    "/sweeps/x/resume",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a workspace that nothing was run in."""
    (tmp_path / "orchestrator.yaml").write_text("dbt: {project_dir: .}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def visitor(folder: Path) -> Iterator[Visitor]:
    """Give a visitor of it."""
    with (made := Visitor(create_app(UiSettings(folder=folder, load_chat=False)))).client:
        yield made


@pytest.fixture
def guarded(folder: Path) -> Visitor:
    """Give a visitor of a server that others reach, and that has a password."""
    return Visitor(
        create_app(UiSettings(folder=folder, host="0.0.0.0", password=hashed(PHRASE), load_chat=False)),  # noqa: S104
        host="192.0.2.7:7860",
    )


def test_every_answer_has_its_headers(visitor: Visitor) -> None:
    """Nothing is run or shown that is not ours, and no other site shows us in a frame."""
    for path in ("/", "/runs", "/nothing", "/static/app.js", "/runs.json"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "[", "10.0.0.1"])
def test_a_foreign_name_is_refused(visitor: Visitor, host: str) -> None:
    """A name of somebody else's that leads to this machine shows nothing (DNS rebinding)."""
    answer = visitor.get("/runs.json", host=host)
    assert answer.status_code == 421
    assert "run_id" not in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860"])
def test_own_names_are_answered(visitor: Visitor, host: str) -> None:
    """Whatever the port is called by a proxy or a tunnel."""
    assert visitor.get("/sign-in", host=host).status_code == 303


@pytest.mark.parametrize("path", CHANGING)
def test_changes_need_a_token(visitor: Visitor, path: str) -> None:
    """A form of another site has none; that of an earlier session does not fit."""
    assert visitor.client.post(path, data={}).status_code == 403
    assert visitor.client.post(path, data={"form_token": "x.y"}).status_code == 403
    token = visitor.token("/")
    visitor.client.cookies.clear()
    assert visitor.client.post(path, data={"form_token": token}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
    ids=str,
)
def test_changes_come_from_our_own_pages(visitor: Visitor, headers: dict[str, str]) -> None:
    """Even with a token, what another site sends is refused; so is another program's page on this machine."""
    assert visitor.post("/health/doctor", None, page="/", **headers).status_code == 403
    assert visitor.client.get("/runs", headers=headers).status_code == 200  # to look is free; a browser keeps it apart


def test_only_forms_are_taken(visitor: Visitor) -> None:
    """No file, no JSON: there is nothing to upload to."""
    token = visitor.token("/")
    sent = visitor.client.post("/runs", files={"file": b"x"}, data={"form_token": token})
    assert sent.status_code == 403
    assert visitor.client.post("/runs", json={"form_token": token}).status_code == 403
    for path in ("/chat/gradio_api/upload", "/chat/upload", "/gradio_api/upload", "/chat/gradio_api/upload/"):
        assert visitor.client.post(path, files={"files": b"x"}).status_code == 403, path
    assert visitor.client.put("/runs", content=b"").status_code in (403, 405)
    assert visitor.client.request("DELETE", "/runs/x").status_code in (403, 405)


def test_large_requests_are_cut(visitor: Visitor) -> None:
    """Nobody fills the memory of the server."""
    fields = {"form_token": visitor.token("/"), "note": "x" * 300_000}
    assert visitor.client.post("/runs/x/note", data=fields).status_code == 413
    assert visitor.client.post("/chat/queue/join", content=b"x" * 300_000).status_code == 413


def test_changes_have_a_rate(visitor: Visitor) -> None:
    """What is sent too often waits; reading is not counted."""
    answers = {visitor.client.post("/nothing", data={}).status_code for _ in range(CHANGES_A_MINUTE + 5)}
    assert answers == {403, 429}
    assert visitor.get("/runs").status_code == 200


def test_the_cookie_stays_with_us(visitor: Visitor) -> None:
    """No script reads it, and no other site sends it."""
    cookie = visitor.get("/runs").headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie


def test_sessions_cannot_be_made_up(folder: Path) -> None:
    """A session is signed by the server that gave it, and ends with it."""
    guard, other = (Guard(UiSettings(folder=folder, password=hashed(PHRASE))) for _ in range(2))
    session = guard.new_session(signed_in=True)
    assert guard.is_signed_in(session) and not other.is_signed_in(session)
    assert not guard.is_signed_in(guard.new_session(signed_in=False))
    forged = re.sub(r"\.out\.", ".in.", guard.new_session(signed_in=False))
    for cookie in (None, "", "x", "a.1.in.", forged, session[:-1]):
        assert not guard.is_signed_in(cookie), cookie
    assert session.split(".")[0] != guard.new_session(signed_in=True).split(".")[0]


@pytest.mark.parametrize("path", ["/", "/runs", "/runs.json", "/results/table.csv?table=x", "/live", "/chat/"])
def test_nothing_is_seen_without_the_password(guarded: Visitor, path: str) -> None:
    """A page leads to where one signs in; everything else is refused."""
    answer = guarded.get(path)
    assert answer.status_code in (303, 401)
    assert answer.headers.get("location", "/sign-in").startswith("/sign-in")


def test_signing_in(guarded: Visitor) -> None:
    """The password opens all pages, a wrong one none; signing out closes them."""
    wrong = guarded.post("/sign-in", {"password": "not it at all"}, page="/sign-in")
    assert wrong.status_code == 403 and "That is not it" in wrong.text
    right = guarded.post("/sign-in", {"password": PHRASE, "to": "/results"}, page="/sign-in")
    assert (right.status_code, right.headers["location"]) == (303, "/results")
    assert guarded.get("/runs").status_code == 200
    guarded.post("/sign-out")
    assert guarded.get("/runs").status_code == 303


def test_signing_in_leads_nowhere_else(guarded: Visitor) -> None:
    """A prepared link to the page does not send anybody to another site."""
    for to in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        right = guarded.post("/sign-in", {"password": PHRASE, "to": to}, page="/sign-in")
        assert right.headers["location"] == "/"


def test_guessing_takes_long(guarded: Visitor) -> None:
    """After some attempts the right one has to wait as well, where they came from; the page of that shows nothing."""
    answers = [guarded.get("/runs.json", authorization=f"Bearer {n}").status_code for n in range(20)]
    assert answers[:10] == [401] * 10 and set(answers[10:]) == {429}
    assert guarded.get("/runs.json", authorization=f"Bearer {PHRASE}").status_code == 429
    page = guarded.post("/sign-in", {"password": PHRASE}, page="/sign-in")
    assert page.status_code == 429 and "wait a minute" in page.text and "Sign out" not in page.text


def test_nobody_locks_others_out(folder: Path) -> None:
    """Wrong attempts and floods of an address are its own; so are those that are no attempts to sign in."""
    app = create_app(UiSettings(folder=folder, host="0.0.0.0", password=hashed(PHRASE), load_chat=False))  # noqa: S104
    owner, stranger = (Visitor(app, "192.0.2.7:7860", address=one) for one in ("192.0.2.1", "192.0.2.66"))
    for number in range(CHANGES_A_MINUTE + 5):
        stranger.client.post("/runs", data={})
        stranger.get("/runs.json", authorization=f"Bearer {number}")
    assert stranger.get("/runs.json", authorization=f"Bearer {PHRASE}").status_code == 429
    bearer = {"authorization": f"Bearer {PHRASE}"}
    assert owner.get("/runs.json", **bearer).status_code == 200
    assert owner.post("/sign-in", {"password": PHRASE}, page="/sign-in").status_code == 303
    assert [owner.get("/runs.json", **bearer).status_code for _ in range(30)] == [200] * 30
    assert "Sign out" in owner.get("/runs").text
    assert owner.post("/sign-out").status_code == 303


def test_a_flood_of_strangers_is_not_counted(guarded: Visitor) -> None:
    """What is refused for want of a password leaves the count of changes alone, also for its own address."""
    for _ in range(CHANGES_A_MINUTE + 5):
        assert guarded.client.post("/runs", data={}).status_code == 401
    assert guarded.post("/sign-in", {"password": PHRASE}, page="/sign-in").status_code == 303


def test_any_authorization_is_no_form(guarded: Visitor) -> None:
    """Only the verified password stands for the token of a form."""
    guarded.post("/sign-in", {"password": PHRASE}, page="/sign-in")
    for text in ("Basic eDp4", "x", "Bearer", "Bearer not it"):
        sent = guarded.client.post("/runs/x/note", data={"note": "x"}, headers={"authorization": text})
        assert sent.status_code == 403, text


def test_a_session_that_ended_stays_ended(guarded: Visitor) -> None:
    """Who has kept its cookie sees nothing."""
    guarded.post("/sign-in", {"password": PHRASE}, page="/sign-in")
    (kept,) = [one.value for one in guarded.client.cookies.jar]
    guarded.post("/sign-out")
    guarded.client.cookies.clear()
    assert guarded.get("/runs", cookie=f"orchestrator-ui-7860={kept}").status_code == 303


def test_sessions_that_ended_do_not_pile_up(folder: Path) -> None:
    """Of those who signed out, so many are remembered."""
    guard = Guard(UiSettings(folder=folder, password=hashed(PHRASE)))
    guard.most_signed_out = 3
    sessions = [guard.new_session(signed_in=True) for _ in range(5)]
    for one in sessions:
        guard.sign_out(one)
    assert [guard.is_signed_in(one) for one in sessions] == [True, True, False, False, False]


def test_addresses_do_not_pile_up() -> None:
    """Of addresses, those that called last are remembered, and a minute later all may call again."""
    now = [0.0]
    rates = Rates(1, addresses=2, watch=lambda: now[0])
    assert [rates.allows(one) for one in ("a", "b", "b", "c", "c", "a")] == [True, True, False, True, False, True]
    now[0] = 61.0
    assert rates.allows("c") and rates.allows("a")


def test_a_body_that_never_comes(folder: Path) -> None:
    """It is waited for so long, and no longer."""
    sent: list[MutableMapping[str, object]] = []

    async def never() -> MutableMapping[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, object]) -> None:
        sent.append(message)

    async def beyond(*_: object) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/runs", "headers": [(b"host", b"127.0.0.1")]}
    gate = Gate(beyond, Guard(UiSettings(folder=folder)), seconds_for_a_body=0.01)
    asyncio.run(gate(scope, never, send))
    assert sent[0]["status"] == 408


def test_a_script_sends_its_token(guarded: Visitor) -> None:
    """With every request, and needs no form for what it changes."""
    bearer = {"authorization": f"Bearer {PHRASE}"}
    assert guarded.get("/runs.json", **bearer).status_code == 200
    assert guarded.client.post("/runs/x/note", data={"note": "x"}, headers=bearer).status_code == 404


def test_others_reach_it_by_its_address_alone(guarded: Visitor) -> None:
    """An address is fine, a name that anybody may register is not."""
    assert guarded.get("/sign-in", host="192.0.2.9:7860").status_code == 200
    assert guarded.get("/sign-in", host="evil.example").status_code == 421


def test_a_hash_is_read_as_it_was_written() -> None:
    """It fits its password and no other; what is no hash, or a weak one, is refused."""
    found = read_hash(hashed(PHRASE).text())
    assert found.fits(PHRASE) and not found.fits(PHRASE + "x") and not found.fits("x" * 10_000)
    assert PHRASE not in repr(found) and found.key.hex() not in repr(found)
    for text in ("", "x", "scrypt$2$8$1$00$00", "md5$1$1$1$00$00", "scrypt$99999999999$8$1$00$00", "scrypt$a$b$c$d$e"):
        with pytest.raises(ConfigurationError, match="hash"):
            read_hash(text)
    for short in ("", "short"):
        with pytest.raises(ConfigurationError, match="characters"):
            hashed(short)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2f..%2fpyproject.toml",
        "/runs/..%2f..%2fetc%2fpasswd",
        "/work/..%2f..%2fetc",
        "/results?a=run:../../etc/passwd",
        "/project?node=/etc/passwd",
    ],
)
def test_no_path_leads_out(visitor: Visitor, path: str) -> None:
    """Names are names of runs, tables and nodes, never of files."""
    answer = visitor.get(path)
    assert answer.status_code in (200, 404, 422, 500)
    assert "root:" not in answer.text and "def create_app" not in answer.text and "[project]" not in answer.text
