"""The page of the chat: its parts, and what each of them does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.core.errors import OrchestratorError
from orchestrator.ui.chat import look, markup
from orchestrator.ui.chat.conversations import MOST_OF_A_QUESTION

if TYPE_CHECKING:
    from orchestrator.ui.gradio_chat import GradioChatUI

MOST_AT_ONCE = 16
KINDS: dict[str, tuple[type, ...]] = {"Textbox": (str, type(None)), "Checkbox": (bool, type(None))}
Browser = dict[str, str]
State = tuple[object, ...]


@dataclass(frozen=True)
class Parts:
    """What of the page changes."""

    talk: Any
    question: Any
    send: Any
    stop: Any
    panel: Any
    name: Any
    session: Any
    sessions: Any
    browser: Any
    outcome: Any

    def conversation(self) -> list[Any]:
        """Return what a conversation fills, in the order of :meth:`Events.state`."""
        return [
            self.talk,
            self.panel,
            self.name,
            self.session,
            self.sessions,
            self.browser,
            self.outcome,
            self.question,
            self.send,
            self.stop,
        ]


def make_page(gradio: Any, chat: GradioChatUI, secret: str, sentences: Sequence[str]) -> Any:
    """Make the page; ``sentences`` are examples, ``secret`` is what the browser's memory is written with."""
    with gradio.Blocks(title=look.TITLE, analytics_enabled=False, fill_width=True) as page:
        if chat.pages:
            gradio.HTML(markup.bar_html(chat.pages))
        gradio.HTML(markup.HEADING)
        sessions = gradio.HTML("")
        browser = gradio.BrowserState({}, storage_key=look.STORAGE_KEY, secret=secret)
        session = gradio.Textbox(visible="hidden", label="Session")
        file_name, file_text = (gradio.Textbox(visible="hidden", label=label) for label in ("File", "Text"))
        with gradio.Row(elem_id="columns"):
            with gradio.Column(scale=6, min_width=280):
                talk = gradio.Chatbot(
                    elem_id="talk",
                    label="Conversation",
                    show_label=False,
                    height="min(30rem, 60vh)",
                    render_markdown=False,
                    sanitize_html=True,
                    allow_tags=False,
                    latex_delimiters=[],
                    allow_file_downloads=False,
                    feedback_options=None,
                    buttons=[],
                    layout="bubble",
                    placeholder="Say what you want to simulate, or choose a sentence below.",
                )
                question = gradio.Textbox(
                    elem_id="question",
                    label="Your message",
                    placeholder="For example: " + (sentences[0] if sentences else "until 2035"),
                    lines=1,
                    max_lines=6,
                    max_length=MOST_OF_A_QUESTION,
                    autofocus=True,
                )
                with gradio.Row(elem_id="asking"):
                    send = gradio.Button("Send", variant="primary", elem_id="send")
                    stop = gradio.Button("Stop", elem_id="stop", interactive=False)
                if sentences:
                    with gradio.Row(elem_id="examples"):
                        for sentence in sentences:
                            button = gradio.Button(sentence, size="sm")
                            fill = f"() => {json.dumps(sentence)}"
                            button.click(None, None, question, js=fill, api_visibility="private")
            with gradio.Column(scale=5, min_width=280):
                panel = gradio.HTML(markup.NOTHING, elem_id="panel")
                name = gradio.Textbox(label="Name of the scenario", max_length=80, elem_id="name")
                replace = gradio.Checkbox(label="Replace a scenario of that name", value=False, elem_id="replace")
                with gradio.Row(elem_id="actions"):
                    validate = gradio.Button("Validate", elem_id="validate")
                    download = gradio.Button("Download YAML", elem_id="download")
                    save = gradio.Button("Save as scenario", elem_id="save")
                    run = gradio.Button("Run", variant="primary", elem_id="run") if chat.can_run else None
                outcome = gradio.HTML("", elem_classes=["outcome"], elem_id="outcome")
        parts = Parts(talk, question, send, stop, panel, name, session, sessions, browser, outcome)
        events = Events(chat, gradio)
        private = {"api_visibility": "private", "show_progress": "hidden"}
        many = {"concurrency_limit": MOST_AT_ONCE}
        page.load(events.open(), [browser], parts.conversation(), **private, **many)
        for trigger in (send.click, question.submit):
            opened = trigger(None, None, None, js=look.OPENED_JS, api_visibility="private")
            opened.then(events.say, [question, session, browser], parts.conversation(), **private, **many)
        stop.click(events.stop, [session], [outcome], concurrency_limit=None, **private)
        session.change(None, [session], None, js=look.ADDRESS_JS, api_visibility="private")
        validate.click(events.validate, [session], [outcome], **private)
        download.click(events.download, [session], [file_name, file_text, outcome], **private).then(
            None, [file_name, file_text], None, js=look.DOWNLOAD_JS, api_visibility="private"
        )
        save.click(events.save, [session, name, replace], [outcome, replace], **private)
        if run is not None:
            run.click(events.run, [session, name], [outcome], **private)
    page.queue(default_concurrency_limit=MOST_AT_ONCE, max_size=200, api_open=False)
    return page


