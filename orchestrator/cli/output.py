"""The streams of a command: text for people, the JSON document, errors."""

from __future__ import annotations

import codecs
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from orchestrator.core.events import jsonable
from orchestrator.core.masking import masked
from orchestrator.core.text import CONTROL, ascii_json, escaped, finite

PLAIN = str.maketrans({"…": "..."} | dict(zip("✓✗·–—×→’“”█▏", '+x---x>\'""#|', strict=True)))

FAR = 10_000  # characters


class Output:
    """The streams of one command.

    ``people`` shows progress, and results by :meth:`say` and :meth:`show`: on standard output, or on standard
    error where standard output is kept for the one JSON document. ``errors`` always writes to standard error. Warnings
    of the log go through ``advice``, which completes the commands in them.
    """

    def __init__(
        self, *, json: bool, verbosity: int, quiet: bool, advice: Callable[[str], str] = lambda text: text
    ) -> None:
        self.json = json
        self.verbosity = verbosity
        self.quiet = quiet
        for stream in (sys.stdout, sys.stderr):
            _make_forgiving(stream)
        self._data: TextIO | None = None
        self._unwritten: OSError | None = None
        self._document = _claim_stdout("ascii") if json else None
        self.people = _console(stderr=json, quiet=quiet)
        self.errors = _console(stderr=True)
        _show_log(verbosity, advice, quiet=quiet)

    def unwritten(self) -> OSError | None:
        """Write what is still held, and return why standard output cannot be written, None where it can.

        That its reader went away is no such reason.
        """
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError as error:
            self._give_up(sys.stdout, error)
        return self._unwritten or (None if self.people.stderr else self.people.unwritten)

    def say(self, text: Text | str = "") -> None:
        """Write one paragraph of a result for people, wrapped between words on a terminal and not at all elsewhere.

        Where a JSON document is wanted, that is the result, and nothing is written.
        """
        if not self.json:
            self.people.print(text, soft_wrap=not self.people.is_terminal)

    def show(self, table: Table) -> None:
        """Write a table of a result for people, as :meth:`say` does; no value is ever cut.

        On a terminal that is too narrow each value gets a line of its own.
        """
        if self.json:
            return
        unlimited = self.people.options.update(width=FAR)
        if not self.people.is_terminal:  # a file has no edge to be cut off at
            wide = Measurement.get(self.people, unlimited, table).maximum
            self.people.width = max(self.people.width, wide)
        elif table.show_header and _least_width(self.people, unlimited, table) > self.people.width:
            table = _stacked(table)
        self.people.print(table)

    def keep_stdout(self) -> None:
        """Keep standard output for :meth:`write_data`; people, and whatever else writes to it, go to standard error."""
        self._data = _claim_stdout("utf-8")
        self.people = _console(stderr=True, quiet=self.quiet)

    def write_data(self, lines: Iterable[str]) -> None:
        """Write lines of data as they are, after :meth:`keep_stdout`; on a terminal, control characters written out."""
        if self._data is None:
            return
        on_terminal = self._data.isatty()
        try:
            for line in lines:
                self._data.write(f"{escaped(line) if on_terminal else line}\n")
            self._data.flush()
        except OSError as error:
            self._give_up(self._data, error)

    def write_json(self, document: Mapping[str, object], status: str | None = None, *, ok: bool = True) -> None:
        """Write the one JSON document of this command.

        ``ok`` tells whether the command ends with 0; ``status`` is the outcome in a word, else the document has it.
        """
        outcome = {"ok": ok, "status": document["status"] if status is None else status}
        self.write_raw_json(outcome | {key: value for key, value in document.items() if key not in outcome})

    def write_raw_json(self, document: object) -> None:
        """Write a JSON document whose form is somebody else's, such as a JSON Schema."""
        if self._document is None:
            return
        try:
            self._document.write(ascii_json(finite(jsonable(document)), indent=2) + "\n")
            self._document.flush()
        except OSError as error:
            self._give_up(self._document, error)

    def _give_up(self, stream: TextIO, error: OSError) -> None:
        """Write nothing more to a stream, and remember why, unless its reader went away."""
        _to_nowhere(stream)
        if not isinstance(error, BrokenPipeError):
            self._unwritten = error


def _least_width(console: Console, unlimited: ConsoleOptions, table: Table) -> int:
    """Return how many characters a table needs so that nothing in it is cut."""
    found = 0
    for column in table.columns:
        cells = [column.header] if column.overflow == "fold" else [column.header, *column.cells]
        parts = [Measurement.get(console, unlimited, cell) for cell in cells]
        found += max(part.maximum if column.no_wrap else part.minimum for part in parts)
    return found + sum(table.padding[1::2]) * (len(table.columns) - 1)


