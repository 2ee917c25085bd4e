"""Lines of a dbt project that would have to change before it can run year by year, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.untrusted import read_limited
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.source_facts import SourceFacts
from orchestrator.dbt_runner.project.study import ProjectStudy, TextStudy
from orchestrator.maintenance.adoption.year_variable import DATE, YearCandidate, keeps_rows

_MOST_BYTES = 10 * 1024**2
_CONFIG = re.compile(r"\bconfig\s*\(|\bdef\s+model\b")
_WRITES = re.compile(r"\b(?:insert|update|merge|delete|copy)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """One line to change: ``needed`` before the project runs; else it costs something, which ``why`` tells."""

    file: str
    line: int | None
    what: str
    why: str
    needed: bool = True

    @property
    def place(self) -> str:
        """Return file and line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"


class ProjectLines:
    """The files of a dbt project, to find the line of something in them."""

    def __init__(self, project_dir: Path) -> None:
        self._project_dir = project_dir

    def find(self, file: str, pattern: re.Pattern[str]) -> int | None:
        """Return the first line of a file in which a pattern is found, None where there is none."""
        try:
            text = read_limited(self._project_dir / file, _MOST_BYTES).decode(errors="replace")
        except (OSError, ValueError):
            return None
        found = pattern.search(text)
        return None if found is None else text.count("\n", 0, found.start()) + 1


def lines_to_change(
    facts: ProjectFacts, study: ProjectStudy, yearly: Iterable[NodeFacts], chosen: YearCandidate, column: str
) -> tuple[Change, ...]:
    """Return what would have to change, by file and line: first what is needed."""
    lines = ProjectLines(facts.project_dir)
    found = list(_reads_of_year(study, chosen))
    for node in yearly:
        text = study.of(node.unique_id)
        found += _of_node(node, text, column.lower(), lines)
    found += _of_sources(facts, lines)
    found += _by_name(facts, study, {node.unique_id for node in yearly})
    found += _hooks(study, facts, lines)
    found += _reuse(facts, lines)
    found += _closing_table(facts, [node for node in yearly if node.kind is not None])
    return tuple(sorted(dict.fromkeys(found), key=lambda one: not one.needed))


def _reads_of_year(study: ProjectStudy, chosen: YearCandidate) -> Iterator[Change]:
    """Tell of reads that do not fit a whole number, which the orchestrator hands to dbt."""
    name = chosen.variable
    for text in study.texts:
        for check in text.uses.checks:
            if check.variable == name and check.text is not None:
                yield Change(
                    text.file,
                    check.line,
                    f"compare {name} with the number, without quotes: {check.text}",
                    f"dbt is given {name} as a whole number, which never equals a text",
                )
        if chosen.form == DATE:
            for read in text.uses.reads:
                if read.name == name:
                    yield Change(
                        text.file,
                        read.line,
                        f"make a date of the year: make_date({{{{ var('{name}') }}}}, 1, 1)",
                        f"dbt is given {name} as a whole number such as 2025, and this reads a date",
                    )


def _of_node(node: NodeFacts, text: TextStudy | None, column: str, lines: ProjectLines) -> Iterator[Change]:
    if node.full_refresh and node.materialized == "incremental":
        line = lines.find(node.file, re.compile(r"full_refresh"))
        yield Change(node.file, line, "remove full_refresh: true", "each year would replace all years before it")
    if text is None:
        return
    config = lines.find(node.file, _CONFIG) if not text.from_package else None
    itself = text.uses.this_at
    if itself is not None and not keeps_rows(node) and node.materialized == "table":
        yield Change(
            node.file,
            config or itself,
            "materialize it as incremental, adding only the rows of its year",
            f"it carries rows over through `this` (line {itself}), and no single year can be taken out of a table that "
            "is replaced as a whole: a run that builds a year again begins at the first one",
            needed=False,
        )
    if not keeps_rows(node) or node.materialized != "incremental":
        return
    keys = {key.lower().strip('"') for key in text.unique_key}
    if column in text.uses.words and keys and column not in keys and not node.writes_other_years:
        yield Change(
            node.file,
            config,
            f"add {column} to unique_key, or set meta={{'writes_other_years': true}} in config()",
            f"its unique_key ({', '.join(text.unique_key)}) does not name the year: where a key comes again in a later "
            "year, that overwrites rows of the years before, and no single year can be run again",
            needed=False,
        )


