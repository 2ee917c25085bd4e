"""The chat in a real browser, with a language model on 127.0.0.1."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from orchestrator.storage.factory import create_storage_backend
from tests.support.browser import PATIENCE, WIDTHS, Visit, running_browser, visiting, why_no_browser, widens
from tests.support.fake_llm import FakeLlm, fails, proposes, running_llm, stalls
from tests.support.processes import GENEROUS, wait_until
from tests.support.programs import start_python
from tests.support.workspaces import REPOSITORY

EVIL = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script><b>bold</b>"
LEFT = re.compile("AbortError: signal is aborted|Connection errored out|network error|ERR_INCOMPLETE|Failed to fetch")
expect.set_options(timeout=PATIENCE)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(why_no_browser() is not None, reason=str(why_no_browser())),
]


class Chat:
    """The chat alone, in a process of its own; it may be ended and started again."""

    def __init__(self, folder: Path, fake: FakeLlm) -> None:
        self.folder, self.fake = folder, fake
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = start_python(
            ["-m", "tests.support.chat_server", str(self.folder), str(self.port), self.fake.url], cwd=REPOSITORY
        )
        wait_until(self.answers, "the chat answers")

    def answers(self) -> bool:
        """Tell whether it is there."""
        assert self.process is not None and self.process.poll() is None
        try:
            return self.status("/chat/") == 200
        except urllib.error.URLError:
            return False

    def end(self) -> None:
        """End it as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=GENEROUS)

    def status(self, path: str, body: bytes | None = None, **headers: str) -> int:
        """Return the status with which a request is answered."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.base + path, data=body, headers=named)  # noqa: S310  # our own server
        try:
            with urllib.request.urlopen(request, timeout=GENEROUS) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser."""
    with running_browser() as made:
        yield made


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLlm]:
    """Start a language model."""
    with running_llm() as made:
        yield made


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory, fake: FakeLlm) -> Iterator[Chat]:
    """Start a chat."""
    made = Chat(tmp_path_factory.mktemp("chat"), fake)
    made.start()
    yield made
    made.end()


@pytest.fixture(autouse=True)
def _fresh(chat: Chat, fake: FakeLlm) -> Iterator[None]:
    """Forget the scenarios and the requests of other tests."""
    shutil.rmtree(chat.folder / "config" / "scenarios", ignore_errors=True)
    fake.asked.clear()
    fake.released.clear()
    fake.hung_up.clear()
    fake.says(proposes("Half of the stock.", {"vars.catch": 0.5, "simulation.end_year": 2035}, name="half"))
    yield
    fake.released.set()


@contextmanager
def talking(
    browser: Browser, chat: Chat, path: str = "/chat/", *, width: int = 1440, dark: bool = False
) -> Iterator[Page]:
    """Open the chat in a browser of its own, which may complain of nothing and reach nobody else."""
    with visiting(browser, chat.base, width=width, dark=dark) as visit:
        page = visit.open(path)
        page.locator("#question textarea").wait_for()
        yield page
        forget_leaving(visit)


def forget_leaving(visit: Visit) -> None:
    """Leave out what Gradio complains of where its page is left while one of its streams is open."""
    visit.complaints[:] = [one for one in visit.complaints if not LEFT.search(one)]


def say(page: Page, text: str) -> None:
    """Type a message and send it with the button."""
    page.locator("#question textarea").fill(text)
    page.locator("#send").click()


def session_of(page: Page) -> str:
    """Return the id in the address, once it is there."""
    page.wait_for_function("/session=[0-9a-f-]{36}/.test(location.href)")  # replaceState() is no navigation
    address: str = page.evaluate("location.href")
    return address.partition("session=")[2]


