"""``orchestrator compare``: scenarios, runs and sweep groups side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.command import ended, load_config, runner_with_facts
from orchestrator.cli.completion import side_names
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.dbt_runner.process.runner import DbtRunner
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.reports.sides.sources import Sources

ROWS_SHOWN = 20


def compare(
    options: CommonOptions,
    output: Output,
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="A B...",
            autocompletion=side_names,
            help="Scenarios, ids of runs or their beginnings, sweeps, or groups: 'NAME\\[growth=0.03]'.",
            show_default=False,
        ),
    ],
    *,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="Only this result; repeatable.", show_default=False),
    ] = None,
    year: Annotated[
        list[int] | None,
        typer.Option("--year", metavar="Y", min=1, max=9999, help="Only this year; repeatable.", show_default=False),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option("--rows", metavar="TABLE", help="Compare the rows of a table instead.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="K[,K2]", help="Columns that name a row, for --rows.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, max=2**31, help="Changes of rows shown of each kind.")
    ] = ROWS_SHOWN,
    csv: Annotated[bool, typer.Option("--csv", metavar=NO_VALUE, help="Write CSV to standard output.")] = False,
    markdown: Annotated[
        bool, typer.Option("--md", metavar=NO_VALUE, help="Write Markdown to standard output.")
    ] = False,
) -> int:
    """Compare results by year with the first one named; databases are only read."""
    _require_fitting(options, metric=metric, rows=rows, key=key, year=year, csv=csv, markdown=markdown)
    if csv or markdown:
        output.keep_stdout()
    with opened_sources(options, output) as sources:
        if rows is not None:
            only = None if not year else year[0]
            return _compare_rows(output, sources, names, rows, key or "", only, limit, csv=csv, markdown=markdown)
        from orchestrator.reports.sides.comparing import (  # the rooms below are slow to import
            compare_sides,
            require_several,
        )
        from orchestrator.reports.sides.finding import find_sides

        found = compare_sides(require_several(find_sides(sources, names)), metrics=metric or (), years=year or ())
    from orchestrator.cli.side_tables import show_sides
    from orchestrator.reports.sides.records import comparison_csv, comparison_markdown, comparison_record

    output.write_json(comparison_record(found), "compared")
    if csv or markdown:
        output.write_data(comparison_csv(found) if csv else comparison_markdown(found))
        return 0
    show_sides(output, found)
    return 0


@contextmanager
def opened_sources(options: CommonOptions, output: Output) -> Iterator[Sources]:
    """Open the project, its scenarios and its history, for the sides that a command names."""
    from orchestrator.reports.sides.sources import loader, sources_of  # slow to import

    @contextmanager
    def open_project(config: SimulationConfig) -> Iterator[tuple[DbtRunner, ProjectFacts]]:
        with runner_with_facts(config, output) as (runner, facts), ended(runner):
            yield runner, facts

    config = load_config(options)
    with sources_of(config, loader(options.config, tuple(options.overrides or ())), open_project) as sources:
        yield sources


def _require_fitting(
    options: CommonOptions,
    *,
    metric: list[str] | None,
    rows: str | None,
    key: str | None,
    year: list[int] | None,
    csv: bool,
    markdown: bool,
) -> None:
    """Refuse options that say different things.

    Raises:
        ConfigurationError: they cannot be used together, or one needs another.
    """
    forms = [flag for flag, given in (("--csv", csv), ("--md", markdown), ("--json", options.json)) if given]
    if len(forms) > 1:
        raise ConfigurationError(f"{forms[0]} and {forms[1]} cannot be used together.", to_fix="leave out one of them")
    if rows is None and key is not None:
        raise ConfigurationError("--key names the rows of a table, and none is given.", to_fix="add --rows TABLE")
    if rows is not None and key is None:
        raise ConfigurationError("--rows needs the columns that name a row.", to_fix="add --key K, or --key K,K2")
    if rows is not None and metric:
        raise ConfigurationError("--metric and --rows cannot be used together.", to_fix="leave out one of them")
    if rows is not None and len(year or ()) > 1:
        raise ConfigurationError("--rows takes one --year.", to_fix="give one, or leave it out for all years")


def _compare_rows(
    output: Output,
    sources: Sources,
    names: list[str],
    table: str,
    key: str,
    year: int | None,
    limit: int,
    *,
    csv: bool,
    markdown: bool,
) -> int:
    from orchestrator.cli.side_tables import show_row_changes
    from orchestrator.reports.sides.records import rows_csv, rows_markdown, rows_record
    from orchestrator.reports.sides.row_tables import compared_rows

    columns = [part.strip() for part in key.split(",") if part.strip()]
    with compared_rows(sources, names, table, columns, year=year) as found:
        output.write_json({"table": table, "sides": names, **rows_record(found, limit)}, "compared")
        if csv or markdown:
            output.write_data(rows_csv(found) if csv else rows_markdown(found, limit))
        else:
            show_row_changes(output, found, (names[0], names[1]), table, limit)
    return 0
