"""What is open in a conversation: questions stay until they are answered, undone or withdrawn."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.base import Change
from orchestrator.ui.assistants.rules_clauses import Clause
from orchestrator.ui.assistants.rules_outcome import Outcome, cited, shown

_MARKS = frozenset(
    "for among amongst until till only during after before since next starting beginning compare compared comparing "  # noqa: SIM905
    "versus vs instead while where whose who under when once within throughout".split()
)
_DATED = frozenset({"in", "from", "by", "to", "through"})
_FOLLOWED = re.compile(r"I did not follow “([^”]*)”")
_SILENT = words.ARTICLES | {"now", "certain", "sure", "example", "instance", "the", "us", "me", "a"}


@dataclass(frozen=True)
class Open:
    """A question that waits for an answer, or something that was said and has no place in a scenario.

    ``keys`` are what it is about, ``offers`` what ``yes`` takes, ``name`` tells that it asks for the name, and ``rest``
    is what the user said besides, which an answer to the question leaves unsaid.
    """

    questions: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    offers: tuple[Change, ...] = ()
    name: bool = False
    rest: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def opened(outcome: Outcome) -> Open:
    """Return what an outcome leaves open."""
    return Open(outcome.questions, outcome.keys, outcome.offers, outcome.asks_name, outcome.rest)


def offers_of(several: Iterable[Open]) -> tuple[Change, ...]:
    """Return what ``yes`` takes: every question must have an offer, and none another for the same key."""
    asking = [one for one in several if one.questions]
    offers = tuple(change for one in asking for change in one.offers)
    answerable = all(one.offers for one in asking)
    return offers if answerable and len({one.key for one in offers}) == len(offers) else ()


def still_open(
    several: Iterable[Open], spoken: Collection[str], taken: Mapping[str, Change], *, named: bool
) -> tuple[list[Open], list[Change]]:
    """Return what stays open after a message about the keys ``spoken``, and the changes that belong to those taken."""
    kept: list[Open] = []
    more: list[Change] = []
    for one in several:
        if not one.questions:
            kept.append(one)
        elif one.name:
            kept += [] if named else [one]
        elif not one.keys:
            kept += [] if any(key.startswith("vars.") for key in taken) else [one]
        elif not set(one.keys) & set(spoken):
            kept.append(one)
        elif len(one.offers) > 1 and any(
            taken.get(offer.key) == replace(offer, words=taken[offer.key].words)
            for offer in one.offers
            if offer.key in taken
        ):
            more += [offer for offer in one.offers if offer.key not in spoken]
        else:
            kept += _left_of(one, spoken)
    return kept, more


def _left_of(one: Open, spoken: Collection[str]) -> list[Open]:
    """Return what is open of a question that is answered: what it asks besides, and what was said besides."""
    others = tuple(offer for offer in one.offers if offer.key not in spoken) if len(one.offers) > 1 else ()
    found = [Open((f"{cited(offer.words)}: {should(offer)}",), (offer.key,), (offer,)) for offer in others]
    texts = tuple(
        f"{cited(text)} is no part of the scenario. Say “ignore it” if it does not matter." for text in one.rest
    )
    return [*found, Open(unknown=texts)] if texts else found


def should(change: Change) -> str:
    """Return the question whether a change is meant."""
    return f"Should {change.key.partition('.')[2]} become {shown(change.value)}?"


def with_rest(
    outcome: Outcome, clause: Clause, message: str, places: Collection[int], scenarios: Collection[str] = ()
) -> Outcome:
    """Add to a question of whom or when the clause speaks; ``places`` are those of the words for its subject."""
    text = _qualifier(clause, message, places)
    said = clause.words(message)
    named = [name for name in scenarios if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said.lower())]
    if named and outcome.changes and outcome.name is None:
        asks = f"{cited(said)}: I do not know what {named[0]} has to do with it. {should(outcome.changes[0])}"
        outcome = replace(outcome, changes=(), questions=(asks,), offers=outcome.changes)
    elif named:
        text = text or named[0]
    if not outcome.questions or not outcome.keys:
        return outcome
    if not text:
        unfollowed = _FOLLOWED.search(outcome.questions[-1])
        return replace(outcome, rest=(*outcome.rest, unfollowed[1])) if unfollowed else outcome
    *first, last = outcome.questions
    inside = f"“{text}”".lower() in last.lower().partition(": ")[2]
    if outcome.by_year and any(letter.isdigit() for letter in text):
        last = last.replace("in every year.", f"in every year and cannot change {text}.")
        inside = True
    followed = _FOLLOWED.search(last)
    if followed and set(followed[1].lower().split()) <= set(text.lower().split()):
        last, inside = last.replace(followed[0], f"I did not follow {cited(text)}", 1), True
    told = last if inside else f"{last} I did not follow {cited(text)}."
    return replace(outcome, questions=(*first, told), rest=(*outcome.rest, text))


def _qualifier(clause: Clause, message: str, places: Collection[int]) -> str:
    tokens = clause.tokens
    for place, token in enumerate(tokens):
        behind = next((at for at in range(place + 1, len(tokens)) if tokens[at].text not in words.ARTICLES), None)
        dated = token.text in _DATED and behind is not None and tokens[behind].year is not None
        if token.kind != "word" or place in places or not (token.text in _MARKS or dated):
            continue
        if token.text == "instead" and (behind is None or tokens[behind].text != "of"):
            continue
        if behind is None and token.text not in ("only", "next"):
            continue
        if (
            behind is not None
            and token.text not in ("instead", "compare", "comparing", "compared")
            and (behind in places or tokens[behind].text in _SILENT)
        ):
            continue
        end = min((at for at in places if at > place and token.text not in _WHOLE), default=len(tokens))
        return " ".join(message[token.start : tokens[end - 1].end].split())
    return ""


_WHOLE = frozenset({"instead", "compare", "comparing", "compared"})


def withdrawn(several: Sequence[Open]) -> tuple[str, ...]:
    """Return the sentence that says what is withdrawn."""
    return ("Then that is left out.",) if several else ()
