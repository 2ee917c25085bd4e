"""The text of a proposed configuration: YAML with a remark on what each part rests on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.core.text import plural
from orchestrator.maintenance.adoption.proposal import Proposal
from orchestrator.maintenance.adoption.stages import FOLDERS, LAYERS, TAGS, StageProposal
from orchestrator.maintenance.adoption.year_range import YearRange

_PLAIN = re.compile(r"[A-Za-z_][\w./-]*|\.\.?(?:/[\w./-]*)?")
_WORDS_OF_YAML = frozenset(["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"])
WIDTH = 110
_ORDERED_BY = {
    TAGS: "The models' own tags tell them apart and order them.",
    FOLDERS: "The models' own folders tell them apart and order them.",
    LAYERS: "These are layers of the graph: what leads to the\n"
    "# tables that keep years, these tables, what is made of them. A model that you add has to be listed here.",
}
_ALL_AT_ONCE = "This is all that a year builds.\n# A model that you add has to be listed here."


def without_years(project_dir: str, database: str | None, given: Mapping[str, object]) -> str:
    """Return the configuration of a project that has no years, with the variables that the user gives.

    >>> print(without_years(".", None, {}), end="")
    dbt: {project_dir: .}
    """
    lines = [f"dbt: {{project_dir: {scalar(project_dir)}}}"]
    lines += [] if database is None else [f"database: {scalar(database)}"]
    lines += ["vars:", *(f"  {name}: {scalar(value)}" for name, value in given.items())] if given else []
    return "\n".join([*lines, ""])


def with_years(proposal: Proposal, project_dir: str, database: str | None) -> str:
    """Return the configuration of a project that marches through years; ``database`` None leaves it to the profile."""
    parts = [
        "# Written by `orchestrator new`. A wrong key is refused with the nearest right one.\n",
        _simulation(proposal),
        _place(project_dir, database),
        _variables(proposal),
        _required(proposal),
        _stages(proposal),
        _hooks(proposal),
    ]
    return "\n".join(part for part in parts if part)


def scalar(value: object) -> str:
    """Write a plain value as YAML on one line.

    >>> scalar("models/a"), scalar("tag:A"), scalar("no"), scalar(3), scalar([1, "b c"])
    ('models/a', '"tag:A"', '"no"', '3', '[1, "b c"]')
    """
    if isinstance(value, str) and value.lower() not in _WORDS_OF_YAML and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _simulation(proposal: Proposal) -> str:
    years, chosen = proposal.years, proposal.chosen
    lines = [
        "simulation:",
        _remarked(f"  start_year: {years.first}", _why(years.why_first, "assumed: nothing tells it")),
        _remarked(f"  end_year: {years.last}", f"included; {_why(years.why_last, 'assumed: nothing tells it')}"),
        _remarked(f"  year_var: {chosen.variable}", "; ".join(chosen.because[:1])),
        _remarked(f"  year_column: {proposal.column}", "the column that holds the year in tables of years"),
    ]
    if proposal.random_seed is not None:
        lines.append(_remarked(f"  random_seed: {proposal.random_seed}", "the value of random_seed"))
    return "\n".join(lines) + "\n"


def _why(known: str | None, otherwise: str) -> str:
    return otherwise if known is None else known


def _place(project_dir: str, database: str | None) -> str:
    lines = [f"dbt: {{project_dir: {scalar(project_dir)}}}"]
    if database is not None:
        lines.append(f"database: {scalar(database)}")
    else:
        lines += [
            "# The database is the one that the dbt profile names. For scenarios and --database, let the profile say",
            "# path: \"{{ env_var('ORCHESTRATOR_DATABASE', 'local.duckdb') }}\" and name the file here:",
            "# database: var/simulation.duckdb",
        ]
    return "\n".join(lines) + "\n"


def _variables(proposal: Proposal) -> str:
    if not proposal.variables:
        return ""
    lines = ["# Handed to every dbt command.", "vars:"]
    for name, value in proposal.variables.items():
        why = "the first year, as the project compares it" if name in proposal.years.opening else ""
        lines.append(_remarked(f"  {name}: {scalar(value)}", why))
    return "\n".join(lines) + "\n"


def _required(proposal: Proposal) -> str:
    made_by_hooks = [
        f'{{name: {scalar(table)}, tier: hook, call: "my_module:fill"}}' for _, table, _ in proposal.sources_before
    ]
    asked = [
        f"# Nothing in the dbt project makes {source}, which {reader} reads. If a function of yours does, add it:"
        for source, _, reader in proposal.sources_before
    ]
    if proposal.required is None:
        count = len(proposal.foundation)
        models = f", and {plural(count, 'node')} that do{'es' if count == 1 else ''} not depend on the year"
        lines = [f"# Before the first year: all seeds{models if count else ''}.", "required_tables: auto"]
        if made_by_hooks:
            lines += [
                *asked,
                f"# required_tables: [{', '.join(made_by_hooks)}]  # in place of auto, of which all stays",
            ]
        return "\n".join(lines) + "\n"
    lines = ["# Before the first year. What is not listed here is built by a stage, or not at all.", "required_tables:"]
    for table in proposal.required:
        same = table.selector.endswith(f".{table.name}")
        selector = "" if same else f", selector: {scalar(table.selector)}"
        lines.append(f"  - {{name: {scalar(table.name)}, tier: {table.tier}{selector}}}")
    lines += [*asked, *(f"#  - {one}" for one in made_by_hooks)]
    return "\n".join(lines) + "\n"


def _stages(proposal: Proposal) -> str:
    remark = _ORDERED_BY.get(proposal.stages.by, _ALL_AT_ONCE)
    lines = [*f"# One dbt command each, in this order, every year. {remark}".splitlines(), "stages:"]
    for stage in proposal.stages.stages:
        lines += _stage(stage)
    return "\n".join(lines) + "\n"


def _stage(stage: StageProposal) -> Iterator[str]:
    more = [] if stage.command == "run" else [f"command: {stage.command}"]
    more += ["later_years_only: true"] if stage.later_years_only else []
    if len(stage.select) == 1:
        flow = ", ".join([f"name: {scalar(stage.name)}", f"select: {scalar(stage.select[0])}", *more])
        yield f"  - {{{flow}}}"
        return
    yield f"  - name: {scalar(stage.name)}"
    yield from (f"    {one}" for one in more)
    yield from _list("    select: [", [scalar(word) for word in stage.select])


def _list(start: str, words: Sequence[str]) -> Iterator[str]:
    line = start
    for number, word in enumerate(words):
        item = f"{word}," if number < len(words) - 1 else f"{word}]"
        if len(line) + len(item) > WIDTH:
            yield line.rstrip()
            line = "      "
        line += f"{item} "
    yield line.rstrip()


def _hooks(proposal: Proposal) -> str:
    if not proposal.hook_points:
        return '# Functions of your own: {type: post_year, call: "my_module:my_function"}\nhooks: []\n'
    lines = [
        "# Functions of your own. Nothing in the dbt project fills these sources; if each year needs new rows there:"
    ]
    for stage, source in proposal.hook_points:
        lines.append(f'#   {{type: pre_stage, stage: {stage}, call: "my_module:fill"}}  # {source}')
    return "\n".join([*lines, "hooks: []"]) + "\n"


def _remarked(line: str, remark: str) -> str:
    told = " ".join(remark.split())
    return f"{line.ljust(30)}  # {told}" if told else line


def shown_range(years: YearRange) -> str:
    """Return the years as they are written on a command line."""
    return f"{years.first}-{years.last}"
