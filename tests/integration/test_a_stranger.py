"""One session of somebody who has never seen the tool, in a terminal, on a copy of the shipped project."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
from pathlib import Path

import pytest

from orchestrator.dbt_runner.process.zygote import VARIABLE
from tests.support.processes import GENEROUS
from tests.support.programs import start_python
from tests.support.workspaces import REPOSITORY

pytestmark = pytest.mark.slow

COLORS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
SCRIPT = """
from orchestrator import create_orchestrator

with create_orchestrator(overrides={"vars.target_growth_rate": 0.05}, database="var/growth.duckdb") as orchestrator:
    print(orchestrator.execute_multi_year_simulation(2025, 2025).status)
"""


class Session:
    """A terminal in one folder: a command line goes in, what is shown and the exit code come out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, *command: str, answer: str | None = None) -> tuple[int, str]:
        """Run ``python`` with these arguments; ``answer`` is typed where a question is asked."""
        ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        environment |= {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "120", "TERM": "xterm", "LINES": "40"}
        environment |= {VARIABLE: os.environ.get(VARIABLE, "")}
        environment.pop("PYTEST_CURRENT_TEST", None)
        process = start_python(command, cwd=self.root, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 65536):
                said += part
                if answer is not None and b"[y/N]" in said:
                    os.write(ours, f"{answer}\n".encode())
                    answer = None
        except OSError:  # the terminal is closed when the last one who has it open is gone
            pass
        code = process.wait(timeout=GENEROUS)
        os.close(ours)
        return code, " ".join(COLORS.sub("", said.decode()).split())

    def orchestrator(self, *args: str, answer: str | None = None) -> tuple[int, str]:
        """Run one of our commands."""
        return self("-m", "orchestrator", *args, answer=answer)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A copy of what ships, in a folder with a space in its name, with two years in it."""
    root = tmp_path_factory.mktemp("stranger") / "my simulation"
    for folder in ("dbt", "config"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("target", "logs"))
    found = Session(root)
    code, said = found.orchestrator("simulate", "2025-2026")
    assert code == 0, said
    assert "2026 1,030" in said and "history orchestrator runs show" in said
    return found


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("simulat 2025", 2, "No such command 'simulat'. Did you mean 'simulate'?"),
        ("simulate 25-26", 2, "write 2025-2026, with the century"),
        ("simulate 2026-2025", 2, "write 2025-2026"),
        ("simulate --threads 4", 2, "write `--set dbt.threads=4`"),
        ("--scenario high_growth simulate", 2, "`orchestrator simulate --scenario high_growth`"),
        ("simulate --scenario hgh_growth", 2, "high_growth"),
        ("simulate --set vars.target_grwth_rate=0.05", 2, "Did you mean 'target_growth_rate'?"),
        ("simulate --set vars.target_growth_rate=much", 2, "but must be a number (Growth of the headcount in a year)"),
        ("simulate --set vars.target_growth_rate=7", 2, "but must be between -0.5 and 1"),
        ("simulate --set vars.match_formula=nomatch", 2, "Did you mean 'no_match'?"),
        ("simulate --set vars.census_path=mine.csv", 2, "there is no such file"),
        ("simulate --set vras.target_growth_rate=0.05", 2, "Did you mean 'vars"),
        ("simulate 2025-2026", 0, "Nothing to do"),
        ("simulate 2030", 2, "run `orchestrator simulate 2027-2030`"),
        ("check", 0, "All 29 required tables are ready"),
        ("show fct_workforce_snapshot --year 2026 --limit 2", 0, "2 of 1,061 rows"),
        ("show fct_workforce_snapsht", 2, "fct_workforce_snapshot"),
        (
            "query 'select count(*) as people from fct_workforce_snapshot where simulation_year = 2026'",
            0,
            "people 1061",
        ),
        ("query 'drop table fct_workforce_snapshot'", 2, "To fix:"),
        ("runs show --follow", 2, "No run is in progress"),
        ("help", 0, "simulate"),
        ("version", 0, "dbt-core"),
    ],
)
def test_each_line_is_answered(session: Session, command: str, code: int, words: str) -> None:
    """Mistakes are refused with the way that was meant, and what is right is done; nothing is lost."""
    found, said = session.orchestrator(*shlex.split(command))
    assert (found, words in said) == (code, True), said
    assert "Traceback" not in said
    assert (code == 2) == ("To fix:" in said), said


def test_years_that_would_go_are_asked_for(session: Session) -> None:
    """With other values the later year would not be simulated again; no is an answer that changes nothing."""
    before = (session.root / "var" / "simulation.duckdb").read_bytes()
    code, said = session.orchestrator("simulate", "2025", "--set", "vars.target_growth_rate=0.05", answer="n")
    assert code == 2, said
    assert "2026 is not simulated again" in said
    assert (session.root / "var" / "simulation.duckdb").read_bytes() == before


def test_a_fork_a_script_and_the_comparison(session: Session) -> None:
    """Each works on a database of its own, is called by what was changed, and the first one's rows stay."""
    before = (session.root / "var" / "simulation.duckdb").read_bytes()
    code, said = session.orchestrator("simulate", "2025", "--as", "bold", "--set", "vars.target_growth_rate=0.05")
    assert code == 0 and "var/bold.duckdb" in said, said
    (session.root / "mine.py").write_text(SCRIPT)
    code, said = session("mine.py")
    assert (code, said.split()[-1]) == (0, "completed"), said
    code, said = session.orchestrator("runs", "list")
    assert code == 0
    assert "bold + target_growth_rate=0.05" in said and "baseline + target_growth_rate=0.05" in said
    ids = re.findall(r"\b([0-9a-f]{8}) completed", said)
    code, said = session.orchestrator("runs", "diff", ids[0], ids[1])
    assert code == 0 and "Both left the same rows" in said, said
    assert (session.root / "var" / "simulation.duckdb").read_bytes() == before


def test_a_later_year_goes_on(session: Session) -> None:
    """Where the last one ended, without a word about years that exist."""
    code, said = session.orchestrator("simulate", "2027")
    assert code == 0, said
    assert "2027 1,061" in said
