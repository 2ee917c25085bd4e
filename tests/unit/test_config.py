"""The configuration: layers, paths, defaults, and errors that say where and what."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from orchestrator.config.schema import HookType
from orchestrator.config.schema_fields import item_section_in, leaf_paths, section_in, value_section_in
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError

REPOSITORY = Path(__file__).parents[2]

BASE = """\
simulation: {start_year: 2025, end_year: 2029}
vars:
  target_growth_rate: 0.03
stages:
  - {name: events, select: "tag:EVENTS"}
"""

Load = Callable[..., SimulationConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write a base file (and scenarios) into a new project and load it with an empty environment."""

    def load(
        text: str = BASE,
        *,
        scenarios: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        **kwargs: object,
    ) -> SimulationConfig:
        folder = tmp_path / "config"
        (folder / "scenarios").mkdir(parents=True, exist_ok=True)
        (folder / "simulation.yaml").write_text(text, encoding="utf-8")
        for name, overlay in (scenarios or {}).items():
            (folder / "scenarios" / f"{name}.yaml").write_text(overlay, encoding="utf-8")
        return SimulationConfig.load(folder / "simulation.yaml", environ=environ or {}, **kwargs)  # type: ignore[arg-type]

    return load


def message_of(load: Load, *args: object, **kwargs: object) -> str:
    """Return the message of the ConfigurationError that loading raises."""
    with pytest.raises(ConfigurationError) as caught:
        load(*args, **kwargs)
    assert caught.value.exit_code == 2
    assert "pydantic" not in str(caught.value) and "Traceback" not in str(caught.value)
    return str(caught.value)


# Layers


def test_later_layers_win_key_by_key(load: Load) -> None:
    """Scenario beats file, environment beats scenario, override beats environment, and siblings survive."""
    config = load(
        BASE + "self_healing: {timeout_seconds: 1, lock_timeout_seconds: 1}\ndbt: {threads: 1}\n",
        scenarios={"high": "self_healing: {timeout_seconds: 2}\nvars: {target_growth_rate: 0.08}\n"},
        scenario="high",
        environ={
            "ORCHESTRATOR_SELF_HEALING__TIMEOUT_SECONDS": "3",
            "ORCHESTRATOR_DBT__THREADS": "3",
        },
        overrides=["dbt.threads=4"],
    )
    assert (config.scenario, config.vars["target_growth_rate"]) == ("high", 0.08)
    assert (config.self_healing.timeout_seconds, config.self_healing.lock_timeout_seconds) == (3, 1)
    assert config.dbt.threads == 4


def test_lists_replace_instead_of_merging(load: Load) -> None:
    """A scenario's stages are all the stages."""
    config = load(scenarios={"s": "stages: [{name: only, select: x}]\n"}, scenario="s")
    assert [stage.name for stage in config.stages] == ["only"]


@pytest.mark.parametrize(
    "choice",
    [
        {"scenario": "s"},
        {"environ": {"ORCHESTRATOR_SCENARIO": "s"}},
        {"overrides": ["scenario=s"]},
        {"overrides": {"scenario": "s"}},
    ],
)
def test_a_scenario_can_be_chosen_from_every_layer(load: Load, choice: dict[str, object]) -> None:
    """Flag, environment and override all lay the scenario's file over the base."""
    config = load(scenarios={"s": "vars: {x: 1}\n"}, **choice)
    assert config.scenario == "s"
    assert config.vars == {"target_growth_rate": 0.03, "x": 1}


def test_the_scenario_flag_beats_the_environment(load: Load) -> None:
    """The command line's scenario wins over ORCHESTRATOR_SCENARIO, name and contents."""
    config = load(
        scenarios={"a": "vars: {x: a}\n", "b": "vars: {x: b}\n"},
        scenario="a",
        environ={"ORCHESTRATOR_SCENARIO": "b"},
    )
    assert (config.scenario, config.vars["x"]) == ("a", "a")


def test_an_unknown_scenario_names_those_that_exist(load: Load) -> None:
    """The error lists the scenarios and the nearest one."""
    message = message_of(load, scenarios={"high_growth": "{vars: {}}", "low": "{vars: {}}"}, scenario="high_grwth")
    assert "'high_grwth'" in message and "Did you mean 'high_growth'?" in message
    assert "high_growth, low" in message and "To fix:" in message


def test_a_misspelt_scenario_in_the_base_file_is_refused(load: Load) -> None:
    """The base file may not name a scenario that is not among those there are."""
    message = message_of(load, BASE + "scenario: hihg\n", scenarios={"high": "{vars: {}}"})
    assert "config/simulation.yaml, line 6" in message and "'high'" in message


