"""Read a clause about a parameter that is on or off, one of several choices, a date or a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.base import Change
from orchestrator.ui.assistants.rules_clauses import Clause
from orchestrator.ui.assistants.rules_numbers import read_number
from orchestrator.ui.assistants.rules_operation import Operation, operation_in
from orchestrator.ui.assistants.rules_outcome import Outcome, about, asked, limits_of, shown
from orchestrator.ui.assistants.rules_subjects import Match, Subject, key_of, keys_in
from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_units import quantities_of

if TYPE_CHECKING:
    from orchestrator.ui.assistants.rules_reading import Reader

_WANTED = frozenset("use using have having want include including with there everyone everybody all".split())  # noqa: SIM905
_NONE = frozenset(keys_in("no none off zero nothing without"))
_PARTS = frozenset(keys_in(" ".join((*words.SCALES, *words.PARTS, "to of"))))
_SAYS = frozenset({"to", "=", ":", "is", "be"})


def read_switch(subject: Subject, match: Match, clause: Clause, said: str, reader: Reader, current: object) -> Outcome:
    """Read a clause about a parameter that is on or off."""
    tokens = clause.tokens
    name = subject.parameter.name
    if quantities_of(tokens):
        return _with_number(subject, match, clause, said, reader)
    operation = operation_in(tokens, match.places, None, reader.explained(clause, subject), verb=None)
    texts = {token.text for place, token in enumerate(tokens) if place not in match.places}
    answered = texts & {"yes", "no"} and _answers(tokens)
    if operation.temporal:
        return asked(said, f"{about(subject)} is the same in all years. Should it be on or off?", subject.key)
    if operation.direction or operation.direction is None:
        drops = texts & (words.DOWN & words.OFF)
        if not drops or texts & (words.UP - words.ON):
            operation_left = [text for text in texts & (words.UP | words.DOWN) if text not in words.ON | words.OFF]
            if operation_left:
                return asked(said, f"Should {about(subject)} be on or off?", subject.key)
    if operation.keeps and not operation.left and operation.turned is None:
        return Outcome(notes=(f"{name} stays as it is.",), keys=(subject.key,))
    value = _switched(operation, texts, join=clause.join, answered=bool(answered))
    if value is None:
        waits = None if operation.left or operation.negated or operation.hedge is not None else subject
        question = asked(said, f"Should {about(subject)} be on or off?", subject.key)
        return Outcome(questions=question.questions, keys=question.keys, waits=waits)
    return _unless_open(subject, operation, value, said)


def _with_number(subject: Subject, match: Match, clause: Clause, said: str, reader: Reader) -> Outcome:
    """Ask about a switch with a number: it may belong to a parameter that shares the words of the switch."""
    text = f"{about(subject)} is on or off, and takes no number."
    several = quantities_of(clause.tokens)
    family = [one for one in reader.vocabulary.subjects if _shares(one, subject)]
    if len(family) != 1 or len(several) != 1:
        also = f" Or do you mean {' or '.join(map(about, family))}?" if family else ""
        return asked(said, text + also, subject.key, *(one.key for one in family))
    number = clause.tokens[several[0].start : several[0].end]
    other = family[0]
    whole = Match(other, frozenset(), whole=True, weight=0)
    alone = replace(clause, tokens=number)
    read = read_number(other, whole, alone, said, None, quantities_of(number), ())
    explained = reader.explained(clause, other) | reader.explained(clause, subject)
    operation = operation_in(clause.tokens, match.places, several[0], explained, verb=None)
    changes = () if read is None else read.changes or read.offers
    open_ended = operation.left or operation.direction != 0 or operation.temporal or operation.scale or operation.by
    if not changes or open_ended or operation.negated or operation.turned is False:
        return asked(said, f"{text} Or do you mean {about(other)}, {limits_of(other)}?", subject.key, other.key)
    offers = (Change(key=subject.key, value=True, words=said), *changes)
    value = shown(changes[0].value, other.scale)
    question = f"Should {subject.parameter.name} be on, and {other.parameter.name} {value}?"
    return asked(said, question, subject.key, other.key, offers=offers)


def _shares(one: Subject, switch: Subject) -> bool:
    """Tell whether a number is named by all the words of a switch and others."""
    numeric = one.parameter.declared.type in ("number", "integer")
    named = set(keys_in(switch.parameter.name))
    return numeric and one.is_open and named <= set(keys_in(one.parameter.name)) | one.strong


def _answers(tokens: Sequence[Token]) -> bool:
    """Tell whether a yes or no stands where a value does: ``x: no``."""
    places = [place for place, token in enumerate(tokens) if token.text in ("yes", "no")]
    return any(place and tokens[place - 1].text in _SAYS for place in places)


def _switched(operation: Operation, texts: set[str], *, join: str, answered: bool) -> bool | None:
    if answered:
        return "yes" in texts
    if operation.turned is None and texts & words.ON and texts & words.OFF:
        return None
    if operation.negated:
        return None if operation.turned is False else False
    if operation.turned is not None:
        return operation.turned
    return True if texts & _WANTED or join == "with" else None


def _unless_open(subject: Subject, operation: Operation, value: object, said: str) -> Outcome:
    change = Change(subject.key, value, said)
    if not operation.left and operation.hedge is None:
        return Outcome(changes=(change,), keys=(subject.key,))
    left = " ".join(token.text for token in operation.left)
    name = subject.parameter.name
    text = (
        f"I did not follow “{left}”. Set {name} to {shown(value)} anyway?"
        if left
        else f"Should {name} be {shown(value)} for certain?"
    )
    return asked(said, text, subject.key, offers=(change,))


def choices_named(subject: Subject, tokens: Sequence[Token], keys: Sequence[str]) -> frozenset[int]:
    """Return the places of all the words of one of the choices, without the subject's own name."""
    best: frozenset[int] = frozenset()
    for _, phrase in subject.choices:
        places = frozenset(place for place, key in enumerate(keys) if key in phrase)
        if phrase and {keys[place] for place in places} == set(phrase) and len(places) > len(best):
            best = places
    return best


