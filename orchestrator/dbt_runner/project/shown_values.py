"""Values of inputs as the ledger keeps and people see them; what may be secret or is long goes by its checksum."""

from __future__ import annotations

import re

from orchestrator.dbt_runner.project.canonical import canonical, digest

LONGEST_SHOWN = 120
_SECRET = re.compile(
    r"secret|passw|pwd|token|credential|(?:api|access|account|secret|private)_?key|private|auth(?!or)|connection_string|dsn",
    re.IGNORECASE,
)
_IN_A_URL = re.compile(r"://|@")


def shown(name: str, value: object, *, open_: bool = True) -> str:
    """Return a value as JSON, or its checksum where it is not ``open_``, long, or looks like a secret.

    >>> shown("rate", 2), shown("meta", {"a": [1]}), shown("s3_secret", "x")
    ('2', '{"a": [1]}', 'checksum ba2df4903a2c')
    """
    text = canonical(value, ordered=True)
    plain = isinstance(value, (bool, int, float)) or value is None
    if plain or (open_ and len(text) <= LONGEST_SHOWN and not _SECRET.search(name) and not _IN_A_URL.search(text)):
        return text
    return f"checksum {digest(text)[:12]}"
