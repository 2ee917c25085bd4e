"""Pages made of templates: HTML with every value escaped, packed where the browser takes that."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from orchestrator.core.clocks import utc_now
from orchestrator.core.events import jsonable
from orchestrator.core.formats import NOTHING, shown, shown_seconds, shown_size
from orchestrator.core.masking import masked
from orchestrator.core.text import ascii_json, escaped, finite, plural, shown_years
from orchestrator.reports.marked_code import with_code
from orchestrator.reports.parameters import shown_value

HERE = Path(__file__).parent
TEMPLATES, STATIC = HERE / "templates", HERE / "static"
WORTH_PACKING = 1500  # bytes
MARKS = {
    "completed": "✓",
    "done": "✓",
    "ready": "✓",
    "ok": "✓",
    "running": "●",
    "failed": "✗",
    "crashed": "✗",
    "missing": "✗",
    "problem": "✗",
}
"""Signs beside the words of states; every other state gets a dash."""


@cache
def environment() -> Environment:
    """Return the templates; every value in them is escaped."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "clean": clean,
        "code": with_code,
        "seconds": shown_seconds,
        "size": shown_size,
        "years": lambda years: shown_years(tuple(years)) or "–",
        "value": shown_value,
        "result": shown,
        "moment": moment,
        "when": when,
        "ago": ago,
        "plural": plural,
        "mark": lambda status: MARKS.get(status, "–"),
    }
    made.globals |= {"static": static_url}
    return made


@pass_context
def clean(context: Context, text: object) -> str:
    """Write a text of any source: secrets masked, control characters written out, without the folder of the project."""
    root = context.get("root")
    told = escaped(masked(str(text)))
    return told.replace(f"{root}/", "") if root else told


def page(request: Request, name: str, context: Mapping[str, object], *, status: int = 200) -> Response:
    """Make a page of a template."""
    body = environment().get_template(name).render(context).encode()
    headers = {"vary": "accept-encoding, cookie"}
    if len(body) > WORTH_PACKING and "gzip" in request.headers.get("accept-encoding", ""):
        body = gzip.compress(body, 5, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(body, status_code=status, media_type="text/html", headers=headers)


def document(record: Mapping[str, object], state: str, *, ok: bool = True, status: int = 200) -> Response:
    """Make the JSON document of a page, of the form that the commands write."""
    whole = {"ok": ok, "status": state} | {key: value for key, value in record.items() if key not in ("ok", "status")}
    body = ascii_json(finite(jsonable(whole)), indent=2) + "\n"
    return Response(body.encode(), status_code=status, media_type="application/json")


@cache
def static_url(name: str) -> str:
    """Return the address of a file of ours, which changes with its content."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:8]}"


def moment(when: datetime) -> str:
    """Write a moment for people, in the time of this machine."""
    return f"{when.astimezone():%Y-%m-%d %H:%M}"


def when(text: str) -> str:
    """Write a moment that is kept as text for people, a dash where it is none.

    >>> when("yesterday")
    '–'
    """
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return NOTHING


def ago(when: datetime) -> str:
    """Say how long ago something was.

    >>> from datetime import timedelta
    >>> [ago(utc_now() - timedelta(seconds=s)) for s in (5, 90, 7300, 200_000)]
    ['just now', '1 min ago', '2 h ago', '2 days ago']
    """
    seconds = (utc_now() - when).total_seconds()
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{plural(int(seconds // 86_400), 'day')} ago"
