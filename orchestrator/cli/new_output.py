"""What ``orchestrator new`` found, for people and as a document."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.core.text import plural

if TYPE_CHECKING:
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.maintenance.adoption.looking import Place
    from orchestrator.maintenance.adoption.proposal import Proposal
    from orchestrator.maintenance.adoption.year_variable import YearCandidate

SHOWN = 5


def show_proposal(output: Output, facts: ProjectFacts, proposal: Proposal) -> None:
    """Write what is proposed, and what each part rests on."""
    years, chosen = proposal.years, proposal.chosen
    both = dict.fromkeys([years.why_first or "assumed", years.why_last or "assumed"])
    required = "" if proposal.required is None else "; listed, because the project's own tags tell them otherwise"
    rows = [
        ("project", _contents(facts), ""),
        ("year", f"{chosen.variable}, in the column {proposal.column}", "; ".join(chosen.because)),
        ("years", f"{years.first}–{years.last}", ", ".join(both)),
        ("stages", ", ".join(stage.name for stage in proposal.stages.stages), f"by {proposal.stages.by}"),
        ("foundation", _some(proposal.foundation) or "seeds alone", f"built before {years.first}{required}"),
        ("carried", "; ".join(proposal.carried), "from one year to the next" if proposal.carried else ""),
    ]
    output.say()
    output.show(_grid([(Text(what), value, Text(why, "dim")) for what, value, why in rows if value]))


def show_no_years(output: Output, facts: ProjectFacts, candidates: Sequence[YearCandidate]) -> None:
    """Say that a project has no years, and which variable comes nearest to being one."""
    output.say(f"\n{_contents(facts)}; no years: no model keeps rows apart by the value of a variable.")
    if candidates:
        near = candidates[0]
        output.say(f"The nearest is {near.variable} ({'; '.join(near.because)}); if it is the year, add --years.")


def show_open(output: Output, proposal: Proposal, place: Place) -> None:
    """Write which lines would have to change, and what could not be told."""
    where = os.path.relpath(place.project_dir)
    for title, changes in (
        ("To change in the dbt project", [one for one in proposal.changes if one.needed]),
        ("Worth a look", [one for one in proposal.changes if not one.needed]),
    ):
        if changes:
            output.say(Text(f"\n{title}" + ("" if where == "." else f" {where}"), "bold"))
            for change in changes:
                output.say(Text.assemble("  ", (change.place, "cyan"), f"  {change.what}"))
                output.say(Text(f"    {change.why}", "dim"))
    if proposal.unknown:
        output.say(Text("\nCould not tell", "bold"))
        for told in proposal.unknown:
            output.say(Text(f"  ? {told}", "yellow"))


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


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _grid(rows: Sequence[tuple[Text, str, Text]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column()
    for row in rows:
        table.add_row(*row)
    return table