def test_a_scenario_cannot_leave_its_folder(load: Load) -> None:
    """A scenario is a name, not a path."""
    assert "no scenario '../simulation'" in message_of(load, scenario="../simulation")


def test_environment_values_keep_the_type_of_their_key(load: Load) -> None:
    """Text and paths are taken as written; the rest is YAML."""
    config = load(
        environ={
            "ORCHESTRATOR_DATABASE": "2025: [1].duckdb",
            "ORCHESTRATOR_DBT__TARGET": "007",
            "ORCHESTRATOR_VARS__TARGET_GROWTH_RATE": "0.05",
            "ORCHESTRATOR_VARS__FLAGS": "[true, 1]",
            "ORCHESTRATOR_DBT__PROFILE": "",
        }
    )
    assert config.database == Path("2025: [1].duckdb")
    assert config.dbt.target == "007" and config.dbt.profile is None
    assert config.vars == {"target_growth_rate": 0.05, "flags": [True, 1]}


@pytest.mark.parametrize("key", ["database", "publish"])
@pytest.mark.parametrize("path", [":memory:", "md:mine", "s3://bucket/x.duckdb"])
def test_a_database_that_is_no_file_is_refused(load: Load, key: str, path: str) -> None:
    """What DuckDB keeps in memory or elsewhere can be locked, copied and looked at by nobody."""
    message = message_of(load, BASE + f'{key}: "{path}"\n')
    assert f"{key} is '{Path(path)}', which is not a file" in message


@pytest.mark.parametrize(
    ("database", "reason"),
    [
        ("/dev/null", "this is a device, not a file"),
        ("var/pipe.duckdb", "this is a named pipe, not a file"),
        ("var/orchestrator.db", "that is the file of the run history (storage.url)"),
    ],
)
def test_a_database_in_a_place_of_something_else_is_refused(
    load: Load, tmp_path: Path, database: str, reason: str
) -> None:
    """Who opens a pipe waits for ever, and what moves a damaged database aside would move a device."""
    (tmp_path / "var").mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "var" / "pipe.duckdb")
    message = message_of(load, overrides={"database": database})
    assert reason in message and "To fix: set `database:` to the path of a file of its own" in message


@pytest.mark.parametrize("name", ["main.duckdb", "var/Temp.v2.duckdb", "system", 'quo"te.db', "it's.db", "a#b.db"])
def test_a_database_that_dbt_cannot_name_is_refused(load: Load, name: str) -> None:
    """The message has the place, the reason and a way out."""
    message = message_of(load, overrides={"database": name})
    assert "database" in message and "dbt" in message and "choose another name" in message


def test_a_link_is_judged_by_its_target(load: Load, tmp_path: Path) -> None:
    """DuckDB never learns of the link's name."""
    (tmp_path / "main.duckdb").symlink_to("real.duckdb")
    (tmp_path / "good.duckdb").symlink_to("system.duckdb")
    assert load(overrides={"database": "main.duckdb"}).database == Path("main.duckdb")
    assert '"system_db"' in message_of(load, overrides={"database": "good.duckdb"})


def test_environment_finds_vars_whatever_their_case(load: Load) -> None:
    """A var with capitals or a double underscore is met by its upper-case name."""
    config = load(
        BASE.replace("target_growth_rate", "Growth__Rate"),
        environ={"ORCHESTRATOR_VARS__GROWTH__RATE": "1"},
    )
    assert config.vars == {"Growth__Rate": 1}


def test_an_environment_variable_that_matches_no_key_is_refused(load: Load) -> None:
    """A misspelt variable is an error with the nearest right one; reserved ones are left alone."""
    message = message_of(load, environ={"ORCHESTRATOR_SIMULATON__START_YEAR": "2026", "ORCHESTRATOR_PG_URL": "x"})
    assert "environment variable ORCHESTRATOR_SIMULATON__START_YEAR" in message
    assert "ORCHESTRATOR_SIMULATION__START_YEAR" in message
    assert "ORCHESTRATOR_PG_URL" not in message


def test_database_flag_beats_every_layer(load: Load) -> None:
    """``database=`` wins over file, environment and overrides."""
    config = load(
        BASE + "database: a\n",
        environ={"ORCHESTRATOR_DATABASE": "b"},
        overrides=["database=c"],
        database="d",
    )
    assert config.database == Path("d")


@pytest.mark.parametrize("override", ["novalue", "=1", "a..b=1"])
def test_an_override_needs_key_and_value(load: Load, override: str) -> None:
    """What is not key.path=value is refused as it was written."""
    message = message_of(load, overrides=[override])
    assert "--set" in message and "key.path=value" in message


