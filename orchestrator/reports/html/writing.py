"""Write a report, and its charts, to files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import ConfigurationError
from orchestrator.core.files import replace_file
from orchestrator.core.permissions import ANY_FILE, current_umask
from orchestrator.reports.html.content import Report, report_content
from orchestrator.reports.html.pictures import PictureFormat, require_extra, write_pictures
from orchestrator.reports.sides.sources import Sources

DEFAULT_FILE = Path("report.html")


@dataclass(frozen=True)
class WrittenReport:
    """A report with the file that it is in, and those of its charts where these were asked for."""

    file: Path
    charts: tuple[Path, ...]
    content: Report


def write_report(
    sources: Sources,
    names: Sequence[str],
    file: Path,
    *,
    metrics: Sequence[str] = (),
    charts: Path | None = None,
    picture: PictureFormat = "svg",
) -> WrittenReport:
    """Write the report of these sides to a file, in one move; ``charts`` is a folder for its charts as pictures.

    A report that is there already is replaced; any other file of that name is left alone.

    Raises:
        ConfigurationError: a name is wrong, or the file cannot be written.
        MissingExtraError: a library of the extra ``report`` is not installed.
        TableNotFoundError: there are no results of a side.
        DatabaseError: a database cannot be read, or a run has it open.
    """
    require_extra()
    from orchestrator.reports.html.page import charts_of_report, is_report, report_page  # brings Jinja along

    file = file.expanduser().absolute()
    if not file.parent.is_dir():
        raise ConfigurationError(
            f"--out: there is no folder {file.parent}.", to_fix=f"make it: mkdir -p '{file.parent}'"
        )
    if file.is_dir():
        raise ConfigurationError(
            f"--out: {file} is a folder.", to_fix=f"name a file in it: --out '{file / DEFAULT_FILE}'"
        )
    if file.exists() and not (file.is_file() and is_report(file)):
        raise ConfigurationError(
            f"--out: {file} exists, and is no report of ours.", to_fix="name another file, or remove that one"
        )
    if not os.access(file.parent, os.W_OK):
        raise ConfigurationError(f"--out: {file.parent} is not writable.", to_fix="name a file in another folder")
    content = report_content(sources, names, metrics=metrics)
    drawn = charts_of_report(content)
    page = report_page(content, drawn)
    pictures = () if charts is None else tuple(write_pictures([*drawn[0], *drawn[1]], charts.absolute(), picture))
    replace_file(file, page.encode(), mode=ANY_FILE & ~current_umask())  # as what a shell writes where one says
    return WrittenReport(file, pictures, content)
