"""Marks for what the analysis of a template cannot tell by name."""

from __future__ import annotations

ANY_VAR = "*"
"""A variable whose name is computed."""
UNKNOWN = "unknown"
"""Something that cannot be followed."""