def test_an_override_mapping_may_be_nested_or_dotted(load: Load) -> None:
    """Programs may hand over either form."""
    config = load(overrides={"dbt": {"threads": 3}, "simulation.end_year": 2030})
    assert config.dbt.threads == 3 and config.years()[-1] == 2030


def test_with_overrides_checks_again_and_leaves_the_first_alone(load: Load) -> None:
    """A configuration is frozen; changing it makes another one, under the same rules."""
    config = load()
    assert config.with_overrides(["simulation.end_year=2026"], database="x").years() == (2025, 2026)
    assert config.years()[-1] == 2029
    assert config.with_overrides(database="x").database == Path("x")
    assert config.database is None
    with pytest.raises(ConfigurationError, match=r"--set simulation.end_year: simulation.end_year is 2000"):
        config.with_overrides(["simulation.end_year=2000"])


def test_without_a_path_the_nearest_configuration_is_found(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``load()`` reads what ORCHESTRATOR_CONFIG names, else the nearest file here or above, whatever the folder."""
    load()
    (tmp_path / "dbt" / "models").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "config", tmp_path / "dbt" / "models"):
        monkeypatch.chdir(folder)
        assert SimulationConfig.load(environ={}).root == tmp_path
    monkeypatch.chdir("/")
    with pytest.raises(ConfigurationError, match=r"orchestrator\.yaml or dbt_project\.yml in / or a folder above"):
        SimulationConfig.load(environ={})
    named = SimulationConfig.load(environ={"ORCHESTRATOR_CONFIG": str(tmp_path / "config/simulation.yaml")})
    assert named.root == tmp_path


def test_a_dbt_project_needs_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as ``dbt: {project_dir: .}``; a file of ours wins, also one further up."""
    (tmp_path / "shop" / "models").mkdir(parents=True)
    (tmp_path / "shop" / "dbt_project.yml").write_text("name: shop\n")
    monkeypatch.chdir(tmp_path / "shop" / "models")
    bare = SimulationConfig.load(environ={"ORCHESTRATOR_DBT__THREADS": "2"})
    assert (bare.root, bare.project_dir, bare.simulation) == (tmp_path / "shop", tmp_path / "shop", None)
    assert (bare.dbt.threads, bare.origin_of("dbt", "project_dir")) == (2, "dbt_project.yml")
    (tmp_path / "orchestrator.yaml").write_text("dbt: {project_dir: shop}\n")
    found = SimulationConfig.load(environ={})
    assert (found.root, found.project_dir) == (tmp_path, tmp_path / "shop")


def test_the_shipped_configuration_loads() -> None:
    """config/simulation.yaml is valid, with every shipped scenario."""
    folder = REPOSITORY / "config"
    names = [file.stem for file in (folder / "scenarios").glob("*.yaml")]
    for name in [None, *names]:
        config = SimulationConfig.load(folder / "simulation.yaml", scenario=name, environ={})
        assert config.years() == (2025, 2026, 2027, 2028, 2029)
        assert [stage.name for stage in config.stages] == [
            "event_generation",
            "state_accumulation",
            "validation",
            "reporting",
        ]


# Paths


def test_relative_paths_start_at_the_root(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the working folder is, paths mean the same files."""
    monkeypatch.chdir("/")
    monkeypatch.delenv("DBT_PROFILES_DIR", raising=False)
    config = load(BASE + "database: var/../x.duckdb\ndbt: {project_dir: p}\n")
    assert config.root == tmp_path
    assert config.database_path == tmp_path / "x.duckdb"
    assert config.project_dir == tmp_path / "p"
    assert not config.profiles_dir
    assert config.storage_url == f"sqlite:///{tmp_path}/var/orchestrator.db"
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "profiles.yml").touch()
    assert config.profiles_dir == tmp_path / "p"
    monkeypatch.setenv("DBT_PROFILES_DIR", "/elsewhere")
    assert config.profiles_dir is None


@pytest.mark.parametrize(
    "url",
    ["sqlite:////abs/x.db", "sqlite://", "sqlite:///:memory:", "postgresql+psycopg://u@h:5432/db"],
)
def test_other_urls_are_left_as_they_are(load: Load, url: str) -> None:
    """Only a relative SQLite path is moved."""
    assert load(BASE + f"storage: {{url: '{url}'}}\n").storage_url == url


def test_a_config_outside_a_config_folder_has_its_own_folder_as_root(tmp_path: Path) -> None:
    """``project.yaml`` at the top of a project makes that top the root."""
    (tmp_path / "project.yaml").write_text("dbt: {project_dir: .}\n")
    config = SimulationConfig.load(tmp_path / "project.yaml", environ={})
    assert config.root == tmp_path and config.project_dir == tmp_path


# What it means


def test_a_project_that_is_no_simulation_needs_only_its_folder(tmp_path: Path) -> None:
    """Without a section simulation there are no years, and vars are the user's alone."""
    config = SimulationConfig.from_mapping({"dbt": {"project_dir": "."}, "vars": {"a": 1}}, root=tmp_path)
    assert config.simulation is None and config.required_tables == "auto"
    assert config.dbt_vars() == config.dbt_vars(2025) == {"a": 1}
    with pytest.raises(ConfigurationError, match="no section simulation"):
        config.years()


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("wage_drift=0.03", "write vars.wage_drift if it is a variable of dbt, or remove it"),
        ("growth=0.03", "write vars.growth instead of growth, or remove it"),
        ("scenari=x", "write scenario instead of scenari"),
        ("sweep.wage_drift=1", "remove wage_drift"),
    ],
)
def test_a_variable_that_is_set_without_vars(tmp_path: Path, given: str, remedy: str) -> None:
    """It is named as it has to be written."""
    (tmp_path / "orchestrator.yaml").write_text("vars: {growth: 1}\n")
    with pytest.raises(ConfigurationError) as caught:
        SimulationConfig.load(tmp_path / "orchestrator.yaml", overrides=[given], environ={})
    assert str(caught.value.to_fix).startswith(remedy)