def test_from_words_to_a_run(browser: Browser, chat: Chat) -> None:
    """Describe, see before and after, validate, download, save, run; and a second save asks before it replaces."""
    with talking(browser, chat) as page:
        page.get_by_role("button", name="Quota of 20").click()
        expect(page.locator("#question textarea")).to_have_value("Quota of 20")
        say(page, "catch half of it until 2035")
        expect(page.locator("#panel")).to_contain_text("simulation.end_year")
        expect(page.locator("#talk")).to_contain_text("catch half of it until 2035")
        expect(page.locator("#talk")).to_contain_text("Half of the stock.")
        expect(page.locator("#question textarea")).to_have_value("")
        cells = page.locator("#panel tbody tr").first.locator("th, td").all_inner_texts()
        assert cells == ["catch", "0.3", "0.5", "so"]
        expect(page.locator("#name input, #name textarea")).to_have_value("half")
        page.get_by_role("button", name="Validate").click()
        expect(page.locator("#outcome")).to_contain_text("Valid: 2 changes.")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download YAML").click()
        assert downloading.value.suggested_filename == "half.yaml"
        text = Path(str(downloading.value.path())).read_text()
        assert text == "database: var/half.duckdb\nvars:\n  catch: 0.5\nsimulation:\n  end_year: 2035\n"
        page.get_by_role("button", name="Save as scenario").click()
        expect(page.locator("#outcome")).to_contain_text("Saved")
        saved = chat.folder / "config" / "scenarios" / "half.yaml"
        assert saved.read_text() == text
        saved.write_text("vars: {catch: 0.1}\n")
        page.get_by_role("button", name="Save as scenario").click()
        expect(page.locator("#outcome")).to_contain_text("already")
        assert saved.read_text() == "vars: {catch: 0.1}\n"
        page.get_by_label("Replace a scenario of that name").check()
        page.get_by_role("button", name="Save as scenario").click()
        expect(page.locator("#outcome")).to_contain_text("Saved")
        assert saved.read_text() == text
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator("#outcome a")).to_have_attribute("href", "/runs/of-half")
        assert (chat.folder / "runs.txt").read_text().splitlines()[-1] == "half"


def test_a_conversation_outlives_server_and_browser(browser: Browser, chat: Chat, fake: FakeLlm) -> None:
    """The same browser finds it again without its address, another one with it, and a third one knows nothing of it."""
    with visiting(browser, chat.base) as visit:
        page = visit.open("/chat/")
        say(page, "catch half of it")
        expect(page.locator("#panel")).to_contain_text("half")
        session = session_of(page)
        page.close()
        chat.end()
        chat.start()
        page = visit.open("/chat/")
        expect(page.locator("#talk")).to_contain_text("Half of the stock.")
        assert session_of(page) == session
        say(page, "and now?")
        expect(page.locator("#talk")).to_contain_text("and now?")
        page.locator("#talk").get_by_text("Half of the stock.").nth(1).wait_for()
        assert "catch half of it" in fake.asked[-1].text
        page.goto(f"{chat.base}/chat/?session=new", wait_until="domcontentloaded")
        page.get_by_text("Earlier ones in this browser").click()
        expect(page.get_by_role("link", name="catch half of it")).to_be_visible()
        forget_leaving(visit)
    with talking(browser, chat, f"/chat/?session={session}") as page:
        expect(page.locator("#talk")).to_contain_text("Half of the stock.")
        expect(page.locator("#panel")).to_contain_text("0.5")
    with talking(browser, chat) as page:
        expect(page.get_by_role("link", name="New conversation")).to_be_visible()
        assert "catch half of it" not in page.content()
        assert session not in page.content()


def test_a_session_that_is_none(browser: Browser, chat: Chat) -> None:
    """It is said, and nothing of the address is believed."""
    for session in ("nobody", "..%2F..%2Fetc", "%3Cscript%3Ealert(1)%3C/script%3E", "x" * 2000):
        with talking(browser, chat, f"/chat/?session={session}") as page:
            expect(page.locator("#outcome")).to_contain_text("There is no such conversation")


