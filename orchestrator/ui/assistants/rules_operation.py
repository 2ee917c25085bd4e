"""What a clause says is to happen with its subject: up, down, times two, on, off, as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_units import TIMES, Quantity

_SETS = frozenset({"to", "at", "of", "=", ":", "is", "be", "becomes", "equals"})
_MILD = frozenset({"the", "a", "an", "about", "just", "only"})
_SIGNS_OF_NOTHING = frozenset("()[]:='\"!?*.")


@dataclass(frozen=True)
class Operation:
    """What a clause says besides its subject and its number.

    ``direction`` is 1 for up, -1 for down, 0 for neither, None for both. ``moves`` tells that the number says by how
    much, ``to`` that it says what to be and ``becomes`` that it does so by the word to. ``scale`` is a multiple, such
    as 2 for double. ``hedge`` is a word that leaves the value open, ``none`` that there shall be none, ``negated`` and
    ``turned`` (on or off) are of switches, ``keeps`` tells that nothing shall change, ``yearly`` that it happens each
    year, ``based`` and ``of_now`` that the base, or
    today's value, is named behind the number. ``left`` are the tokens that nothing explains.
    """

    direction: int | None
    moves: bool
    to: bool
    becomes: bool
    by: bool
    scale: float | None
    hedge: str | None
    negated: bool
    none: bool
    turned: bool | None
    removes: bool
    keeps: bool
    based: bool
    of_now: bool
    temporal: bool
    yearly: bool
    left: tuple[Token, ...]


def operation_in(
    tokens: Sequence[Token],
    used: Iterable[int],
    quantity: Quantity | None,
    explained: Iterable[int],
    *,
    verb: Token | None,
    switches: bool = True,
) -> Operation:
    """Read what a clause says; ``used`` are the places of its subject, ``explained`` those of words for it.

    ``switches`` tells that on and off, and words like them, may be said of it.
    """
    taken = set(used) | (set(range(quantity.start, quantity.end)) if quantity else set())
    known = set(explained)
    free = [place for place in range(len(tokens)) if place not in taken]
    yearly = _per_year(tokens, free)
    taken |= yearly
    taken |= _compared(tokens, free)
    free = [place for place in free if place not in taken]
    texts = {tokens[place].text for place in free}
    ups, downs = _directions(tokens, free, quantity, set(used))
    scale, scales = _scale(tokens, free, quantity)
    multiplied = scale is not None or (quantity is not None and quantity.unit == TIMES)
    before = _before(tokens, quantity)
    behind = quantity is not None and quantity.end < len(tokens) and quantity.end in ups | downs
    noun = before[:1] == ["of"] and _word_before_of(tokens, quantity) in words.NOUNS_OF_CHANGE
    by = "by" in before
    to = bool(_SETS & set(before)) and not behind and not noun
    behind_number = 0 if quantity is None else quantity.end
    referred = {token.text for token in tokens[behind_number:]} & words.REFERENCES
    direction = None if ups and downs else 1 if ups else -1 if downs else 0
    negated = bool(texts & words.NEGATIONS)
    keeps = bool(texts & words.KEEP) or (negated and bool(texts & words.ALTER))
    kept = words.KEPT if keeps else frozenset()
    hedge = next((tokens[place].text for place in free if _hedges(tokens, place, quantity)), None)
    temporal = {place for place in free if tokens[place].text in words.TEMPORAL and place not in scales}
    left = tuple(
        tokens[place]
        for place in free
        if place not in ups | downs | scales | known | temporal
        and not (tokens[place].text == "about" and hedge == "about")
        and not _is_known(tokens, place, kept, switches=switches, multiplied=multiplied)
    )
    return Operation(
        direction=direction,
        moves=quantity is not None and direction != 0 and not to and verb is None,
        to=to,
        becomes=to and "to" in before,
        by=by,
        scale=scale,
        hedge=hedge,
        negated=negated,
        none=bool(texts & words.NONE) and not texts & (words.NEGATIONS - words.NONE),
        turned=_turned(texts),
        removes=bool(texts & words.REMOVE),
        keeps=keeps,
        based=bool(referred & words.BASES),
        of_now=bool(referred - words.BASES),
        temporal=bool(temporal),
        yearly=bool(yearly or texts & words.YEARLY),
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


def _directions(
    tokens: Sequence[Token], free: Sequence[int], quantity: Quantity | None, subject: set[int]
) -> tuple[set[int], set[int]]:
    found: tuple[set[int], set[int]] = (set(), set())
    for place in free:
        text = tokens[place].text
        if quantity is not None and _limits(tokens, place, quantity):
            continue
        if text in words.COMPARATIVES and not _compares(tokens, place, quantity, subject):
            continue
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
            if moved and down == any(tokens[at].text in words.UP for at in free):
                continue  # more or less?
            found = part if placed else 1 - part if down else 1 + part
            places.add(place)
        elif text in words.SCALES and found is None and (text != "half" or _halves(tokens, place, before)):
            found = words.SCALES[text]
            places.add(place)
    return found, places


def _halves(tokens: Sequence[Token], place: int, before: str) -> bool:
    """Tell whether ``half`` is a multiple, as in ``half the rate`` and ``cut in half``, and no part of a number."""
    behind = tokens[place + 1].text if place + 1 < len(tokens) else ""
    return before in ("in", "by", "to") or behind in ("the", "of", "our", "its", "as", "that", "this", "current", "it")


def _compares(tokens: Sequence[Token], place: int, quantity: Quantity | None, subject: set[int]) -> bool:
    """Tell whether a comparative belongs to the subject or its number: ``older`` may be said of people as well."""
    behind = tokens[place + 1].text if place + 1 < len(tokens) else ""
    verb = tokens[place].text == "lower" and behind in words.ARTICLES | {"our", "it", "this"}
    near = {place - 1, place + 1} & subject or behind in ("by", "than", "")
    return bool(near) or verb or not subject or (quantity is not None and place == quantity.end)


def _limits(tokens: Sequence[Token], place: int, quantity: Quantity) -> bool:
    """Tell whether a word makes the number behind it a limit: ``above 3 %``, ``less than 3 %``."""
    behind = [token.text for token in tokens[place + 1 : quantity.start]]
    text = tokens[place].text
    return ((text in ("above", "below", "beyond") and behind == []) and place < quantity.start) or (
        text in ("more", "less", "higher", "lower", "fewer") and behind == ["than"]
    )


def _hedges(tokens: Sequence[Token], place: int, quantity: Quantity | None) -> bool:
    text = tokens[place].text
    if text in words.HEDGES:
        return True
    if quantity is not None and _limits(tokens, place, quantity):
        return True
    if text == "about":
        asked = place > 0 and tokens[place - 1].text in ("what", "how")
        return quantity is not None and place == quantity.start - 1 and not asked
    if text == "up":
        return place + 1 < len(tokens) and tokens[place + 1].text == "to"
    return False


def _turned(texts: set[str]) -> bool | None:
    on, off = bool(texts & words.ON), bool(texts & words.OFF)
    return None if on == off else on


def _is_known(tokens: Sequence[Token], place: int, kept: frozenset[str], *, switches: bool, multiplied: bool) -> bool:
    """Tell whether a token changes nothing, or is read elsewhere."""
    token = tokens[place]
    if token.kind == "sign":
        return token.text in _SIGNS_OF_NOTHING or (token.text == "-" and _joins_words(tokens, place))
    if token.kind != "word":
        return False
    before = tokens[place - 1].text if place else ""
    behind = tokens[place + 1].text if place + 1 < len(tokens) else ""
    if token.text in words.AS_MUCH:
        return multiplied and before == "as"
    by_neighbours = _known_beside(token.text, before, behind, kept)
    if by_neighbours is not None:
        return by_neighbours
    steering = words.NEGATIONS | words.KEEP | words.ALTER | words.HEDGES | words.REFERENCES | words.REMOVE
    if switches:
        steering |= words.ON | words.OFF
    return token.text in words.FILLER | steering | words.EVALUATION | kept | words.NOUNS_OF_CHANGE | {"get", "up"}


def _known_beside(text: str, before: str, behind: str, kept: frozenset[str]) -> bool | None:
    """Tell whether a word says nothing beside its neighbours, None for one that does not depend on them."""
    if text == "if":
        return before in ("", "what", "happens", "happen", "see", "out")
    if text == "instead":
        return behind != "of"
    if text == "like":
        return before in ("would", "i'd", "we'd", "i", "we", "should")
    if text == "back":
        return bool({before, behind} & {"on", "off"})
    if text == "about":
        return before in ("what", "how")
    if text in ("new", "for", "from", "same"):
        return text in kept or text == "for"
    return None


def _joins_words(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a hyphen stands within a word."""
    if not 0 < place < len(tokens) - 1:
        return False
    before, token, behind = tokens[place - 1 : place + 2]
    return before.end == token.start and token.end == behind.start
