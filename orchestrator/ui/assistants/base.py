"""What every assistant is: messages in, text and one proposal out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["user", "assistant"]


@dataclass(frozen=True)
class Change:
    """A value that is proposed for a key, such as ``vars.growth_rate``, and the user's ``words`` that it was made of.

    ``value`` is text, a number, true, false or None; a date is ISO text.
    """

    key: str
    value: object
    words: str


@dataclass(frozen=True)
class Proposal:
    """A scenario as far as it was understood: its ``name``, its ``changes``, and what has to be asked first."""

    name: str | None
    changes: tuple[Change, ...]
    questions: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()

    @property
    def overlay(self) -> dict[str, object]:
        """The values by dotted key; of two changes of a key the later one counts."""
        return {change.key: change.value for change in self.changes}


@dataclass(frozen=True)
class Message:
    """A turn of a conversation; ``proposal`` is what an assistant's message proposed."""

    role: Role
    content: str
    proposal: Proposal | None = None


class Assistant(Protocol):
    """Turns a conversation into a proposal."""

    def stream_chat(self, messages: Sequence[Message]) -> Iterator[str | Proposal]:
        """Yield the text of the answer as it comes, then exactly one proposal: the whole scenario after this turn."""
