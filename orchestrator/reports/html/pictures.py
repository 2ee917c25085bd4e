"""Charts drawn by vl-convert: as SVG in a page, and as files of SVG or PNG."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from orchestrator.core.errors import ConfigurationError, MissingExtraError
from orchestrator.core.files import replace_file
from orchestrator.core.masking import masked
from orchestrator.core.permissions import ANY_FILE, current_umask
from orchestrator.core.text import escaped
from orchestrator.reports.html.charts import Chart
from orchestrator.reports.html.colours import INK, PAPER

PictureFormat = Literal["svg", "png"]
LIBRARIES = ("altair", "vl_convert", "jinja2")
MAGIC = {"svg": (b"<svg", b"<?xml"), "png": (b"\x89PNG",)}
PNG_SCALE = 2.0
_TAG = re.compile(r"<[^>]*>")
_FOR_PROGRAMS = re.compile(r' (?:role|class|aria-[a-z]+)="[^"]*"')  # of parts, which the drawing as a whole stands for
_OPENING = re.compile(r"<svg\b([^>]*)>")


def require_extra() -> None:
    """Refuse to begin a report that could not be drawn.

    Raises:
        MissingExtraError: a library of the extra is not installed.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"The report needs {missing[0]}, which is not installed.",
            to_fix="pip install 'dbt-year-orchestrator[report]'",
        )


def inline_svg(chart: Chart, number: int) -> Markup:
    """Draw a chart for a page: with a title and a description, and an id of its own, which ``number`` makes unique."""
    import vl_convert  # an extra, and slow to import

    drawn = vl_convert.vegalite_to_svg(chart.specification)
    named = Markup(
        '<svg role="img" aria-labelledby="chart-{0}-title chart-{0}-text"{1}><title id="chart-{0}-title">{2}</title>'
        '<desc id="chart-{0}-text">{3}</desc>'
    )
    opening = _OPENING.match(drawn)
    assert opening is not None
    plain = _TAG.sub(lambda tag: _FOR_PROGRAMS.sub("", tag[0]), drawn[opening.end() :])
    attributes, rest = Markup(opening[1]), Markup(plain)  # noqa: S704  # Vega escapes what it writes
    told = (escaped(masked(text)) for text in (chart.title, chart.description))
    return named.format(number, attributes, *told) + rest


def write_pictures(charts: Iterable[Chart], folder: Path, kind: PictureFormat) -> list[Path]:
    """Write each chart to a file of its own on white ground, with its title; the folder is made where there is none.

    Raises:
        ConfigurationError: the folder is none, or a file of that name is no such picture.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"--charts: {folder} is no folder.", to_fix="name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for chart in charts:
        file = folder / f"{_file_name(chart.name)}.{kind}"
        _require_picture(file, kind)
        title = {"text": chart.title, "color": INK, "fontSize": 13, "anchor": "start", "font": "sans-serif"}
        whole = {**chart.specification, "title": title, "padding": 12}
        whole["config"] = {**dict(chart.specification["config"]), "background": PAPER}  # type: ignore[call-overload]
        content = _drawn(whole, kind)
        replace_file(file, content, mode=ANY_FILE & ~current_umask())
        files.append(file)
    return files


def _drawn(specification: dict[str, object], kind: PictureFormat) -> bytes:
    import vl_convert  # as above

    if kind == "png":
        return bytes(vl_convert.vegalite_to_png(specification, scale=PNG_SCALE))
    return str(vl_convert.vegalite_to_svg(specification)).encode()


def _require_picture(file: Path, kind: PictureFormat) -> None:
    if not file.exists():
        return
    ours = False
    if file.is_file():
        with file.open("rb") as content:
            ours = content.read(8).startswith(MAGIC[kind])
    if not ours:
        raise ConfigurationError(f"--charts: {file} exists, and is no such picture.", to_fix="name another folder")


def _file_name(name: str) -> str:
    """Return a name of a file of plain letters alone.

    >>> _file_name("sensitivity-a/../b-c d")
    'sensitivity-a_.._b-c_d'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:120]
