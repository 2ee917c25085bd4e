"""``orchestrator doctor``: an examination of the workspace, with the remedy of each problem; no table is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestrator.cli.command import load_config, orchestrator_for, progress_for
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.text import plural

if TYPE_CHECKING:
    from orchestrator.maintenance.doctor.diagnosis import Diagnosis, Report

FOUND = 3
MARKS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "problem": ("✗", "red")}


def doctor(
    options: CommonOptions,
    output: Output,
    *,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix",
            metavar=NO_VALUE,
            help="First remove what processes that have ended left behind, and say what was removed.",
        ),
    ] = False,
) -> int:
    """Examine versions, dbt project, database, locks, leftovers and disk; name the remedy of what is wrong.

    Reads the whole database and, without --fix, writes nothing to it. Ends with 0 when all is well and with 3 when
    something is not.
    """
    from orchestrator.maintenance.doctor.diagnosis import Report  # slow to import, as what follows
    from orchestrator.maintenance.doctor.examination import CHECKS, examine
    from orchestrator.maintenance.doctor.mending import Mended, mend
    from orchestrator.reports.doctor import doctor_record

    config = load_config(options)
    page = _Page(output, max(map(len, CHECKS)))

    with progress_for(output) as progress, orchestrator_for(config, []) as orchestrator:
        mended = mend(orchestrator, emit=progress) if fix else Mended((), ())
        for one in mended.done:
            output.say(Text(f"Fixed: {_short(one)}", "green"))
        for one in mended.left:
            output.say(Text(f"Not fixed: {_short(one)}", "yellow"))
        report = examine(orchestrator, tell=lambda found: page.show(_in_place(found, options)), busy=progress.busy)
        page.show_remedy()
    shown = Report(tuple(_in_place(found, options) for found in report.diagnoses))
    output.write_json(doctor_record(shown, mended), "healthy" if report.healthy else "unhealthy", ok=report.healthy)
    output.say(_verdict(report))
    return 0 if report.healthy else FOUND


def _in_place(diagnosis: Diagnosis, options: CommonOptions) -> Diagnosis:
    """Return a diagnosis whose remedy acts on what was examined."""
    remedy = diagnosis.remedy
    return diagnosis if remedy is None else replace(diagnosis, remedy=options.same_workspace(remedy))


class _Page:
    """Shows findings line by line; a remedy that several findings share stands once, below the last of them."""

    def __init__(self, output: Output, width: int) -> None:
        self._output = output
        self._width = width
        self._last: Diagnosis | None = None

    def show(self, diagnosis: Diagnosis) -> None:
        """Show one finding; its remedy waits for the next one."""
        last, check = self._last, diagnosis.check
        if last is not None and last.check == check:
            check = ""
        if last is not None and (last.check, last.remedy) != (diagnosis.check, diagnosis.remedy):
            self.show_remedy()
        self._last = diagnosis
        mark, style = MARKS[diagnosis.status.value]
        finding = Text() if diagnosis.subject is None else Text(f"{_short(diagnosis.subject)}: ", "bold")
        self._row(mark, style, check, finding.append(_short(diagnosis.detail), "not bold"))

    def show_remedy(self) -> None:
        """Show the remedy of what was shown last, if there is one."""
        if self._last is not None and self._last.remedy is not None:
            self._row(" ", "", "", Text("To fix: ", "bold").append(_short(self._last.remedy), "not bold"))

    def _row(self, mark: str, style: str, check: str, finding: Text) -> None:
        name = f"{check:<{self._width}} "
        if self._output.people.is_terminal:
            row = Table.grid(padding=(0, 1, 0, 0))
            row.add_row(Text(mark, style), Text(name, "dim"), finding)
            self._output.show(row)
            return
        self._output.say(f"{mark} {name} {finding.plain}".replace("\n", "\n" + " " * (self._width + 4)))


def _short(text: str) -> str:
    """Return text with the paths below the working folder as they can be typed from here."""
    return text.replace(f"{Path.cwd()}/", "")


def _verdict(report: Report) -> Text:
    count = len(report.problems)
    if not count:
        return Text("All is well.", "bold green")
    return Text(f"{plural(count, 'problem')} {'was' if count == 1 else 'were'} found.", "bold red")
