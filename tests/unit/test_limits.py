"""Sizes that no honest input has: each is refused in a sentence, at once."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from pathlib import Path

import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch
from orchestrator.core.errors import ConfigurationError, RunNotFoundError, StorageError
from orchestrator.database.lock_note import LockHolder, LockNote
from orchestrator.dbt_runner.replay.kept_recordings import FORMAT, _read
from orchestrator.storage.factory import create_storage_backend
from orchestrator.storage.importing import UNREADABLE, import_runs, read_run

TENFOLD = "\n".join(f"  b{n}: &b{n} [{','.join([f'*b{n - 1}'] * 10)}]" for n in range(1, 9))
MERGES = "\n".join(f"  b{n}: &b{n} {{<<: [{','.join([f'*b{n - 1}'] * 10)}]}}" for n in range(1, 9))
HUGE = {
    "aliases": ("vars:\n  b0: &b0 [x,x]\n" + TENFOLD, "line [0-9]+: .*more than 50,000 values"),
    "merged aliases": ("vars:\n  b0: &b0 {x: 1}\n" + MERGES, "more than 50,000 values"),
    "deep lists": ("vars: {a: " + "[" * 5000, "deeper than 50 levels"),
    "deep mappings": ("vars:\n" + "".join(" " * n + "a:\n" for n in range(1, 300)), "deeper than 50 levels"),
    "deep aliases": (
        "vars:\n  a0: &a0 [x]\n" + "".join(f"  a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000)),
        "line 49: .*deeper than 50 levels",
    ),
    "a large file": ("#" * 2_000_000, "larger than"),
    "a long number": ("vars: {a: " + "1" * 5000 + "}", "line 1.*digits"),
    "a NUL in a name": ('database: "a\\0.duckdb"', "NUL"),
}


@pytest.mark.parametrize("what", HUGE)
@pytest.mark.parametrize("where", ["file", "scenario"])
def test_a_huge_configuration(tmp_path: Path, what: str, where: str) -> None:
    """Whatever it grows by, it costs seconds at most and names its file."""
    text, reason = HUGE[what]
    (tmp_path / "config" / "scenarios").mkdir(parents=True)
    (tmp_path / "config" / "simulation.yaml").write_text(text if where == "file" else "dbt: {project_dir: .}\n")
    (tmp_path / "config" / "scenarios" / "dry.yaml").write_text(text)
    elapsed = stopwatch()
    with pytest.raises(ConfigurationError, match=reason) as caught:
        SimulationConfig.load(
            tmp_path / "config" / "simulation.yaml", scenario=None if where == "file" else "dry", environ={}
        )
    assert elapsed() < 20
    assert caught.value.to_fix
    assert ("simulation.yaml" if where == "file" else "dry.yaml") in caught.value.message


@pytest.mark.parametrize("text", ["[" * 2000, "&a [*a]", "1" * 5000, "{a: &a [1,1,1], b: [*a"])
def test_a_huge_override(tmp_path: Path, text: str) -> None:
    """The same goes for what the command line and the environment say."""
    (tmp_path / "simulation.yaml").write_text("dbt: {project_dir: .}\n")
    for given in ({"overrides": [f"vars.x={text}"]}, {"environ": {"ORCHESTRATOR_VARS__X": text}}):
        with pytest.raises(ConfigurationError, match=r"vars\.x|VARS__X"):
            SimulationConfig.load(tmp_path / "simulation.yaml", **{"environ": {}, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given", [{"overrides": ["a." * 3000 + "b=1"]}, {"environ": {"ORCHESTRATOR_" + "A__" * 3000 + "B": "1"}}]
)
def test_a_key_that_is_too_deep(tmp_path: Path, given: dict[str, object]) -> None:
    """A path of thousands of keys is no key."""
    (tmp_path / "simulation.yaml").write_text("dbt: {project_dir: .}\n")
    with pytest.raises(ConfigurationError, match="more than 50 levels deep"):
        SimulationConfig.load(tmp_path / "simulation.yaml", **{"environ": {}, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a" * 300, "ä" * 200, "../x", "x/y", "..", ".", "", "a\0b", "a\x1bb", "a b"])
def test_a_scenario_that_can_be_no_file(tmp_path: Path, name: str) -> None:
    """There is none of that name, and nothing else is looked for."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "simulation.yaml").write_text("dbt: {project_dir: .}\n")
    with pytest.raises(ConfigurationError, match="there is no scenario"):
        SimulationConfig.load(tmp_path / "config" / "simulation.yaml", scenario=name, environ={})


