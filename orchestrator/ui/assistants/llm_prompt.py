"""What a language model is told, and the form in which it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

from orchestrator.ui.assistants.base import Change, Message, Proposal
from orchestrator.ui.assistants.overlay import SIMULATION_KEYS, allowed_keys
from orchestrator.ui.assistants.schema import Subject

TURNS_TOLD = 20
MOST_OF_A_TURN = 4000  # characters
Short = Annotated[str, Field(max_length=500)]
Value = bool | int | float | Annotated[str, Field(max_length=200)] | None

RULES = """\
You help people to describe a scenario of a simulation that runs year by year. You are given what can be varied. You
never run anything, never write files, YAML or code, and never set anything else than the keys below.

Answer by calling `propose` once, always:
- answer: what you say to the user, in their language, in plain text of one to four short sentences.
- name: a short name of the scenario in lower case with underscores, null where nothing suggests one.
- changes: every key that differs from the current values after this turn, also those of earlier turns that still hold,
  each with its value and the user's own words that it comes from.
- questions: what you have to know before a value can be given. Ask rather than guess: where a sentence can mean several
  keys or values, or gives a direction without an amount, ask and leave the key out.
- not_understood: each part of the user's words that matches no key, word for word.

Values are given in the unit of the parameter. Where the unit is a share (of the stock, of the pay, ...) and the range
lies between -1 and 1, "5 %" is 0.05. "Doubles", "half", "2 points more" start from the current value. A value outside
of the range is not proposed: say so in a question.
"""


class ProposedChange(BaseModel):
    """One key and its value."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=200)]
    value: Value
    words: Short


class Answer(BaseModel):
    """Say something, and propose the whole scenario after this turn."""

    model_config = ConfigDict(extra="forbid")

    answer: Annotated[str, Field(max_length=4000)]
    name: Annotated[str, Field(max_length=80)] | None = None
    changes: Annotated[list[ProposedChange], Field(max_length=60)] = []
    questions: Annotated[list[Short], Field(max_length=10)] = []
    not_understood: Annotated[list[Short], Field(max_length=20)] = []

    def proposal(self) -> Proposal:
        """Return it as a proposal, which is not checked yet."""
        return Proposal(
            self.name or None,
            tuple(Change(one.key, one.value, one.words) for one in self.changes),
            tuple(self.questions),
            tuple(self.not_understood),
        )


def instructions(subject: Subject) -> str:
    """Return what the model is told before the conversation: the rules, and what may be varied; no secrets."""
    config, open_keys = subject.config, [key for key, reason in allowed_keys(subject.parameters).items() if not reason]
    lines = [RULES, f"Scenario that is varied: {config.scenario}.", "", "Keys:"]
    for one in subject.parameters.declared:
        if f"vars.{one.name}" not in open_keys:
            continue
        declared = one.declared
        facts = {
            "type": declared.type,
            "minimum": declared.minimum,
            "maximum": declared.maximum,
            "choices": list(declared.choices) or None,
            "unit": declared.unit,
            "now": one.value,
            "meaning": declared.description,
            "also called": list(declared.words) or None,
        }
        shown = {name: value for name, value in facts.items() if value is not None}
        lines.append(f"- vars.{one.name}: {json.dumps(shown, ensure_ascii=False)}")
    if config.simulation is not None:
        years = config.simulation
        now = (years.start_year, years.end_year, years.random_seed)
        for key, value, meaning in zip(SIMULATION_KEYS, now, ("first year", "last year", "random seed"), strict=True):
            lines.append(f"- {key}: {json.dumps({'type': 'integer', 'now': value, 'meaning': meaning})}")
    declared_keys = {f"vars.{one.name}" for one in subject.parameters.declared}
    others = [key for key in open_keys if key not in declared_keys and key not in SIMULATION_KEYS]
    if others:
        lines.append(f"Further keys, of which only the names are known (numbers, true or false): {', '.join(others)}.")
    return "\n".join(lines)


def history(messages: Sequence[Message]) -> list[ModelMessage]:
    """Return the turns before the last one, as the model is told them."""
    told: list[ModelMessage] = []
    for message in messages[:-1][-TURNS_TOLD:]:
        content = message.content[:MOST_OF_A_TURN]
        if message.role == "user":
            told.append(ModelRequest(parts=[UserPromptPart(content)]))
            continue
        if message.proposal is not None:
            values = {"name": message.proposal.name, "changes": message.proposal.overlay}
            content += f"\n\n(Proposed: {json.dumps(values, ensure_ascii=False, default=str)})"
        told.append(ModelResponse(parts=[TextPart(content)]))
    return told