def test_a_file_that_is_named_nearly_right(tmp_path: Path) -> None:
    """The file in a folder is named, and the one with the other ending."""
    file = tmp_path / "place" / "orchestrator.yaml"
    file.parent.mkdir()
    with pytest.raises(ConfigurationError, match="place is a folder") as caught:
        SimulationConfig.load(file.parent, environ={})
    assert caught.value.to_fix == f"name a configuration file, such as {file}; `orchestrator new` writes one"
    file.write_text("")
    for wrong in (file.parent, file.with_suffix(".yml")):
        with pytest.raises(ConfigurationError) as caught:
            SimulationConfig.load(wrong, environ={})
        assert str(caught.value.to_fix).endswith(str(file))
    with pytest.raises(ConfigurationError, match="does not exist") as caught:
        SimulationConfig.load(file.with_name("other.yml"), environ={})
    assert "--config" in str(caught.value.to_fix)


def test_years_are_given_or_configured(load: Load) -> None:
    """Either end may be named; the configured range is the default."""
    config = load()
    assert config.years() == (2025, 2026, 2027, 2028, 2029)
    assert config.years(2028) == (2028, 2029)
    assert config.years(2026, 2026) == (2026,)
    assert config.years(2030) == (2030,)
    with pytest.raises(ConfigurationError, match="its last year is before its first"):
        config.years(2028, 2027)
    with pytest.raises(ConfigurationError, match=r"before 2025.*config/simulation.yaml, line 1"):
        config.years(2024)


def test_dbt_vars_carry_year_start_and_seed(load: Load) -> None:
    """Every command knows the year, the first year and the seed; the user's own values win."""
    assert load().dbt_vars(2027) == {
        "target_growth_rate": 0.03,
        "simulation_year": 2027,
        "start_year": 2025,
        "random_seed": 42,
    }
    assert load().dbt_vars()["simulation_year"] == 2025
    own = load(overrides=["vars.start_year=1999", "vars.random_seed=7"]).dbt_vars(2026)
    assert (own["start_year"], own["random_seed"], own["simulation_year"]) == (1999, 7, 2026)


def test_one_selector_is_a_list_of_one(load: Load) -> None:
    """``select`` may be text or a list."""
    config = load(BASE + "  - {name: two, select: [a, b], command: test, timeout_seconds: 3}\n")
    assert [stage.select for stage in config.stages] == [("tag:EVENTS",), ("a", "b")]


def test_hooks_keep_their_order(load: Load) -> None:
    """Hooks come out as they were listed, with their defaults."""
    config = load(BASE + "hooks: [{type: pre_year, call: 'a.b:c'}, {type: pre_stage, call: 'a:d', stage: events}]\n")
    assert [(hook.type, hook.call, hook.on_error) for hook in config.hooks] == [
        (HookType.PRE_YEAR, "a.b:c", "abort"),
        (HookType.PRE_STAGE, "a:d", "abort"),
    ]


def test_a_configuration_is_frozen_and_pickles(load: Load) -> None:
    """It crosses process borders whole and cannot be changed in place."""
    config = load()
    assert pickle.loads(pickle.dumps(config)) == config
    assert pickle.loads(pickle.dumps(config)).root == config.root
    with pytest.raises(ValueError, match="frozen"):
        setattr(config, "scenario", "x")  # noqa: B010  # mypy would refuse the assignment


