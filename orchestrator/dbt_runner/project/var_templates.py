"""Values of variables that are templates: dbt renders a text each time ``var()`` gives it."""

from __future__ import annotations


def is_template(value: object) -> bool:
    """Tell whether dbt renders the value of a variable."""
    return isinstance(value, str) and any(mark in value for mark in ("{{", "{%", "{#"))
