"""Files as a stranger would write them: thousands of journals, backups, events and notes, drawn at random.

``python -m tests.unit.crafted_files 5000`` draws that many and prints the first that does what it must not; a second
number is where to begin, so that one can be looked at again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.cli.app import run_program
from orchestrator.cli.output import Output
from orchestrator.database.lock_note import LockNote, locked_error
from orchestrator.dbt_runner.replay.kept_recordings import FORMAT, _read

RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NAME = "20260101T000000Z"
PAYLOAD = b"the bytes of somebody else\n"
RUN = "11111111-1111-1111-1111-111111111111"
AT = "2026-01-01T00:00:00+00:00"


class Ground:
    """A workspace, and a place outside of it in which nothing may change."""

    def __init__(self, folder: Path) -> None:
        self.root, self.outside = folder / "workspace", folder / "outside"
        self.config = self.root / "config" / "simulation.yaml"
        self.backups, self.runs = self.root / "var" / "backups", self.root / "var" / "runs"
        self.config.parent.mkdir(parents=True)
        self.config.write_text("dbt: {project_dir: .}\ndatabase: var/x.duckdb\n")
        (self.outside / "folder").mkdir(parents=True)
        for name in ("bashrc", "payload", "x.duckdb", "x.duckdb.restoring", "folder/file"):
            (self.outside / name).write_text(f"mine: {name}")

    def clear(self) -> None:
        """Take away what was left in ``var``."""
        shutil.rmtree(self.root / "var", ignore_errors=True)
        self.backups.mkdir(parents=True)

    def untouched(self) -> dict[str, str]:
        """Return everything that must stay as it is."""
        files = [path for folder in (self.outside, self.config.parent) for path in sorted(folder.rglob("*"))]
        return {str(path): path.read_text() if path.is_file() else "folder" for path in files}

    def run(self, *args: str) -> str:
        """Run a command as the program does, and return what it printed."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            run_program([*args, "--config", str(self.config)])
        return told.getvalue()


def hostile(draw: random.Random, ground: Ground) -> object:
    """Draw a value that does harm where it is believed."""
    outside, root = ground.outside, ground.root
    return draw.choice(
        (
            *(str(outside / name) for name in ("bashrc", "payload", "x.duckdb", "folder")),
            *("../../outside/bashrc", "../outside/x.duckdb", "..", ".", "", "/", "~/.bashrc", "a\0b", "x" * 5000),
            *(str(root / name) for name in ("config/simulation.yaml", "config", "var/x.duckdb", "var/orchestrator.db")),
            f"{root}/var/../../outside/x.duckdb",
            *("\x1b]0;PWNED\x07", "\x1b[2J", "\x9b31m", "\u202etxt", "\ud800", "a\r\nb\x7f", "[red]x[/red]"),
            *(-1, 0, 1, 2**31, 2**63, 2**70, 10**400, 1e308, -1e308, float("nan"), float("inf")),
            *(True, None, [], {}, [[]], {"a": {"b": ["\x1b[2J"]}}),
            *("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00", "2026-01-01", "now"),
        )
    )


def spoiled(draw: random.Random, ground: Ground, value: Any) -> Any:
    """Return a document with some of its values, keys or items replaced, doubled or left out."""
    if isinstance(value, dict):
        found = {key: spoiled(draw, ground, item) for key, item in value.items()}
        if draw.random() < 0.02 and found:
            found.pop(draw.choice(list(found)))
        if draw.random() < 0.02:
            found[str(hostile(draw, ground))] = hostile(draw, ground)
        return hostile(draw, ground) if draw.random() < 0.005 else found
    if isinstance(value, list):
        items = [spoiled(draw, ground, item) for item in value]
        items += items[: draw.random() < 0.05]
        return hostile(draw, ground) if draw.random() < 0.01 else items
    if draw.random() < 0.9:
        return value
    drawn = [hostile(draw, ground) for _ in range(20)]
    alike = [one for one in drawn if type(one) is type(value)]
    return draw.choice(alike if alike and draw.random() < 0.8 else drawn)


def written(draw: random.Random, document: object) -> str:
    """Write JSON; now and then cut off, too deep, or with bytes in between."""
    text = json.dumps(document)
    how = draw.random()
    if how < 0.03:
        return text[: draw.randrange(len(text))]
    if how < 0.05:
        return "[" * draw.choice((10, 1000, 100_000)) + text
    if how < 0.07:
        place = draw.randrange(len(text))
        return text[:place] + draw.choice(("\x1b", "\0", "}", '"', "\u202e")) + text[place:]
    return text


def journal(draw: random.Random, ground: Ground) -> list[str]:
    """Leave the journal of a restore that was cut off, and look with any command."""
    target = str(ground.root / "var" / "x.duckdb")
    if draw.random() < 0.5:
        Path(f"{target}.restoring").write_bytes(PAYLOAD)
    elif draw.random() < 0.3:
        Path(f"{target}.restoring").symlink_to(ground.outside / "bashrc")
    if draw.random() < 0.2:
        Path(target).symlink_to(ground.outside / draw.choice(("bashrc", "x.duckdb", "new")))
    if draw.random() < 0.2:
        (ground.backups / ".keeping-1").symlink_to(ground.outside / "folder")
    swap = {"target": target, "kind": "duckdb", "parts": [[f"{target}.restoring", target]]}
    document = {
        "phase": draw.choice(("laying", "swapping", "server")),
        "swaps": [swap],
        "server": draw.choice((None, [str(ground.backups / NAME / "01-x.dump"), 16])),
        "kept": draw.choice((None, str(ground.backups / ".keeping-1"))),
    }
    text = written(draw, spoiled(draw, ground, document))
    (ground.backups / "restoring.json").write_text(text, errors="surrogatepass")
    return [ground.run("runs", "list"), ground.run("backup", "list")]