def test_dates_stay_text_and_exponents_are_numbers(load: Load) -> None:
    """YAML 1.2 scalars: what dbt gets is what JSON can carry."""
    config = load("vars: {d: 2025-01-31, e: 1e-3, t: 12:30, i: 1_000, n: ~, x: 0x10}\ndbt: {project_dir: .}\n")
    assert config.vars == {
        "d": "2025-01-31",
        "e": 0.001,
        "t": "12:30",
        "i": 1000,
        "n": None,
        "x": 16,
    }


# Errors


@pytest.mark.parametrize(
    ("text", "to_fix"),
    [
        ("vars: {a: 1, a: 3}\n", "remove one of them."),
        ("vars: {a: no}\n", "write false, or 'no' in quotes."),
        ("vars:\n  1: x\n", "put it in quotes."),
    ],
)
def test_what_the_file_says_twice_or_unclearly_has_a_remedy(tmp_path: Path, text: str, to_fix: str) -> None:
    """It is the remedy of the error, and no part of its message."""
    file = tmp_path / "simulation.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        SimulationConfig.load(file)
    assert caught.value.to_fix == to_fix
    assert to_fix not in caught.value.message.lower()


def test_years_that_are_no_numbers() -> None:
    """They are refused like every other wrong range, in the singular where it is one year."""
    config = SimulationConfig.from_mapping(
        {"simulation": {"start_year": 5, "end_year": 6}, "stages": [{"name": "a", "select": "b"}]}, root="."
    )
    with pytest.raises(ConfigurationError, match="Year '5' is not a whole number"):
        config.years("5", 6)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Year 1 is before 5"):
        config.years(1, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["config/simulation.yaml is empty"]),
        ("# only a comment\n", ["config/simulation.yaml is empty"]),
        ("- a\n", ["config/simulation.yaml holds a list"]),
        ("text\n", ["config/simulation.yaml holds a single value"]),
        ("a: [1\n", ["config/simulation.yaml, line 2", "not valid YAML"]),
        ("simulation:\n\tstart_year: 1\n", ["config/simulation.yaml, line 2", "replace the tabs"]),
        ("vars: {a: 1, b: 2, a: 3}\n", ["line 1", "vars.a appears twice", "first on line 1"]),
        ("vars:\n  1: x\n", ["line 2", "the key vars.1 is not a string"]),
        ("vars: &v {a: *v}\n", ["vars.a contains itself"]),
        ("vars: {a: no}\n", ["vars.a is no", "write false, or 'no' in quotes"]),
        (
            "hooks: [{type: pre_year, call: 'a:b', on_error: off}]\n",
            ["hooks[0].on_error is off", "write false"],
        ),
        ("vars: {zip: 01234}\n", ["vars.zip is 01234", "leading zero"]),
        ("vars: {a: !!python/object:os.system x}\n", ["line 1", "vars.a", "tag !!python/object:os.system"]),
        ("vars: {a: !ours {b: 1}}\n", ["line 1", "vars.a has the tag !ours", "write it without"]),
        ("vars: {a: !!timestamp 2020-01-01}\n", ["line 1: vars.a has the tag !!timestamp", "write it without"]),
        ("vars:\n  a: !!timestamp abc\n", ["line 2: vars.a has the tag !!timestamp"]),
        ("vars:\n  a: !!binary aGk=\n", ["line 2: vars.a has the tag !!binary"]),
        ("vars: {a: !!set {b}}\n", ["vars.a has the tag !!set"]),
        ("vars: {a: !!omap [b: 1]}\n", ["vars.a has the tag !!omap"]),
        ("vars: {a: [!!pairs [b: 1]]}\n", ["vars.a[0] has the tag !!pairs"]),
        ('vars: {a: "\\ud800"}\n', ["line 1", "vars.a holds half of a character", "To fix: write the whole"]),
        ('vars: {a: ["\\udcff"]}\n', ["line 1", "vars.a[0] holds half of a character"]),
        ("vars: {a: [{b: .inf}]}\n", ["line 1", "vars.a holds inf, which JSON"]),
        ('vars: {"a\\nb\\e[2J": 1}\n', ["line 1", "vars holds a name with a control character", "a\\\\nb"]),
        ('"a\\nb": 1\n', ["a\\nb is not a known key", "write vars.a\\nb"]),
        ("vars: {a: <<}\n", ["vars.a has the tag !!merge", "in quotes"]),
        ("vars:\n  a: !!bool abc\n", ["line 2", "cannot be read: it is no bool"]),
        ("vars: {a: !!int ''}\n", ["line 1", "cannot be read: it is no int"]),
        ("vars: {a: !!float abc}\n", ["line 1", "could not convert"]),
        ("vars: {a: !!int [1]}\n", ["line 1", "not valid YAML"]),
        ("vars: {a: .nan}\n", ["vars.a is nan", "JSON"]),
        (
            "databse: x\n",
            [
                "line 1: databse is not a known key",
                "Did you mean 'database'?",
                "write database instead",
            ],
        ),
        ("threads: 4\n", ["threads is not a known key", "'dbt.threads'"]),
        ("dbt: {theads: 4}\n", ["dbt.theads", "'threads'", "project_dir, profiles_dir"]),
        ("required_tables: atuo\n", ['required_tables is "atuo"', "'auto' or a list"]),
        (
            "required_tables: [{name: a, tier: sede}]\n",
            ["required_tables[0].tier", "Did you mean 'seed'?"],
        ),
        (
            "required_tables: [{name: a, tier: seed}, {name: a, tier: seed}]\n",
            ["required_tables[1].name is 'a' again"],
        ),
        ("stages: [{name: a, select: x}]\n", ["stages are given", "no section simulation"]),
        (
            "simulation: {start_year: 2025, end_year: 2024}\n",
            ["simulation.end_year is 2024", "2025"],
        ),
        (
            "simulation: {start_year: 2025}\n",
            ["simulation.end_year is missing", "add simulation.end_year"],
        ),
        ("simulation: {start_year: 2025, end_year: 2026}\n", ["stages is empty"]),
        (BASE + "  - {name: events, select: x}\n", ["line 6", "stages[1].name is 'events' again"]),
        (
            BASE.replace("target_growth_rate", "simulation_year"),
            ["line 3", "vars.simulation_year", "remove it"],
        ),
        (BASE + "  - {name: b, select: []}\n", ["stages[1].select", "at least one"]),
        (
            BASE + "hooks: [{type: pre_year, call: 'a:b', stage: events}]\n",
            ["hooks[0].stage", "pre_year hook"],
        ),
        (
            BASE + "hooks: [{type: pre_stage, call: 'a:b', stage: x}]\n",
            ["hooks[0].stage is 'x'", "events"],
        ),
        (
            BASE + "hooks: [{type: pre_year, call: nothing}]\n",
            ["hooks[0].call is 'nothing'", "package.module:function"],
        ),
        ("storage: {url: var/x.db}\n", ["storage.url is 'var/x.db'", "sqlite:///"]),
        ("database: ''\n", ["line 1: database is empty"]),
    ],
)
def test_a_wrong_file_is_explained(load: Load, text: str, expected: list[str]) -> None:
    """Each mistake is named with file, line, key, what was found and what is allowed."""
    message = message_of(load, text)
    assert [part for part in expected if part not in message] == [], message