def choice_named(subject: Subject, tokens: Sequence[Token]) -> bool:
    """Tell whether a clause names one of the choices in full."""
    return bool(choices_named(subject, tokens, [key_of(token) for token in tokens]))


def read_choice(subject: Subject, match: Match, clause: Clause, said: str, reader: Reader) -> Outcome:
    """Read a clause about a parameter that takes one of several values."""
    tokens = clause.tokens
    keys = reader.vocabulary.keys(tokens)
    question = asked(said, f"Which should {about(subject)} be: {limits_of(subject)}?", subject.key)
    behind = max((place for place, key in enumerate(keys) if tokens[place].text == "to"), default=-1)
    goes = behind >= 0 and any(token.text == "from" for token in tokens[:behind])
    begin = behind if goes else 0
    chosen = _chosen(subject, match, keys[begin:])
    explained = {place for place, key in enumerate(keys) if any(key in phrase for _, phrase in subject.choices)}
    used = set(match.places) | (set(range(behind)) if goes else set())
    if chosen is None:
        operation = operation_in(tokens, used, None, reader.explained(clause, subject), verb=None)
        plain = (
            not quantities_of(tokens) and not operation.left and operation.direction == 0 and operation.scale is None
        )
        none = [value for value, phrase in subject.choices if set(phrase) & _NONE]
        if operation.keeps and plain:
            return Outcome(notes=(f"{subject.parameter.name} stays as it is.",), keys=(subject.key,))
        gone = operation.none != operation.removes and (operation.none or not operation.negated)
        if gone and match.places and plain and len(none) == 1 and not operation.temporal:
            return Outcome(changes=(Change(subject.key, none[0], said),), keys=(subject.key,))
        waits = subject if plain and not operation.negated and not operation.removes else None
        return Outcome(questions=question.questions, keys=question.keys, waits=waits)
    value, phrase = chosen
    places = {place for place, key in enumerate(keys) if key in phrase and place >= begin}
    operation = operation_in(tokens, used | places, None, reader.explained(clause, subject) | explained, verb=None)
    others = {place for place in explained - places - used if not (set(phrase) >= {keys[place]})}
    strange = [
        place for place in others if keys[place] not in subject.strong and tokens[place].text not in words.FILLER
    ]
    negated = operation.negated and not set(phrase) & _NONE
    if (
        strange
        or negated
        or operation.removes
        or operation.temporal
        or operation.direction != 0
        or operation.scale is not None
    ):
        return question
    return _unless_open(subject, operation, value, said)


def _chosen(subject: Subject, match: Match, keys: Sequence[str]) -> tuple[object, tuple[str, ...]] | None:
    """Return the one choice that is named in full, or by a word that no other has."""
    said = set(keys)
    whole = [(value, phrase) for value, phrase in subject.choices if phrase and set(phrase) <= said]
    widest = [one for one in whole if not any(set(one[1]) < set(other[1]) for other in whole)]
    if widest:
        return widest[0] if len(widest) == 1 else None
    silent = _NONE | _PARTS | subject.strong | {key for key in said if key.startswith("#")}
    counts = {key: sum(key in phrase for _, phrase in subject.choices) for key in said}
    hinted = [
        (value, phrase)
        for value, phrase in subject.choices
        if any(counts[key] == 1 and key in phrase and key not in silent for key in said)
    ]
    named = [one for one in hinted if not (set(one[1]) & said) <= set(keys_in("to of"))]
    return named[0] if len(named) == 1 and bool(match.places) else None


def read_text(subject: Subject, match: Match, clause: Clause, said: str, reader: Reader) -> Outcome:
    """Read a clause about a date or a text."""
    tokens = clause.tokens
    kind = subject.parameter.declared.type
    rest = [place for place in range(len(tokens)) if place not in match.places]
    if kind == "date":
        found = [place for place in rest if tokens[place].kind == "date"]
        value = tokens[found[0]].date if len(found) == 1 else ""
    else:
        found = [place for place in rest if tokens[place].kind == "quoted"] or _last_word(tokens, rest)
        value = _as_written(tokens[found[0]]) if len(found) == 1 else ""
    refusal = subject.parameter.declared.refusal(value) if value else None
    question = f"What should {about(subject)} be, {limits_of(subject)}?"
    if not value or refusal is not None:
        waits = subject if not found and not [one for one in rest if tokens[one].kind != "word"] else None
        asks = asked(said, question, subject.key)
        return Outcome(questions=asks.questions, keys=asks.keys, waits=waits)
    operation = operation_in(tokens, match.places | set(found), None, reader.explained(clause, subject), verb=None)
    if operation.negated or operation.direction or operation.temporal or operation.scale:
        return asked(said, question, subject.key)
    return _unless_open(subject, operation, value, said)


def _last_word(tokens: Sequence[Token], rest: list[int]) -> list[int]:
    """Return the place of a single word that stands where a value does."""
    last = rest[-1:] if rest and tokens[rest[-1]].kind == "word" and rest[-1] == len(tokens) - 1 else []
    return last if last and last[0] and tokens[last[0] - 1].text in _SAYS else []


def _as_written(token: Token) -> str:
    return token.text if token.kind == "quoted" else token.written
