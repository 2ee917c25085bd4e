"""Bytes that are not UTF-8, and things that are no files, where a configuration or its values are looked for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from dbt.cli.main import dbtRunnerResult

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.adapter.answers import parse_error
from orchestrator.dbt_runner.project.settings import DbtSettings

ODD = "n\udcff"  # what Python makes of the byte ff


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a configuration, and stand in it."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "simulation.yaml").write_text("dbt: {project_dir: dbt}\n")
    (tmp_path / "dbt" / "seeds").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"environ": {"ORCHESTRATOR_VARS__A": ODD}}, "variable ORCHESTRATOR_VARS__A is not UTF-8"),
        ({"environ": {"ORCHESTRATOR_DATABASE": f"{ODD}.duckdb"}}, "variable ORCHESTRATOR_DATABASE is not UTF-8"),
        ({"environ": {"ORCHESTRATOR_VARS": "{a: ["}}, "variable ORCHESTRATOR_VARS: is not valid YAML"),
        ({"overrides": [f"database={ODD}.duckdb"]}, "--set database: is not UTF-8"),
        ({"overrides": [f"vars.a={ODD}"]}, "--set vars.a: is not UTF-8"),
        ({"overrides": {"vars": {"a": [{"b": ODD}]}}}, "vars.a holds .*UTF-8"),
        ({"database": f"var/{ODD}.duckdb"}, "--database: database is .*not UTF-8"),
        ({"database": ""}, "--database: database is empty"),
    ],
)
def test_what_no_text_can_hold_is_refused_where_it_comes_from(root: Path, given: dict[str, object], words: str) -> None:
    """Source and remedy are named, and not the dbt project."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        SimulationConfig.load(**{"environ": {}, **given})  # type: ignore[arg-type]
    assert caught.value.to_fix


def test_a_file_of_the_project_whose_name_is_no_text(root: Path) -> None:
    """The error that dbt ends with names a position in a text; ours names the file."""
    file = root / "dbt" / "seeds" / f"{ODD}.csv"
    file.write_text("a\n1\n")
    with pytest.raises(UnicodeEncodeError) as caught:
        str(file).encode()
    settings = DbtSettings(project_dir=root / "dbt", profiles_dir=None, cwd=root, cache_dir=root / "cache")
    error = parse_error(dbtRunnerResult(success=False, exception=caught.value), settings, None, ())
    assert str(file) in str(error) and "not UTF-8" in str(error) and error.to_fix == "rename it, or move it away"


@pytest.mark.parametrize("name", ["config/simulation.yaml", "config/scenarios/dry.yaml"])
@pytest.mark.parametrize("kind", ["pipe", "device", "circle"])
def test_what_is_no_file_is_not_called_absent(root: Path, name: str, kind: str) -> None:
    """A pipe, a device or a link that leads in a circle in the place of a file is named, and not waited for."""
    place = root / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    made: dict[str, Callable[[], None]] = {
        "pipe": lambda: os.mkfifo(place),
        "device": lambda: place.symlink_to("/dev/null"),
        "circle": lambda: place.symlink_to(place),
    }
    made[kind]()
    with pytest.raises(ConfigurationError, match=rf"{name} cannot be read: (is not a regular file|Too many)") as caught:
        SimulationConfig.load(environ={}, scenario="dry")
    assert "put a file in its place" in str(caught.value.to_fix)
