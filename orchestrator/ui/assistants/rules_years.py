"""The years, the random seed and the name of a scenario in a clause."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from orchestrator.config.layers import is_scenario_name
from orchestrator.ui.assistants import rules_words
from orchestrator.ui.assistants.base import Change
from orchestrator.ui.assistants.rules_clauses import Clause
from orchestrator.ui.assistants.rules_outcome import Outcome, Years, asked
from orchestrator.ui.assistants.rules_tokens import Token

START_KEY, END_KEY, SEED_KEY = "simulation.start_year", "simulation.end_year", "simulation.random_seed"
_START = frozenset("from starting start starts begin begins beginning first since".split())  # noqa: SIM905
_END = frozenset("until till through thru ending end ends finish finishing finishes last final stop stops".split())  # noqa: SIM905
_GAP = frozenset("in at with the it year years = : of is be on should to as up calendar extend".split())  # noqa: SIM905
_RANGE = frozenset("- – — to until till through thru and".split())  # noqa: SIM905
_ONWARDS = frozenset("on onward onwards".split())  # noqa: SIM905
_FOR = frozenset("for over next another of the whole in total".split())  # noqa: SIM905
_HORIZON = frozenset("horizon long".split())  # noqa: SIM905
_NAMING = frozenset("call name named called titled title label".split())  # noqa: SIM905
_IT = frozenset("it this that the scenario = : is as be should new run simulation".split())  # noqa: SIM905
LONGEST_NAME = 6  # words
LARGEST_SEED = 2**63 - 1


def years_in(tokens: Sequence[Token]) -> Years | None:
    """Return the years that a clause tells, None where it tells none."""
    places: set[int] = set()
    start = end = count = None
    vague = weak = False
    for place, token in enumerate(tokens):
        if place in places or token.kind != "number":
            continue
        year = token.year
        if year is None:
            counted = _count(tokens, place)
            if counted is not None:
                count = int(token.readings[0])
                places |= counted
            continue
        last = _last_of_range(tokens, place, year)
        if last is not None:
            start, end = year, last[0]
            places |= {place, *last[1], *_before(tokens, place)}
            continue
        word, used = _keyword(tokens, place)
        places |= {place, *used}
        if word in _START:
            start = year
            if place + 1 < len(tokens) and tokens[place + 1].text in _ONWARDS:
                places.add(place + 1)
        elif word in _END or word == "to":
            end, weak = year, word == "to"
        else:
            vague = True
    return Years(frozenset(places), start, end, count, vague, weak) if places else None


def _before(tokens: Sequence[Token], place: int) -> set[int]:
    return _keyword(tokens, place)[1]


def _last_of_range(tokens: Sequence[Token], place: int, year: int) -> tuple[int, set[int]] | None:
    """Return the last year of a range that begins at a place, with the places of the rest of it."""
    at = place + 1
    used = set()
    while at < len(tokens) and tokens[at].text in _RANGE | {"up"} and at - place <= 2:
        used.add(at)
        at += 1
        while at < len(tokens) and tokens[at].text in ("the", "end", "of", "including", "and"):
            used.add(at)
            at += 1
    if not used or at >= len(tokens) or tokens[at].kind != "number":
        return None
    last, text = tokens[at].year, tokens[at].text.lstrip("-−–")
    signed = tokens[at].signed
    if last is None and text.isdigit() and len(text) == 2 and not signed:
        last = year - year % 100 + int(text)
    return None if last is None else (last, used | {at})


def _keyword(tokens: Sequence[Token], place: int) -> tuple[str, set[int]]:
    """Return the word before a year that says what it is, with the places in between."""
    used: set[int] = set()
    to = False
    for at in range(place - 1, max(place - 7, -1), -1):
        text = tokens[at].text
        if text in _START | _END or (text == "between"):
            used.add(at)
            while text in _END and at and tokens[at - 1].text in _END | {"the"}:
                at -= 1
                used.add(at)
            return text, used
        if text not in _GAP:
            break
        to = to or text == "to"
        used.add(at)
    return ("to" if to else ""), used if to else set()


def _count(tokens: Sequence[Token], place: int) -> set[int] | None:
    """Return the places of ``for ten years`` around its number."""
    at = place + 1
    if at < len(tokens) and tokens[at].text == "-":
        at += 1
    if at >= len(tokens) or tokens[at].text not in ("year", "years", "yr", "yrs"):
        return None
    if tokens[place].readings[0] != int(tokens[place].readings[0]) or tokens[place].readings[0] < 1:
        return None
    used = set(range(place, at + 1))
    before = place - 1
    while before >= 0 and tokens[before].text in _FOR:
        used.add(before)
        before -= 1
    if at + 1 < len(tokens) and tokens[at + 1].text in _HORIZON:
        used.add(at + 1)
    return used


def same_years(years: Years, configured: tuple[int, int] | None) -> bool:
    """Tell whether years are no others than those of the whole simulation."""
    if configured is None or years.vague:
        return False
    first, last = configured
    counted = years.count is None or years.count == last - first + 1
    return counted and years.start in (None, first) and years.end in (None, last)


def stands_for_value(clause: Clause, years: Years) -> bool:
    """Tell whether what looks like a year stands where a value does, and may be one."""
    if years.count is not None or not (years.vague or years.weak):
        return False
    place = next(at for at, token in enumerate(clause.tokens) if token.year is not None)
    return not place or clause.tokens[place - 1].text not in ("in", "by", "during", "after", "before", "since", "from")


def in_course_of(clause: Clause, years: Years, *, growth: bool) -> bool:
    """Tell whether a value may be meant for several years together, or to be reached in the course of them."""
    texts = [token.text for token in clause.tokens]
    yearly = any(tuple(texts[at : at + len(one)]) == one for one in rules_words.PER_YEAR for at in range(len(texts)))
    if {"over", "in", "within"} & set(texts) and not growth:
        return True
    spans = (years.start is not None and years.end is not None) or bool({"over", "in", "within"} & set(texts))
    if not growth:
        return False
    if years.count is not None and "for" not in texts:
        return True
    return spans and not yearly and not {"annually", "yearly", "annual", "p.a"} & set(texts)


def merged_years(several: Sequence[Years]) -> Years | None:
    """Return years that several clauses tell as one, None where they contradict each other."""
    starts = {one.start for one in several if one.start is not None}
    ends = {one.end for one in several if one.end is not None}
    counts = {one.count for one in several if one.count is not None}
    if max(len(starts), len(ends), len(counts)) > 1:
        return None
    start, end, count = next(iter(starts), None), next(iter(ends), None), next(iter(counts), None)
    return Years(frozenset(), start, end, count, vague=any(one.vague for one in several))


def chosen_years(years: Years, configured: tuple[int, int] | None, words: str, direction: int = 0) -> Outcome:
    """Return the change of the simulated years, or what to ask.

    ``direction`` is 1 where there are to be so many years more, -1 where fewer.
    """
    keys = (START_KEY, END_KEY)
    if configured is None:
        return asked(words, "This project has no years to simulate. What is meant?")
    if years.vague:
        return asked(words, "Which years should be simulated: from which to which?", *keys)
    found = _range(years, configured, direction)
    if isinstance(found, str):
        return asked(words, found, *keys)
    start, end = found
    if end < start or end > 9999:
        return asked(words, f"{start} to {end} is no range of years: from which year to which?", *keys)
    changes = []
    if years.start is not None or start != configured[0]:
        changes.append(Change(START_KEY, start, words))
    if years.end is not None or end != configured[1] or years.count is not None:
        changes.append(Change(END_KEY, end, words))
    return Outcome(changes=tuple(changes), keys=keys, years=None if direction else years)


def _range(years: Years, configured: tuple[int, int], direction: int) -> tuple[int, int] | str:
    """Return the first and the last year that are meant, or what to ask."""
    start = configured[0] if years.start is None else years.start
    end = configured[1] if years.end is None else years.end
    if years.count is None:
        return start, end
    if direction:
        both = years.start is None and years.end is None
        return (start, end + direction * years.count) if both else "From which year to which?"
    if years.end is None:
        return start, start + years.count - 1
    if years.start is None:
        return f"From {end - years.count + 1} to {end}, or from {start} to {end}?"
    if end - start + 1 != years.count:
        return f"{start} to {end} are {end - start + 1} years, not {years.count}. Which is meant?"
    return start, end


def seed_in(tokens: Sequence[Token], words: str) -> tuple[Outcome, frozenset[int]] | None:
    """Return the random seed that a clause names with the places that tell it, None where it speaks of none."""
    at = next((place for place, token in enumerate(tokens) if token.text in ("seed", "seeds", "randomseed")), None)
    if at is None:
        return None
    places = {at}
    if at and tokens[at - 1].text == "random":
        places.add(at - 1)
    numbers = [place for place, token in enumerate(tokens) if token.kind == "number"]
    if len(numbers) != 1:
        return asked(words, "Which random seed? It is a whole number, 0 or more.", SEED_KEY), frozenset(places)
    places.add(numbers[0])
    values = [one for one in tokens[numbers[0]].readings if one == int(one) and 0 <= one <= LARGEST_SEED]
    text = tokens[numbers[0]].text
    if len(values) != 1 or (text.isdigit() and len(text) > 15):
        exact = int(text) if text.isdigit() and int(text) <= LARGEST_SEED else None
        if exact is None:
            return asked(words, "Which random seed? It is a whole number, 0 or more.", SEED_KEY), frozenset(places)
        return Outcome(changes=(Change(SEED_KEY, exact, words),), keys=(SEED_KEY,)), frozenset(places)
    return Outcome(changes=(Change(SEED_KEY, int(values[0]), words),), keys=(SEED_KEY,)), frozenset(places)


def name_in(tokens: Sequence[Token], message: str) -> tuple[str, frozenset[int]] | None:
    """Return what a clause calls the scenario, with the places that tell it; None where it names none."""
    for place, token in enumerate(tokens):
        saves = token.text == "as" and any(one.text in ("save", "store", "saved") for one in tokens[:place])
        if token.kind != "word" or not (token.text in _NAMING or saves):
            continue
        at = place + 1
        while at < len(tokens) and tokens[at].text in _IT:
            at += 1
        if saves:
            place = next(one for one in range(place) if tokens[one].text in ("save", "store", "saved"))
        quoted = next((one for one in range(at, len(tokens)) if tokens[one].kind == "quoted"), None)
        if quoted is not None:
            return tokens[quoted].text, frozenset(range(place, quoted + 1))
        end = len(tokens)
        while end > at and tokens[end - 1].text in ("please", ")", "thanks"):
            end -= 1
        if end == at:
            return "", frozenset(range(place, end))
        return message[tokens[at].start : tokens[end - 1].end], frozenset(range(place, len(tokens)))
    return None


def slug(text: str) -> str | None:
    """Return the name of a scenario that a configuration allows, None where nothing of it can be one.

    >>> slug("Slow growth!"), slug("Größe 2"), slug("***")
    ('slow_growth', 'grosse_2', None)
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    found = re.sub(r"[^a-z0-9_.-]+", "_", plain.lower()).strip("_.-")
    return found if is_scenario_name(found) and len(text.split()) <= LONGEST_NAME else None
