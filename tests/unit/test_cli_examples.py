"""Examples in the help of commands."""

from __future__ import annotations

import shlex

import pytest

from orchestrator.cli.app import COMMANDS, GROUPS, application
from orchestrator.cli.examples import EXAMPLES

EVERY = [*COMMANDS, *(f"{group} {word}" for group, (_, words) in GROUPS.items() for word in words)]


def test_every_command_has_two() -> None:
    """None is left out, and there is none of a command that is gone."""
    assert sorted(EXAMPLES) == sorted(EVERY)
    assert {len(examples) for examples in EXAMPLES.values()} == {2}


@pytest.mark.parametrize("example", [example for examples in EXAMPLES.values() for example in examples])
def test_each_is_a_command_line(example: str) -> None:
    """It is understood, and only then it would be run."""
    command: object = application()(args=shlex.split(example), prog_name="orchestrator", standalone_mode=False)
    assert callable(command)


@pytest.mark.parametrize("command", EVERY)
def test_help_shows_them(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a line each, and no more than a page in all."""
    monkeypatch.setenv("COLUMNS", "100")
    application()(args=[*command.split(), "--help"], prog_name="orchestrator", standalone_mode=False)
    told = capsys.readouterr().out
    lines = [line.strip() for line in told.splitlines()]
    assert all(f"orchestrator {example}" in lines for example in EXAMPLES[command])
    assert len(lines) < 55
