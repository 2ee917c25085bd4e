"""Sentences to begin with, made of the parameters of the project at hand."""

from __future__ import annotations

from orchestrator.core.text import CONTROL
from orchestrator.reports.parameters import Parameter
from orchestrator.ui.assistants.overlay import why_closed
from orchestrator.ui.assistants.schema import Subject

MOST = 4
MOST_OF_A_SENTENCE = 80  # characters


def examples(subject: Subject) -> list[str]:
    """Return a few sentences that this project understands."""
    found: list[str] = []
    kinds: set[str] = set()
    declared = subject.parameters.declared
    for one in sorted(declared, key=lambda one: one.declared.type in kinds):
        if why_closed(one.name, secret=one.declared.secret, file=one.declared.file) is not None:
            continue
        sentence = _sentence(one)
        if sentence is not None and len(sentence) <= MOST_OF_A_SENTENCE and not CONTROL.search(sentence):
            found.append(sentence)
            kinds.add(one.declared.type)
    years = [] if subject.config.simulation is None else [f"Simulate until {subject.config.simulation.end_year + 5}"]
    return [*found[: MOST - len(years)], *years]


def _sentence(one: Parameter) -> str | None:
    declared, value = one.declared, one.value
    name = declared.words[0] if declared.words else one.name.replace("_", " ")
    if declared.type == "choice":
        others = [choice for choice in declared.choices if choice != value and isinstance(choice, str)]
        return f"{_capital(name)}: {others[0]}" if others else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value == 0:
        return None
    low, high = declared.minimum, declared.maximum
    other: float = value * 2 if not isinstance(high, (int, float)) or value * 2 <= high else value / 2
    if declared.type == "integer":
        other = round(other)
    if isinstance(low, (int, float)) and other < low:
        return None
    share = declared.type == "number" and isinstance(high, (int, float)) and high <= 1
    return f"{_capital(name)} of {other * 100:.3g} %" if share else f"{_capital(name)} of {other:g}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