def inputs_of(page: Any) -> dict[int, list[tuple[type, ...]]]:
    """Return what each function of a page takes, by its number: the types that each of its values may have."""
    return {
        number: [KINDS.get(type(one).__name__, (object,)) for one in function.inputs]
        for number, function in page.fns.items()
        if function.fn is not None
    }


class Events:
    """What happens when somebody does something."""

    def __init__(self, chat: GradioChatUI, gradio: Any) -> None:
        self._chat, self._gradio = chat, gradio

    def open(self) -> Callable[..., Iterator[State]]:
        """Return what fills the page when it is opened: the conversation of its address, else the browser's last."""

        def opened(browser: Any, request: Any) -> Iterator[State]:
            wanted = str(request.query_params.get("session") or "")
            memory = _memory(browser)
            session = wanted or memory.get("session", "")
            try:
                missing = wanted not in ("", "new") and not self._chat.conversations.exists(wanted)
                if not self._chat.conversations.exists(session):
                    session = ""
                outcome = markup.status_html("There is no such conversation.", bad=True) if missing else ""
                yield from self._follow(session, self._chat.watch(session), memory, outcome)
            except OrchestratorError as error:
                yield self._state("", memory, markup.error_html(error), going_on=None)

        opened.__annotations__["request"] = self._gradio.Request
        return opened

    def say(self, question: str, session: str, browser: Any) -> Iterator[State]:
        """Begin an answer, and show it as it comes."""
        memory = _memory(browser)
        conversations = self._chat.conversations
        try:
            if not question.strip():
                yield self._state(session, memory, markup.status_html("Say something first.", bad=True), going_on=None)
                return
            if not conversations.exists(session):
                session = conversations.begin(memory["user"])
            yield from self._follow(session, self._chat.generate_config(question, session), memory, "", said=True)
        except OrchestratorError as error:
            yield self._state(session, memory, markup.error_html(error), going_on=None)

    def stop(self, session: str) -> str:
        """Stop the answer that is going on."""
        answer = self._chat.conversations.answering(session)
        if answer is None:
            return markup.status_html("No answer is being given.")
        answer.stop()
        return markup.status_html("Stopped.")

    def validate(self, session: str) -> str:
        """Say whether what is proposed fits."""
        try:
            checked = self._chat.validate_config(session)
        except OrchestratorError as error:
            return markup.error_html(error)
        if checked.errors:
            return markup.status_html(" ".join(checked.errors), bad=True)
        count = len(checked.changes)
        asked = len(checked.questions)
        is_open = f" {asked} question{' is' if asked == 1 else 's are'} open." if asked else ""
        return markup.status_html(f"Valid: {count} change{'' if count == 1 else 's'}.{is_open}")

    def download(self, session: str) -> tuple[str, str, str]:
        """Return name and text of the file."""
        try:
            name, text = self._chat.download_config(session)
        except OrchestratorError as error:
            return "", "", markup.error_html(error)
        return name, text, markup.status_html(f"{name} is in your downloads.")

    def save(self, session: str, name: str, replace: object) -> tuple[str, bool]:
        """Write the scenario file."""
        try:
            path = self._chat.save_config(session, name, replace=bool(replace))
        except (OrchestratorError, OSError) as error:
            return markup.error_html(error), bool(replace)
        return markup.status_html(f"Saved: {path}"), False

    def run(self, session: str, name: str) -> str:
        """Save the scenario and start a run of it."""
        try:
            chosen, address = self._chat.start_run(session, name)
        except (OrchestratorError, OSError) as error:
            return markup.error_html(error)
        return markup.link_html(f"{chosen} is running.", address, "Watch it live")

    def _follow(
        self, session: str, answer: Iterator[str], memory: Browser, outcome: str, *, said: bool = False
    ) -> Iterator[State]:
        memory = {**memory, "session": session} if session else memory
        is_first = True
        for text in answer:
            yield self._state(session, memory, outcome, going_on=text, clear=said and is_first, whole=is_first)
            is_first = False
        yield self._state(session, memory, outcome, going_on=None, clear=said and is_first)

    def _state(
        self,
        session: str,
        memory: Browser,
        outcome: str,
        *,
        going_on: str | None,
        clear: bool = False,
        whole: bool = True,
    ) -> State:
        """Return the values of :meth:`Parts.conversation`; without ``whole`` only what is said changes."""
        skip = self._gradio.skip()
        update = self._gradio.update
        talk = self._chat.shown(session, going_on) if session else []
        question = update(value="") if clear else skip
        busy = going_on is not None
        if not whole:
            return (talk, *([skip] * 9))
        proposal = self._chat.conversations.proposal(session) if session else None
        recent = self._chat.conversations.recent(memory["user"])
        return (
            talk,
            self._chat.panel(session) if session else markup.NOTHING,
            skip if busy else (proposal.name or "") if proposal is not None else "",
            session,
            markup.sessions_html(session, recent),
            memory,
            outcome,
            question,
            update(interactive=not busy),
            update(interactive=busy),
        )


def _memory(browser: Any) -> Browser:
    """Return what a browser has kept, as a stranger's: who it is, and its last conversation."""
    found = browser if isinstance(browser, dict) else {}
    kept = {key: value for key, value in found.items() if key in ("user", "session") and isinstance(value, str)}
    user = kept.get("user", "")
    return {**kept, "user": user if 16 <= len(user) <= 64 else secrets.token_urlsafe(16)}
