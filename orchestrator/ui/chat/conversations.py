"""Conversations that outlive browsers and servers: everything that is said is in the store before it is shown."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.core.clocks import stopwatch
from orchestrator.core.errors import AssistantError, ChatMessageError, ConfigurationError
from orchestrator.core.masking import masked_speech, masked_values
from orchestrator.storage.base import ASSISTANT, USER, ChatSessionRepository
from orchestrator.ui.assistants.base import Assistant, Message, Proposal, Role
from orchestrator.ui.assistants.overlay import scenario_yaml
from orchestrator.ui.assistants.schema import ConfigSchema
from orchestrator.ui.chat.answering import Answer, Said
from orchestrator.ui.chat.records import proposal_record, read_proposal

MOST_OF_A_QUESTION = 4000  # characters
MOST_TURNS = 400  # messages of one conversation
MOST_A_MINUTE = 15  # messages of one conversation
MOST_AT_ONCE = 8  # answers of all conversations
REMEMBERED = 1000  # conversations whose rate is known
TITLE = 60  # characters


@dataclass(frozen=True)
class Turn:
    """What was said in a conversation; ``failed`` where an assistant could only say why it has no answer."""

    role: str
    text: str
    proposal: Proposal | None = None
    failed: bool = False


class Conversations:
    """All conversations of a store, with one assistant. Any thread may ask."""

    def __init__(
        self,
        assistant: Assistant,
        store: ChatSessionRepository,
        schema: ConfigSchema,
        *,
        watch: Callable[[], float] | None = None,
    ) -> None:
        self._assistant, self._store, self._schema = assistant, store, schema
        self._watch = watch or stopwatch()
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def exists(self, session_id: str) -> bool:
        """Tell whether there is a conversation of that id."""
        return bool(session_id) and self._store.get_session(session_id) is not None

    def begin(self, user: str) -> str:
        """Begin a conversation and return its id."""
        return self._store.create_session(user)

    def turns(self, session_id: str) -> list[Turn]:
        """Return what was said, oldest first."""
        return [
            Turn(
                one.role,
                one.content,
                read_proposal(one.details.get("proposal")) if one.role == ASSISTANT else None,
                failed=one.details.get("failed") is True,
            )
            for one in self._store.get_messages(session_id)
        ]

    def proposal(self, session_id: str) -> Proposal | None:
        """Return what the conversation has led to so far."""
        found = (turn.proposal for turn in reversed(self.turns(session_id)) if turn.proposal is not None)
        return next(found, None)

    def recent(self, user: str) -> list[tuple[str, str]]:
        """Return id and title of the newest conversations of a user; those of nobody else."""
        found = []
        for one in self._store.list_recent_sessions(user):
            first = next((turn.text for turn in self.turns(one.session_id) if turn.role == USER), None)
            if first:
                found.append((one.session_id, first if len(first) <= TITLE else f"{first[: TITLE - 1]}…"))
        return found

    def say(self, session_id: str, text: str) -> Answer:
        """Store what the user said, and begin to answer it.

        Raises:
            ChatMessageError: it is empty, too long, or one too many.
            ChatSessionNotFoundError: there is no such conversation.
            AssistantError: an answer is being given already.
        """
        words = masked_speech(text.strip())
        if not words or len(text) > MOST_OF_A_QUESTION:
            raise ChatMessageError(
                "There is nothing to answer."
                if not words
                else f"A message has at most {MOST_OF_A_QUESTION:,} characters, and this one has {len(text):,}.",
                to_fix="say what to simulate" if not words else "say it in fewer words",
            )
        with self._lock:
            self._require_room(session_id)
            turns = self.turns(session_id)
            if len(turns) >= MOST_TURNS:
                raise ChatMessageError(
                    f"This conversation has {MOST_TURNS} messages, and takes no more.",
                    to_fix="begin a new conversation",
                )
            self._store.add_message(session_id, USER, words)
            told = [Message(_role(turn.role), turn.text, turn.proposal) for turn in turns if not turn.failed]
            answer = Answer(self._assistant, [*told, Message("user", words)], lambda said: self._keep(session_id, said))
            self._answers[session_id] = answer
            return answer

    def answering(self, session_id: str) -> Answer | None:
        """Return the answer that is being given, None where none is."""
        with self._lock:
            return self._answers.get(session_id)

    def _keep(self, session_id: str, said: Said) -> None:
        details: dict[str, object] = {"failed": said.failed, "stopped": said.stopped}
        if said.proposal is not None:
            details["proposal"] = proposal_record(said.proposal)
        try:
            self._store.add_message(session_id, ASSISTANT, said.text, details)
            if said.proposal is not None:
                self._store.update_config(session_id, self._config(said.proposal))
        finally:
            with self._lock:
                self._answers.pop(session_id, None)

    def _config(self, proposal: Proposal) -> object:
        """Return what a proposal has led to: its name, its values, and the scenario file where it fits."""
        try:
            text = scenario_yaml(self._schema.subject().check(proposal))
        except ConfigurationError:
            text = None
        return {"name": proposal.name, "overlay": masked_values(proposal.overlay), "yaml": text}

    def _require_room(self, session_id: str) -> None:
        if session_id in self._answers:
            raise AssistantError("An answer is being given.", to_fix="wait for its end, or stop it")
        if len(self._answers) >= MOST_AT_ONCE:
            raise AssistantError(f"{MOST_AT_ONCE} answers are being given at once.", to_fix="try again in a moment")
        now = self._watch()
        times = self._times.setdefault(session_id, deque())
        self._times.move_to_end(session_id)
        while times and times[0] < now - 60:
            times.popleft()
        if len(times) >= MOST_A_MINUTE:
            raise ChatMessageError(
                f"A conversation takes {MOST_A_MINUTE} messages a minute.",
                to_fix=f"try again in {60 - now + times[0]:.0f} seconds",
            )
        times.append(now)
        while len(self._times) > REMEMBERED:
            self._times.popitem(last=False)


def _role(role: str) -> Role:
    return "user" if role == USER else "assistant"
