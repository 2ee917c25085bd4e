"""One message's part in a conversation: what its clauses come to together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.ui.assistants import rules_words as words
from orchestrator.ui.assistants.base import Change, Proposal
from orchestrator.ui.assistants.rules_clauses import Clause
from orchestrator.ui.assistants.rules_open import Open, offers_of, opened, should, still_open
from orchestrator.ui.assistants.rules_outcome import Outcome, cited
from orchestrator.ui.assistants.rules_years import END_KEY, START_KEY, chosen_years, merged_years

MOST_UNDONE = 100
Past = tuple[tuple[Change, ...], "str | None", tuple[Open, ...]]
_WHOLE = frozenset("simulate simulating run running project model extend simulation projection forecast year".split())  # noqa: SIM905


@dataclass(frozen=True)
class State:
    """A scenario in the making: its values with the user's words, its name, and the states before it.

    ``keys`` are those that the last message spoke of, ``percent`` the keys whose last number was in percent and
    ``moved`` those whose last number said by how much. ``open`` is what waits for an answer, ``opened`` what did
    before the last message, and ``idle`` tells that this one changed nothing. ``questions`` and ``unknown`` are of this
    message alone.
    """

    changes: tuple[Change, ...] = ()
    name: str | None = None
    before: tuple[Past, ...] = ()
    keys: tuple[str, ...] = ()
    percent: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()
    open: tuple[Open, ...] = ()
    opened: tuple[Open, ...] = ()
    idle: bool = False
    questions: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def offers(self) -> tuple[Change, ...]:
        """The changes that ``yes`` takes."""
        return () if self.unknown else offers_of(self.open)

    @property
    def proposal(self) -> Proposal:
        """What is proposed now."""
        questions = (*(text for one in self.open for text in one.questions), *self.questions)
        unknown = (*(text for one in self.open for text in one.unknown), *self.unknown)
        return Proposal(self.name, self.changes, tuple(dict.fromkeys(questions)), tuple(dict.fromkeys(unknown)))

    def said(self, question: str = "", note: str = "") -> State:
        """Return the state after a message that changed nothing."""
        questions, notes = (question,) if question else (), (note,) if note else ()
        return replace(self, opened=self.open, idle=True, questions=questions, unknown=(), notes=notes)

    def turned(self, changes: Iterable[Change], name: str | None) -> State:
        """Return the state with other changes, from which ``undo`` comes back."""
        kept = tuple(changes)
        past = self.before
        if (kept, name) != (self.changes, self.name):
            past = (*self.before, (self.changes, self.name, self.open))[-MOST_UNDONE:]
        idle = past is self.before
        return State(kept, name, past, self.keys, self.percent, self.moved, self.open, self.open, idle)


@dataclass
class Turn:
    """What a message has led to so far: ``changes`` by key, and all ``outcomes`` in order.

    ``by_year`` are keys whose value is meant for some years, ``replaced`` those between which a correction leaves open
    which is meant, ``dropped`` those that are set back, ``years`` the outcomes that tell simulated years.
    """

    changes: dict[str, list[Change]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    by_year: set[str] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    years: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome], last: Outcome | None, clause: Clause) -> None:
        """Add what became of a clause, behind the ``last`` outcome before it."""
        keys = {key for outcome in outcomes for key in outcome.keys}
        spoken = set() if last is None else set(last.keys)
        loose = last is not None and last.loose and clause.join in ("and", "&")
        added = clause.join == "plus" and any(outcome.unknown for outcome in outcomes)
        swerves = clause.corrects and any(outcome.changes for outcome in outcomes) and not spoken & keys
        if last is not None and (loose or added or swerves):
            self.replaced |= keys | spoken
        if last is not None and is_dated([last, *outcomes], clause):
            self.by_year |= keys | spoken
        self.outcomes += outcomes
        for outcome in outcomes:
            self._take(outcome, corrects=(clause.corrects or clause.has("make")) and last is not None)

    def _take(self, outcome: Outcome, *, corrects: bool) -> None:
        for change in outcome.changes:
            if corrects:
                self.changes[change.key] = [change]
                self.outcomes[:] = [
                    replace(one, questions=(), offers=()) if one.keys == (change.key,) and one is not outcome else one
                    for one in self.outcomes
                ]
            else:
                self.changes.setdefault(change.key, []).append(change)
        if outcome.years is not None:
            self.years.append(outcome)
        if outcome.by_year:
            self.by_year |= set(outcome.keys)

    def values(self, state: State, *, without: Collection[str] = ()) -> dict[str, object]:
        """Return the values that are proposed now; of keys ``without`` those from before this message."""
        found = {one.key: one.value for one in state.changes if one.key not in self.dropped}
        return found | {key: several[-1].value for key, several in self.changes.items() if key not in without}

    def settled(self, state: State, years: tuple[int, int] | None, *, conditional: bool) -> State:
        """Return the state after all clauses: what contradicts itself is asked about."""
        new = self._merge_years(years)
        new += self._doubts()
        if conditional and self.changes:
            said = " and ".join(cited(one.words) for several in self.changes.values() for one in several)
            text = f"{said}: a scenario cannot contain conditions. Which values should I set?"
            new.append(Open((text,), tuple(self.changes)))
            self.changes.clear()
        taken, contradictions = self._agreed()
        new = [
            *(opened(one) for one in self.outcomes if one.questions and not one.passing),
            *new,
            *contradictions,
        ]
        names = {outcome.name for outcome in self.outcomes if outcome.name is not None}
        if len(names) > 1:
            text = f"Which name should the scenario have: {' or '.join(sorted(names))}?"
            new.append(Open((text,), name=True))
        name = names.pop() if len(names) == 1 else state.name
        kept = [one for one in state.changes if one.key not in self.dropped]
        keys = tuple(dict.fromkeys(key for outcome in self.outcomes for key in outcome.keys))
        percent = {key for outcome in self.outcomes if outcome.percent for key in outcome.keys}
        moved = {key for outcome in self.outcomes if outcome.moved for key in outcome.keys}
        spoken = {*keys, *self.dropped, *(one.key for one in taken)}
        asks_name = any(one.name for one in new)
        old, more = still_open(
            state.open, spoken, {one.key: one for one in taken}, named=asks_name or name != state.name
        )
        return replace(
            state.turned(laid(kept, [*taken, *more]), name),
            keys=keys or state.keys,
            percent=frozenset((state.percent - set(keys)) | percent),
            moved=frozenset((state.moved - set(keys)) | moved),
            open=(*old, *new),
            questions=tuple(text for outcome in self.outcomes if outcome.passing for text in outcome.questions),
            unknown=tuple(text for outcome in self.outcomes for text in outcome.unknown),
            notes=tuple(text for outcome in self.outcomes for text in outcome.notes),
        )

    def _agreed(self) -> tuple[list[Change], list[Open]]:
        taken, new = [], []
        asked = {key for outcome in self.outcomes if outcome.questions for key in outcome.keys}
        for key, changes in self.changes.items():
            if key in self.by_year | self.replaced:
                continue
            if len({(type(one.value), one.value) for one in changes}) > 1:
                said = " and ".join(cited(one.words) for one in changes)
                text = f"{said} contradict each other. Which is meant for {key.partition('.')[2]}?"
                new.append(Open((text,), (key,), rest=tuple(one for each in self.outcomes for one in each.rest)))
            elif key in asked:
                new.append(Open((f"{cited(changes[-1].words)}: {should(changes[-1])}",), (key,), (changes[-1],)))
            else:
                taken.append(changes[-1])
        return taken, new

    def _merge_years(self, years: tuple[int, int] | None) -> list[Open]:
        """Take what several clauses say of the years together: ``begin in 2026 and run for three years``."""
        if len(self.years) < 2:
            return []
        merged = merged_years([one.years for one in self.years if one.years is not None])
        for key in (START_KEY, END_KEY):
            self.changes.pop(key, None)
        said = " and ".join(dict.fromkeys(change.words for one in self.years for change in one.changes))
        if merged is None:
            return [Open((f"{cited(said)}: from which year to which should be simulated?",), (START_KEY, END_KEY))]
        outcome = chosen_years(merged, years, said)
        for change in outcome.changes:
            self.changes[change.key] = [change]
        return [opened(outcome)] if outcome.questions else []

    def _doubts(self) -> list[Open]:
        """Ask where a correction speaks of something else, and where a value belongs to some years."""
        found: list[Open] = []
        if self.replaced:
            said = [cited(change.words) for key in sorted(self.replaced) for change in self.changes.get(key, [])]
            found.append(Open((f"Which do you mean: {' or '.join(said)}, or both?",), tuple(sorted(self.replaced))))
        asked = {key for outcome in self.outcomes if outcome.by_year for key in outcome.keys}
        for key in sorted((self.by_year - asked) & set(self.changes)):
            section, _, name = key.partition(".")
            if section == "vars":
                told = " and ".join(cited(one.words) for one in self.changes[key])
                text = f"{told}: {name} is the same in every year. What should it be, and which years do you mean?"
                found.append(Open((text,), (key,)))
        return found


def is_conditional(clauses: list[Clause]) -> bool:
    """Tell whether something is to hold only where something else does."""
    for number, clause in enumerate(clauses):
        texts = [token.text for token in clause.tokens]
        if set(texts) & words.CONDITIONS:
            return True
        asks = {"what", "happens", "happen", "see", "out", "how"}
        for place, text in enumerate(texts):
            leads = number == 0 and place == 0 and _led(clauses[1:])
            if text == "in" and texts[place + 1 : place + 2] == ["case"]:
                return True
            if text == "if" and leads:
                return True
            if text == "if" and not (place and texts[place - 1] in asks) and (number or place or "then" in texts):
                return True
    return False


def _led(clauses: list[Clause]) -> bool:
    """Tell whether clauses behind one with ``if`` say what shall be then."""
    return any(one.join not in ("and", "&") and one.tokens[0].text not in ("what", "how") for one in clauses)


def is_dated(outcomes: list[Outcome], clause: Clause) -> bool:
    """Tell whether a comma puts ``from 2027`` beside a value: it may be meant for that value alone."""
    if clause.join != "," or len(outcomes) < 2:
        return False
    told = [one for one in outcomes[:2] if one.years is not None and one.years.count is None]
    partly = [one for one in told if one.years is not None and (one.years.start is None) != (one.years.end is None)]
    said = " ".join(change.words for one in partly for change in one.changes).lower().split()
    return (
        len(partly) == 1 and not set(said) & _WHOLE and any(one.changes and one.years is None for one in outcomes[:2])
    )


def laid(changes: Iterable[Change], later: Iterable[Change]) -> list[Change]:
    """Return changes with others laid over them."""
    found = {one.key: one for one in changes}
    found.update({one.key: one for one in later})
    return list(found.values())
