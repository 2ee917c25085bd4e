"""Read one clause: a change, a question, or the words that were not understood; never nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.overlay import why_closed
from orchestrator.ui.assistants.rules_clauses import Clause
from orchestrator.ui.assistants.rules_numbers import read_number
from orchestrator.ui.assistants.rules_operation import operation_in
from orchestrator.ui.assistants.rules_outcome import Outcome, Years, about, asked, cited, limits_of, shown
from orchestrator.ui.assistants.rules_subjects import Match, Subject, Vocabulary
from orchestrator.ui.assistants.rules_switches import choice_named, choices_named, read_choice, read_switch, read_text
from orchestrator.ui.assistants.rules_tokens import Token
from orchestrator.ui.assistants.rules_units import quantities_of
from orchestrator.ui.assistants.rules_words import stem
from orchestrator.ui.assistants.rules_years import (
    END_KEY,
    SEED_KEY,
    START_KEY,
    chosen_years,
    in_course_of,
    name_in,
    same_years,
    seed_in,
    slug,
    stands_for_value,
    years_in,
)

NUMERIC = ("number", "integer")
_OUT_OF_REACH = (
    "only values of parameters, the years, the random seed and the name can be set here; hooks, storage, paths, "
    "databases, dbt and everything else are set in the configuration file."
)


@dataclass(frozen=True)
class Context:
    """What a clause is read with: the values now by dotted key, the years, and what was spoken of before it.

    ``subject`` is what a clause without one speaks of, ``keys`` what was spoken of; ``percent`` tells that its last
    number was in percent, ``moved`` that it said by how much;
    ``changed`` are the keys that are proposed by now,
    ``direction`` is that of the clause before.
    """

    values: Mapping[str, object]
    years: tuple[int, int] | None
    scenarios: tuple[str, ...] = ()
    subject: Subject | None = None
    keys: tuple[str, ...] = ()
    percent: bool = False
    moved: bool = False
    changed: frozenset[str] = frozenset()
    direction: int = 0


class Reader:
    """Reads the clauses of messages about the parameters of one project."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def read(self, clause: Clause, message: str, context: Context) -> list[Outcome]:
        """Return what became of a clause."""
        said = clause.words(message)
        named = name_in(clause.tokens, message)
        if named is not None:
            return self._name(clause, message, context, *named)
        matches = self.vocabulary.matches(clause.tokens) or self._by_choice(clause)
        split = _split(clause, matches)
        if split:
            return [outcome for part in split for outcome in self.read(part, message, context)]
        if len({match.subject.key for match in matches}) > 1:
            matches = _that_fit(clause, matches)
        if len({match.subject.key for match in matches}) > 1:
            names = " or ".join(dict.fromkeys(about(match.subject) for match in matches))
            return [asked(said, f"Which is meant, {names}?", *(match.subject.key for match in matches))]
        seed = None if matches else seed_in(clause.tokens, said)
        if seed is not None:
            outcome, places = seed
            return [self._unless_left(outcome, clause, places, said)]
        if matches:
            return [self._of(matches[0], clause, said, context)]
        return [self._without_subject(clause, said, context)]

    def _name(self, clause: Clause, message: str, context: Context, text: str, places: frozenset[int]) -> list[Outcome]:
        said = clause.words(message)
        left = self._left(clause, places)
        inside = [clause.tokens[place] for place in sorted(places)]
        values = any(token.kind == "number" for token in inside) and self.vocabulary.matches(inside)
        name = slug(text)
        if left or name is None or (values and not any(token.kind == "quoted" for token in inside)):
            text = "What should the scenario be called? A few letters, digits, underscores and hyphens."
            return [replace(asked(said, text), asks_name=True)]
        if name in context.scenarios:
            text = f"There is a scenario {name} already. What else should it be called?"
            return [replace(asked(said, text), asks_name=True)]
        return [Outcome(name=name)]

    def _by_choice(self, clause: Clause) -> list[Match]:
        """Return the subject that one of its choices names."""
        found = []
        for one in self.vocabulary.subjects:
            places = choices_named(one, clause.tokens, self.vocabulary.keys(clause.tokens))
            if places:
                found.append(Match(one, places, whole=True, weight=len(places)))
        return found

    def _of(self, match: Match, clause: Clause, said: str, context: Context) -> Outcome:
        """Read a clause about one subject."""
        subject = match.subject
        declared = subject.parameter.declared
        closed = why_closed(subject.parameter.name, secret=declared.secret, file=declared.file)
        if closed is not None:
            return Outcome(unknown=(f"{cited(said)}: {subject.parameter.name} {closed}",))
        if declared.type == "boolean":
            return read_switch(subject, match, clause, said, self, context.values.get(subject.key))
        if declared.type == "choice":
            return read_choice(subject, match, clause, said, self)
        if declared.type in ("string", "date"):
            return read_text(subject, match, clause, said, self)
        return self._number(match, clause, said, context)

    def _number(self, match: Match, clause: Clause, said: str, context: Context) -> Outcome:
        subject = match.subject
        years = years_in(clause.tokens)
        quantities = [one for one in quantities_of(clause.tokens) if not set(range(one.start, one.end)) & match.places]
        if years is not None:
            other = [one for one in quantities if not set(range(one.start, one.end)) & years.places]
            counted = years.count is not None and not other
            alone = not other and stands_for_value(clause, years)
            if not alone and not counted:
                if not same_years(years, context.years) or in_course_of(clause, years, growth=subject.is_growth):
                    return _by_year(subject, said)
                tokens = tuple(token for place, token in enumerate(clause.tokens) if place not in years.places)
                again = self.vocabulary.matches(tokens)
                return (
                    self._number(again[0], replace(clause, tokens=tokens), said, context)
                    if again
                    else _by_year(subject, said)
                )
        if subject.key in context.changed and not quantities and clause.has(*words.REMOVE):
            return asked(said, f"Should {subject.parameter.name} be 0, or what is configured?", subject.key)
        explained = self.explained(clause, subject)
        outcome = read_number(subject, match, clause, said, context.values.get(subject.key), quantities, explained)
        if outcome is None:
            return _by_year(subject, said)
        return outcome

    def _without_subject(self, clause: Clause, said: str, context: Context) -> Outcome:
        """Read a clause that names no parameter: years, a value for what was spoken of, or something unknown."""
        quantities = quantities_of(clause.tokens)
        years = years_in(clause.tokens)
        if years is not None:
            others = [one for one in quantities if not set(range(one.start, one.end)) & years.places]
            if not others and not (years.vague and self.vocabulary.hints(clause.tokens)):
                return self._years(years, clause, said, context)
            if context.subject is not None:
                return _by_year(context.subject, said)
        if not quantities and self._keeps_rest(clause):
            return Outcome(notes=("Everything else stays as it is.",))
        shrinks = self._shrinks(clause, said, context)
        return shrinks or self._going_on(clause, said, context) or self._guessed(clause, said, context)

    def _going_on(self, clause: Clause, said: str, context: Context) -> Outcome | None:
        """Read a clause about what was spoken of before; None where it has words of its own."""
        if self._foreign(clause):
            return None
        if context.keys == (SEED_KEY,) and len(quantities_of(clause.tokens)) == 1:
            seed = Token("word", "seed", clause.tokens[0].start, clause.tokens[0].start)
            told = seed_in((seed, *clause.tokens), said)
            return None if told is None else told[0]
        return None if context.subject is None else self._of_subject(context.subject, clause, said, context)

    def _guessed(self, clause: Clause, said: str, context: Context) -> Outcome:
        """Ask what a clause may be about, by the words that it has in common with the project."""
        hints = self.vocabulary.hints(clause.tokens)
        if hints:
            return self._hinted(hints, clause, said, context)
        partly = self._choices_hinted(clause)
        if partly:
            names = "; ".join(f"{about(one)}, {limits_of(one)}" for one in partly)
            return asked(said, f"Do you mean {names}? Say which.", *(one.key for one in partly))
        if quantities_of(clause.tokens) and not self._foreign(clause):
            names = ", ".join(one.parameter.name for one in self.vocabulary.subjects)
            return replace(asked(said, f"Of which parameter? There are: {names}."), loose=True)
        return self.unknown(clause, said)

    def _years(self, years: Years, clause: Clause, said: str, context: Context) -> Outcome:
        """Read a clause about the years that are simulated."""
        texts = {token.text for token in clause.tokens}
        up, down = bool(texts & words.UP | texts & {"extend", "prolong"}), bool(texts & words.DOWN)
        relative = years.count is not None and (up or down)
        if relative and up == down:
            return asked(said, "From which year to which should be simulated?", START_KEY, END_KEY)
        direction = (1 if up else -1) if relative else 0
        return self._unless_left(chosen_years(years, context.years, said, direction), clause, years.places, said)

    def _of_subject(self, subject: Subject, clause: Clause, said: str, context: Context) -> Outcome:
        """Read a clause that goes on about what was spoken of before."""
        match = Match(subject, frozenset(), whole=True, weight=0)
        tokens = clause.tokens
        outcome = self._of(match, clause, said, context)
        texts = {token.text for token in tokens}
        if context.moved and outcome.changes and not outcome.moved and not texts & {"to", "at", "no", "="}:
            return asked(said, f"Should {subject.parameter.name} become that, or change by that?", subject.key)
        bare = [one for one in quantities_of(tokens) if one.unit is None]
        if context.percent and len(bare) == 1 and tokens[bare[0].end - 1].kind == "number":
            token = tokens[bare[0].end - 1]
            percent = replace(token, kind="sign", text="%", start=token.end, end=token.end, readings=())
            longer = (*tokens[: bare[0].end], percent, *tokens[bare[0].end :])
            outcome = self._of(match, replace(clause, tokens=longer), said, context)
        return outcome

    def _shrinks(self, clause: Clause, said: str, context: Context) -> Outcome | None:
        """Read ``we shrink by 2 %``: where one parameter is a growth, it is what shrinks."""
        growths = [one for one in self.vocabulary.subjects if one.is_growth]
        place = next((at for at, token in enumerate(clause.tokens) if token.text in words.SHRINK | words.GROW), None)
        if len(growths) != 1 or place is None or self._left(clause, frozenset((place,)), growths[0]):
            return None
        match = Match(growths[0], frozenset((place,)), whole=True, weight=1, verb=clause.tokens[place])
        return self._number(match, clause, said, context)

    def _hinted(self, hints: Sequence[Match], clause: Clause, said: str, context: Context) -> Outcome:
        """Read a clause that has some words of a parameter, and asks whether that is meant."""
        best = hints[0]
        outcome = self._of(best, clause, said, context)
        if not outcome.changes:
            if outcome.questions or outcome.unknown:
                names = " or ".join(about(hint.subject) for hint in hints[:2])
                return asked(
                    said, f"Do you mean {names}? Say which, and its value.", *(hint.subject.key for hint in hints[:2])
                )
            return self.unknown(clause, said)
        change = outcome.changes[0]
        return asked(
            said,
            f"Do you mean {about(best.subject)}, {limits_of(best.subject)}? Then say yes.",
            change.key,
            offers=(change,),
        )

    def _choices_hinted(self, clause: Clause) -> list[Subject]:
        """Return the subjects of which a clause has a word of a choice."""
        said = {token.stem for token in clause.tokens if token.kind == "word"} - {stem(word) for word in words.FILLER}
        silent = {stem(word) for word in words.NEGATIONS | words.SCALES.keys() | {"none", "to"}}
        return [
            one for one in self.vocabulary.subjects if any((set(phrase) & said) - silent for _, phrase in one.choices)
        ]

    def choice_of(self, subject: Subject, clause: Clause) -> object | None:
        """Return the one choice of a subject that has all the words of an answer, None where that is none."""
        silent = {stem(word) for word in words.FILLER}
        said = {key for key in self.vocabulary.keys(clause.tokens) if key not in silent}
        found = [value for value, phrase in subject.choices if said and said <= set(phrase)]
        return found[0] if len(found) == 1 else None

    def explained(self, clause: Clause, subject: Subject) -> frozenset[int]:
        """Return the places of words that belong to a subject, or are common in the project."""
        keys = self.vocabulary.keys(clause.tokens)
        known = subject.strong | subject.weak | subject.unit | subject.grown | self.vocabulary.common
        return frozenset(place for place, key in enumerate(keys) if key in known)

    def _left(self, clause: Clause, places: frozenset[int], subject: Subject | None = None) -> list[str]:
        """Return the words that nothing explains."""
        explained = self.explained(clause, subject) if subject is not None else frozenset[int]()
        quantities = quantities_of(clause.tokens) if subject is not None else []
        taken = places | {place for one in quantities for place in range(one.start, one.end)}
        found = operation_in(clause.tokens, taken, None, explained, verb=None)
        told = [
            token.text
            for place, token in enumerate(clause.tokens)
            if place not in places and token.text in words.TEMPORAL | words.HEDGES | words.NEGATIONS
        ]
        return [token.text for token in found.left] + ([] if subject is not None else told)

    def _foreign(self, clause: Clause) -> bool:
        """Tell whether a clause has words of its own, so that it does not go on about what was spoken of."""
        taken = {place for one in quantities_of(clause.tokens) for place in range(one.start, one.end)}
        found = operation_in(clause.tokens, taken, None, (), verb=None)
        return any(token.kind == "word" for token in found.left)

    def _unless_left(self, outcome: Outcome, clause: Clause, places: frozenset[int], said: str) -> Outcome:
        left = [
            text for text in self._left(clause, places) if text not in ("then", "year", "years", "same", "new", "from")
        ]
        if not left or not outcome.changes:
            return outcome
        values = " and ".join(f"{one.key.partition('.')[2]} to {shown(one.value)}" for one in outcome.changes)
        text = f"I did not follow “{' '.join(left)}”. Set {values} anyway?"
        return asked(said, text, *outcome.keys, offers=outcome.changes)

    def _keeps_rest(self, clause: Clause) -> bool:
        known = words.FILLER | words.KEEP | words.KEPT | words.REST | words.NEGATIONS | words.ALTER | words.REFERENCES
        stays = clause.has(*words.KEEP, *words.KEPT, *words.NEGATIONS, *words.REFERENCES)
        rest = stays and clause.has(*words.REST) and len(clause.tokens) > 1
        return rest and all(token.text in known or token.kind == "sign" for token in clause.tokens)

    def unknown(self, clause: Clause, said: str) -> Outcome:
        """Return a clause as not understood, with what comes nearest."""
        if any(token.text in words.GUARDED for token in clause.tokens):
            return Outcome(unknown=(f"{cited(said)}: {_OUT_OF_REACH}",))
        loose = bool(quantities_of(clause.tokens))
        near = [one.parameter.name for one in self.vocabulary.nearest(said)]
        hint = f" Do you mean {' or '.join(near)}?" if near else ""
        return Outcome(unknown=(f"I did not understand {cited(said)}.{hint}",), loose=loose)


