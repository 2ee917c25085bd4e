"""The examples of README and of the pages on commands, run as they are printed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli_project import Cli
from tests.support.programs import run_python
from tests.support.ui import answers, served
from tests.support.workspaces import PROJECTS, REPOSITORY, Workspace

pytestmark = pytest.mark.slow

DOCS = REPOSITORY / "docs"
ON_THE_SHIPPED_PROJECT = (
    REPOSITORY / "README.md",
    *(
        DOCS / "cli" / f"{name}.md"
        for name in ("simulate", "parameters", "ask", "check-and-init", "doctor", "migrate", "compare", "report")
    ),
    DOCS / "cli" / "backup.md",
    DOCS / "cli" / "runs.md",
    DOCS / "cli" / "sweep.md",
    DOCS / "cli" / "ui.md",
)
ON_VEHICLES = (DOCS / "cli" / "new.md",)
ON_LAKES = (DOCS / "cli" / "plan.md", DOCS / "cli" / "show-and-query.md")
NOBODY_RUNS = "runs show --follow"  # nothing is going on in another terminal: it says so
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[str]:
    """Return the command lines of a page, without their remarks."""
    blocks = [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language == "console"]
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ orchestrator ")]
    return [re.split(r"\s{2,}#", line.removeprefix("$ orchestrator "))[0].strip() for line in lines]


def named_here(command: str, cli: Cli) -> list[str]:
    """Put the ids of runs and the name of a backup that are here in the place of those on the page."""
    words = shlex.split(command)
    if words[0] == "runs":
        runs = cli("runs", "list", "--json").document()["runs"]
        assert isinstance(runs, list)
        ids = iter([run["run_id"][:8] for run in runs if run["status"] == "completed"])
        return [next(ids) if re.fullmatch(r"[0-9a-f]{4}", word) else word for word in words]
    if words[:2] in (["backup", "restore"], ["backup", "verify"]):
        backups = cli("backup", "list", "--json").document()["backups"]
        assert isinstance(backups, list)
        return [backups[0]["name"] if re.fullmatch(r"\d{4}(?:\d{4}T\d{6}Z)?", word) else word for word in words]
    return words


def run_examples(page: Path, cli: Cli) -> None:
    """Run the command lines of a page one after the other."""
    commands = examples(page)
    assert commands
    for command in commands:
        if command.split()[0] == "ui":  # runs until it is ended; on a port that is free here
            with served(cli, *command.split()[1:]) as address:
                assert answers(f"{address}/runs")
            continue
        told = cli(*named_here(command, cli))
        assert told.exit_code == (2 if command == NOBODY_RUNS else 0), f"{command}\n{told.out}\n{told.err}"


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A copy of what ships, after ``make simulate``."""
    root = tmp_path_factory.mktemp("printed") / "shipped"
    for folder in ("dbt", "config"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=shutil.ignore_patterns("target", "logs"))
    cli = Cli(root, root / "var" / "simulation.duckdb")
    told = cli("simulate")
    assert told.exit_code == 0, told.err
    return cli


@pytest.mark.parametrize("page", ON_THE_SHIPPED_PROJECT, ids=lambda page: page.stem)
def test_examples_on_the_shipped_project(page: Path, shipped: Cli) -> None:
    """Each ends with 0 where everything is well."""
    run_examples(page, shipped)


@pytest.mark.parametrize("page", ON_LAKES, ids=lambda page: page.stem)
def test_examples_on_a_small_project(page: Path, simulated: Callable[[str], Workspace]) -> None:
    """The same on lakes and their water years."""
    workspace = simulated("reservoir")
    run_examples(page, Cli(workspace.root, workspace.database))


@pytest.mark.parametrize("page", ON_VEHICLES, ids=lambda page: page.stem)
def test_examples_without_a_configuration(page: Path, tmp_path: Path) -> None:
    """The same in a dbt project that has none yet."""
    shutil.copytree(PROJECTS / "fleet", tmp_path / "fleet")
    run_examples(page, Cli(tmp_path / "fleet", tmp_path / "fleet" / "fleet.duckdb"))


def test_no_page_on_commands_is_left_out() -> None:
    """A page that is added is run as well."""
    assert {*ON_THE_SHIPPED_PROJECT, *ON_LAKES, *ON_VEHICLES} >= {
        page for page in (DOCS / "cli").glob("*.md") if examples(page)
    } - {DOCS / "cli" / "README.md"}


@pytest.mark.parametrize("number", [0, 1])
def test_scripts_of_the_readme(number: int, shipped: Cli) -> None:
    """Both print what they say."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    scripts = [code for language, code in BLOCK.findall(text) if language == "python"]
    script = shipped.root / f"script_{number}.py"
    script.write_text(scripts[number])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_S")}
    done = run_python([script.name], cwd=shipped.root, env={**environment, "PYTHONPATH": str(REPOSITORY)}, timeout=300)
    assert done.returncode == 0, done.stderr
