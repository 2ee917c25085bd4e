"""No password of a database URL is written down."""

from __future__ import annotations

import pytest

from orchestrator.core.masking import masked


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
