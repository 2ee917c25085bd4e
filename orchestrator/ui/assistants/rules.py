"""The assistant that needs neither a model nor a network: it reads sentences by the project's own words.

What it is not sure of it asks, and what it does not understand it names: nothing is passed over, nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.masking import MASK
from orchestrator.ui.assistants.base import Message, Proposal
from orchestrator.ui.assistants.rules_conversation import Conversation
from orchestrator.ui.assistants.rules_outcome import shown
from orchestrator.ui.assistants.rules_reading import Reader
from orchestrator.ui.assistants.rules_subjects import Vocabulary, by_name
from orchestrator.ui.assistants.rules_turn import State
from orchestrator.ui.assistants.rules_years import END_KEY, SEED_KEY, START_KEY

if TYPE_CHECKING:
    from orchestrator.reports.parameters import Parameter


class RuleBasedAssistant:
    """Reads what people say about the declared parameters, the years, the random seed and the name of a scenario.

    ``years`` are the first and the last simulated year, ``scenarios`` the names that are taken. ``texts`` are what the
    project says elsewhere, with the parameters that each text is about: more words for these.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        *,
        years: tuple[int, int] | None = None,
        random_seed: int | None = None,
        scenarios: Sequence[str] = (),
        texts: Sequence[tuple[str, Sequence[str]]] = (),
    ) -> None:
        vocabulary = Vocabulary(parameters, texts)
        values: Mapping[str, object] = {f"vars.{one.name}": one.value for one in parameters}
        if years is not None:
            values = {**values, START_KEY: years[0], END_KEY: years[1], SEED_KEY: random_seed}
        self._subjects = by_name(vocabulary.subjects)
        self._values = values
        self._conversation = Conversation(Reader(vocabulary), values, years, scenarios)

    def stream_chat(self, messages: Sequence[Message]) -> Iterator[str | Proposal]:
        """Yield the answer to the last message, paragraph by paragraph, then the whole scenario after it."""
        state = self._state(messages)
        yield from self._answer(state)
        yield state.proposal

    def _state(self, messages: Sequence[Message]) -> State:
        """Read all messages; a proposal that somebody else made in between counts as it is."""
        state = State()
        for message in messages:
            if message.role == "user":
                state = self._conversation.next(state, message.content)
            elif message.proposal is not None:
                theirs = message.proposal
                if (theirs.overlay, theirs.name) != (state.proposal.overlay, state.name):
                    state = state.turned(theirs.changes, theirs.name)
        return state

    def _answer(self, state: State) -> Iterator[str]:
        lines = []
        for change in state.changes:
            subject = self._subjects.get(change.key)
            scale = None if subject is None else subject.scale
            closed = subject is not None and not subject.is_open
            before = MASK if closed else shown(self._values.get(change.key), scale)
            lines.append(f"{change.key}: {before} → {shown(change.value, scale)}")
        if state.name is not None:
            lines.append(f"The scenario is called {state.name}.")
        lines += [*state.notes, *state.proposal.questions, *state.proposal.not_understood]
        for line in lines or ["Nothing is changed."]:
            yield f"{line}\n"
