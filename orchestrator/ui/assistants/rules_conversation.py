"""A conversation: what was proposed so far, and what the next message makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.base import Change, Proposal
from orchestrator.ui.assistants.rules_clauses import Clause, clauses_of
from orchestrator.ui.assistants.rules_outcome import Outcome, about, cited, limits_of, shown
from orchestrator.ui.assistants.rules_reading import Context, Reader
from orchestrator.ui.assistants.rules_subjects import Subject, by_name
from orchestrator.ui.assistants.rules_tokens import Token, tokens_of
from orchestrator.ui.assistants.rules_years import END_KEY, SEED_KEY, START_KEY

LONGEST_MESSAGE = 2_000  # characters
MOST_CLAUSES = 60
MOST_UNDONE = 100
_UNDO = frozenset({"undo", "revert", "back"})
_AGREES = frozenset("yes y yep yeah sure correct exactly right agreed confirm confirmed ok okay".split())  # noqa: SIM905
_REFUSES = frozenset("no n nope never cancel".split())  # noqa: SIM905
_RESET = frozenset("default defaults reset original undo revert back".split())  # noqa: SIM905
_OVER = (("start", "over"), ("start", "again"), ("start", "afresh"), ("reset",), ("reset", "everything"), ("reset", "all"),
         ("clear",), ("clear", "everything"), ("forget", "everything"), ("forget", "it"), ("from", "scratch"),
         ("start", "from", "scratch"), ("restart",), ("everything", "back", "to", "default"),
         ("undo", "everything"), ("undo", "all"), ("scratch", "all", "that"))  # fmt: skip


@dataclass(frozen=True)
class State:
    """A scenario in the making: its values with the user's words, its name, and the states before it.

    ``keys`` are those that the last message spoke of, ``percent`` the keys whose last number was in percent, ``offers``
    the changes that ``yes`` takes.
    """

    changes: tuple[Change, ...] = ()
    name: str | None = None
    before: tuple[tuple[tuple[Change, ...], str | None], ...] = ()
    keys: tuple[str, ...] = ()
    percent: frozenset[str] = frozenset()
    offers: tuple[Change, ...] = ()
    questions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def proposal(self) -> Proposal:
        """What is proposed now."""
        return Proposal(self.name, self.changes, self.questions, self.unknown)

    def turned(self, changes: Iterable[Change], name: str | None) -> State:
        """Return the state with other changes, from which ``undo`` comes back."""
        kept = tuple(changes)
        past = self.before
        if (kept, name) != (self.changes, self.name):
            past = (*self.before, (self.changes, self.name))[-MOST_UNDONE:]
        return State(kept, name, past, self.keys, self.percent)


@dataclass
class _Turn:
    """What a message has led to so far."""

    changes: dict[str, list[Change]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    by_year: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)


class Conversation:
    """Turns messages into states, one after the other."""

    def __init__(
        self,
        reader: Reader,
        values: Mapping[str, object],
        years: tuple[int, int] | None,
        scenarios: Iterable[str] = (),
    ) -> None:
        self._reader = reader
        self._values = dict(values)
        self._years = years
        self._scenarios = tuple(scenarios)
        self._subjects = by_name(reader.vocabulary.subjects)

    def next(self, state: State, message: str) -> State:
        """Return the state after a message of the user."""
        if len(message) > LONGEST_MESSAGE:
            text = f"That is longer than {LONGEST_MESSAGE:,} characters. What should change, in a few sentences?"
            return replace(state, questions=(text,), unknown=(), notes=(), offers=())
        tokens = tokens_of(message)
        plain = [token.text for token in tokens if token.kind != "sign"]
        if not plain:
            return self._ask_all(state)
        if len(clauses := clauses_of(tokens)) > MOST_CLAUSES:
            return replace(
                state, questions=("That is a lot at once. What should change, in a few sentences?",), unknown=()
            )
        whole = self._command(state, plain, tokens)
        return whole if whole is not None else self._read(state, clauses, message)

    def _command(self, state: State, plain: list[str], tokens: tuple[Token, ...]) -> State | None:
        """Return the state after a message that is about the conversation itself, None for any other."""
        bare = [
            text
            for text in plain
            if text not in ("please", "the", "that", "it", "last", "change", "now", "and", "just")
        ]
        if bare and bare[0] in _AGREES and all(text in _AGREES | words.GREETINGS for text in bare) and state.offers:
            changes = _laid(state.changes, state.offers)
            return replace(state.turned(changes, state.name), keys=tuple(one.key for one in state.offers))
        if bare and all(text in _REFUSES | words.GREETINGS for text in bare) and state.offers:
            return replace(state, offers=(), questions=(), unknown=(), notes=("Then it stays as it is.",))
        if tuple(bare) in _OVER or tuple(plain) in _OVER:
            return replace(State(before=state.turned((), None).before), notes=("Everything is as configured again.",))
        if bare and set(bare) <= _UNDO | {"go", "step", "one", "a"} and set(bare) & _UNDO:
            return self._undone(state)
        if all(text in words.GREETINGS for text in plain):
            return self._ask_all(state)
        if self._asks_what(plain, tokens):
            return self._ask_all(state)
        return None

    def _undone(self, state: State) -> State:
        if not state.before:
            return replace(
                state, questions=("There is nothing to undo. What should change?",), unknown=(), notes=(), offers=()
            )
        changes, name = state.before[-1]
        return State(changes, name, state.before[:-1], notes=("The last change is undone.",))

    def _asks_what(self, plain: list[str], tokens: tuple[Token, ...]) -> bool:
        """Tell whether somebody asks what can be said at all."""
        asks = set(plain) & {"what", "which", "list", "help", "options", "parameters", "show", "how"}
        about_them = set(plain) & {
            "can",
            "could",
            "parameters",
            "options",
            "help",
            "possible",
            "available",
            "choices",
            "do",
        }
        nothing = not any(token.kind in ("number", "date", "quoted") for token in tokens)
        return (
            bool(asks and about_them and nothing and not self._reader.vocabulary.matches(tokens)) and "if" not in plain
        )

    def _ask_all(self, state: State) -> State:
        listed = "; ".join(f"{about(one)}: {limits_of(one)}" for one in self._reader.vocabulary.subjects if _open(one))
        text = (
            f"What should change? {listed or 'No parameters are declared'}; the years, the random seed, and the name."
        )
        return replace(state, questions=(text,), unknown=(), notes=(), offers=())

    def _read(self, state: State, clauses: list[Clause], message: str) -> State:
        turn = _Turn()
        context = self._context(state)
        waiting: Subject | None = None
        for number, clause in enumerate(clauses):
            before = len(turn.outcomes)
            reset = self._reset(clause, message)
            if reset is not None:
                turn.dropped |= set(reset)
                turn.outcomes.append(Outcome(keys=reset, notes=("Back to what is configured.",)))
                continue
            if _says_nothing(clause) and self._may_say_nothing(clause, turn):
                continue
            given = replace(context, values=self._values | _values(state.changes, turn))
            if waiting is not None:
                given = replace(given, subject=waiting, percent=False)
            elif number and turn.outcomes:
                given = replace(given, **self._spoken_of(turn))  # type: ignore[arg-type]  # the fields of a context
            asks_value = self._asks_value(clause, message, given)
            outcomes = asks_value or self._reader.read(_joined(clause, given), message, given)
            if waiting is not None and any(outcome.keys == (waiting.key,) for outcome in outcomes):
                turn.outcomes.pop()  # its question is answered
            turn.outcomes += outcomes
            corrects = clause.corrects or (clause.has("make") and not before)
            for outcome in outcomes:
                self._take(turn, outcome, corrects=corrects and before > 0)
            waiting = outcomes[-1].waits if outcomes else None
        if not turn.outcomes:
            return self._ask_all(state)
        return self._settled(state, turn)

    def _context(self, state: State) -> Context:
        subjects = [self._subjects[key] for key in state.keys if key in self._subjects]
        subject = subjects[0] if len(subjects) == 1 and len(state.keys) == 1 else None
        percent = subject is not None and subject.key in state.percent
        return Context({}, self._years, self._scenarios, subject, percent)

    def _spoken_of(self, turn: _Turn) -> dict[str, object]:
        last = turn.outcomes[-1]
        subject = self._subjects.get(last.keys[0]) if len(last.keys) == 1 else None
        return {"subject": subject, "percent": last.percent, "direction": last.direction}

    def _may_say_nothing(self, clause: Clause, turn: _Turn) -> bool:
        """Tell whether a clause of small words may be passed over: not behind a name, of which it may be a part."""
        return not (clause.join == "and" and turn.outcomes and turn.outcomes[-1].name is not None)

    def _asks_value(self, clause: Clause, message: str, context: Context) -> list[Outcome]:
        """Answer a question for the value that something has now."""
        texts = [token.text for token in clause.tokens]
        begins = texts[:2] in (
            ["what", "is"],
            ["what's", "the"],
            ["how", "much"],
            ["how", "high"],
            ["how", "long"],
        ) or texts[:1] == ["what's"]
        matches = self._reader.vocabulary.matches(clause.tokens) if begins else []
        if not matches or any(token.kind == "number" for token in clause.tokens):
            return []
        one = matches[0].subject
        closed = not _open(one)
        now = "***" if closed else shown(context.values.get(one.key), one.scale)
        text = f"{about(one)} is {now}. What should it be, {limits_of(one)}?"
        return [Outcome(questions=(f"{cited(clause.words(message))}: {text}",), keys=(one.key,))]

    def _reset(self, clause: Clause, message: str) -> tuple[str, ...] | None:
        """Return the keys that a clause sets back to what is configured, None for a clause that does not."""
        texts = {token.text for token in clause.tokens}
        if not texts & _RESET or any(token.kind == "number" for token in clause.tokens):
            return None
        matches = self._reader.vocabulary.matches(clause.tokens)
        keys = {match.subject.key for match in matches}
        if {"seed"} & texts and not keys:
            keys = {SEED_KEY}
        elif {"years", "year"} & texts and not keys:
            keys = {START_KEY, END_KEY}
        used = frozenset().union(*(match.places for match in matches))
        resets = bool(
            texts & {"reset", "undo", "revert", "back"}
            or ("default" in texts and not used & _places(clause, "default"))
        )
        rest = {token.text for place, token in enumerate(clause.tokens) if place not in used}
        known = _RESET | words.FILLER | {"for", "from", "seed", "random", "year", "years", "its", "value"}
        return tuple(sorted(keys)) if keys and resets and rest <= known and rest & _RESET else None

    def _take(self, turn: _Turn, outcome: Outcome, *, corrects: bool) -> None:
        for change in outcome.changes:
            if corrects:
                turn.changes[change.key] = [change]
                turn.outcomes[:] = [
                    replace(one, questions=(), offers=()) if one.keys == (change.key,) and one is not outcome else one
                    for one in turn.outcomes
                ]
            else:
                turn.changes.setdefault(change.key, []).append(change)
        if outcome.by_year:
            turn.by_year |= set(outcome.keys)

    def _settled(self, state: State, turn: _Turn) -> State:
        """Return the state after all clauses: what contradicts itself is asked about."""
        questions = [text for outcome in turn.outcomes for text in outcome.questions]
        taken = []
        for key, changes in turn.changes.items():
            values = {(type(one.value), one.value) for one in changes}
            if key in turn.by_year:
                continue
            if len(values) > 1:
                said = " and ".join(cited(one.words) for one in changes)
                questions.append(f"{said} contradict each other. Which is meant for {key.partition('.')[2]}?")
                continue
            taken.append(changes[-1])
        names = [outcome.name for outcome in turn.outcomes if outcome.name is not None]
        if len(set(names)) > 1:
            questions.append(f"Which name should the scenario have: {' or '.join(names)}?")
        name = names[0] if len(set(names)) == 1 else state.name
        kept = [one for one in state.changes if one.key not in turn.dropped]
        keys = tuple(dict.fromkeys(key for outcome in turn.outcomes for key in outcome.keys))
        percent = {key for outcome in turn.outcomes if outcome.percent for key in outcome.keys}
        offers = tuple(change for outcome in turn.outcomes for change in outcome.offers)
        asked = sum(bool(outcome.questions) for outcome in turn.outcomes)
        return replace(
            state.turned(_laid(kept, taken), name),
            keys=keys or state.keys,
            percent=frozenset((state.percent - set(keys)) | percent),
            offers=offers if asked == 1 and len(offers) <= 2 else (),
            questions=tuple(dict.fromkeys(questions)),
            unknown=tuple(text for outcome in turn.outcomes for text in outcome.unknown),
            notes=tuple(text for outcome in turn.outcomes for text in outcome.notes),
        )


def _open(subject: Subject) -> bool:
    return not subject.parameter.declared.secret and not subject.parameter.declared.file


def _places(clause: Clause, text: str) -> set[int]:
    return {place for place, token in enumerate(clause.tokens) if token.text == text}


def _says_nothing(clause: Clause) -> bool:
    """Tell whether a clause is nothing but small words: ``please``, ``I would like to run a scenario``."""
    known = words.FILLER | words.GREETINGS | {"same", "before"}
    return all(token.text in known or (token.kind == "sign" and token.text not in "%$€£") for token in clause.tokens)


def _joined(clause: Clause, context: Context) -> Clause:
    """Give a clause such as ``and the other by 2`` the direction of the one before it."""
    texts = {token.text for token in clause.tokens}
    if clause.join != "and" or "by" not in texts or context.direction == 0 or texts & (words.UP | words.DOWN):
        return clause
    word = "increase" if context.direction > 0 else "reduce"
    first = clause.tokens[0]
    return replace(clause, tokens=(Token("word", word, first.start, first.start, written=""), *clause.tokens))


def _values(changes: Iterable[Change], turn: _Turn) -> dict[str, object]:
    found = {one.key: one.value for one in changes if one.key not in turn.dropped}
    return found | {key: several[-1].value for key, several in turn.changes.items()}


def _laid(changes: Iterable[Change], later: Iterable[Change]) -> list[Change]:
    found = {one.key: one for one in changes}
    found.update({one.key: one for one in later})
    return list(found.values())