def _stacked(table: Table) -> Table:
    """Return the same with a line for each value, and an empty one after each row."""
    stack = Table.grid(padding=(0, 2, 0, 0))
    headings = [column.header for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for heading, cell in zip(headings, row, strict=True):
            stack.add_row(heading, cell)
        stack.add_row("", "")
    return stack


def _console(*, stderr: bool, quiet: bool = False) -> _PipeConsole:
    """Make a console. A width of 0 in COLUMNS, as some editors set it, tells nothing; nothing would be shown in it."""
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES") or value != "0"}
    return _PipeConsole(stderr=stderr, quiet=quiet, highlight=False, markup=False, emoji=False, _environ=known)


class _PipeConsole(Console):
    """A console that falls silent when its reader goes away (``| head``) or its disk is full: the command goes on.

    ``unwritten`` is why it could not be written; that its reader went away is no such reason.
    Names and messages come from files and databases. Whatever they hold, no control character of theirs is written.
    """

    unwritten: OSError | None = None

    def __exit__(self, *exc: Any) -> None:
        try:
            super().__exit__(*exc)
        except BrokenPipeError:
            self.on_broken_pipe()
        except OSError as error:
            self.unwritten = error
            self.on_broken_pipe()

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(escaped(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, Text):
            renderable = _escaped(renderable)  # before it is wrapped
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escaped(segment.text))

    def on_broken_pipe(self) -> None:
        self.quiet = True
        _to_nowhere(self.file)


def _escaped(text: Text) -> Text:
    """Return a text with its control characters written out, and its colours where they were."""
    found = text.blank_copy()
    end = 0
    for match in CONTROL.finditer(text.plain):
        found.append_text(text[end : match.start()])
        found.append(escaped(match[0]))
        end = match.end()
    return found.append_text(text[end:]) if end else text


def _to_nowhere(stream: object) -> None:
    """Point a stream at /dev/null, so that flushing it at exit does not fail again."""
    assert isinstance(stream, io.TextIOWrapper)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _claim_stdout(encoding: str) -> TextIO | None:
    """Keep standard output for a result: whatever else writes to it, also below Python, lands on standard error."""
    if sys.stdout is None or sys.stderr is None:
        return sys.stdout
    sys.stdout.flush()
    kept = os.fdopen(os.dup(1), "w", encoding=encoding, errors="backslashreplace", newline="")
    os.dup2(2, 1)
    return kept


def _make_forgiving(stream: object) -> None:
    """Let a stream that is not UTF-8 write the nearest plain character instead of raising."""
    if isinstance(stream, io.TextIOWrapper) and "utf" not in stream.encoding.lower():
        codecs.register_error("orchestrator", _plain_characters)
        stream.reconfigure(errors="orchestrator")


def _plain_characters(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    found = error.object[error.start : error.end].translate(PLAIN)
    return found.encode("ascii", "replace").decode("ascii"), error.end


class _LogLines(logging.Handler):
    """Writes log records to whatever ``sys.stderr`` is at the moment: a live display stands in for it.

    With ``detail`` also who of us logs, and tracebacks.
    """

    def __init__(self, advice: Callable[[str], str], *, detail: bool) -> None:
        super().__init__()
        self._advice = advice
        self._detail = detail

    def emit(self, record: logging.LogRecord) -> None:
        ours = record.name.partition(".")[0] == "orchestrator"
        name = "" if ours and not self._detail else f"{record.name}: "
        line = f"{record.levelname.lower()}: {name}{self._advice(record.getMessage())}"
        if record.exc_info and not self._detail:
            line += f" ({record.exc_info[1]!r})"
        elif record.exc_info:
            line += "\n" + logging.Formatter().formatException(record.exc_info)
        try:
            print(escaped(masked(line)), file=sys.stderr, flush=True)
        except OSError:  # there is nowhere to say so, and the command goes on
            _to_nowhere(sys.stderr)


def _show_log(verbosity: int, advice: Callable[[str], str], *, quiet: bool) -> None:
    root = logging.getLogger()
    root.handlers[:] = [_LogLines(advice, detail=verbosity > 0)]
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    logging.getLogger("orchestrator").setLevel(logging.DEBUG if verbosity > 1 else logging.NOTSET)