def _of_sources(facts: ProjectFacts, lines: ProjectLines) -> Iterator[Change]:
    """Tell of sources that read what a model of the project writes further down: the state of the year before."""
    builders = {node.relation: node for node in facts.models() if node.builds}
    for source in facts.sources:
        model = builders.get(source.relation)
        if model is None:
            continue
        readers = [node for node in facts.nodes if source.unique_id in node.depends_on and node.resource_type != "test"]
        circle = any(node.unique_id in facts.ancestors([model.unique_id]) | {model.unique_id} for node in readers)
        if not circle and source.prior_year_of is None:
            continue
        line = _line_of_source(source, lines)
        if source.prior_year_of is None:
            yield Change(
                source.file,
                line,
                f"add meta: {{prior_year_of: {model.name}}} to the table {source.name}",
                f"{readers[0].name} reads there what {model.name} wrote in the year before, and in the first year "
                "there is no such table",
            )
        if facts.capabilities.describe_sql is None and not model.typed_by_contract:
            yield Change(
                model.file,
                lines.find(model.file, _CONFIG),
                "give the model an enforced contract, with a data_type for every column",
                "its table is created empty before the first year, with the columns of its contract",
            )


def _line_of_source(source: SourceFacts, lines: ProjectLines) -> int | None:
    return lines.find(source.file, re.compile(rf"^\s*-\s*(?:\{{\s*)?name:\s*['\"]?{re.escape(source.name)}\b", re.M))


def _by_name(facts: ProjectFacts, study: ProjectStudy, yearly: set[str]) -> Iterator[Change]:
    """Tell of models that read another model by its plain name, so that nobody knows which is built first."""
    for node in facts.models():
        text = study.of(node.unique_id)
        if text is None or text.from_package or node.unique_id not in yearly:
            continue
        for name in text.by_name:
            other = facts.buildable(name)
            known = facts.ancestors([node.unique_id]) | {node.unique_id}
            if other is None or other.unique_id in known or "*" in name:
                continue
            yield Change(
                node.file,
                None,
                f"read {name} with ref('{other.name}'), or what the year before left in it as a source",
                "dbt does not know of this edge, so it is open which of the two is built first",
                needed=False,
            )


def _hooks(study: ProjectStudy, facts: ProjectFacts, lines: ProjectLines) -> Iterator[Change]:
    by_macros = {tag for node in facts.run_hooks if node.changes for tag in node.tags}
    kinds = (hook.kind for hook in study.hooks if hook.kind in by_macros or _WRITES.search(hook.sql))
    for kind in dict.fromkeys(kinds):
        yield Change(
            "dbt_project.yml",
            lines.find("dbt_project.yml", re.compile(rf"^\s*{kind}\s*:", re.M)),
            "make sure that these statements may run several times a year",
            f"dbt runs {kind} with every command: in each stage of a year, and in the repair before the first",
            needed=False,
        )


def _closing_table(facts: ProjectFacts, yearly: list[NodeFacts]) -> Iterator[Change]:
    """Tell what results are shown and compared by, where the project names no table for that."""
    if any(node.summary for node in facts.nodes):
        return
    read = {parent for node in facts.nodes for parent in node.depends_on if node.resource_type != "test"}
    last = next((node for node in reversed(yearly) if node.unique_id not in read), None)
    if last is not None:
        yield Change(
            last.file,
            None,
            "where it has one row a year, mark it with `meta: {summary: true}`, else a model that has",
            "runs end with that table, and `compare`, `report` and the pages of results show it by year",
            needed=False,
        )


def _reuse(facts: ProjectFacts, lines: ProjectLines) -> Iterator[Change]:
    """Tell why one parse cannot serve all years: of the project, and of the first node that stands for others."""
    why = "dbt fixes that when it parses, so the project is parsed again for every year"
    if facts.reuse_blocker is not None:
        yield Change("dbt_project.yml", None, "keep the year out of it", f"{facts.reuse_blocker}; {why}", needed=False)
    blocked = [node for node in facts.nodes if node.reuse_blocker is not None]
    for node in blocked[:1]:
        rest = f", and {len(blocked) - 1} more like it" if len(blocked) > 1 else ""
        yield Change(
            node.file,
            lines.find(node.file, re.compile(r"\{%-?\s*if\b|\bconfig\s*\(")),
            f"use the year in the text of its SQL alone{rest}",
            f"{node.reuse_blocker}; {why}",
            needed=False,
        )
