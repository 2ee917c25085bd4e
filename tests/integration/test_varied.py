"""One warm process runs scenario after scenario, each in a database of its own, with the rows of a run alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator import WarmProcess
from orchestrator.core.events import DbtStarted, ProjectParsedAgain, StageFinished
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.scenarios.shared_start import SharedStart
from tests.support.workspaces import PreparedProjects, Workspace

pytestmark = pytest.mark.slow

Values = dict[str, object]
TWO = 2.0
OTHER_TYPES = (("vars.cutoff", TWO), ("vars.extra", True))
SERVED: list[Values] = [
    {},
    {
        "vars.rate": 0.25,
        "vars.cutoff": 2,
        "vars.late": 9,
        "vars.mode": "high",
        "vars.steps": 3,
        "vars.factor": 2,
        "vars.extra": 7,
        "vars.label": "bé",
        "vars.least": -2,
        "simulation.random_seed": 5,
    },
    {"vars.rate": 1e-07, "vars.cutoff": TWO, "vars.late": 10},
    {"vars.late": 11, "vars.mode": "it''s", "vars.steps": 1, "vars.factor": 0.5, "vars.extra": "8 + 1"},
    {"vars.rate": -1, "vars.cutoff": 3, "vars.extra": "null::int", "vars.label": "a b"},
    {"vars.extra": True, "vars.least": -1e16},
]
BLOCKED: list[tuple[Values, str]] = [
    ({"vars.level": 2}, "levelled: "),
    ({"vars.level": 2, "vars.which": "right"}, "chosen: "),
]


class Scenarios:
    """Runs of one project: in one warm process, and each alone in a project that nobody ever parsed."""

    def __init__(self, project: Path, base: Path) -> None:
        self.warm = Workspace(shutil.copytree(project, base / "warm"))
        self._alone = base / "alone"
        self._project = project
        self._count = 0

    def run(
        self, values: Values, process: WarmProcess, last_year: int | None = None
    ) -> tuple[dict[str, str], ProjectFacts]:
        """Run a scenario in the warm process; return its tables and what was read of the project."""
        self._count += 1
        self.warm.events.clear()
        database = f"var/members/{self._count}/simulation.duckdb"
        return self._run(self.warm, database, values, last_year, warm=process)

    def run_alone(self, values: Values) -> tuple[dict[str, str], ProjectFacts]:
        """Run the same with everything done by dbt and nothing known."""
        shutil.rmtree(self._alone, ignore_errors=True)
        alone = Workspace(shutil.copytree(self._project, self._alone))
        shutil.rmtree(alone.root / "var", ignore_errors=True)
        return self._run(alone, "var/simulation.duckdb", {**values, "execution.replay": "off"})

    def _run(
        self, workspace: Workspace, database: str, values: Values, last_year: int | None = None, **options: Any
    ) -> tuple[dict[str, str], ProjectFacts]:
        file = workspace.root / database
        file.parent.mkdir(parents=True, exist_ok=True)
        with workspace.orchestrator(database=file, overrides=values, **options) as orchestrator:
            orchestrator.execute_multi_year_simulation(end_year=last_year)
            facts = orchestrator.runner.facts()
        return _at(file).digests(), facts


def _at(file: Path) -> Workspace:
    return Workspace(file.parent)


@pytest.fixture
def scenarios(prepared: PreparedProjects, tmp_path: Path) -> Scenarios:
    """The project of variables of every kind."""
    return Scenarios(prepared.lay("varied", simulated=False).root, tmp_path)


@pytest.fixture
def process() -> Iterator[WarmProcess]:
    """An idle dbt process."""
    with WarmProcess() as process:
        yield process


def bare(facts: ProjectFacts) -> ProjectFacts:
    """Return facts without what is of the folder alone: the rest is the same wherever a project stands."""
    return replace(facts, project_dir=Path(), database_path=None, shape=replace(facts.shape, place=""))


def told(workspace: Workspace, kind: type) -> list[Any]:
    """Return the events of a kind."""
    return [event for event in workspace.events if isinstance(event, kind)]


def test_values_that_a_parse_serves(scenarios: Scenarios, process: WarmProcess) -> None:
    """Printed, compared, filtered by, looped over: no parse, no new process, and what a run alone gives and reads."""
    for number, values in enumerate(SERVED):
        tables, facts = scenarios.run(values, process)
        alone, facts_alone = scenarios.run_alone(values)
        assert tables == alone, values
        assert bare(facts) == bare(facts_alone), values
        assert told(scenarios.warm, ProjectParsedAgain) == []
        assert len(told(scenarios.warm, DbtStarted)) == (number == 0)
        stages = told(scenarios.warm, StageFinished)
        of_another_type = any(values.get(name) is value for name, value in OTHER_TYPES)
        assert number == 0 or of_another_type or all(stage.replayed for stage in stages), values


def test_values_that_decide_more_than_text(scenarios: Scenarios, process: WarmProcess) -> None:
    """A value in a config or in a ref: the project is parsed again, which is said, and the rows are right."""
    scenarios.run({}, process)
    for values, reason in BLOCKED:
        tables, facts = scenarios.run(values, process)
        alone, facts_alone = scenarios.run_alone(values)
        assert tables == alone and bare(facts) == bare(facts_alone), values
        (parsed,) = told(scenarios.warm, ProjectParsedAgain)
        assert parsed.reason.startswith(reason)


EDITS: dict[str, Callable[[Path], None]] = {
    "a model": lambda dbt: _append(dbt / "models" / "looped.sql", " -- edited"),
    "a macro": lambda dbt: _append(dbt / "macros" / "macros.sql", " "),
    "a seed": lambda dbt: _append(dbt / "seeds" / "start.csv", "4,8\n"),
    "the default of a variable": lambda dbt: _replace(dbt / "dbt_project.yml", "rate: 0.5", "rate: 0.75"),
}


def test_edits_between_two_scenarios(scenarios: Scenarios, process: WarmProcess) -> None:
    """What the process knows is of the project as it was: an edit is found, as by a run alone."""
    scenarios.run({"vars.steps": 1}, process)
    for number, (name, edit) in enumerate(EDITS.items()):
        values: Values = {"vars.steps": 2 + number % 2}  # never that of the scenario before
        for root in (scenarios.warm.root, scenarios._project):
            edit(root / "dbt")
        tables, facts = scenarios.run(values, process)
        alone, facts_alone = scenarios.run_alone(values)
        assert tables == alone and bare(facts) == bare(facts_alone), name


READ_PATH = {
    "as a part of target": ("models/path.sql", "'{{ target.path }}' as path"),
    "as a part of target by name": ("models/path.sql", "'{{ target[\"path\"] }}' as path"),
    "in all of target": ("models/path.sql", "'{{ target | length }}' as path"),
    "in the environment": ("models/path.sql", "'{{ env_var(\"ORCHESTRATOR_DATABASE\") }}' as path"),
    "in the environment by a computed name": (
        "models/path.sql",
        '\'{{ env_var("ORCHESTRATOR_" ~ "DATABASE") }}\' as path',
    ),
    "in a macro": ("macros/place.sql", "{% macro place() %}{{ target.path }}{% endmacro %}"),
}


@pytest.mark.parametrize("way", READ_PATH)
def test_a_project_that_reads_where_its_database_lies(scenarios: Scenarios, process: WarmProcess, way: str) -> None:
    """Its parse serves one database alone, and each has its own path in its rows."""
    file, code = READ_PATH[way]
    text = f"{{{{ config(materialized='table', tags=['FOUNDATION']) }}}} select {code}"
    if file.startswith("macros"):
        (scenarios.warm.root / "dbt" / file).write_text(code)
        text = "{{ config(materialized='table', tags=['FOUNDATION']) }} select '{{ place() }}' as path"
    (scenarios.warm.root / "dbt" / "models" / "path.sql").write_text(text)
    for number in (1, 2, 3):
        scenarios.run({"vars.rate": number}, process, last_year=1)  # what reads the path is made before the first year
        file_of = scenarios.warm.root / f"var/members/{number}/simulation.duckdb"
        ((path,),) = _at(file_of).sql("select path from path")
        assert way == "in all of target" or path == str(file_of)
        assert len(told(scenarios.warm, ProjectParsedAgain)) == (number > 1)


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def _replace(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


TEMPLATES: list[tuple[Values, dict[str, str]]] = [
    ({"vars.label": "{{ var('cutoff') }}", "vars.cutoff": 1}, {}),
    ({"vars.label": "{{ var('cutoff') }}", "vars.cutoff": 2}, {}),
    ({"vars.label": "{{ env_var('NOTE', 'none') }}"}, {"NOTE": "one"}),
    ({"vars.label": "{{ env_var('NOTE', 'none') }}"}, {"NOTE": "two"}),
    ({"vars.late": "{{ var('yr') * 3 }}"}, {}),
]


def test_values_that_are_templates(scenarios: Scenarios, process: WarmProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that dbt renders reads other variables, the year or the environment, and is not printed as it stands."""
    for values, environment in TEMPLATES:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        tables, facts = scenarios.run(values, process)
        alone, facts_alone = scenarios.run_alone(values)
        assert tables == alone and bare(facts) == bare(facts_alone), values


