"""A conversation: what was proposed so far, and what the next message makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.base import Change
from orchestrator.ui.assistants.rules_clauses import Clause, clauses_of
from orchestrator.ui.assistants.rules_commands import ADVICE, AGREES, ALL, OVER, REFUSES, RESET, UNDO, WITHDRAWS
from orchestrator.ui.assistants.rules_doubts import doubted
from orchestrator.ui.assistants.rules_open import with_rest
from orchestrator.ui.assistants.rules_outcome import Outcome, about, asked, cited, limits_of, shown
from orchestrator.ui.assistants.rules_reading import Context, Reader
from orchestrator.ui.assistants.rules_subjects import by_name
from orchestrator.ui.assistants.rules_tokens import Token, tokens_of
from orchestrator.ui.assistants.rules_turn import State, Turn, is_conditional, laid
from orchestrator.ui.assistants.rules_years import END_KEY, SEED_KEY, START_KEY, slug

LONGEST_MESSAGE = 2_000  # characters
MOST_CLAUSES = 60


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
            return state.said(text)
        tokens = tokens_of(message)
        plain = [token.text for token in tokens if token.kind != "sign"]
        if not plain:
            return self._ask_all(state)
        clauses = clauses_of(tokens)
        if not clauses:
            return self._ask_all(state)
        if len(clauses) > MOST_CLAUSES:
            return state.said("That is a lot at once. What should change, in a few sentences?")
        whole = self._command(state, plain, tokens)
        if whole is not None:
            return whole
        answer = [token.text for token in clauses[0].tokens]
        if len(clauses) > 1 and set(answer) <= AGREES | REFUSES:
            state = (self._accepted(state) or state) if set(answer) <= AGREES else self._refused(state)
            clauses = clauses[1:]
        return self._read(state, clauses, message)

    def _command(self, state: State, plain: list[str], tokens: tuple[Token, ...]) -> State | None:
        """Return the state after a message that is about the conversation itself, None for any other."""
        bare = [
            text
            for text in plain
            if text not in ("please", "the", "that", "it", "last", "change", "now", "and", "just")
        ]
        answered = self._answered(state, plain, bare)
        if answered is not None:
            return answered
        if {" ".join(bare), " ".join(plain)} & OVER:
            if state == State():
                return state.said("Nothing is changed yet. What should change?")
            return replace(State(before=state.turned((), None).before), notes=("Everything is as configured again.",))
        if bare and set(bare) <= UNDO | {"go", "step", "one", "a"} and set(bare) & UNDO:
            return self._undone(state)
        if all(text in words.GREETINGS for text in plain):
            return self._ask_all(state)
        if self._asks_what(plain, tokens):
            return self._ask_all(state)
        return None

    def _answered(self, state: State, plain: list[str], bare: list[str]) -> State | None:
        """Return the state after a plain answer to what is open, None where it is none."""
        if bare and bare[0] in AGREES and all(text in AGREES | words.GREETINGS for text in bare):
            accepted = self._accepted(state)
            if accepted is not None:
                return accepted
            if any(one.offers for one in state.open):
                note = "Do you mean this? Say yes again." if state.unknown else "Which of the questions do you mean?"
                return state.said(note=note)
        if set(plain) & ALL and set(plain) <= AGREES | ALL and len(state.offers) > 1:
            return self._accepted(state)
        if bare and all(text in REFUSES | words.GREETINGS for text in bare) and any(one.offers for one in state.open):
            return replace(self._refused(state), notes=("Then it stays as it is.",))
        withdraws = {" ".join(bare), " ".join(plain)} & WITHDRAWS
        if withdraws and state.open:
            return replace(state.said(note="Then that is left out."), open=())
        if withdraws:
            return state.said("Nothing is open. Say “undo” for the last change, or “start over” for all of them.")
        return None

    def _accepted(self, state: State) -> State | None:
        """Return the state with all that was offered, None where that is nothing."""
        offers = state.offers
        if not offers:
            return None
        keys = tuple(one.key for one in offers)
        left = tuple(one for one in state.open if not one.questions)
        return replace(state.turned(laid(state.changes, offers), state.name), keys=keys, open=left)

    def _refused(self, state: State) -> State:
        return replace(state.said(), open=tuple(one for one in state.open if not one.offers))

    def _undone(self, state: State) -> State:
        if not state.before:
            found = replace(state.said("There is nothing to undo. What should change?"), open=())
            return replace(found, idle=False)
        if state.idle:
            text = (
                "Your last message changed nothing, so nothing is undone. Say “undo” again to undo what was before it."
            )
            return replace(state.said(text), open=state.opened, idle=False)
        changes, name, opened = state.before[-1]
        now = State(changes, name, state.before[:-1], opened=opened, open=opened)
        notes = [f"Undone: {key.partition('.')[2]} is {value} again." for key, value in self._back(state, changes)]
        if name != state.name:
            notes.append("Undone: the scenario has no name." if name is None else f"Undone: it is called {name} again.")
        return replace(now, notes=tuple(notes))

    def _back(self, state: State, changes: Iterable[Change]) -> list[tuple[str, str]]:
        """Return what is another value when these changes are all, with that value."""
        then = {one.key: one.value for one in changes}
        late = {one.key: one.value for one in state.changes}
        keys = [key for key in dict.fromkeys((*late, *then)) if then.get(key) != late.get(key)]
        scales = {key: self._subjects[key].scale if key in self._subjects else None for key in keys}
        return [(key, shown(then.get(key, self._values.get(key)), scales[key])) for key in keys]

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
        open_ones = [one for one in self._reader.vocabulary.subjects if one.is_open]
        listed = "".join(f"\n- {about(one)}: {limits_of(one)}" for one in open_ones)
        others = "the years, the random seed, and the name of the scenario"
        text = f"What should change? There are {others}{', and:' if listed else '.'}{listed}"
        return state.said(text)

    def _read(self, state: State, clauses: list[Clause], message: str) -> State:
        turn = Turn()
        context = self._context(state)
        for number, clause in enumerate(clauses):
            reset = self._reset(clause, state.keys)
            if reset is not None:
                turn.dropped |= set(reset)
                turn.outcomes.append(Outcome(keys=reset, notes=("Back to what is configured.",)))
            elif not (_says_nothing(clause) and self._may_say_nothing(clause, turn)):
                self._read_clause(state, turn, clauses[: number + 1], message, context)
        if not turn.outcomes:
            return self._ask_all(state)
        now = self._years_now(self._values | {one.key: one.value for one in state.changes})
        return turn.settled(state, now, conditional=is_conditional(clauses))

    def _read_clause(self, state: State, turn: Turn, clauses: list[Clause], message: str, context: Context) -> None:
        """Read the last of the clauses with what was spoken of before it, and add what becomes of it to the turn."""
        *before, clause = clauses
        last = turn.outcomes[-1] if turn.outcomes else None
        undone = last.keys if clause.corrects and last is not None else ()
        given = replace(context, values=self._values | turn.values(state, without=undone))
        given = replace(given, years=self._years_now(given.values))
        waiting = None if last is None else last.waits
        if waiting is not None:
            given = replace(given, subject=waiting, percent=False, moved=False, keys=(waiting.key,))
        elif last is not None:
            given = self._after(last, given)
        outcomes = self._asks_value(clause, message, given)
        outcomes = outcomes or self._reader.read(_joined(clause, given), message, given)
        if last is None:
            outcomes = self._answers(state, clause, message, given, outcomes)
        if waiting is not None and any(outcome.keys == (waiting.key,) for outcome in outcomes):
            turn.outcomes.pop()  # its question is answered
            last = turn.outcomes[-1] if turn.outcomes else None
        matches = self._reader.vocabulary.matches(clause.tokens)
        places = frozenset().union(*(match.places for match in matches))
        outcomes = [_advised(doubted(outcome, clause, before), clause) for outcome in outcomes]
        outcomes = [with_rest(outcome, clause, message, places, self._scenarios) for outcome in outcomes]
        turn.add(outcomes, last, clause)

    def _answers(
        self, state: State, clause: Clause, message: str, context: Context, outcomes: list[Outcome]
    ) -> list[Outcome]:
        """Read a clause without a subject as an answer to what is open, where it answers one question."""
        changes = [change for outcome in outcomes for change in outcome.changes]
        if all(token.text in AGREES | REFUSES for token in clause.tokens):
            return outcomes  # of a question that has no such answer
        if self._reader.vocabulary.matches(clause.tokens) or any(one.name or one.years for one in outcomes):
            return outcomes
        keys = dict.fromkeys(key for one in state.open if one.questions for key in one.keys if key in self._subjects)
        if any(change.key in keys or change.key not in context.keys for change in changes):
            return outcomes
        found = []
        for key in keys:
            percent = key in state.percent
            given = replace(context, subject=self._subjects[key], keys=(key,), percent=percent, moved=False)
            answers = self._reader.read(clause, message, given)
            if all(outcome.changes for outcome in answers):
                found.append(answers)
                continue
            chosen = self._reader.choice_of(self._subjects[key], clause)
            if chosen is not None:
                found.append([Outcome(changes=(Change(key, chosen, clause.words(message)),), keys=(key,))])
        if not found and not changes and any(one.name for one in state.open) and len(clause.tokens) == 1:
            name = slug(clause.words(message).strip("\"'“”"))
            return [Outcome(name=name)] if name is not None and name not in self._scenarios else outcomes
        if not changes:
            return found[0] if len(found) == 1 else outcomes
        if not found:
            return outcomes
        meant = [*changes, *(change for answers in found for outcome in answers for change in outcome.changes)]
        names = " or ".join(dict.fromkeys(change.key.partition(".")[2] for change in meant))
        return [asked(clause.words(message), f"For which do you mean that: {names}?", *(one.key for one in meant))]

    def _context(self, state: State) -> Context:
        subjects = [self._subjects[key] for key in state.keys if key in self._subjects]
        subject = subjects[0] if len(subjects) == 1 and len(state.keys) == 1 else None
        return Context(
            {},
            self._years,
            self._scenarios,
            subject=subject,
            keys=state.keys,
            percent=subject is not None and subject.key in state.percent,
            moved=subject is not None and subject.key in state.moved,
            changed=frozenset(change.key for change in state.changes),
        )

    def _years_now(self, values: Mapping[str, object]) -> tuple[int, int] | None:
        start, end = values.get(START_KEY), values.get(END_KEY)
        return (start, end) if isinstance(start, int) and isinstance(end, int) else None

    def _after(self, last: Outcome, context: Context) -> Context:
        """Return what a clause is read with behind another one of the same message."""
        subject = self._subjects.get(last.keys[0]) if len(last.keys) == 1 else None
        return replace(
            context,
            subject=subject,
            keys=last.keys,
            percent=last.percent,
            moved=last.moved,
            direction=last.direction,
        )

    def _may_say_nothing(self, clause: Clause, turn: Turn) -> bool:
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
        closed = not one.is_open
        now = "***" if closed else shown(context.values.get(one.key), one.scale)
        text = f"{about(one)} is {now}. What should it be, {limits_of(one)}?"
        return [Outcome(questions=(f"{cited(clause.words(message))}: {text}",), keys=(one.key,), passing=True)]

    def _reset(self, clause: Clause, spoken: tuple[str, ...]) -> tuple[str, ...] | None:
        """Return the keys that a clause sets back to what is configured, None for a clause that does not."""
        texts = {token.text for token in clause.tokens}
        if not texts & RESET or any(token.kind == "number" for token in clause.tokens):
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
        known = RESET | words.FILLER | {"for", "from", "seed", "random", "year", "years", "its", "value"}
        if not keys and rest & RESET and rest <= known and texts & {"default", "defaults", "reset", "original"}:
            keys = set(spoken)
        return tuple(sorted(keys)) if keys and resets and rest <= known and rest & RESET else None


def _advised(outcome: Outcome, clause: Clause) -> Outcome:
    """Return a question for the change that a question of the user's speaks of: ``is it 5 %?`` changes nothing."""
    if not (clause.asks and outcome.changes and clause.tokens[0].text in ADVICE):
        return outcome
    change = outcome.changes[0]
    text = f"{cited(change.words)}: should {change.key.partition('.')[2]} become {shown(change.value)}?"
    return Outcome(questions=(text,), offers=outcome.changes, keys=outcome.keys)


def _places(clause: Clause, text: str) -> set[int]:
    return {place for place, token in enumerate(clause.tokens) if token.text == text}


def _says_nothing(clause: Clause) -> bool:
    """Tell whether a clause is nothing but small words: ``please``, ``I would like to run a scenario``."""
    known = (words.FILLER | words.GREETINGS | {"same", "before"}) - words.YEARLY - {"on"}
    return all(token.text in known or (token.kind == "sign" and token.text not in "%$€£") for token in clause.tokens)


def _joined(clause: Clause, context: Context) -> Clause:
    """Give a clause such as ``and the other by 2`` the direction of the one before it."""
    texts = {token.text for token in clause.tokens}
    if clause.join != "and" or "by" not in texts or context.direction == 0 or texts & (words.UP | words.DOWN):
        return clause
    word = "increase" if context.direction > 0 else "reduce"
    first = clause.tokens[0]
    return replace(clause, tokens=(Token("word", word, first.start, first.start, written=""), *clause.tokens))