@pytest.mark.parametrize("name", ["a" * 201 + ".duckdb", "ü" * 120 + ".db", f"{'f' * 256}/x.duckdb"])
def test_a_database_whose_name_is_too_long(tmp_path: Path, name: str) -> None:
    """What lies beside it has a longer one; it is refused before anything is made."""
    with pytest.raises(ConfigurationError, match="too long"):
        SimulationConfig.from_mapping({"database": name}, root=tmp_path)


@pytest.mark.parametrize("name", ["../outside", "/etc", "a" * 300, "..", "", "a\0b", "not there"])
def test_runs_that_are_no_folder_of_runs(tmp_path: Path, name: str) -> None:
    """Events are read from the folder of runs, and from nowhere else."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "events.jsonl").write_text("{}")
    (tmp_path / "runs").mkdir()
    store = create_storage_backend(f"sqlite:///{tmp_path}/history.db")
    with store as backend, pytest.raises(RunNotFoundError, match="no events of run"):
        import_runs(backend, tmp_path / "runs", [name])


def started(**changed: object) -> str:
    """Return the first event of a run as a line."""
    found = {
        "event": "RunStarted",
        "at": "2026-01-01T00:00:00+00:00",
        "run_id": "r",
        "scenario": "baseline",
        "database": "d",
        "years": [2025],
        "stages": ["one"],
        "command": "c",
        "pid": 1,
        **changed,
    }
    return json.dumps(found) + "\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000 + "\n" + started(), "nested too deeply"),
        (started() + '{"event": "' + "x" * (9 * 1024 * 1024) + '"}\n', "longer than"),
        (started(at="0001-01-01T00:00:00+00:00"), "not the time of an event"),
        (started(at="9999-12-31T23:59:59+00:00"), "not the time of an event"),
        (started(pid="1"), "is not <class 'int'>"),
        ("1" * 5000 + "\n" + started(), "digits"),
    ],
    ids=["deep", "long", "early", "late", "kind", "digits"],
)
def test_events_that_are_too_much(tmp_path: Path, text: str, reason: str) -> None:
    """A file of events is refused by the line, and so is not imported."""
    file = tmp_path / "r" / "events.jsonl"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(StorageError, match=reason):
        read_run(file)


def test_a_pipe_in_the_place_of_events(tmp_path: Path) -> None:
    """Nobody waits for what never comes; asked for by name, it is said."""
    (tmp_path / "runs" / "r").mkdir(parents=True)
    os.mkfifo(tmp_path / "runs" / "r" / "events.jsonl")
    with create_storage_backend(f"sqlite:///{tmp_path}/history.db") as backend:
        (found,) = import_runs(backend, tmp_path / "runs")
        assert found.outcome == UNREADABLE
        with pytest.raises(RunNotFoundError):
            import_runs(backend, tmp_path / "runs", ["r"])


@pytest.mark.parametrize(
    "changed",
    [
        {"pid": 10**30},
        {"pid": -1},
        {"pid": "x"},
        {"since": "2026-01-01T00:00:00"},
        {"since": 5},
        {"host": None, "since": None},
    ],
)
def test_a_note_that_no_holder_wrote(tmp_path: Path, changed: dict[str, object]) -> None:
    """It is as good as none."""
    note = {"pid": 1, "host": "h", "command": "c", "run_id": "r", "since": "2026-01-01T00:00:00+00:00"}
    (tmp_path / "x.lock.json").write_text(json.dumps({**note, **changed}))
    assert LockNote(tmp_path / "x.lock").read() == LockHolder()
    for text in ("[" * 100_000, "[]", "1", "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")):
        (tmp_path / "x.lock.json").write_text(text)
        assert LockNote(tmp_path / "x.lock").read() == LockHolder()


@pytest.mark.parametrize(
    "document",
    ["[" * 100_000, "null", "[]", f"[{FORMAT}, [1]]", f'[{FORMAT}, [{{"key": []}}]]', f"[{FORMAT}, 5]", "[99, []]"],
)
def test_recordings_that_we_did_not_write(tmp_path: Path, document: str) -> None:
    """A file whose checksum is right and whose content is not holds no recordings."""
    packed = zlib.compress(document.encode())
    (tmp_path / "recordings").write_bytes(hashlib.sha256(packed).digest() + packed)
    assert _read(tmp_path / "recordings") == []
