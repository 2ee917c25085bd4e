"""The pages that every page leads to."""

from __future__ import annotations

PAGES = (
    ("runs", "Runs", "/runs"),
    ("sweeps", "Sweeps", "/sweeps"),
    ("results", "Results", "/results"),
    ("compare", "Compare", "/compare"),
    ("health", "Health", "/health"),
    ("project", "Project", "/project"),
    ("parameters", "Parameters", "/parameters"),
    ("chat", "Chat", "/chat/"),
)
"""Key, name and address of each, in the order of the bar."""
