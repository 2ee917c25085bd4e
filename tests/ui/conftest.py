"""Fixtures of the tests of the web interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.ui.app import create_app
from orchestrator.ui.settings import UiSettings
from tests.support.cli_project import Cli
from tests.support.postgres import PostgresServer
from tests.support.ui import Visitor, make_lakes


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lakes_ui(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Make one simulated project for the tests of a module, once with each engine of the history."""
    cli = make_lakes(tmp_path_factory.mktemp("ui") / "my lakes")
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("server")
        with _config(cli).open("a", encoding="utf-8") as config:
            config.write(f"storage: {{url: {json.dumps(server.make_database())}}}\n")
    done = cli("simulate", "--json")
    assert done.exit_code == 0, done.err
    return cli


@pytest.fixture
def visitor(lakes_ui: Cli) -> Iterator[Visitor]:
    """Give a visitor of that project."""
    with (
        made := Visitor(create_app(UiSettings(folder=lakes_ui.root, config=_config(lakes_ui), load_chat=False)))
    ).client:
        yield made


def _config(cli: Cli) -> Path:
    return cli.root / "config" / "simulation.yaml"
