"""What gives other rows although nothing has changed: the clock, and random numbers without a seed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.dbt_runner.analysis.sql_parts import SqlParts

CLOCK, RANDOM = "the clock", "random numbers"
_CLOCK_SQL = re.compile(
    r"\b(?:current_timestamp|current_date|current_time|localtimestamp|localtime|current_localtimestamp|current_localtime|sysdate|systimestamp)\b(?!\s*\.)"
    r"|\b(?:now|today|get_current_timestamp|get_current_time|transaction_timestamp|statement_timestamp|"
    r"clock_timestamp|timeofday|getdate|sysdatetime|utc_timestamp|curdate|unix_timestamp|txid_current|age)\s*\(",
    re.IGNORECASE,
)
_CLOCK_JINJA = re.compile(
    r"\b(?:run_started_at|sql_now)\b|\b(?:current_timestamp\w*|snapshot_get_time)\s*\("
    r"|\bmodules\b(?=[^\0]*\.(?:now|utcnow|today)\s*\()",
    re.DOTALL,
)
_CLOCK_PYTHON = re.compile(
    r"\.\s*(?:now|utcnow|today)\b|\b(?:time_ns|perf_counter|monotonic)\b|^\s*(?:import|from)\s+time\b|"
    r"^\s*import\s.*,\s*time\b",
    re.MULTILINE,
)
_RANDOM_SQL = re.compile(
    r"\b(?:random|rand|uuid|uuidv4|uuidv7|gen_random_uuid|newid|generate_uuid|uuid_string|nextval|gen_random_bytes)\s*\("
    r"|\b(?:using\s+sample|tablesample)\b(?![^;]*\b(?:repeatable|seed)\b)",
    re.IGNORECASE,
)
_RANDOM_JINJA = re.compile(r"\b(?:invocation_id|thread_id)\b|\blipsum\s*\(|\|\s*random\b")
_RANDOM_PYTHON = re.compile(
    r"\b(?:random|uuid1|uuid4|randint|randn|default_rng|sample|shuffle|choice|choices)\s*\(|"
    r"^\s*(?:import|from)\s+(?:random|uuid|secrets)\b",
    re.MULTILINE,
)
_SEEDED_PYTHON = re.compile(r"\bseed\s*\(|\brandom_state\b|\b(?:default_rng|RandomState|Random)\s*\(\s*[\w'\"]")
_SEEDED = re.compile(r"\bsetseed\s*\(", re.IGNORECASE)


def not_reproducible(parts: Iterable[SqlParts], *, seeded: bool) -> tuple[str, ...]:
    """Return what of the two templates read; ``seeded``: all that is run before sets a seed.

    >>> from jinja2 import Environment
    >>> sql = "select now(), 'random()' as said, {{ invocation_id }} as run"
    >>> not_reproducible([SqlParts.of(Environment(), sql)], seeded=False)
    ('the clock', 'random numbers')
    """
    listed = list(parts)
    clock = any(_CLOCK_SQL.search(one.bare) or _CLOCK_JINJA.search(one.jinja) for one in listed)
    seeded = seeded or any(sets_seed(one) for one in listed)
    drawn = any(_RANDOM_JINJA.search(one.jinja) or (not seeded and _RANDOM_SQL.search(one.bare)) for one in listed)
    return (*([CLOCK] if clock else []), *([RANDOM] if drawn else []))


def sets_seed(parts: SqlParts) -> bool:
    """Tell whether a template sets the seed of the database's random numbers."""
    return _SEEDED.search(parts.bare) is not None


def python_not_reproducible(source: str) -> tuple[str, ...]:
    r"""Return what of the two the source of a python model reads.

    >>> python_not_reproducible("import datetime\ndef model(dbt, session):\n    return datetime.datetime.now()")
    ('the clock',)
    """
    drawn = _RANDOM_PYTHON.search(source) is not None and _SEEDED_PYTHON.search(source) is None
    return (*([CLOCK] if _CLOCK_PYTHON.search(source) else []), *([RANDOM] if drawn else []))
