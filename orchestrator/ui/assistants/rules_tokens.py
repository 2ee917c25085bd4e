"""Words, numbers and dates of a message, each with its place in it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from orchestrator.ui.assistants.rules_words import stem

_MONTHS = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS)
_DAY = r"(?P<{0}>\d{{1,2}})(?:st|nd|rd|th)?"
_PATTERN = re.compile(
    rf"""
    (?P<iso>(?<![\d-])\d{{4}}-\d\d-\d\d(?![\d-]))
    | (?P<spoken>\b{_DAY.format("day")}\s+(?:of\s+)?(?P<month>{_MONTH})\.?,?\s+(?P<year>\d{{4}})\b
      | \b(?P<month2>{_MONTH})\.?\s+{_DAY.format("day2")},?\s+(?P<year2>\d{{4}})\b)
    | (?P<unclear>\b\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}\b)
    | (?P<quoted>"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|`[^`\n]*`|(?<!\w)'[^'\n]+'(?!\w))
    | (?P<number>
        (?:(?<![\w.,)%°])[-−–+])?(?:(?<![\w.])\d+(?:[.,]\d+|\ \d{{3}}(?!\d))*|(?<![\w.,)])\.\d+)(?:e-?\d+)?(?:k\b)?
        | [½¼¾])
    | (?P<word>\bp\.a\b|[^\W\d_]\w*(?:\.[^\W\d_]\w*)+|[^\W\d_]+(?:['’][^\W\d_]+)+|\w+)
    | (?P<sign>[^\w\s]|\n)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GLYPHS = {"½": 0.5, "¼": 0.25, "¾": 0.75}
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_MAGNITUDES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_AFTER_ONE = frozenset(
    "percent percentage basis point year years day days week weeks month months time times and per pct %".split()  # noqa: SIM905
) | set(_MAGNITUDES)
Kind = Literal["word", "number", "date", "quoted", "sign"]


@dataclass(frozen=True)
class Token:
    """A word, a number, a date or a sign; ``start`` and ``end`` are its place in the message.

    ``readings`` are the numbers that it may be, the likeliest first: ``1.200`` has two. ``signed`` tells that plus or
    minus stands before a number. ``text`` is in lower case and ``written`` as it was written, of words alone; ``date``
    is ISO text, empty where the date is unclear.
    """

    kind: Kind
    text: str
    start: int
    end: int
    readings: tuple[float, ...] = ()
    signed: bool = False
    date: str = ""
    written: str = ""

    @property
    def stem(self) -> str:
        """What the forms of the word share."""
        return stem(self.text)

    @property
    def year(self) -> int | None:
        """The calendar year that it may be."""
        whole = self.kind == "number" and len(self.text) == 4 and self.text.isdigit()
        return int(self.text) if whole and 1900 <= int(self.text) <= 2200 else None


def tokens_of(message: str) -> tuple[Token, ...]:
    """Return the words, numbers, dates and signs of a message, numbers in words made numbers."""
    return tuple(_numbered(message, tuple(_raw(message))))


def _raw(message: str) -> Iterator[Token]:
    for found in _PATTERN.finditer(message):
        start, end, text = found.start(), found.end(), found[0]
        if found["iso"]:
            yield Token("date", text, start, end, date=_valid(text))
        elif found["spoken"]:
            month = (
                _MONTHS.index(next(m for m in _MONTHS if m[:3] == (found["month"] or found["month2"]).lower()[:3])) + 1
            )
            day, year = int(found["day"] or found["day2"]), found["year"] or found["year2"]
            yield Token("date", text, start, end, date=_valid(f"{year}-{month:02}-{day:02}"))
        elif found["unclear"]:
            yield Token("date", text, start, end)
        elif found["quoted"]:
            yield Token("quoted", text[1:-1].strip(), start, end)
        elif found["number"]:
            yield number_token(text, start, end)
        elif found["word"]:
            yield from _parts(text, start)
        else:
            yield Token("sign", text, start, end)


def _parts(text: str, start: int) -> Iterator[Token]:
    """Yield a word, or those that underscores and dots hold together, as in the name of a variable."""
    if text.lower() == "p.a":
        yield Token("word", text.lower(), start, start + len(text))
        return
    for found in re.finditer(r"[^_.]+", text):
        if found.start() == 0 and text.lower().startswith("vars."):
            continue
        low = found[0].lower().replace("’", "'")
        yield Token("word", low, start + found.start(), start + found.end(), written=found[0])


def _valid(text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        return ""


def number_token(text: str, start: int, end: int) -> Token:
    """Return a token of digits; without a reading, it is a word that is not understood."""
    if text in _GLYPHS:
        return Token("number", text, start, end, (_GLYPHS[text],))
    signed = text[0] in "-−–+"
    sign = -1.0 if signed and text[0] != "+" else 1.0
    body = text[1:] if signed else text
    scale = 1000 if body.lower().endswith("k") else 1
    readings = tuple(sign * scale * one for one in _readings(body.lower().rstrip("k")))
    shown = text if signed else body
    return Token("number" if readings else "word", shown, start, end, readings, signed)


def _readings(body: str) -> tuple[float, ...]:
    text = body.replace(" ", "")
    if "e" in text or text.startswith(".") or not re.search(r"[.,]", text):
        return (float(text),)
    commas, dots = text.count(","), text.count(".")
    grouped = re.fullmatch(r"\d{1,3}(?:[,.]\d{3})+", text)
    if commas and dots:
        decimal = "." if text.rfind(".") > text.rfind(",") else ","
        group = "," if decimal == "." else "."
        if text.count(decimal) == 1 and re.fullmatch(rf"\d{{1,3}}(?:\{group}\d{{3}})+\{decimal}\d+", text):
            return (float(text.replace(group, "").replace(decimal, ".")),)
        return ()
    whole, decimal_reading = float(re.sub(r"[,.]", "", text)), text.replace(",", ".")
    if commas + dots > 1:
        return (whole,) if grouped else ()
    if grouped and not text.startswith("0"):
        return (whole, float(decimal_reading)) if commas else (float(decimal_reading), whole)
    return (float(decimal_reading),)


@lru_cache(maxsize=4096)
def _spoken(text: str) -> float | None:
    """Return the number that words are, None where they are none, or more than one."""
    from text_to_num import alpha2digit, text2num  # a quarter of a second, and most messages need it not at import

    if " " not in text and "-" not in text:
        try:
            return float(text2num(text, "en"))
        except ValueError:
            return None
    found = alpha2digit(text, "en")
    return float(found) if _PLAIN_NUMBER.fullmatch(found) else None


def _numbered(message: str, raw: Sequence[Token]) -> Iterator[Token]:
    place = 0
    while place < len(raw):
        token = raw[place]
        part = _part_of_one(raw, place)
        if part is not None:
            yield Token("number", token.text, token.start, raw[place + 1].end, (part,))
            place += 2
            continue
        end = _end_of_spoken(message, raw, place)
        if end > place:
            value = _spoken(message[token.start : raw[end - 1].end].lower())
            assert value is not None
            token = Token(
                "number", message[token.start : raw[end - 1].end].lower(), token.start, raw[end - 1].end, (value,)
            )
            place = end
        else:
            place += 1
        if token.kind == "number":
            token, place = _completed(raw, token, place)
        yield token


def _part_of_one(raw: Sequence[Token], place: int) -> float | None:
    """Return the number of ``half a year`` and ``a quarter of a percent``, None where no unit follows."""
    texts = [one.text for one in raw[place : place + 3]]
    if len(texts) == 3 and texts[0] in ("half", "quarter") and texts[1] in ("a", "an"):
        return 0.5 if texts[0] == "half" else 0.25
    return None


def _end_of_spoken(message: str, raw: Sequence[Token], place: int) -> int:
    """Return the place behind the longest number in words that begins here, the place itself where none does."""
    token = raw[place]
    if token.kind != "word" or not token.text.isalpha() or _spoken(token.text) is None:
        return place
    best = place + 1
    for end in range(place + 2, min(place + 12, len(raw) + 1)):
        last = raw[end - 1]
        joins = last.text in ("and", "-", "point")
        if not joins and (last.kind != "word" or _spoken(last.text) is None):
            break
        if not joins and _spoken(message[token.start : last.end].lower()) is not None:
            best = end
    alone = best == place + 1 and token.text == "one"
    return place if alone and (best >= len(raw) or raw[best].text not in _AFTER_ONE) else best


def _completed(raw: Sequence[Token], token: Token, place: int) -> tuple[Token, int]:
    """Take what follows a number and belongs to it: a magnitude, or ``and a half``."""
    texts = [one.text for one in raw[place : place + 3]]
    if texts and texts[0] in _MAGNITUDES:
        scale = _MAGNITUDES[texts[0]]
        return _changed(token, raw[place].end, tuple(one * scale for one in token.readings)), place + 1
    if len(texts) == 3 and texts[:2] == ["and", "a"] and texts[2] in ("half", "quarter"):
        more = 0.5 if texts[2] == "half" else 0.25
        return _changed(token, raw[place + 2].end, tuple(one + more for one in token.readings)), place + 3
    if texts and texts[0] in _GLYPHS:
        return _changed(token, raw[place].end, tuple(one + _GLYPHS[texts[0]] for one in token.readings)), place + 1
    return token, place


def _changed(token: Token, end: int, readings: tuple[float, ...]) -> Token:
    return Token("number", token.text, token.start, end, readings, token.signed)
