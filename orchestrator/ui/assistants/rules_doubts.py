"""What turns the sense of a whole clause: everything but that, the past, what is taken back at once.

A value beside such words is asked about, never taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from orchestrator.ui.assistants.rules_clauses import ALL_BUT, Clause
from orchestrator.ui.assistants.rules_outcome import Outcome, asked, shown

_EXCLUDES = (("other", "than"), ("apart", "from"), ("aside", "from"), ("rather", "than"), ("instead", "of"))
_EXCLUDING = frozenset("except excepting excluding besides barring save".split())  # noqa: SIM905
_NEVER = frozenset({"never", "hardly", "seldom", "rarely"})
_SUPPOSES = frozenset(
    "if suppose supposing supposed imagine imagining assume assuming assumed say wish though".split()  # noqa: SIM905
)
_PAST = frozenset(
    "had been was were did grew rose fell shrank went became saw got stood sank previously formerly historically "  # noqa: SIM905
    "yesterday ago wasn't weren't hadn't didn't".split()
)
_BEEN = frozenset("grown risen fallen shrunk gone become seen got sunk".split())  # noqa: SIM905
_ADVERBS = frozenset({"already", "always", "also", "not", "never", "just", "since"})


def doubted(outcome: Outcome, clause: Clause, before: Sequence[Clause]) -> Outcome:
    """Return the outcome of a clause, or the question where its words turn what they say.

    ``before`` are the clauses of the message in front of it.
    """
    if not outcome.changes and not outcome.offers:
        return outcome
    texts = [token.text for token in clause.tokens]
    change = (*outcome.changes, *outcome.offers)[0]
    name, value = change.key.partition(".")[2], shown(change.value)
    if _excludes(texts) or (set(texts) & _NEVER and not isinstance(change.value, bool)):
        return asked(
            change.words, f"That does not say what {name} should be. Which value should it have?", *outcome.keys
        )
    if not outcome.changes:
        return outcome
    if _is_past(texts) and not _supposes(clause, before):
        text = f"That tells of the past. Should {name} be {value}?"
    elif clause.retracted:
        text = f"Is that taken back, or should {name} be {value}? Say yes if it should."
    else:
        return outcome
    return replace(asked(change.words, text, *outcome.keys, offers=outcome.changes), percent=outcome.percent)


def _excludes(texts: Sequence[str]) -> bool:
    pairs = list(pairwise(texts))
    return (
        bool(set(texts[1:]) & _EXCLUDING or texts[:1] == ["except"])
        or any(pair in _EXCLUDES for pair in pairs)
        or any(second == "but" and first in ALL_BUT for first, second in pairs)
        or ("but" in texts and bool(ALL_BUT & set(texts[: texts.index("but")])))
    )


def _is_past(texts: Sequence[str]) -> bool:
    for place, text in enumerate(texts):
        before = texts[place - 1] if place else ""
        if text == "used" and texts[place + 1 : place + 2] == ["to"] and before not in ("is", "are", "be", "get"):
            return True
        if text in _PAST and not (text in ("was", "were", "had") and before in ("it", "they", "what")):
            return True
        if text in ("has", "have", "having", "'ve", "we've", "it's", "they've"):
            behind = next((one for one in texts[place + 1 :] if one not in _ADVERBS), "")
            if behind in _BEEN or (behind.endswith("ed") and text != "having"):
                return True
    return False


def _supposes(clause: Clause, before: Sequence[Clause]) -> bool:
    """Tell whether the past tense is that of ``what if growth was 5 %``, in this clause or the sentence so far."""
    sentence = [clause]
    for one, follower in zip(reversed(before), [clause, *reversed(before)], strict=False):
        if follower.join in (".", "!", "?", ";", "\n") or one.asks:
            break
        sentence.append(one)
    return any(one.has(*_SUPPOSES) for one in sentence)