def test_answers_cannot_inject(browser: Browser, chat: Chat, fake: FakeLlm) -> None:
    """Neither as they come nor when they are read again from the store: what looks like markup is shown as text."""
    fake.says(proposes(EVIL, {"vars.catch": 0.5}, questions=[EVIL], not_understood=[EVIL]))
    with talking(browser, chat) as page:
        say(page, EVIL)
        for _ in range(2):
            expect(page.locator("#panel .questions")).to_contain_text("<b>bold</b>")
            expect(page.locator("#talk .bot .md")).to_have_text(re.compile("onerror=document"))
            expect(page.locator("#talk .user .md")).to_have_text(re.compile("<\u2060?script>"))
            assert page.locator("#talk .message img, #talk .message b, #talk .message script, #panel img").count() == 0
            assert page.title() == "Chat"
            page.goto(f"{chat.base}/chat/?session={session_of(page)}", wait_until="domcontentloaded")


def test_what_somebody_else_stored_cannot_inject(browser: Browser, chat: Chat) -> None:
    """Whatever another program has written into the tables."""
    with create_storage_backend(f"sqlite:///{chat.folder / 'var' / 'orchestrator.db'}") as backend:
        session = backend.chat_sessions.create_session(EVIL)
        proposal = {"name": EVIL, "changes": [{"key": EVIL, "value": EVIL, "words": EVIL}], "questions": [EVIL]}
        backend.chat_sessions.add_message(session, "assistant", EVIL, {"proposal": proposal})
    with talking(browser, chat, f"/chat/?session={session}") as page:
        expect(page.locator("#panel .questions")).to_contain_text("<b>bold</b>")
        expect(page.locator("#panel .errors")).to_be_visible()
        assert page.locator("#talk .message img, #talk .message b, #panel img, #panel script").count() == 0
        assert page.title() == "Chat"


def test_text_comes_as_it_is_said_and_can_be_stopped(browser: Browser, chat: Chat, fake: FakeLlm) -> None:
    """A model that stalls in the middle of its answer: its words are there, Stop ends it, the conversation goes on."""
    fake.says(stalls(fake, "Let me think about the fish"), proposes("Done.", {"vars.catch": 0.5}))
    with talking(browser, chat) as page:
        say(page, "catch half of it")
        expect(page.locator("#talk")).to_contain_text("Let me think about the fish")
        expect(page.locator("#send")).to_be_disabled()
        page.locator("#stop").click()
        expect(page.locator("#talk")).to_contain_text("(Stopped.)")
        assert fake.hung_up.wait(GENEROUS)
        expect(page.locator("#send")).to_be_enabled()
        say(page, "again")
        expect(page.locator("#talk")).to_contain_text("Done.")


def test_an_answer_is_finished_for_a_closed_browser(browser: Browser, chat: Chat, fake: FakeLlm) -> None:
    """Whoever comes back in the middle of it sees it go on."""
    fake.says(stalls(fake, "Let me think"))
    with talking(browser, chat) as page:
        say(page, "catch half of it")
        expect(page.locator("#talk")).to_contain_text("Let me think")
        session = session_of(page)
    with talking(browser, chat, f"/chat/?session={session}") as page:
        expect(page.locator("#talk")).to_contain_text("Let me think")
        page.locator("#stop").click()
        expect(page.locator("#talk")).to_contain_text("(Stopped.)")


def test_a_model_that_fails_is_told_in_the_conversation(browser: Browser, chat: Chat, fake: FakeLlm) -> None:
    """With what to do about it."""
    fake.says(fails(429, retry_after="17"), fails(401))
    with talking(browser, chat) as page:
        say(page, "hello")
        expect(page.locator("#talk")).to_contain_text("try again in 17 seconds")
        say(page, "hello again")
        expect(page.locator("#talk")).to_contain_text("OPENAI_API_KEY")
        page.get_by_role("button", name="Save as scenario").click()
        expect(page.locator("#outcome")).to_contain_text("Nothing is proposed yet")


def test_by_keyboard_alone(browser: Browser, chat: Chat) -> None:
    """From the first key to the saved file, with the focus in sight all the time."""
    with talking(browser, chat) as page:
        expect(page.locator("#question textarea")).to_be_focused()
        page.keyboard.type("catch half of it")
        page.keyboard.press("Enter")
        expect(page.locator("#panel")).to_contain_text("0.5")
        for name in ("Validate", "Save as scenario"):
            for _ in range(30):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement.innerText.trim()") == name:
                    break
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
            page.keyboard.press("Enter")
            expect(page.locator("#outcome")).to_contain_text("Valid" if name == "Validate" else "Saved")
        assert (chat.folder / "config" / "scenarios" / "half.yaml").is_file()