def metadata(draw: random.Random, ground: Ground) -> list[str]:
    """Leave a backup whose checksums are right, and list, verify and restore it."""
    folder = ground.backups / NAME
    folder.mkdir()
    (folder / "01-x").write_bytes(PAYLOAD)
    if draw.random() < 0.1:
        (folder / "01-x").unlink()
        (folder / "01-x").symlink_to(ground.outside / "payload")
    if draw.random() < 0.2:
        link = ground.root / "var" / draw.choice(("x.duckdb", "x.duckdb.restoring", "x.duckdb.wal", "x.duckdb.lock"))
        link.symlink_to(ground.outside / draw.choice(("bashrc", "x.duckdb", "new")))
    record = {"name": "01-x", "suffix": "", "bytes": len(PAYLOAD), "sha256": hashlib.sha256(PAYLOAD).hexdigest()}
    database = {
        "name": "x",
        "kind": draw.choice(("duckdb", "duckdb", "sqlite", "postgresql")),
        "path": "var/x.duckdb",
        "url": None,
        "files": [record],
        "engine": "1.0",
        "storage_version": None,
        "schema_version": None,
        "fingerprint": None,
        "tables": {"main.a": 1},
        "compacted": False,
        "whole": False,
    }
    head = {"format": 1, "created_at": AT, "reason": "x", "orchestrator": "0", "root": "/"}
    text = written(draw, spoiled(draw, ground, {**head, "databases": [database]}))
    content = text.encode(errors="surrogatepass")
    (folder / "metadata.json").write_bytes(content)
    (folder / "metadata.sha256").write_text(hashlib.sha256(content).hexdigest() + "\n")
    told = [ground.run("backup", "list"), ground.run("backup", "verify", NAME)]
    return [*told, ground.run("backup", "restore", NAME, "--yes"), ground.run("backup", "list")]


def events(draw: random.Random, ground: Ground) -> list[str]:
    """Leave the events of a run, import them, and show what was imported."""
    ended = {"event": "StageFinished", "started_at": AT, "dbt_seconds": 1.0}
    lines = [
        {
            "event": "RunStarted",
            "scenario": "baseline",
            "database": "d",
            "years": [2025, 2026],
            "stages": ["one"],
            "command": "c",
            "pid": 1,
            "config": {"root": "/p", "vars": {"a": 1}},
        },
        {"event": "StageStarted", "year": 2025, "stage": "one", "command": "run"},
        {**ended, "year": 2025, "stage": "one", "seconds": 1.0, "nodes": 2, "replayed": False, "success": True},
        {"event": "YearFinished", "year": 2025, "seconds": 1.0},
        {"event": "RunFinished", "status": "failed", "seconds": 3.0, "error": "e", "traceback": "t", "outputs": {}},
    ]
    folder = ground.runs / RUN
    folder.mkdir(parents=True)
    spoilt = [spoiled(draw, ground, {"at": AT, "run_id": RUN, **line}) for line in lines]
    text = "\n".join(written(draw, line) for line in spoilt) + "\n"
    (folder / "events.jsonl").write_text(text, errors="surrogatepass")
    imported = ground.run("runs", "import")
    return [imported, ground.run("runs", "list"), ground.run("runs", "show")] if ": " not in imported else [imported]


def note(draw: random.Random, ground: Ground) -> list[str]:
    """Leave the note of somebody who holds a lock, and tell who that is."""
    found = {"pid": 1, "host": "h", "command": "c", "run_id": "r", "since": AT}
    lock = ground.root / "var" / "x.duckdb.lock"
    Path(f"{lock}.json").write_text(written(draw, spoiled(draw, ground, found)), errors="surrogatepass")
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        error = locked_error("x.duckdb", lock, LockNote(lock).read(), 1.0)
        Output(json=False, verbosity=0, quiet=False).say(str(error))
    return [told.getvalue()]


def recordings(draw: random.Random, ground: Ground) -> list[str]:
    """Leave recordings whose checksum is right."""
    recorded = {"before": [], "nodes": [], "year": "2025", "by_dbt": []}
    one = {"key": ["run", ["a"], ["b"]], "signature": "s", "place": "p", "parse": "q", "recording": recorded}
    packed = zlib.compress(written(draw, spoiled(draw, ground, [FORMAT, [one]])).encode(errors="surrogatepass"))
    file = ground.root / "var" / "recordings"
    file.write_bytes(hashlib.sha256(packed).digest() + packed)
    _read(file)
    return []


KINDS: tuple[Callable[[random.Random, Ground], list[str]], ...] = (journal, metadata, events, note, recordings)


def fault(number: int, ground: Ground) -> str | None:
    """Draw the files of a number, let commands meet them, and say what was wrong with that, None where nothing was."""
    draw = random.Random(number)  # noqa: S311 - drawn again by its number
    ground.clear()
    before = ground.untouched()
    kind = KINDS[number % len(KINDS)]
    told = "".join(kind(draw, ground))
    if ground.untouched() != before:
        return f"{number} ({kind.__name__}) changed something outside"
    if RAW.search(told):
        return f"{number} ({kind.__name__}) printed a control character: {told!r}"
    return f"{number} ({kind.__name__}): {told}" if "Unexpected" in told or "Traceback" in told else None


def main(count: int, first: int = 0) -> int:
    """Draw ``count`` files, from the number ``first`` on; stop at the first fault."""
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder))
        for number in range(first, first + count):
            found = fault(number, ground)
            if found is not None:
                sys.stdout.write(f"{found}\n")
                return 1
    sys.stdout.write(f"{count} crafted files: nothing outside was touched, no control character printed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
