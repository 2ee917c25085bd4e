"""results."""

from __future__ import annotations

from fastapi import APIRouter

from orchestrator.ui.site import Site


def routes(site: Site) -> APIRouter:
    """Return the routes of these pages."""
    return APIRouter()
