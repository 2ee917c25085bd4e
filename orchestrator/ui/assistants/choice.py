"""Which assistant answers: a language model where one is named, else the rules."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.ui.assistants.base import Assistant, Message, Proposal
from orchestrator.ui.assistants.llm import create_llm
from orchestrator.ui.assistants.llm_models import LanguageModel
from orchestrator.ui.assistants.schema import ConfigSchema


def choose_assistant(schema: ConfigSchema, llm: LanguageModel | None = None) -> Assistant:
    """Return the assistant that asks a language model, or that goes by rules where none is named.

    Raises:
        ConfigurationError: there is no such provider.
        MissingExtraError: its library is not installed.
    """
    if llm is None:
        return Rules(schema)
    return create_llm(llm.provider, llm.model, llm.base_url, schema=schema)


@dataclass(frozen=True)
class Rules:
    """The rule-based assistant, for the parameters as they are at each question."""

    schema: ConfigSchema

    def stream_chat(self, messages: Sequence[Message]) -> Iterator[str | Proposal]:
        """Yield the answer's text, then one proposal."""
        subject = self.schema.subject()
        rules = importlib.import_module("orchestrator.ui.assistants.rules")
        years = subject.config.simulation
        span = None if years is None else (years.start_year, years.end_year)
        yield from rules.RuleBasedAssistant(subject.parameters, span).stream_chat(messages)
