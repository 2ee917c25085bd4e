"""One answer that is being given: a thread listens to the assistant, and anybody may watch."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.core.errors import OrchestratorError
from orchestrator.core.masking import masked
from orchestrator.ui.assistants.base import Assistant, Message, Proposal

logger = logging.getLogger(__name__)

MOST_OF_AN_ANSWER = 20_000  # characters that are kept
STOPPED = "(Stopped.)"
CUT = "(Cut: it was too long.)"


@dataclass(frozen=True)
class Said:
    """What an assistant has said: ``text``, and the ``proposal`` at the end; ``failed`` where the text is an error."""

    text: str
    proposal: Proposal | None = None
    failed: bool = False
    stopped: bool = False


class Answer:
    """An answer that is being given. It goes on whether somebody watches or not; ``keep`` stores what was said."""

    def __init__(self, assistant: Assistant, messages: Sequence[Message], keep: Callable[[Said], None]) -> None:
        self._assistant, self._messages, self._keep = assistant, tuple(messages), keep
        self._changed = threading.Condition()
        self._text, self._version, self._is_over = "", 0, False
        self._stop = threading.Event()
        threading.Thread(target=self._run, name="answer", daemon=True).start()

    def stop(self) -> None:
        """Ask it to end; what was said until then is kept."""
        self._stop.set()

    def wait(self, version: int, timeout: float) -> tuple[int, str, bool]:
        """Return version, text, and whether it is over, as soon as there is more than ``version``, or after a time."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != version or self._is_over, timeout)
            return self._version, self._text, self._is_over

    def _run(self) -> None:
        try:
            said = self._listen()
        except OrchestratorError as error:
            said = Said(masked(str(error)), failed=True)
        except Exception as error:
            logger.exception("the assistant failed")
            said = Said(f"The assistant failed: unexpected {type(error).__name__}. The log says more.", failed=True)
        try:
            self._keep(said)
        except OrchestratorError as error:
            self._show(f"{self._text}\n\n(This answer could not be kept. {masked(str(error))})")
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def _listen(self) -> Said:
        proposal, text, end = None, "", ""
        stream = self._assistant.stream_chat(self._messages)
        for piece in stream:
            if isinstance(piece, Proposal):
                proposal = piece
            elif piece:
                text += piece
                self._show(text)
            if self._stop.is_set() or len(text) > MOST_OF_AN_ANSWER:
                end = STOPPED if self._stop.is_set() else CUT
                break
        close = getattr(stream, "close", None)  # a generator of any assistant, or another iterator
        if close is not None:
            close()
        words = masked(text[:MOST_OF_AN_ANSWER])
        return Said(f"{words} {end}".strip() if end else words, proposal, stopped=bool(end))

    def _show(self, text: str) -> None:
        with self._changed:
            self._text, self._version = text, self._version + 1
            self._changed.notify_all()
