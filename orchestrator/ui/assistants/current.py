"""The assistant of a configuration as it is at each question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.ui.assistants.base import Message, Proposal
from orchestrator.ui.assistants.choose import choose_assistant
from orchestrator.ui.assistants.llm import create_llm
from orchestrator.ui.assistants.llm_models import LanguageModel
from orchestrator.ui.assistants.schema import ConfigSchema


@dataclass(frozen=True)
class CurrentAssistant:
    """Asks the language model ``llm``; without one, what the environment names, else the rules.

    An edit of the configuration or the project counts from the next question on.
    """

    schema: ConfigSchema
    llm: LanguageModel | None = None

    def stream_chat(self, messages: Sequence[Message]) -> Iterator[str | Proposal]:
        """Yield the answer's text as it comes, then one proposal.

        Raises:
            OrchestratorError: the configuration is wrong, or the language model gives no answer.
        """
        if self.llm is not None:
            made = create_llm(self.llm.provider, self.llm.model, self.llm.base_url, schema=self.schema)
            yield from made.stream_chat(messages)
            return
        subject = self.schema.subject()
        yield from choose_assistant(subject.config, subject.parameters).stream_chat(messages)