def _by_year(subject: Subject, said: str) -> Outcome:
    text = f"{subject.parameter.name} is the same in every year. What should it be throughout, {limits_of(subject)}?"
    return asked(said, text, subject.key, by_year=True)


def _that_fit(clause: Clause, matches: list[Match]) -> list[Match]:
    """Return the matches that can take what the clause has: a number, or none; all of them where none can."""
    numbers = bool(quantities_of(clause.tokens))
    found = [match for match in matches if (match.subject.parameter.declared.type in NUMERIC) == numbers]
    if not numbers:
        named = [match for match in matches if choice_named(match.subject, clause.tokens)]
        found = named or found
    overlapping = all(one.places & other.places for one in matches for other in matches)
    return found if len({match.subject.key for match in found}) == 1 and overlapping else matches


def _split(clause: Clause, matches: Sequence[Match]) -> list[Clause]:
    """Split a clause that sets several parameters one after the other, each beside its value."""
    apart = {match.subject.key: match for match in matches}
    if len(apart) < 2 or any(
        one.places & other.places for one in apart.values() for other in apart.values() if one is not other
    ):
        return []
    quantities = quantities_of(clause.tokens)
    marks = sorted([(min(one.places), "s") for one in apart.values()] + [(one.start, "v") for one in quantities])
    kinds = "".join(kind for _, kind in marks)
    if kinds not in ("sv" * len(apart), "vs" * len(apart)):
        return []
    cuts = [place for number, (place, _) in enumerate(marks) if number % 2 == 0]
    edges = [0, *cuts[1:], len(clause.tokens)]
    return [replace(clause, tokens=clause.tokens[begin:end]) for begin, end in pairwise(edges)]