def test_all_mistakes_are_told_at_once(load: Load) -> None:
    """One round of corrections is enough, whatever layers the mistakes stand in."""
    message = message_of(
        load,
        BASE + "databse: x\n",
        scenarios={"s": "dbt:\n  threads: many\n"},
        scenario="s",
        environ={"ORCHESTRATOR_SELF_HEALING__TIMEOUT_SECONDS": "-1"},
        overrides=["simulation.start_year=soon"],
    )
    assert "4 problems" in message
    assert "config/simulation.yaml, line 6: databse" in message
    assert 'config/scenarios/s.yaml, line 2: dbt.threads is "many", but must be a whole number' in message
    assert (
        "environment variable ORCHESTRATOR_SELF_HEALING__TIMEOUT_SECONDS: self_healing.timeout_seconds is -1" in message
    )
    assert '--set simulation.start_year: simulation.start_year is "soon"' in message


def test_unreadable_files_are_explained(tmp_path: Path) -> None:
    """A folder, or bytes that are no text, are named as such."""
    with pytest.raises(ConfigurationError, match="is a folder"):
        SimulationConfig.load(tmp_path, environ={})
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigurationError, match="not UTF-8 text"):
        SimulationConfig.load(tmp_path / "x.yaml", environ={})


def test_a_stage_is_for_the_first_year_or_for_later_ones(load: Load) -> None:
    """Both at once would be no year at all: the key is named, with file and line."""
    stage = "stages: [{name: a, select: a, first_year_only: true, later_years_only: true}]\n"
    told = message_of(load, BASE.partition("stages")[0] + stage)
    assert "stages[0].later_years_only is true, and so is first_year_only: the stage would run in no year" in told


