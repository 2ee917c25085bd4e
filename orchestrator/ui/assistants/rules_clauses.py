"""The clauses of a message: the parts that say one thing each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_words import ALTER, CORRECTIONS, FILLER, KEEP, NEGATIONS

_STOPS = frozenset(".;,\n!?")
_JOINS = frozenset({"and", "but", "while", "whereas", "plus", "also", "however", "&", "yet", "though", "although"})
_DASHES = frozenset("-–—")
ALL_BUT = frozenset("anything all any everything everyone everybody every nothing none whatever whichever".split())  # noqa: SIM905
_SHORT = frozenset(
    {"ca", "approx", "vs", "incl", "min", "max", "p.a", "resp", "est"}
)  # a full stop ends no clause there
_MEANING = (["i", "mean"], ["i", "meant"])
_CORRECTING = frozenset({"sorry", "oops", "rather", "correction", "actually", "scratch", "nope"})


@dataclass(frozen=True)
class Clause:
    """A part of a message: its ``tokens``, and how it hangs on the one before.

    ``join`` is the word or sign in front of it; ``corrects`` tells that it takes back what was said just before,
    ``asks`` that a question mark ends it, ``retracted`` that nothing but a word such as ``no`` stands behind it.
    """

    tokens: tuple[Token, ...]
    join: str = ""
    corrects: bool = False
    asks: bool = False
    retracted: bool = False

    def words(self, message: str) -> str:
        """Return the user's own words."""
        return " ".join(message[self.tokens[0].start : self.tokens[-1].end].split()) if self.tokens else ""

    def has(self, *texts: str) -> bool:
        """Tell whether any of these words is in it."""
        return any(token.text in texts for token in self.tokens)


def clauses_of(tokens: Sequence[Token]) -> list[Clause]:
    """Split a message into its clauses; those that are nothing but a correcting word mark the next."""
    found: list[Clause] = []
    corrects, pending_join = False, ""
    parts = list(_parts(tokens))
    for number, part in enumerate(parts):
        join = part.join or pending_join
        texts = [token.text for token in part.tokens]
        if texts and found and _only_corrects(texts):
            corrects, pending_join = True, join
            continue
        if (
            not found
            and set(texts) & {"wait", "hold"}
            and _opens(texts)
            and any(one.tokens for one in parts[number + 1 :])
        ):
            corrects, pending_join = True, join
            continue
        body, corrected = _without_correction(part.tokens, follows=bool(found))
        if not body:
            continue
        found.append(Clause(body, join, corrects or corrected, part.asks))
        corrects, pending_join = False, ""
    if corrects and found:
        found[-1] = replace(found[-1], retracted=True)
    return found


def _opens(texts: Sequence[str]) -> bool:
    """Tell whether words such as ``no wait`` do nothing but announce another wish."""
    return set(texts) <= CORRECTIONS | _CORRECTING | {
        "oh",
        "hold",
        "on",
        "hang",
        "a",
        "i",
        "second",
        "minute",
        "please",
    }


def _only_corrects(texts: Sequence[str]) -> bool:
    """Tell whether a part such as ``no`` or ``sorry, I mean`` does nothing but take back what was said."""
    texts = _without_meaning(texts)
    rest = [text for text in texts if text not in ("i", "or", "wait", "that", "no", "oh", "make")]
    return all(text in _CORRECTING for text in rest) and bool(set(texts) & (CORRECTIONS | _CORRECTING))


def _without_meaning(texts: Sequence[str]) -> list[str]:
    """Return words with ``I mean`` as one word that takes something back."""
    found = list(texts)
    while found[-2:] in _MEANING:
        found[-2:] = ["sorry"]
    return found


def _without_correction(tokens: tuple[Token, ...], *, follows: bool) -> tuple[tuple[Token, ...], bool]:
    """Drop the words at the beginning of a clause that take back what was said: ``no, 4 %``, ``I mean 4 %``."""
    if not follows:
        return tokens, False
    place = 2 if [token.text for token in tokens[:2]] in _MEANING else 0
    seen = place > 0
    while place < len(tokens) and tokens[place].text in CORRECTIONS | _CORRECTING | {"i", "or"}:
        behind = tokens[place + 1] if place + 1 < len(tokens) else None
        if tokens[place].text in ("no", "wait") and (behind is None or behind.kind != "number"):
            break  # "no match" says something of its own
        if tokens[place].text == "wait" and not seen:
            break
        seen = seen or tokens[place].text in CORRECTIONS | _CORRECTING
        place += 1
    return (tokens[place:], True) if seen else (tokens, False)


def _parts(tokens: Sequence[Token]) -> Iterator[Clause]:
    begin, join = 0, ""
    for place, token in enumerate(tokens):
        if place < begin or not _splits(tokens, place):
            continue
        keeps = token.text == "without"
        yield Clause(tuple(tokens[begin:place]), join, asks=token.text == "?")
        join = "with" if token.text in ("with", "using") else "" if keeps else token.text
        begin = place if keeps else place + 1
    yield Clause(tuple(tokens[begin:]), join)


def _splits(tokens: Sequence[Token], place: int) -> bool:
    token = tokens[place]
    if token.kind == "sign" and token.text in _STOPS:
        return not (token.text == "." and place > 0 and tokens[place - 1].text in _SHORT)
    if token.text in _DASHES:
        apart = (
            0 < place < len(tokens) - 1 and tokens[place - 1].end < token.start and token.end < tokens[place + 1].start
        )
        return (apart or token.text != "-") and place < len(tokens) - 1 and tokens[place + 1].kind != "number"
    if token.text in ("with", "without", "using"):
        return place > 0
    if token.text == "as" and [one.text for one in tokens[place : place + 3]] == ["as", "well", "as"]:
        return True
    if token.text not in _JOINS or token.kind == "quoted":
        return False
    if token.text == "but" and _is_all_but(tokens, place):
        return False
    if token.text == "plus" and place + 1 < len(tokens) and tokens[place + 1].kind == "number":
        return False
    return not (token.text in ("and", "&") and _is_between(tokens, place))


def _is_all_but(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether a ``but`` belongs to ``anything but that``; ``do not change anything but that`` names it."""
    texts = [one.text for one in tokens[max(place - 4, 0) : place]]
    last = max((at for at, text in enumerate(texts) if text in ALL_BUT), default=-1)
    between = texts[last + 1 :]
    return (
        last >= 0
        and not {text for text in texts[:last] if text in NEGATIONS | {"leave", "keep"}}
        and not set(between) & (FILLER | ALTER | KEEP | _STOPS)
    )


def _is_between(tokens: Sequence[Token], place: int) -> bool:
    """Tell whether an ``and`` belongs to ``between 2 and 4``."""
    for back in range(place - 1, max(place - 6, -1), -1):
        if tokens[back].text == "between":
            return True
        if tokens[back].text in _STOPS:
            return False
    return False
