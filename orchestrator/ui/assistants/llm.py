"""An assistant that asks a language model. The model only proposes values; our loader checks them, or it asks again."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.core.errors import AssistantError, OrchestratorError
from orchestrator.ui.assistants.base import Message, Proposal
from orchestrator.ui.assistants.llm_models import (
    ENDLESS,
    LanguageModel,
    WireError,
    make_client,
    make_model,
    require_extra,
)
from orchestrator.ui.assistants.schema import ConfigSchema, Subject

if TYPE_CHECKING:
    from pydantic_ai import AgentRunResultEvent, RunContext
    from pydantic_ai.messages import AgentStreamEvent

    from orchestrator.ui.assistants.llm_prompt import Answer

STALL_SECONDS = 60.0
HEARTBEAT_SECONDS = 0.25
MOST_OF_AN_ANSWER = 60_000  # characters of one proposal
RETRIES = 2
TOKENS = 4000
CORRECTED = "\n\nThat did not fit what can be set. Corrected:\n\n"
TOOL = "propose"
Piece = str | Proposal | OrchestratorError | None


def create_llm(
    provider: str,
    model: str,
    base_url: str | None = None,
    *,
    schema: ConfigSchema | None = None,
    stall_seconds: float = STALL_SECONDS,
) -> LlmAssistant:
    """Make the assistant that asks ``model`` of ``provider``; nothing is imported or connected yet.

    ``provider`` is openai, anthropic, google, ollama, or compatible for any server at ``base_url`` that speaks OpenAI's
    language. The key comes from the environment. ``schema`` is what may be configured, by default the configuration
    of the working folder. A model that is silent for ``stall_seconds`` is given up.

    Raises:
        ConfigurationError: there is no such provider, or the URL is none.
        MissingExtraError: the provider's library is not installed.
    """
    chosen = LanguageModel(provider, model, base_url)
    chosen.require_whole()
    require_extra(chosen)
    return LlmAssistant(chosen, schema or ConfigSchema(), stall_seconds)


@dataclass(frozen=True)
class LlmAssistant:
    """Asks a language model; ``stall_seconds`` is how long it may be silent."""

    chosen: LanguageModel
    schema: ConfigSchema
    stall_seconds: float = STALL_SECONDS

    def stream_chat(self, messages: Sequence[Message]) -> Iterator[str | Proposal]:
        """Yield the answer's text as it comes, then one proposal that fits.

        While nothing comes, an empty text is yielded a few times a second, so that whoever listens may stop: closing
        the iterator ends the connection.

        Raises:
            AssistantError: one of its kinds: the model is not there, refuses, is silent, or answers nonsense.
            ConfigurationError: the key is missing, or the configuration is wrong.
        """
        if not messages or messages[-1].role != "user" or not messages[-1].content.strip():
            raise AssistantError("There is nothing to answer.", to_fix="say what to simulate")
        key, subject = self.chosen.key(), self.schema.subject()
        talk = _Talk(self, key, subject, tuple(messages))
        talk.start()
        try:
            while (piece := talk.next_piece()) is not None:
                if isinstance(piece, OrchestratorError):
                    raise piece
                yield piece
        finally:
            talk.end()


class _Talk:
    """One question, in a thread with an event loop of its own."""

    def __init__(
        self, assistant: LlmAssistant, key: str | None, subject: Subject, messages: tuple[Message, ...]
    ) -> None:
        self._assistant, self._key, self._subject, self._messages = assistant, key, subject, messages
        self._pieces: queue.SimpleQueue[Piece] = queue.SimpleQueue()
        self._misfits: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="language model", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def next_piece(self) -> Piece:
        """Return what came next, an empty text where nothing did for a moment, None at the end."""
        try:
            return self._pieces.get(timeout=HEARTBEAT_SECONDS)
        except queue.Empty:
            return ""

    def end(self) -> None:
        """Close the connection, whatever is going on."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(timeout=self._assistant.stall_seconds)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        try:
            self._task = self._loop.create_task(self._ask())
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass  # by end()
        except Exception as error:  # noqa: BLE001  # the edge of a library that reads a stranger's answers
            from orchestrator.ui.assistants.llm_failures import translated  # slow to import

            assistant = self._assistant
            told = translated(error, assistant.chosen, self._misfits, assistant.stall_seconds)
            told.__cause__ = None if told is error else error
            self._pieces.put(told)
        finally:
            with suppress(RuntimeError):
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._pieces.put(None)

    async def _ask(self) -> None:
        import pydantic_ai  # seconds: only where a model is asked
        from pydantic_ai.output import ToolOutput

        from orchestrator.ui.assistants.llm_prompt import Answer, history, instructions

        pydantic_ai.BANNER_ENABLED = False
        seconds = self._assistant.stall_seconds
        async with make_client(seconds) as client:
            agent: pydantic_ai.Agent[None, Answer] = pydantic_ai.Agent(
                make_model(self._assistant.chosen, self._key, client),
                output_type=ToolOutput(Answer, name=TOOL),
                instructions=instructions(self._subject),
                deps_type=type(None),
                retries=RETRIES,
                model_settings={"max_retries": 0, "max_tokens": TOKENS, "timeout": seconds},
            )
            agent.output_validator(self._require_fit)
            said = _Said()
            async with (
                agent.run_stream_events(self._messages[-1].content, message_history=history(self._messages)) as events,
                aclosing(_in_time(events, seconds)) as timely,
            ):
                async for event in timely:
                    if isinstance(event, pydantic_ai.AgentRunResultEvent):
                        self._pieces.put(said.rest(event.result.output.answer))
                        self._pieces.put(event.result.output.proposal())
                    else:
                        self._pieces.put(said.more(event))

    async def _require_fit(self, _: RunContext[None], answer: Answer) -> Answer:
        from pydantic_ai import ModelRetry

        errors = self._subject.check(answer.proposal()).errors
        if errors:
            self._misfits.append(" ".join(errors))
            raise ModelRetry("\n".join(errors))
        return answer