def test_a_selector_of_the_foundation_that_nothing_goes_by(load: Load) -> None:
    """Without years, and beside a written list, it would silently mean nothing."""
    chosen = "self_healing: {foundation: a}\n"
    assert "self_healing.foundation is given, but there is no section simulation" in message_of(load, chosen)
    listed = BASE + chosen + "required_tables: [{name: a, tier: seed}]\n"
    assert "self_healing.foundation is given, and required_tables is a list" in message_of(load, listed)


def test_the_time_for_the_repair(load: Load) -> None:
    """Ten minutes where nothing is said, for projects that nobody knows; the shipped configuration keeps one minute."""
    assert load().self_healing.timeout_seconds == 600
    shipped = SimulationConfig.load(REPOSITORY / "config" / "simulation.yaml", environ={})
    assert shipped.self_healing.timeout_seconds == 60


def test_a_scenario_may_not_call_itself_otherwise(load: Load) -> None:
    """A scenario file whose key says another name is refused rather than believed."""
    assert "scenarios/s.yaml, line 1" in message_of(load, scenarios={"s": "scenario: t\n"}, scenario="s")


# Every field


WHOLE: dict[str, object] = {
    "simulation": {
        "start_year": 2025,
        "end_year": 2026,
        "year_var": "y",
        "year_column": "y",
        "random_seed": 1,
    },
    "scenario": "s",
    "description": "d",
    "database": "d",
    "dbt": {"project_dir": ".", "profiles_dir": ".", "target": "t", "profile": "p", "threads": 1},
    "vars": {"a": 1},
    "parameters": {
        "a": {"type": "number", "minimum": 0, "maximum": 9, "unit": "u", "description": "d", "words": ["w"]},
        "c": {"type": "string", "secret": False},
        "b": {"type": "choice", "choices": [1, "x"]},
    },
    "self_healing": {"auto_initialize": True, "timeout_seconds": 1, "lock_timeout_seconds": 1},
    "required_tables": [
        {"name": "n", "tier": "seed", "selector": "s", "min_rows": 1},
        {"name": "h", "tier": "hook", "call": "a:b"},
    ],
    "execution": {"replay": "auto"},
    "stages": [
        {
            "name": "n",
            "select": "s",
            "command": "run",
            "first_year_only": False,
            "later_years_only": False,
            "timeout_seconds": 1.5,
        }
    ],
    "hooks": [{"type": "pre_stage", "call": "a:b", "name": "n", "stage": "n", "on_error": "warn"}],
    "listeners": {
        "openlineage": {
            "url": "http://u",
            "endpoint": "e",
            "api_key": "k",
            "namespace": "n",
            "dataset_namespace": "d",
            "timeout_seconds": 1.5,
        },
        "notifications": {"urls": ["json://u"], "when": ["failed"], "template": "{status}", "timeout_seconds": 1.5},
        "otel": {"url": "http://u", "headers": {"h": "v"}, "service_name": "s", "timeout_seconds": 1.5},
    },
    "storage": {"enabled": True, "url": "sqlite://"},
    "ledger": {"schema": "orchestrator"},
    "sweep": {
        "name": "growth",
        "vary": {"a": [1, 2]},
        "scenarios": ["baseline"],
        "seeds": [1, 2],
        "workers": 2,
        "scheduler": "tcp://127.0.0.1:8786",
        "keep": ["a"],
        "databases": "all",
        "retries": 1,
        "share": False,
        "max_members": 10,
    },
    "backup": {"before_heal": True, "after_run": False, "keep": 1},
    "permissions": "umask",
    "publish": "p.duckdb",
}


