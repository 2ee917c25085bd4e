"""What is said of the conversation itself: yes, no, undo, never mind, start over."""

from __future__ import annotations

UNDO = frozenset({"undo", "revert", "back"})
ALL = frozenset({"both", "all", "of", "them", "everything", "to"})
AGREES = frozenset("yes y yep yeah sure correct exactly right agreed confirm confirmed ok okay".split())  # noqa: SIM905
REFUSES = frozenset("no n nope never cancel".split())  # noqa: SIM905
RESET = frozenset("default defaults reset original undo revert back".split())  # noqa: SIM905
ADVICE = frozenset({"is", "are", "was", "does", "do", "did", "should", "why", "has", "isn't", "shouldn't"})
WITHDRAWS = frozenset(
    {
        *("forget it", "forget that", "forget the question", "forget the questions", "never mind", "nevermind"),
        *("ignore it", "ignore that", "ignore them", "ignore the rest", "ignore", "skip it", "skip that", "drop it"),
        *("leave it out", "leave that out", "leave it", "does not matter", "doesn't matter", "it does not matter"),
    }
)
OVER = frozenset(
    {
        "start over",
        "start again",
        "start afresh",
        "start from scratch",
        "from scratch",
        "restart",
        "reset",
        "reset everything",
        "reset all",
        "clear",
        "clear everything",
        "forget everything",
        "everything back to default",
        "undo everything",
        "undo all",
        "scratch all that",
    }
)
