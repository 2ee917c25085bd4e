"""Read a clause about a parameter that is a number."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.rules_clauses import Clause
from orchestrator.ui.assistants.rules_operation import Operation, operation_in
from orchestrator.ui.assistants.rules_outcome import Outcome, about, asked, limits_of, shown
from orchestrator.ui.assistants.rules_subjects import Match, Subject
from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_units import PERCENT, POINTS, Quantity
from orchestrator.ui.assistants.rules_values import Wanted, confirmed, scaled, settled, value_of

_COUNTABLE = frozenset("people ones everyone everybody company firm organization organisation case".split())  # noqa: SIM905
_BETWEEN = frozenset({"-", "–", "—", "to", "or", "and", "/", "till"})


def read_number(
    subject: Subject,
    match: Match,
    clause: Clause,
    said: str,
    current: object,
    quantities: Sequence[Quantity],
    explained: Collection[int],
) -> Outcome | None:
    """Return what a clause says of a number; None where it says different things for different years."""
    tokens, verb = clause.tokens, match.verb
    now = float(current) if isinstance(current, (int, float)) and not isinstance(current, bool) else None
    used = set(match.places)
    if subject.is_growth:
        used |= {place for place, token in enumerate(tokens) if token.text == "negative"}
    if len(quantities) == 2:
        question, quantities = _two(subject, quantities, tokens, now, said)
        if question is not None:
            return question
        used |= set(_first_span(clause, quantities))
    if len(quantities) > 1:
        return asked(said, f"Which of the numbers is for {about(subject)}?", subject.key)
    quantity = quantities[0] if quantities else None
    if quantity is not None and _unclear_minus(quantity, match, tokens):
        text = f"Less than now, or a negative value? {about(subject)} takes {limits_of(subject)}."
        return asked(said, text, subject.key)
    if quantity is not None and _is_counted(quantity, tokens, used, subject.scale.kind):
        return asked(said, f"What should {about(subject)} be, {limits_of(subject)}?", subject.key)
    operation = operation_in(tokens, used, quantity, explained, verb=verb, switches=False)
    if quantity is not None and _is_pointed(quantity, tokens) and not operation.moves and verb is None:
        text = f"Should {about(subject)} be changed by that, or become that? It takes {limits_of(subject)}."
        return asked(said, text, subject.key)
    changes = operation.moves or (operation.scale is not None and not operation.to)
    if operation.temporal or (operation.yearly and changes):
        return None
    wanted = _wanted(subject, operation, quantity, verb, said, now, tokens)
    outcome = _outcome(subject, operation, quantity, wanted, verb, named=bool(match.places))
    return _doubted(subject, operation, outcome, wanted) if outcome.changes else outcome


def _is_counted(quantity: Quantity, tokens: Sequence[Token], used: Collection[int], kind: str) -> bool:
    """Tell whether a bare number counts what stands behind it: ten people are no rate."""
    if quantity.unit is not None or kind not in ("fraction", "percent") or quantity.end >= len(tokens):
        return False
    text = tokens[quantity.end].text
    known = words.FILLER - _COUNTABLE | words.TEMPORAL | words.UP | words.DOWN | words.HEDGES | words.REFERENCES
    known |= words.NEGATIONS | words.YEARLY | {"from", "new", "instead", "than", "same", "about", "or", "and"}
    names = quantity.end in used and not any(place < quantity.start for place in used)
    return tokens[quantity.end].kind == "word" and not names and text not in known


def _is_pointed(quantity: Quantity, tokens: Sequence[Token]) -> bool:
    """Tell whether a number counts points, of which nobody says that they are percentage points."""
    return tokens[quantity.end - 1].text.startswith("point") and quantity.end - quantity.start == 2


def _unclear_minus(quantity: Quantity, match: Match, tokens: Sequence[Token]) -> bool:
    """Tell whether a minus may be a dash, or say by how much less."""
    dash = quantity.start > 0 and tokens[quantity.start - 1].text in "–—-"
    return dash or (quantity.signed and not match.places)


def _wanted(
    subject: Subject,
    operation: Operation,
    quantity: Quantity | None,
    verb: Token | None,
    said: str,
    now: float | None,
    tokens: Sequence[Token],
) -> Wanted:
    direction, moves, sign = operation.direction or 0, operation.moves, 1
    if quantity is not None and quantity.signed and not subject.is_growth and quantity.unit == PERCENT and not moves:
        direction, moves = (1 if quantity.readings[0] >= 0 else -1), True
    if verb is not None:
        direction = 0
        sign = -1 if verb.text in words.DOWN else 1
    elif subject.is_growth and any(token.text == "negative" for token in tokens):
        sign = -1 if quantity is not None and quantity.readings[0] > 0 else 1
    return Wanted(said, now, direction, moves, operation.based, operation.of_now, sign)


def _outcome(
    subject: Subject,
    operation: Operation,
    quantity: Quantity | None,
    wanted: Wanted,
    verb: Token | None,
    *,
    named: bool,
) -> Outcome:
    if operation.direction is None:
        return asked(wanted.words, f"Should {about(subject)} go up or down?", subject.key)
    if quantity is None:
        return _without_number(subject, operation, wanted, verb, named=named)
    question = _open_question(subject, operation, quantity, wanted, verb)
    if question is not None:
        return asked(wanted.words, question, subject.key)
    if wanted.moves and quantity.readings[0] < 0:
        positive = tuple(-one for one in quantity.readings)
        quantity = Quantity(positive, quantity.unit, quantity.start, quantity.end)
    return value_of(subject, quantity, wanted)


def _open_question(
    subject: Subject, operation: Operation, quantity: Quantity, wanted: Wanted, verb: Token | None
) -> str | None:
    """Return what to ask before the number can be read, None where it can be."""
    name, limits = about(subject), limits_of(subject)
    negative = any(one < 0 for one in quantity.readings)
    added = quantity.signed or any(token.text == "plus" for token in operation.left)
    if quantity.unit == POINTS and added and not wanted.moves and not operation.to and verb is None:
        return f"Should {name} be changed by that, or become that? It takes {limits}."
    if operation.negated or operation.removes:
        return f"What should {name} be, {limits}?"
    if operation.scale is not None:
        return f"Which number is for {name}, {limits}?"
    if verb is not None:
        bare = subject.scale.kind == "percent" and quantity.unit is None
        if verb.text in words.FLAT or operation.becomes or bare:
            return f"By how much in a year? {name} takes {limits}."
        return f"Up or down? {name} takes {limits}." if negative else None
    if wanted.moves and negative and operation.direction:
        return f"Up or down? {name} takes {limits}."
    if quantity.signed and quantity.readings[0] > 0 and not wanted.moves:
        return f"Should {name} become that, or be more by that? It takes {limits}."
    if operation.by and operation.direction == 0:
        return f"More or less than now? {name} is {shown(wanted.current, subject.scale)}."
    return None


def _without_number(
    subject: Subject, operation: Operation, wanted: Wanted, verb: Token | None, *, named: bool
) -> Outcome:
    said, name = wanted.words, about(subject)
    if verb is not None and verb.text in words.FLAT:
        return settled(subject, 0.0, wanted)
    if operation.keeps and not operation.left:
        return Outcome(notes=(f"{subject.parameter.name} stays as it is.",), keys=(subject.key,))
    if operation.scale is not None:
        if operation.negated or verb is not None:
            return asked(said, f"What should {name} be, {limits_of(subject)}?", subject.key)
        return scaled(subject, operation.scale, Wanted(said, wanted.current, 0, moves=False, based=operation.based))
    if (operation.negated or operation.removes) and operation.direction in (0, None) and verb is None:
        sure = named and operation.none != operation.removes and (operation.none or not operation.negated)
        if wanted.current is None or not sure:
            return asked(said, f"What should {name} be, {limits_of(subject)}?", subject.key)
        return settled(subject, 0.0, Wanted(said, wanted.current))
    if operation.direction or verb is not None:
        now = "" if wanted.current is None else f" It is {shown(wanted.current, subject.scale)} now."
        return asked(said, f"By how much, or to what?{now} {name} takes {limits_of(subject)}.", subject.key)
    question = asked(said, f"What should {name} be, {limits_of(subject)}?", subject.key)
    waits = None if operation.left or operation.hedge is not None else subject
    return Outcome(questions=question.questions, keys=question.keys, waits=waits)


def _doubted(subject: Subject, operation: Operation, outcome: Outcome, wanted: Wanted) -> Outcome:
    """Return the outcome, or the question whether it is meant where words leave it open."""
    change = outcome.changes[0]
    value = shown(change.value, subject.scale)
    name = subject.parameter.name
    if operation.left:
        left = " ".join(token.text for token in operation.left)
        text = f"I did not follow “{left}”. Set {name} to {value} anyway?"
        return confirmed(subject, change.value, wanted, text)
    if operation.hedge is not None:
        return confirmed(subject, change.value, wanted, f"Should {name} be exactly {value}?")
    return outcome


def _two(
    subject: Subject, quantities: Sequence[Quantity], tokens: Sequence[Token], now: float | None, said: str
) -> tuple[Outcome | None, Sequence[Quantity]]:
    """Return what two numbers are: ``from 3 to 5 %`` is 5 % where it is 3 % now; everything else is a question."""
    first, second = quantities
    between = [token.text for token in tokens[first.end : second.start]]
    unit = first.unit or second.unit
    one = Quantity(first.readings, unit, first.start, first.end)
    two = Quantity(second.readings, second.unit or unit, second.start, second.end, second.signed)
    before = tokens[first.start - 1].text if first.start else ""
    if before == "from" and between == ["to"]:
        from_value = value_of(subject, one, Wanted(said, None))
        if from_value.changes and from_value.changes[0].value == now:
            return None, (two,)
        text = f"{about(subject)} is {shown(now, subject.scale)} now, and has one value for all years. Which?"
        return asked(said, text, subject.key), ()
    if (between and set(between) <= _BETWEEN) or second.signed:
        text = f"Which value should {about(subject)} have, {limits_of(subject)}? For several, make a scenario of each."
        return asked(said, text, subject.key), ()
    return asked(said, f"Which of the numbers is for {about(subject)}?", subject.key), ()


def _first_span(clause: Clause, quantities: Sequence[Quantity]) -> range:
    """Return the places of the number that a value comes from, up to the one that it goes to."""
    start = next(place for place, token in enumerate(clause.tokens) if token.text == "from")
    return range(start, quantities[0].start - 1)