def places(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every key in a nested value."""
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield (*above, key)
        yield from places(item, (*above, key))


def written(path: tuple[str | int, ...]) -> str:
    """Write a path the way an error does."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


# A var may hold any JSON value, so no value of one is wrong.
EVERY_PLACE = [path for path in places(WHOLE) if path[:1] != ("vars",)]
NEVER_RIGHT = st.one_of(st.just(b"bytes"), st.just(object()), st.complex_numbers(), st.dates())


@settings(max_examples=300)
@given(path=st.sampled_from(EVERY_PLACE), wrong=NEVER_RIGHT)
def test_each_field_wrong_once_is_named(path: tuple[str | int, ...], wrong: object) -> None:
    """Whatever key holds a value of no sensible type, the error names that very key and nothing of pydantic."""
    data = copy.deepcopy(WHOLE)
    target: object = data
    for part in path[:-1]:
        target = target[part]  # type: ignore[index]
    target[path[-1]] = wrong  # type: ignore[index]
    with pytest.raises(ConfigurationError) as caught:
        SimulationConfig.from_mapping(data, root="/")
    assert written(path) in str(caught.value)
    assert "pydantic" not in str(caught.value) and "Input should" not in str(caught.value)


NAMED_BY_USERS = (("parameters",), ("listeners", "otel", "headers"), ("sweep", "vary"))


@given(path=st.sampled_from([p for p in EVERY_PLACE if not isinstance(p[-1], int) and p[:-1] not in NAMED_BY_USERS]))
def test_each_key_misspelt_once_is_named(path: tuple[str | int, ...]) -> None:
    """A misspelt key is refused under the name it was given, with the right one beside it."""
    data = copy.deepcopy(WHOLE)
    target: object = data
    for part in path[:-1]:
        target = target[part]  # type: ignore[index]
    assert isinstance(target, dict)
    target[f"{path[-1]}x"] = target.pop(path[-1])
    with pytest.raises(ConfigurationError) as caught:
        SimulationConfig.from_mapping(data, root="/")
    assert f"{written(path)}x is not a known key. Did you mean '{path[-1]}'?" in str(caught.value)


def every_model(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all models below it."""
    yield model
    for field in model.model_fields.values():
        inner = section_in(field.annotation) or item_section_in(field.annotation) or value_section_in(field.annotation)
        if inner:
            yield from every_model(inner)


def test_every_field_has_a_description_and_every_duration_its_unit() -> None:
    """What a key means can be read from the model, with the unit of its number."""
    models = list(every_model(SimulationConfig))
    assert len(models) == 17
    for model in models:
        for name, field in model.model_fields.items():
            assert field.description and field.description.endswith("."), f"{model.__name__}.{name}"
            assert "seconds" in field.description or not name.endswith("_seconds"), name


def test_off_is_a_word_where_it_is_one(tmp_path: Path) -> None:
    """``replay: off`` needs no quotes in a file, in the environment or with --set; elsewhere off is refused."""
    file = tmp_path / "c.yaml"
    file.write_text("dbt: {project_dir: .}\nexecution: {replay: off}\n")
    assert SimulationConfig.load(file, environ={}).execution.replay == "off"
    file.write_text("dbt: {project_dir: .}\n")
    assert SimulationConfig.load(file, environ={"ORCHESTRATOR_EXECUTION__REPLAY": "off"}).execution.replay == "off"
    assert SimulationConfig.load(file, environ={}, overrides=["execution.replay=off"]).execution.replay == "off"
    with pytest.raises(ConfigurationError, match="is off, which some YAML parsers read as a string"):
        SimulationConfig.load(file, environ={}, overrides=["vars.a=off"])


def test_the_whole_example_names_every_key() -> None:
    """The example that the tests above spoil holds every key there is."""
    SimulationConfig.from_mapping(WHOLE, root="/")
    told = {tuple(part for part in path if isinstance(part, str)) for path in EVERY_PLACE}
    # The last two exclude others: url, and a list of required tables.
    told |= {("vars",), ("listeners", "openlineage", "file"), ("self_healing", "foundation")}
    assert set(leaf_paths(SimulationConfig)) <= told
    for model in every_model(SimulationConfig):
        assert set(model.model_fields) <= {path[-1] for path in told}


def test_importing_it_is_cheap() -> None:
    """Neither dbt nor duckdb, rich or SQLAlchemy come along."""
    code = "import orchestrator.config.simulation, sys; print({'dbt', 'duckdb', 'rich', 'sqlalchemy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "set()"


def test_what_is_set_beside_the_files_is_told(load: Load) -> None:
    """Runs with other values are shown as such; where the database lies and how dbt runs is not their matter."""
    config = load(overrides=["vars.x=0.05", "database=d.duckdb"], environ={"ORCHESTRATOR_SIMULATION__RANDOM_SEED": "7"})
    assert config.overrides() == {"simulation.random_seed": 7, "vars.x": 0.05}
    assert config.snapshot()["overrides"] == config.overrides()
    assert load().overrides() == {}


def test_a_fork_has_a_name_and_a_database_of_its_own(load: Load, tmp_path: Path) -> None:
    """Everything else is the scenario's; a name that is taken, or is none, is refused."""
    forked = load(fork="try_1", overrides=["vars.x=2"])
    assert (forked.scenario, forked.database_path) == ("try_1", tmp_path / "var" / "try_1.duckdb")
    assert forked.vars["x"] == 2
    for name, options, said in (
        ("a/b", {}, "cannot be the name of a scenario"),
        ("x" * 201, {}, "cannot be the name of a scenario"),
        ("high", {"scenarios": {"high": "vars: {}\n"}}, "there is a scenario 'high' already"),
        ("new", {"database": "other.duckdb"}, "each name a database"),
    ):
        with pytest.raises(ConfigurationError, match=said) as caught:
            load(fork=name, **options)
        assert caught.value.to_fix is not None
