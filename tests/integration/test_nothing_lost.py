"""Finished years are somebody's work: nothing is run or removed unasked."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest

from orchestrator import YearsWouldBeLostError, create_orchestrator
from orchestrator.pipeline.resume import Start
from tests.support.cli_project import Cli
from tests.support.workspaces import REPOSITORY, Workspace

Simulated = Callable[[str], Workspace]
YEARS = "select distinct water_year from lake_level order by 1"


@pytest.fixture
def finished(simulated: Simulated) -> Cli:
    """Give a project whose years 2000 to 2002 are simulated."""
    workspace = simulated("reservoir")
    workspace.complete()
    return Cli(workspace.root, workspace.database)


def test_a_finished_range_is_not_run_again(finished: Cli) -> None:
    """Nothing is written, and the result says so; --fresh runs it."""
    before = finished.database.read_bytes()
    told = finished("simulate")
    assert told.exit_code == 0, told.err
    assert "Nothing to do: 2000–2002 are finished and unchanged. --fresh simulates them again." in told.out
    document = finished("simulate", "2000-2001", "--json").document()
    assert (document["status"], document["nothing_to_do"], document["years"]) == ("completed", True, [])
    planned = finished("plan", "2001")
    assert "Nothing to do: 2001 is finished and unchanged. --fresh simulates it again." in planned.out
    assert finished.database.read_bytes() == before
    again = finished("simulate", "--fresh", "--json").document()
    assert again["nothing_to_do"] is False
    assert isinstance(again["years"], list) and len(again["years"]) == 3


def test_a_fork_leaves_the_years_that_are_there(finished: Cli) -> None:
    """With other values the same years are run beside them, in a database of their own, under a name of their own."""
    before = finished.database.read_bytes()
    refused = finished("simulate", "2000", "--as", "Reservoir", "--set", "vars.rain_factor=2")
    assert refused.exit_code == 2
    assert "is the configured database, and a copy needs one of its own" in refused.err
    assert finished("check", "--as", "wetter.").exit_code == 2
    told = finished("simulate", "2000", "--as", "wetter", "--set", "vars.rain_factor=2")
    assert told.exit_code == 0, told.err
    assert "Simulating 2000 · scenario wetter · var/wetter.duckdb" in told.out
    assert finished.database.read_bytes() == before
    checked = finished("check", "--as", "wetter", "--set", "vars.rain_factor=2")
    assert checked.exit_code == 0 and "var/wetter.duckdb" in checked.out
    assert "wetter + rain_factor=2" in " ".join(finished("runs", "list").out.split())


def test_what_may_have_changed_unnoticed_is_named(finished: Cli) -> None:
    """A model that reads the clock would give other rows, although nothing has changed."""
    model = finished.root / "dbt" / "models" / "foundation" / "lake_shape.sql"
    model.write_text(model.read_text().replace("select ", "select now() as made_at, ", 1))
    assert finished("simulate", "--fresh").exit_code == 0
    told = finished("simulate")
    assert "Nothing to do: 2000–2002 are finished and unchanged." in told.out
    assert "Not compared: the clock (read by lake_shape)" in told.out


def test_what_healing_finds_is_healed_where_there_is_nothing_else_to_do(finished: Cli) -> None:
    """A required table that was dropped comes back; the years stay."""
    finished.sql("drop view stg_rain")
    document = finished("simulate", "--json").document()
    assert document["nothing_to_do"] is True
    assert isinstance(document["initialization"], dict)
    assert document["initialization"]["tables_created"] == ["stg_rain"]


def test_later_years_do_not_go_unasked(finished: Cli) -> None:
    """Off a terminal the run is refused with 2 and the years that would go; --yes gives them up."""
    before = finished.database.read_bytes()
    for options in (("--fresh",), ("--set", "vars.rain_factor=2"), ("--fresh", "--json")):
        told = finished("simulate", "2000-2001", *options)
        assert told.exit_code == 2, told.out
        assert "would remove 2000–2002 from the database, and would not simulate 2002 again" in told.err
        assert "To fix: simulate up to 2002, or add --yes" in told.err
    assert finished.database.read_bytes() == before
    told = finished("simulate", "2000-2001", "--fresh", "--yes")
    assert told.exit_code == 0, told.err
    assert finished.sql(YEARS) == [(2000,), (2001,)]


@pytest.mark.parametrize(("answer", "exit_code", "years"), [("n", 2, 3), ("y", 0, 2)])
def test_on_a_terminal_it_asks(finished: Cli, answer: str, exit_code: int, years: int) -> None:
    """The question names the years; anything but yes leaves them."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "orchestrator", "simulate", "2000-2001", "--fresh"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=finished.root, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as run:
        os.close(theirs)
        said = b""
        while b"Continue? [y/N]" not in said:
            said += os.read(ours, 4096)
        os.write(ours, f"{answer}\n".encode())
        try:
            while part := os.read(ours, 4096):
                said += part
        except OSError:  # the terminal is closed when the last one who has it open is gone
            pass
        assert run.wait() == exit_code, said.decode()
    os.close(ours)
    assert b"This run removes 2000\xe2\x80\x932002 from the database; 2002 is not simulated again." in said
    assert len(finished.sql(YEARS)) == years


def test_scripts_say_so_as_well(finished: Cli) -> None:
    """``forgo_years`` is True, or a function that is handed what would go; by default the run is refused."""
    asked: list[tuple[int, ...]] = []

    def refuse(start: Start) -> bool:
        asked.append(start.forgone)
        return False

    with create_orchestrator(finished.root / "config" / "simulation.yaml") as orchestrator:
        run = orchestrator.execute_multi_year_simulation
        assert run(2000, 2001).nothing_to_do
        with pytest.raises(YearsWouldBeLostError, match="would not simulate 2001–2002 again") as raised:
            run(2000, 2000, fresh=True)
        assert raised.value.years == (2001, 2002)
        with pytest.raises(YearsWouldBeLostError):
            run(2000, 2000, fresh=True, forgo_years=refuse)
        assert asked == [(2001, 2002)]
        assert [year.year for year in run(2000, 2000, fresh=True, forgo_years=True).years] == [2000]