async def _in_time(
    events: AsyncIterator[AgentStreamEvent | AgentRunResultEvent[Answer]], seconds: float
) -> AsyncGenerator[AgentStreamEvent | AgentRunResultEvent[Answer]]:
    """Yield events as they come.

    Raises:
        TimeoutError: none came for so many seconds.
    """
    while True:
        try:
            yield await asyncio.wait_for(anext(events), seconds)
        except StopAsyncIteration:
            return


class _Said:
    """The text of an answer, read out of a proposal while that is still being written."""

    def __init__(self) -> None:
        self._written = ""
        self._index: int | None = None
        self._shown = 0
        self._is_again = False

    def more(self, event: AgentStreamEvent) -> str:
        """Return what an event adds to the text.

        Raises:
            WireError: there is no end.
        """
        from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, ToolCallPart, ToolCallPartDelta

        if isinstance(event, PartStartEvent):
            if event.index == 0:  # another response begins
                self._is_again, self._index = self._is_again or self._shown > 0, None
                self._written, self._shown = "", 0
            if self._index is None and isinstance(event.part, ToolCallPart) and event.part.tool_name == TOOL:
                self._index = event.index
                self._written = event.part.args if isinstance(event.part.args, str) else ""
                return self._new_text()
        elif isinstance(event, PartDeltaEvent) and event.index == self._index:
            added = event.delta.args_delta if isinstance(event.delta, ToolCallPartDelta) else None
            self._written += added if isinstance(added, str) else ""
            return self._new_text()
        return ""

    def rest(self, answer: str) -> str:
        """Return what is left of the text at the end."""
        return self._from_here(answer)

    def _new_text(self) -> str:
        from pydantic_core import from_json

        if len(self._written) > MOST_OF_AN_ANSWER:
            raise WireError(ENDLESS)
        try:
            found = from_json(self._written, allow_partial="trailing-strings")
        except ValueError:
            return ""
        answer = found.get("answer") if isinstance(found, dict) else None
        return self._from_here(answer) if isinstance(answer, str) else ""

    def _from_here(self, answer: str) -> str:
        new = answer[self._shown :]
        if not new:
            return ""
        before = CORRECTED if self._is_again and self._shown == 0 else ""
        self._is_again, self._shown = self._is_again and not before, self._shown + len(new)
        return before + new
