"""No secret is written down or shown."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from orchestrator.cli.error_output import report_error
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.events import DbtWarned, Event
from orchestrator.core.masking import masked
from orchestrator.core.run_scope import RunScope


@pytest.mark.parametrize(
    "password", ["s3secret", "s3/secret", "s3'secret", "s3 secret", "an@secret", 'a"secret', "a;secret"]
)
@pytest.mark.parametrize(
    "around", ["{}", "orchestrator simulate --set 'storage.url={}' -q", "cannot reach {}: refused"]
)
def test_a_password_is_masked(password: str, around: str) -> None:
    """Whatever it is made of, and wherever the URL stands."""
    told = masked(around.format(f"postgresql://me:{password}@host:5432/db"))
    assert "secret" not in told
    assert "postgresql://me:***@host:5432/db" in told


@pytest.mark.parametrize(
    "text", ["sqlite:////a/b.db", "postgresql://me@host/db", "no url at all: me@host", "https://x.org/a?b=c"]
)
def test_what_holds_no_password_is_left_alone(text: str) -> None:
    """Paths and plain addresses stay readable."""
    assert masked(text) == text


def test_a_password_among_the_options() -> None:
    """Drivers take it there as well."""
    assert masked("postgresql://h/db?user=me&password=a;b'c&x=1") == "postgresql://h/db?user=me&password=***&x=1"


@pytest.mark.parametrize("name", ["api_token", "DB_PASSWORD", "client-secret", "api_key", "apikey", "DBT_ENV_SECRET_X"])
@pytest.mark.parametrize("around", ["--set vars.{}={}", '{{"{}": "{}"}}', "{{'{}': '{}'}}", "my.{}: {}", "--{} {}"])
def test_what_is_called_like_a_secret_is_masked(name: str, around: str) -> None:
    """In command lines, JSON, Python's and YAML's words; what stands around it stays."""
    told = masked(f"before {around.format(name, 'hunter2')} after")
    assert "hunter2" not in told
    assert told.startswith("before ")
    assert told.endswith(" after")
    assert name in told


@pytest.mark.parametrize(
    "text", ["unexpected token: ;", "the password is wrong", "expected token 'end', got 'x'", "tokens of 3 kinds"]
)
def test_prose_about_secrets_is_left_alone(text: str) -> None:
    """A word is no assignment."""
    assert masked(text) == text


def test_values_of_secrets_are_masked_wherever_they_turn_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those that a configuration holds, and those that dbt itself calls secret."""
    monkeypatch.setenv("DBT_ENV_SECRET_LAKE", "deep-water-77")
    config = SimulationConfig.from_mapping(
        {"vars": {"api_token": "swordfish-9", "nested": {"password": ["a", "b"]}, "rate": 2}}, root=tmp_path
    )
    assert masked("refused: swordfish-9, deep-water-77") == "refused: ***, ***"
    snapshot = json.dumps(config.snapshot())
    assert "swordfish" not in snapshot
    assert config.snapshot()["vars"] == {"api_token": "***", "nested": {"password": "***"}, "rate": 2}
    assert config.dbt_vars()["api_token"] == "swordfish-9"  # noqa: S105 - what dbt gets is what was written


def test_events_carry_no_secrets() -> None:
    """Whoever listens gets them masked: progress, JSON lines, the history, a listener of the user's."""
    events: list[Event] = []
    scope = RunScope(events.append)
    scope.emit(DbtWarned(at=utc_now(), message="cannot reach postgresql://me:s3cret@h/db with api_key=abc"))
    assert [event.message for event in events if isinstance(event, DbtWarned)] == [
        "cannot reach postgresql://me:***@h/db with api_key=***"
    ]
    plain = DbtWarned(at=utc_now(), message="nothing to hide")
    scope.emit(plain)
    assert events[-1] is plain


def test_errors_and_tracebacks_show_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the message, nor what to do, nor with -v the traceback."""
    error = ConfigurationError("vars.api_token=hunter2 is wrong", to_fix="run with --set vars.api_token=hunter2")
    report_error(error, Output(json=False, verbosity=1, quiet=False), CommonOptions())
    logging.getLogger("orchestrator.x").warning("password=hunter2")
    assert "hunter2" not in capsys.readouterr().err.replace('"vars.api_token=hunter2 is wrong"', "")