def test_what_is_said_while_the_page_opens(browser: Browser, chat: Chat) -> None:
    """It waits until the page is filled, which would wipe it otherwise; then it is sent once."""
    held: list[Route] = []
    released: list[bool] = []
    with visiting(browser, chat.base) as visit:
        page = visit.context.new_page()
        page.route("**/queue/join*", lambda route: route.continue_() if released else held.append(route))
        visit.go(page, "/chat/")
        expect(page.locator("#question textarea")).to_be_focused()
        page.keyboard.type("catch half of it")
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)  # milliseconds in which it could be sent too early
        assert len(held) == 1
        released.append(True)
        held[0].continue_()
        expect(page.locator("#panel")).to_contain_text("0.5")
        expect(page.locator("#talk")).to_contain_text("Half of the stock.")
        forget_leaving(visit)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_in_light_and_dark(browser: Browser, chat: Chat, fake: FakeLlm, width: int, *, dark: bool) -> None:
    """Nothing is cut off, nothing hard to read, and axe finds nothing serious."""
    fake.says(proposes("Half. Nets or lines?", {"vars.catch": 0.5}, questions=["Which gear?"], not_understood=["hm"]))
    with talking(browser, chat, width=width, dark=dark) as page:
        assert serious(page) == []
        say(page, "catch half of it")
        expect(page.locator("#panel")).to_contain_text("Which gear?")
        page.locator(".yaml summary").click()
        page.get_by_role("button", name="Validate").click()
        expect(page.locator("#outcome")).to_contain_text("1 question is open")
        assert not widens(page)
        assert serious(page) == []
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == ("rgb(19, 24, 28)" if dark else "rgb(246, 247, 248)")


def serious(page: Page) -> list[str]:
    """Return what axe finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


def test_the_server_answers_its_own_page_alone(chat: Chat) -> None:
    """No uploads, no files, no foreign hosts, no foreign origins, nothing that the page does not need."""
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nhello\r\n--x--\r\n'
    kind = {"content_type": "multipart/form-data; boundary=x"}
    assert chat.status("/chat/gradio_api/upload", form, **kind) == 404
    assert chat.status("/chat/gradio_api/upload/", form, **kind) == 404
    for path in (
        "/chat/gradio_api/file=/etc/passwd",
        "/chat/gradio_api/file/etc/passwd",
        "/chat/gradio_api/proxy=https://example.com/",
        "/chat/gradio_api/runs",
        "/chat/gradio_api/run-history/records",
        "/chat/gradio_api/deep_link?session_hash=x",
        "/chat/monitoring",
        "/chat/assets/../../../pyproject.toml",
        "/chat/static/%2e%2e/%2e%2e/routes.py",
        "/chat//etc/passwd",
        "/docs",
    ):
        assert chat.status(path) == 404, path
    join = json.dumps({"data": [], "fn_index": 0, "session_hash": "x"}).encode()
    json_kind = {"content_type": "application/json"}
    path = "/chat/gradio_api/queue/join"
    assert chat.status(path, join, origin="http://evil.example", **json_kind) == 403
    assert chat.status(path, join, sec_fetch_site="cross-site", **json_kind) == 403
    assert chat.status(path, join, **json_kind) == 403
    assert chat.status(path, b"x" * 300_000, origin=chat.base, **json_kind) == 413
    assert chat.status("/chat/", host="evil.example") == 400
    assert chat.status("/chat/") == 200


def test_the_program_alone_refuses_other_machines() -> None:
    """It asks for no password, so it stays on this one."""
    code = (
        "from orchestrator.ui.gradio_chat import GradioChatUI; "
        "GradioChatUI.app(object.__new__(GradioChatUI), '0.0.0.0')"
    )
    process = start_python(["-c", code], cwd=REPOSITORY)
    _, said = process.communicate(timeout=GENEROUS)
    assert "is not served at 0.0.0.0" in said
    assert "--token" in said
