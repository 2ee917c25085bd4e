"""Notes and tags of runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli_project import Cli
from tests.support.told_runs import ToldRuns

A = "aaaaaaaa-0000-0000-0000-000000000000"
B = "bbbbbbbb-0000-0000-0000-000000000000"


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[ToldRuns]:
    """Give a project with two runs; the first began with a note and tags, some of them odd."""
    with ToldRuns(tmp_path / "lakes") as made:
        made.run(A, note="dry\x1b[2J year\nsecond line", tags=("draft", "not a tag"))
        made.run(B)
        yield made


def test_they_are_shown(runs: ToldRuns) -> None:
    """In the list in short, of one run in full, in JSON; control characters are written out."""
    lines = runs("runs", "list").out.splitlines()
    assert lines[0].rstrip().endswith("Tags, note")
    assert next(line for line in lines if line.startswith("aaaa")).rstrip().endswith("#draft dry\\x1b[2J year…")
    shown = runs("runs", "show", "a").out
    assert "tags         draft\nnote         dry\\x1b[2J year\nsecond line\n" in shown
    document = runs("runs", "show", "a", "--json").document()
    assert (document["note"], document["tags"]) == ("dry\x1b[2J year\nsecond line", ["draft"])
    listed = runs("runs", "list", "--json").document()["runs"]
    assert isinstance(listed, list)
    assert {one["run_id"]: one["tags"] for one in listed} == {A: ["draft"], B: []}
    assert "Tags, note" not in runs("runs", "list", "--scenario", "nobody").out


def test_they_are_changed(runs: ToldRuns) -> None:
    """A note as a whole, tags one by one; `runs list` chooses by them."""
    assert runs("runs", "tag", "b", "draft", "board").out == "Run bbbbbbbb has the tags: board, draft\n"
    assert runs("runs", "tag", "b", "draft", "--remove").out == "Run bbbbbbbb has the tags: board\n"
    assert runs("runs", "note", "b", " wet year ").out == "Run bbbbbbbb has the note: wet year\n"
    lines = runs("runs", "list", "--tag", "board").out.splitlines()
    assert [line[:8] for line in lines[1:]] == ["bbbbbbbb"]
    assert runs("runs", "list", "--tag", "nothing").out == "No such run.\n"
    emptied = runs("runs", "note", "b", "", "--json").document()
    assert emptied == {"ok": True, "status": "annotated", "run_id": B, "note": None, "tags": ["board"]}
    assert runs("runs", "tag", "b", "board", "--remove").out == "Run bbbbbbbb has no tags\n"


def test_what_is_refused(runs: ToldRuns) -> None:
    """Ends with 2 and says what may be written; nothing is changed."""
    for args, words in (
        (("tag", "b", "two words"), "'two words' cannot be a tag"),
        (("tag", "b", *(f"t{number}" for number in range(21))), "These are 21 tags"),
        (("note", "b", "x" * 2001), "2,001 characters"),
        (("note", "c", "x"), "holds no run c"),
    ):
        told = runs("runs", *args)
        assert told.exit_code == 2
        assert words in told.err and "To fix: " in told.err
    assert runs("runs", "show", "b", "--json").document()["tags"] == []


def test_an_import_keeps_them(runs: ToldRuns) -> None:
    """What a run began with is in its events; what was written since is in the history alone."""
    runs("runs", "note", "a", "written since")
    history = runs.root / "var" / "orchestrator.db"
    assert runs("runs", "import").exit_code == 0
    assert runs("runs", "show", "a", "--json").document()["note"] == "written since"
    for file in history.parent.glob("orchestrator.db*"):
        file.unlink()
    assert runs("runs", "import").exit_code == 0
    assert runs("runs", "show", "a", "--json").document()["note"] == "dry\x1b[2J year\nsecond line"


def test_a_run_begins_with_them(lakes: Cli) -> None:
    """``simulate`` hands them on, and refuses a wrong one before anything begins."""
    shutil.rmtree(lakes.root / "var" / "runs", ignore_errors=True)
    told = lakes("simulate", "2000", "--tag", "no tag")
    assert told.exit_code == 2 and "cannot be a tag" in told.err
    assert not (lakes.root / "var" / "runs").exists()
    told = lakes("simulate", "2000", "--note", "try it", "--tag", "b", "--tag", "a", "-q")
    assert told.exit_code == 0, told.err
    document = lakes("runs", "show", "--json").document()
    assert (document["note"], document["tags"]) == ("try it", ["a", "b"])
