"""Which parameter a clause speaks of, found by the words that the project itself has for it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from orchestrator.reports.parameters import Parameter
from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.rules_tokens import Token, tokens_of
from orchestrator.ui.assistants.rules_units import Scale, scale_of
from orchestrator.ui.assistants.rules_words import stem

_MEASURES_ALIKE = (("period", "time", "length", "duration"), ("rat", "ratio", "percentage", "share"))
_ALIKE = {stem(word): alike[0] for alike in _MEASURES_ALIKE for word in alike}
_ALIKE |= {"min": "minimum", "max": "maximum"}
_GROWTH = stem("growth")
_GROWN = re.compile(r"\b(?:growth|increase|change)\s+(?:of|in)\s+(?:the\s+)?([^\W\d_]+)", re.IGNORECASE)
_OF = re.compile(r"\bof\s+(?:the\s+)?([^\W\d_]+)", re.IGNORECASE)
_OWN_WORDS = frozenset({"march", "june", "from", "times", "same"}).union(
    *(words.FILLER, words.UP, words.DOWN, words.HEDGES, words.TEMPORAL, words.NEGATIONS, words.ON, words.OFF),
    *(words.KEEP, words.CHANGE, words.SCALES, words.REFERENCES, words.REST, words.EVALUATION),
)
NEAR = 65  # of 100: how like a name must be to be offered as the nearest
FEWEST_LETTERS = 4  # of a word that may be misspelt
LONG, LONGEST = 6, 9  # letters from which on one letter may be another, and two may be wrong


def key_of(token: Token) -> str:
    """Return what a token is compared by: the stem of a word, the value of a number."""
    if token.kind == "number":
        return f"#{token.readings[0]:g}"
    found = token.stem
    return _ALIKE.get(found, found)


def keys_in(text: str) -> tuple[str, ...]:
    """Return what the words of a text are compared by, without those that say nothing."""
    found = tokens_of(text.replace("_", " "))
    return tuple(key_of(token) for token in found if token.kind in ("word", "number") and token.text not in _SILENT)


_SILENT = frozenset(
    "a an the of in to for is are be and or from by with at on who which that those within between may all".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Subject:
    """A parameter with the words for it.

    Each of ``phrases`` names it; ``grown`` are what it is the growth of, so that these fall and rise. ``strong`` are
    the words of its names, ``weak`` those of what is said about it.
    """

    parameter: Parameter
    scale: Scale
    phrases: tuple[tuple[str, ...], ...]
    grown: frozenset[str]
    strong: frozenset[str]
    weak: frozenset[str]
    unit: frozenset[str]
    choices: tuple[tuple[object, tuple[str, ...]], ...]

    @property
    def key(self) -> str:
        """The dotted key of its value."""
        return f"vars.{self.parameter.name}"

    @property
    def is_open(self) -> bool:
        """Tell whether an assistant may set it."""
        return not (self.parameter.declared.file or self.parameter.declared.secret)

    @property
    def is_growth(self) -> bool:
        """Tell whether its value is by how much something grows."""
        return _GROWTH in self.strong


@dataclass(frozen=True)
class Match:
    """A place where a clause names a subject: the ``places`` of the tokens, and the verb that stands for growth.

    ``weight`` is the number of words; ``whole`` tells that they are all the words of one of its names.
    """

    subject: Subject
    places: frozenset[int]
    whole: bool
    weight: float
    verb: Token | None = None


class Vocabulary:
    """The words of all parameters of a project; ``texts`` are others, with the parameters that each is about."""

    def __init__(self, parameters: Sequence[Parameter], texts: Iterable[tuple[str, Sequence[str]]] = ()) -> None:
        told: dict[str, set[str]] = {}
        for text, names in texts:
            if len(names) == 1:
                told.setdefault(names[0], set()).update(keys_in(text))
        self.subjects = tuple(_subject(one, frozenset(told.get(one.name, ()))) for one in parameters)
        counted = Counter(word for one in self.subjects for word in one.weak | one.unit | one.strong)
        strong = frozenset().union(*(one.strong for one in self.subjects))
        growths = [one for one in self.subjects if one.is_growth]
        if len(growths) == 1:  # what else would be meant by growth alone
            only = replace(growths[0], phrases=tuple({*growths[0].phrases, (_GROWTH,)}))
            self.subjects = tuple(only if one is growths[0] else one for one in self.subjects)
        self.common = frozenset(word for word, count in counted.items() if count > 1) - strong
        self._known: dict[str, set[str]] = {}
        for one in parameters:
            for word in re.findall(r"[^\W\d_]{4,}", " ".join([one.name.replace("_", " "), *one.declared.words])):
                self._known.setdefault(_ALIKE.get(stem(word), stem(word)), set()).add(word.lower())

    def keys(self, tokens: Sequence[Token]) -> list[str]:
        """Return what the tokens are compared by, misspelt words of the project mended."""
        return [self._mended(token) for token in tokens]

    def _mended(self, token: Token) -> str:
        key = key_of(token)
        text = token.text
        if token.kind != "word" or key in self._known or text in _OWN_WORDS or len(text) < FEWEST_LETTERS:
            return key
        near = {known for known, forms in self._known.items() for form in forms if _is_misspelt(text, form)}
        return near.pop() if len(near) == 1 else key

    def matches(self, tokens: Sequence[Token]) -> list[Match]:
        """Return the subjects that a clause names in full, none inside the name of another."""
        keys = self.keys(tokens)
        found = [match for one in self.subjects for match in _named(one, tokens, keys)]
        return [
            match
            for match in found
            if not any(
                match.places < other.places
                or (match.places == other.places and match.weight < other.weight)
                or (other.subject is match.subject and match is not other and _beats(other, match))
                for other in found
            )
        ]

    def hints(self, tokens: Sequence[Token]) -> list[Match]:
        """Return the subjects that some words of a clause speak of, the likeliest first."""
        keys = self.keys(tokens)
        found = []
        for one in self.subjects:
            places = frozenset(
                place for place, key in enumerate(keys) if key in one.strong and key not in _ALIKE.values()
            )
            weight = sum(
                1 / sum(keys[place] in other.strong | other.weak for other in self.subjects) for place in places
            )
            if weight:
                found.append(Match(one, places, whole=False, weight=weight))
        return sorted(found, key=lambda match: -match.weight)

    def nearest(self, text: str, count: int = 3) -> list[Subject]:
        """Return the subjects whose names are most like a text."""
        names = {f"{number}": " ".join((one.parameter.name.replace("_", " "), *one.parameter.declared.words)) for number, one in enumerate(self.subjects)}  # fmt: skip # noqa: E501
        names = {number: text for number, text in names.items() if self.subjects[int(number)].is_open}
        found = process.extract(text, names, scorer=fuzz.token_set_ratio, limit=count, score_cutoff=NEAR)
        return [self.subjects[int(number)] for _, _, number in found]


def _beats(other: Match, match: Match) -> bool:
    mine, its = (
        (match.verb is None, match.weight, -min(match.places)),
        (other.verb is None, other.weight, -min(other.places)),
    )
    return its > mine


def _is_misspelt(text: str, word: str) -> bool:
    """Tell whether a text is most likely a word with a slip of the finger; the first letter is seldom wrong."""
    if text[0] != word[0] or min(len(text), len(word)) < FEWEST_LETTERS:
        return False
    distance = OSA.distance(text, word)
    if len(word) < LONG:  # another letter makes another word: march is no match
        return distance == 1 and (len(text) != len(word) or sorted(text) == sorted(word)) and len(word) > FEWEST_LETTERS
    return distance <= (2 if len(word) >= LONGEST else 1)


def _subject(one: Parameter, told: frozenset[str]) -> Subject:
    declared = one.declared
    name = keys_in(one.name)
    unit = frozenset(keys_in(declared.unit or ""))
    measured = unit if declared.unit and not declared.unit.startswith("of ") else frozenset()
    short = tuple(word for word in name if word not in measured and word not in _MEASURES)
    phrases = {phrase for phrase in (name, short, *map(keys_in, declared.words)) if phrase}
    strong = frozenset(word for phrase in phrases for word in phrase)
    written = (one.name.replace("_", " "), *declared.words)
    phrases |= {(stem(re.sub(r"[\W_]+", "", text.lower())),) for text in written if " " in text or "-" in text}
    grown = set()
    if _GROWTH in strong:
        grown = {word for phrase in phrases for word in phrase} - {_GROWTH} - _MEASURES - {"target"}
        for text, pattern in ((declared.unit or "", _OF), (declared.description or "", _GROWN)):
            grown.update(_ALIKE.get(stem(word), stem(word)) for word in pattern.findall(text))
    weak = frozenset(keys_in(declared.description or "")) | told
    choices = tuple((choice, keys_in(str(choice))) for choice in declared.choices)
    return Subject(one, scale_of(one), tuple(sorted(phrases)), frozenset(grown), strong, weak, unit, choices)


_MEASURES = frozenset(_ALIKE.get(stem(word), stem(word)) for word in words.MEASURES)


def _named(one: Subject, tokens: Sequence[Token], keys: Sequence[str]) -> list[Match]:
    found = []
    for phrase in one.phrases:
        places = _places(phrase, keys)
        if places is None:
            continue
        grows = next((tokens[place] for place in places if tokens[place].text in words.GROW), None)
        verb = grows if one.is_growth else None
        found.append(Match(one, places, whole=True, weight=len(phrase), verb=verb))
    if one.is_growth and not any(token.text == "growth" for token in tokens):
        found += _moving(one, tokens, keys)
    return found


def _moving(one: Subject, tokens: Sequence[Token], keys: Sequence[str]) -> list[Match]:
    """Return where what grows or shrinks is named with a verb that says so."""
    verb = next((place for place, token in enumerate(tokens) if token.text in words.CHANGE | words.FLAT), None)
    noun = next((place for place, key in enumerate(keys) if key in one.grown), None)
    if verb is None or noun is None:
        return []
    return [Match(one, frozenset((verb, noun)), whole=True, weight=2, verb=tokens[verb])]


def _places(phrase: Sequence[str], keys: Sequence[str]) -> frozenset[int] | None:
    """Return where the words of a phrase stand, close together, whatever their order."""
    best: frozenset[int] | None = None
    for begin, key in enumerate(keys):
        if key not in phrase:
            continue
        window = list(enumerate(keys))[begin : begin + len(phrase) + 2]
        found: list[int] = []
        for word in phrase:
            place = next((at for at, there in window if there == word and at not in found), None)
            if place is None:
                break
            found.append(place)
        else:
            best = frozenset(found) if best is None else best
    return best


def by_name(subjects: Iterable[Subject]) -> Mapping[str, Subject]:
    """Return subjects by the key of their value."""
    return {one.key: one for one in subjects}