def test_what_a_template_reads_makes_a_year_another(scenarios: Scenarios, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment behind a variable's value is an input: years made with another one are not gone on with."""
    told_of: list[bool] = []
    for note in ("one", "one", "two"):
        monkeypatch.setenv("NOTE", note)
        with scenarios.warm.orchestrator(overrides={"vars.label": "{{ env_var('NOTE', 'none') }}"}) as orchestrator:
            told_of.append(orchestrator.find_start().done if told_of else False)
            orchestrator.execute_multi_year_simulation(forgo_years=True)
        assert scenarios.warm.sql("select distinct label from grown") == [(note,)]
    assert told_of == [False, True, False]


def test_what_comes_before_the_first_year_is_built_once(scenarios: Scenarios, process: WarmProcess) -> None:
    """A second scenario that is made of the same there takes a copy, one that is not builds its own; rows are right."""
    root = scenarios.warm.root
    shared = SharedStart(root / "var" / "shared", ("rate", "cutoff"))
    taken = []
    for number, values in enumerate(({"vars.rate": 1}, {"vars.rate": 2}, {"vars.rate": 2, "vars.cutoff": 2})):
        file = root / "var" / "shared_members" / str(number) / "simulation.duckdb"
        file.parent.mkdir(parents=True)
        with scenarios.warm.orchestrator(database=file, overrides=values, warm=process) as orchestrator:
            taken.append(shared.prepare(orchestrator, file))
            orchestrator.execute_multi_year_simulation()
        alone, _ = scenarios.run_alone(dict(values))
        assert _at(file).digests() == alone
    assert taken == [False, True, True]
