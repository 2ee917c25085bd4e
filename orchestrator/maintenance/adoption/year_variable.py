"""The variable that carries the year of a dbt project, found by what its models do with each variable."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.core.text import plural
from orchestrator.dbt_runner.analysis.variable_record import ASSIGNED, COMPARED, ColumnUse
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.study import ProjectStudy, TextStudy

EARLIEST, LATEST = 1900, 2200
NUMBER, TEXT, DATE, UNKNOWN, OTHER = "number", "text", "date", "unknown", "other"
_YEAR = re.compile(r"\d{4}")
_DATE = re.compile(r"(\d{4})-\d{1,2}(-\d{1,2})?([ T].*)?")
_NAMED = re.compile(r"year|(?:^|_)(?:yr|fy|jahr|annee|ano)(?:_|$)", re.IGNORECASE)
_WEIGHTS = {"filled": 6, "given": 2, "read": 1, "compared": 1, "tests": 1, "value": 3}


@dataclass(frozen=True)
class YearCandidate:
    """A variable that may carry the year, and the column that then holds it; None where no column was found.

    ``form`` tells what its value is: a number, a text of four digits, a date, or unknown where it has none; ``value``
    is the year in it. ``filled`` are the models that keep rows and give it to the column, ``readers`` all that read it.
    ``score`` is the weight of all evidence, and ``because`` says it in words; ``convincing`` tells that a project whose
    models do this marches through years, whatever its variables are called.
    """

    variable: str
    column: str | None
    form: str
    value: int | None
    readers: tuple[str, ...]
    filled: tuple[str, ...]
    score: int
    because: tuple[str, ...]
    convincing: bool


def year_candidates(facts: ProjectFacts, study: ProjectStudy, given: Mapping[str, object]) -> tuple[YearCandidate, ...]:
    """Return the variables that may carry the year, the likeliest first; ``given`` are values that the user gives."""
    names = sorted({one.name for text in study.texts for one in text.uses.reads} | set(dict(facts.var_defaults)))
    found = [_candidate(name, facts, study, given) for name in names]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (-one.score, one.variable)))


def value_of(name: str, facts: ProjectFacts, study: ProjectStudy, given: Mapping[str, object]) -> object:
    """Return the value that a variable has without the orchestrator, None where it has none."""
    if name in given:
        return given[name]
    declared = dict(facts.var_defaults).get(name)
    if declared is not None:
        return json.loads(declared)
    written = (one.default for text in study.texts for one in text.uses.reads if one.name == name)
    return next((json.loads(default) for default in written if default not in (None, "null")), None)


def year_in(value: object) -> tuple[str, int | None]:
    """Return the form of a value that may be a year, and the year.

    A small number may be anything, the first of all years among it.

    >>> year_in(2025), year_in("2025"), year_in("2025-06-30"), year_in(1), year_in(None), year_in(0.03)
    (('number', 2025), ('text', 2025), ('date', 2025), ('unknown', 1), ('unknown', None), ('other', None))
    """
    if value is None:
        return UNKNOWN, None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 9999:
        return (NUMBER if EARLIEST <= value <= LATEST else UNKNOWN), value
    if isinstance(value, str):
        for pattern, form in ((_YEAR, TEXT), (_DATE, DATE)):
            found = pattern.fullmatch(value.strip())
            if found is not None and EARLIEST <= int(found[0][:4]) <= LATEST:
                return form, int(found[0][:4])
    return OTHER, None


def _candidate(
    name: str, facts: ProjectFacts, study: ProjectStudy, given: Mapping[str, object]
) -> YearCandidate | None:
    form, year = year_in(value_of(name, facts, study, given))
    if form == OTHER:
        return None
    readers = [node for node in facts.nodes if name in node.vars]
    column, filled = _column(name, facts, study, readers)
    compared = [
        node
        for node in readers
        if (text := study.of(node.unique_id)) is not None
        and any(one.variable == name and one.how != ASSIGNED for one in text.uses.columns)
    ]
    tests = [node for node in readers if node.resource_type == "test"]
    keeping = [node for node in readers if keeps_rows(node)]
    given_to = [node for node in readers if column is not None and _gives(study.of(node.unique_id), name, column)]
    if not (filled or given_to or (keeping and compared)):
        return None
    score = (
        _WEIGHTS["filled"] * len(filled)
        + _WEIGHTS["given"] * len(given_to)
        + _WEIGHTS["compared"] * len(compared)
        + _WEIGHTS["read"] * len(keeping)
        + _WEIGHTS["tests"] * bool(tests)
        + _WEIGHTS["value"] * (year is not None)
    )
    because = []
    if filled:
        because.append(
            f"{plural(len(filled), 'model')} that keep{'s' if len(filled) == 1 else ''} rows, such as "
            f"{filled[0].name}, {'has' if len(filled) == 1 else 'have'} it in {column}"
        )
    if compared:
        because.append(f"{plural(len(compared), 'node')} compare{'s' if len(compared) == 1 else ''} it with a column")
    if tests:
        because.append(f"{plural(len(tests), 'test')} read{'s' if len(tests) == 1 else ''} it")
    if year is not None:
        because.append(f"its value is {json.dumps(value_of(name, facts, study, given))}")
    return YearCandidate(
        name,
        column,
        form,
        year,
        tuple(node.name for node in readers),
        tuple(node.name for node in filled),
        score,
        tuple(because),
        convincing=_convincing(name, column, form, filled, [one for text in study.texts for one in text.uses.columns]),
    )


def _convincing(name: str, column: str | None, form: str, filled: list[NodeFacts], uses: list[ColumnUse]) -> bool:
    """Tell whether rows are kept by a variable's value, and it is a year.

    A variable that only bounds a column, from a date on, keeps nothing apart. Where it has no value, it may be
    anything that tells runs apart: a year is what a number is added to, or what is called so.
    """
    own = [one for one in uses if one.variable == name and one.column == column]
    if not filled or form == DATE or all(one.how == COMPARED for one in own):
        return False
    stepped = any(one.moved and one.how != ASSIGNED for one in own)
    return form != UNKNOWN or stepped or any(_NAMED.search(word) for word in (name, column or ""))


def keeps_rows(node: NodeFacts) -> bool:
    """Tell whether what a node builds still holds, after a build, what earlier ones put there."""
    return node.materialized in ("incremental", "snapshot") and not node.full_refresh


def _column(
    name: str, facts: ProjectFacts, study: ProjectStudy, readers: Iterable[NodeFacts]
) -> tuple[str | None, list[NodeFacts]]:
    """Return the column that holds a variable's value, and the models that keep rows of it.

    A column counts where it is given the value, or compared with it; each model that keeps rows and has it counts more.
    """
    kept = [node for node in facts.models() if keeps_rows(node)]
    words = {node.unique_id: text.uses.words for node in kept if (text := study.of(node.unique_id)) is not None}
    votes: Counter[str] = Counter()
    assigned: set[str] = set()
    for node_id in [*(node.unique_id for node in readers), *_macros(study)]:
        text = study.of(node_id)
        uses = () if text is None else text.uses.columns
        for column, how in {(one.column, one.how) for one in uses if one.variable == name}:
            votes[column] += 2 if how == ASSIGNED else 1
            assigned |= {column} if how == ASSIGNED else set()
    for column in votes:
        votes[column] += 3 * sum(column in words[node] for node in words) + 2 * (column in assigned)
    if not votes:
        return None, []
    best = max(votes, key=lambda column: (votes[column], column == name.lower(), column))
    reads = {node.unique_id for node in readers}
    below = facts.descendants(reads) | reads
    filled = [node for node in kept if best in words.get(node.unique_id, ()) and node.unique_id in below]
    return best, filled


def _macros(study: ProjectStudy) -> list[str]:
    return [text.unique_id for text in study.texts if text.unique_id.startswith("macro.")]


def _gives(text: TextStudy | None, name: str, column: str) -> bool:
    return text is not None and any(
        one.variable == name and one.column == column and one.how == ASSIGNED for one in text.uses.columns
    )
