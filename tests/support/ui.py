"""Projects and servers for tests of the web interface."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from fastapi import FastAPI
from starlette.testclient import TestClient

from tests.support.cli_project import Cli
from tests.support.processes import wait_until
from tests.support.workspaces import PROJECTS

if TYPE_CHECKING:
    from httpx2 import Response

SUMMARY = """
{{ config(materialized='incremental', incremental_strategy='append', tags=['BALANCE']) }}
select water_year, count(*) as lakes, sum(level) as water, avg(level) / 100 as fullness
from {{ ref('lake_level') }} where water_year = {{ var('water_year') }} group by water_year
"""
SUMMARY_YAML = """
models:
  - name: lake_summary
    description: What the lakes hold at the end of a year.
    meta: {summary: true}
    columns:
      - {name: water_year, config: {meta: {label: Year, format: text}}}
      - {name: lakes, config: {meta: {label: Lakes, format: integer}}}
      - {name: water, config: {meta: {label: Water, format: money}}}
      - {name: fullness, config: {meta: {label: Fullness, format: percent}}}
"""
PARAMETERS = """
parameters:
  rain_factor: {type: number, minimum: 0, maximum: 10, unit: times the usual rain, description: Factor on all rain}
hooks:
  - {type: pre_stage, call: "waiting:wait"}
"""
WAITING = """
import time
from pathlib import Path
from typing import TYPE_CHECKING

def wait(context):
    while Path(__file__).with_name("hold").exists():
        time.sleep(0.02)
"""
TOKEN_FIELD = re.compile(r'name="form-token" content="([^"]+)"')


def make_lakes(root: Path) -> Cli:
    """Lay out the reservoirs with a summary by year, a parameter, and a hook that waits while there is a file ``hold``.

    Its years are 2000 to 2002, in the database ``var/reservoir.duckdb``.
    """
    shutil.copytree(PROJECTS / "reservoir", root)
    (root / "dbt" / "models" / "yearly" / "lake_summary.sql").write_text(SUMMARY)
    (root / "dbt" / "models" / "yearly" / "summary.yml").write_text(SUMMARY_YAML)
    config = root / "config" / "simulation.yaml"
    config.write_text(config.read_text() + PARAMETERS)
    (root / "waiting.py").write_text(WAITING)
    return Cli(root, root / "var" / "reservoir.duckdb")


class Visitor:
    """Somebody in front of the pages, in this process: follows no redirects, and sends tokens with forms."""

    def __init__(self, app: FastAPI, host: str = "127.0.0.1:7860", *, address: str = "192.0.2.1") -> None:
        self.client = TestClient(app, base_url=f"http://{host}", follow_redirects=False, client=(address, 50000))

    def get(self, path: str, **headers: str) -> Response:
        """Look at a page."""
        found: Response = self.client.get(path, headers=headers)
        return found

    def document(self, path: str) -> dict[str, object]:
        """Return the JSON document of a page."""
        found = self.get(path).json()
        assert isinstance(found, dict)
        return found

    def listed(self, path: str, key: str) -> list[dict[str, object]]:
        """Return a list in the document of a page."""
        found = self.document(path)[key]
        assert isinstance(found, list)
        return found

    def token(self, path: str) -> str:
        """Return the token of the forms of a page."""
        found = TOKEN_FIELD.search(self.get(path).text)
        assert found is not None
        return found[1]

    def post(self, path: str, fields: dict[str, str] | None = None, *, page: str = "/runs", **headers: str) -> Response:
        """Send a form of a page."""
        data = {"form_token": self.token(page), **(fields or {})}
        found: Response = self.client.post(path, data=data, headers=headers)
        return found


def free_port() -> int:
    """Return a port that nobody listens on."""
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(cli: Cli, *args: str, env: dict[str, str] | None = None) -> Iterator[str]:
    """Run ``orchestrator ui`` in a folder; yield its address."""
    port = free_port()
    process = cli.start("ui", "--no-browser", "--port", str(port), *args, env=env)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/sign-in"), "the server answers", 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def answers(url: str) -> bool:
    """Tell whether a server answers."""
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310  # an address of ours
            return bool(answer.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


def read_json(url: str) -> dict[str, object]:
    """Return the JSON document at an address."""
    with urlopen(url, timeout=30) as answer:  # noqa: S310  # an address of ours
        found = json.loads(answer.read())
    assert isinstance(found, dict)
    return found


def send_form(address: str, path: str, fields: dict[str, str] | None = None) -> str:
    """Send a form to a server, as a browser does that has opened one of its pages; return where that led."""
    with urlopen(f"{address}/health") as answer:  # noqa: S310  # an address of ours
        found = TOKEN_FIELD.search(answer.read().decode())
        cookie = answer.headers["set-cookie"].split(";")[0]
    assert found is not None
    body = urlencode({"form_token": found[1], **(fields or {})}).encode()
    with urlopen(Request(address + path, data=body, headers={"cookie": cookie})) as answer:  # noqa: S310  # as above
        return str(answer.geturl())
