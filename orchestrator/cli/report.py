"""``orchestrator report``: one file for people who decide."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestrator.cli.compare import opened_sources
from orchestrator.cli.completion import side_names
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.formats import shown_path, shown_size
from orchestrator.core.text import plural


class Picture(str, Enum):
    """The formats of charts."""

    SVG = "svg"
    PNG = "png"


def report(
    options: CommonOptions,
    output: Output,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B...]",
            autocompletion=side_names,
            help="Scenarios, runs, sweeps or groups, as for compare; by default the configured scenario.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="HTML file to write.")] = Path("report.html"),
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="Only this result; repeatable.", show_default=False),
    ] = None,
    charts: Annotated[
        Path | None,
        typer.Option("--charts", metavar="FOLDER", help="Also write each chart to a file.", show_default=False),
    ] = None,
    picture: Annotated[
        Picture | None, typer.Option("--format", help="Format of these files; svg by default.", show_default=False)
    ] = None,
) -> int:
    """Write a report: figures, charts by year, what was assumed, what matters most, where the time went."""
    from orchestrator.reports.html.pictures import require_extra  # the rooms below are slow to import

    if picture is not None and charts is None:
        raise ConfigurationError("--format is that of charts, and none are asked for.", to_fix="add --charts FOLDER")
    require_extra()
    from orchestrator.reports.html.writing import write_report
    from orchestrator.reports.sides.records import all_notes

    with opened_sources(options, output) as sources:
        kind: Literal["svg", "png"] = "png" if picture is Picture.PNG else "svg"
        written = write_report(sources, names or (), out, metrics=metric or (), charts=charts, picture=kind)
    comparison, size = written.content.comparison, written.file.stat().st_size
    notes = all_notes(comparison)
    record = {
        "file": written.file,
        "bytes": size,
        "charts": written.charts,
        "sides": [side.name for side in comparison.sides],
        "years": comparison.years,
        "notes": notes,
    }
    output.write_json(record, "written")
    for note in notes:
        output.say(note)
    output.say(f"Wrote {shown_path(written.file)} ({shown_size(size)}).")
    if written.charts and charts is not None:
        output.say(f"Wrote {plural(len(written.charts), 'chart')} to {shown_path(charts.absolute())}.")
    return 0
