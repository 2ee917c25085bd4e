"""What a clause says is to happen with its subject: up, down, times two, on, off, as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_units import Quantity

_SETS = frozenset({"to", "at", "of", "=", ":", "is", "be", "becomes", "equals"})
_MILD = frozenset({"the", "a", "an", "about", "just", "only"})
_SIGNS_OF_NOTHING = frozenset("()[]:='\"!?*")


@dataclass(frozen=True)
class Operation:
    """What a clause says besides its subject and its number.

    ``direction`` is 1 for up, -1 for down, 0 for neither, None for both. ``moves`` tells that the number says by how
    much, ``to`` that it says what to become. ``scale`` is a multiple, such as 2 for double. ``hedge`` is a word that
    leaves the value open, ``negated`` and ``turned`` (on or off) are of switches, ``keeps`` tells that nothing shall
    change. ``left`` are the tokens that nothing explains.
    """

    direction: int | None
    moves: bool
    to: bool
    by: bool
    scale: float | None
    hedge: str | None
    negated: bool
    turned: bool | None
    removes: bool
    keeps: bool
    based: bool
    temporal: bool
    left: tuple[Token, ...]


def operation_in(
    tokens: Sequence[Token],
    used: Iterable[int],
    quantity: Quantity | None,
    explained: Iterable[int],
    *,
    verb: Token | None,
) -> Operation:
    """Read what a clause says; ``used`` are the places of its subject, ``explained`` those of words for it."""
    taken = set(used) | (set(range(quantity.start, quantity.end)) if quantity else set())
    known = set(explained)
    free = [place for place in range(len(tokens)) if place not in taken]
    taken |= _per_year(tokens, free)
    taken |= _compared(tokens, free)
    free = [place for place in free if place not in taken]
    texts = {tokens[place].text for place in free}
    ups, downs = _directions(tokens, free)
    scale, scales = _scale(tokens, free, quantity)
    before = _before(tokens, quantity)
    behind = quantity is not None and quantity.end < len(tokens) and quantity.end in ups | downs
    noun = before[:1] == ["of"] and _word_before_of(tokens, quantity) in words.NOUNS_OF_CHANGE
    by = "by" in before
    to = bool(_SETS & set(before)) and not behind and not noun
    direction = None if ups and downs else 1 if ups else -1 if downs else 0
    negated = bool(texts & words.NEGATIONS)
    keeps = bool(texts & words.KEEP) or (negated and bool(texts & words.ALTER))
    kept = words.KEPT if keeps else frozenset()
    hedge = next((tokens[place].text for place in free if _hedges(tokens, place, quantity)), None)
    temporal = {place for place in free if tokens[place].text in words.TEMPORAL and place not in known | scales}
    left = tuple(
        tokens[place]
        for place in free
        if place not in ups | downs | scales | known | temporal and not _is_known(tokens, place, kept)
    )
    return Operation(
        direction=direction,
        moves=quantity is not None and direction != 0 and not to and verb is None,
        to=to,
        by=by,
        scale=scale,
        hedge=hedge,
        negated=negated,
        turned=_turned(texts),
        removes=bool(texts & words.REMOVE),
        keeps=keeps,
        based=bool(texts & words.REFERENCES)
        or any(tokens[place].text in words.REFERENCES for place in taken - set(used)),
        temporal=bool(temporal),
        left=left,
    )


def _before(tokens: Sequence[Token], quantity: Quantity | None) -> list[str]:
    """Return the small words in front of a number, the nearest first."""
    found: list[str] = []
    place = -1 if quantity is None else quantity.start - 1
    while place >= 0 and len(found) < 3:
        text = tokens[place].text
        if text not in _SETS | _MILD | {"by"}:
            break
        if text not in _MILD:
            found.append(text)
        place -= 1
    return found


def _word_before_of(tokens: Sequence[Token], quantity: Quantity | None) -> str:
    place = -1 if quantity is None else quantity.start - 1
    while place >= 0 and tokens[place].text in _MILD | {"of"}:
        place -= 1
    return tokens[place].text if place >= 0 else ""


def _per_year(tokens: Sequence[Token], free: Sequence[int]) -> set[int]:
    """Return the places of ``a year`` and its like: rates are by the year anyway."""
    found: set[int] = set()
    for place in free:
        for phrase in words.PER_YEAR:
            span = range(place, place + len(phrase))
            if tuple(token.text for token in tokens[place : place + len(phrase)]) == phrase and set(span) <= set(free):
                found |= set(span)
    return found


def _compared(tokens: Sequence[Token], free: Sequence[int]) -> set[int]:
    """Return the places of ``than now`` and its like."""
    found = set()
    for place in free:
        if tokens[place].text == "than":
            behind = [at for at in (place + 1, place + 2) if at < len(tokens) and tokens[at].text in words.REFERENCES]
            found |= {place, *behind} if behind else set()
    return found


def _directions(tokens: Sequence[Token], free: Sequence[int]) -> tuple[set[int], set[int]]:
    found: tuple[set[int], set[int]] = (set(), set())
    for place in free:
        text = tokens[place].text
        phrasal = place and tokens[place - 1].text in ("turn", "switch", "turned", "switched", "back", "set")
        if text in words.UP and not (text in ("up", "add") and phrasal):
            found[0].add(place)
        elif text in words.DOWN and not phrasal:
            found[1].add(place)
    return found


def _scale(tokens: Sequence[Token], free: Sequence[int], quantity: Quantity | None) -> tuple[float | None, set[int]]:
    """Return the multiple that words such as ``double`` or ``by a third`` mean, with their places."""
    found: float | None = None
    places: set[int] = set()
    for place in free:
        text = tokens[place].text
        before = tokens[place - 1].text if place else ""
        two_before = tokens[place - 2].text if place > 1 else ""
        part = words.PARTS.get(text)
        moved = (before == "by") or (before in words.ARTICLES and two_before == "by")
        placed = (before == "to") or (before in words.ARTICLES and two_before == "to")
        if part is not None and (moved or placed) and quantity is None:
            down = any(tokens[at].text in words.DOWN for at in free)
            found = part if placed else 1 - part if down else 1 + part
            places.add(place)
        elif text in words.SCALES:
            found = words.SCALES[text]
            places.add(place)
    return found, places


def _hedges(tokens: Sequence[Token], place: int, quantity: Quantity | None) -> bool:
    text = tokens[place].text
    if text in words.HEDGES:
        return True
    close = quantity is not None and place == quantity.start - 1
    if text == "about":
        return close
    if text == "up":
        return place + 1 < len(tokens) and tokens[place + 1].text == "to"
    return text in ("above", "below", "beyond") and close


def _turned(texts: set[str]) -> bool | None:
    on, off = bool(texts & words.ON), bool(texts & words.OFF)
    return None if on == off else on


def _is_known(tokens: Sequence[Token], place: int, kept: frozenset[str]) -> bool:
    """Tell whether a token changes nothing, or is read elsewhere."""
    token = tokens[place]
    text = token.text
    if token.kind == "sign":
        return text in _SIGNS_OF_NOTHING or (text == "-" and _joins_words(tokens, place))
    if token.kind != "word":
        return False
    if text == "if":
        return place == 0 or tokens[place - 1].text in ("what", "happens", "happen", "see", "out")
    if text == "back":
        return any(one.text in ("on", "off") for one in tokens[max(place - 1, 0) : place + 2])
    if text == "about":
        return place > 0 and tokens[place - 1].text in ("what", "how")
    if text in ("new", "for", "from", "same"):
        return text in kept or text == "for"
    steering = words.NEGATIONS | words.KEEP | words.ALTER | words.ON | words.OFF | words.HEDGES | words.REFERENCES
    return text in words.FILLER | steering | words.EVALUATION | words.REMOVE | kept | words.NOUNS_OF_CHANGE | {
        "get",
        "up",
    }


def _joins_words(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a hyphen stands within a word."""
    if not 0 < place < len(tokens) - 1:
        return False
    before, token, behind = tokens[place - 1 : place + 2]
    return before.end == token.start and token.end == behind.start
