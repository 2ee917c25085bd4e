"""What ``orchestrator new`` found, for people and as a document."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.core.text import plural
from orchestrator.maintenance.adoption.year_variable import DATE

if TYPE_CHECKING:
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.maintenance.adoption.looking import Place
    from orchestrator.maintenance.adoption.proposal import Proposal
    from orchestrator.maintenance.adoption.year_variable import YearCandidate

SHOWN = 5
LABEL = 12
FAR = 10_000  # characters


def show_proposal(output: Output, facts: ProjectFacts, proposal: Proposal) -> None:
    """Write what is proposed, and what each part rests on."""
    years, chosen = proposal.years, proposal.chosen
    both = [years.why_first or "the first is assumed", years.why_last or "the last is assumed"]
    required = "" if proposal.required is None else "; listed, because `auto` would choose others"
    rows = [
        ("project", _contents(facts), ""),
        ("year", f"{chosen.variable}, in the column {proposal.column}", "; ".join(chosen.because)),
        ("years", f"{years.first}–{years.last}", ", ".join(dict.fromkeys(both))),
        ("stages", ", ".join(stage.name for stage in proposal.stages.stages), f"by {proposal.stages.by}"),
        ("foundation", _some(proposal.foundation) or _seeds(facts), f"built before {years.first}{required}"),
        ("carried", "; ".join(proposal.carried), "from one year to the next"),
    ]
    output.say()
    for label, value, why in rows:
        if value:
            output.say(_row(output, label, value, why))


STEPS = (
    "it is a date, and the orchestrator counts in whole numbers: number the steps, and let a macro make the date of a "
    "number ('Quarters and months' in docs/your-own-project.md)"
)


def show_no_years(output: Output, facts: ProjectFacts, candidates: Sequence[YearCandidate]) -> None:
    """Say that a project has no years, and which variable comes nearest to being one."""
    output.say(f"\n{_contents(facts)}; no years: no model keeps rows apart by the value of a variable.")
    if candidates:
        near = candidates[0]
        how = STEPS if near.form == DATE else "if it is the year, add --years"
        output.say(f"The nearest is {near.variable} ({'; '.join(near.because)}); {how}.")


def show_open(output: Output, proposal: Proposal, place: Place) -> None:
    """Write which lines would have to change, and what could not be told."""
    where = os.path.relpath(place.project_dir)
    for title, changes in (
        ("To change in the project", [one for one in proposal.changes if one.needed]),
        ("Worth a look", [one for one in proposal.changes if not one.needed]),
    ):
        if changes:
            output.say(Text(f"\n{title}" + ("" if where == "." else f", in {where}"), "bold"))
            for change in changes:
                line = Text(wrapped(output, f"{change.place}  {change.what}", 2, 2))
                line.stylize("cyan", 2, 2 + len(change.place))
                output.say(line)
                output.say(Text(wrapped(output, change.why, 4), "dim"))
    if proposal.unknown:
        output.say(Text("\nCould not tell", "bold"))
        for told in proposal.unknown:
            output.say(Text(wrapped(output, f"? {told}", 2, 2), "yellow"))


def proposal_record(proposal: Proposal | None) -> dict[str, object] | None:
    """Return a proposal for JSON, null for a project without years."""
    if proposal is None:
        return None
    return {
        "year_var": proposal.chosen.variable,
        "year_column": proposal.column,
        "because": list(proposal.chosen.because),
        "start_year": proposal.years.first,
        "end_year": proposal.years.last,
        "stages_by": proposal.stages.by,
        "stages": [
            {"name": stage.name, "select": list(stage.select), "command": stage.command, "nodes": list(stage.nodes)}
            for stage in proposal.stages.stages
        ],
        "foundation": list(proposal.foundation),
        "carried": list(proposal.carried),
        "hook_points": [{"stage": stage, "source": source} for stage, source in proposal.hook_points],
        "sources_before": [{"source": source, "read_by": reader} for source, _, reader in proposal.sources_before],
        "unknown": list(proposal.unknown),
        "changes": [
            {"file": one.file, "line": one.line, "what": one.what, "why": one.why, "needed": one.needed}
            for one in proposal.changes
        ],
    }


def _contents(facts: ProjectFacts) -> str:
    count = Counter(node.resource_type for node in facts.nodes)
    told = ", ".join(plural(count[kind], kind) for kind in ("model", "seed", "snapshot", "test") if count[kind])
    return f"{facts.project_name}: {told or 'nothing that dbt builds'}"


def _seeds(facts: ProjectFacts) -> str:
    return "the seeds" if facts.seeds() else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _row(output: Output, label: str, value: str, why: str) -> Text:
    """Return what was found, and what it rests on: on the same line where that fits, else on lines of its own."""
    head = f"{label:{LABEL}}"
    if LABEL + len(value) + len(why) + 2 <= _width(output):
        return Text.assemble(head, value, "  " if why else "", (why, "dim"))
    below = wrapped(output, why, LABEL)
    return Text.assemble(head, wrapped(output, value, LABEL).lstrip(), "\n" if why else "", (below, "dim"))


def wrapped(output: Output, text: str, indent: int, more: int = 0) -> str:
    """Return a text on indented lines, those after the first by ``more``; on one line where there is no terminal."""
    first, rest = " " * indent, " " * (indent + more)
    return textwrap.fill(text, _width(output), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)


def _width(output: Output) -> int:
    return max(output.people.width, 3 * LABEL) if output.people.is_terminal else FAR
