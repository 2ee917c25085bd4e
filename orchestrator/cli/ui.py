"""``orchestrator ui``: the web interface, until Ctrl-C."""

from __future__ import annotations

import getpass
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orchestrator.cli import INTERRUPTED
from orchestrator.cli.fast_exit import allow_fast_exit
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import ConfigurationError, MissingExtraError, OrchestratorError

if TYPE_CHECKING:
    from orchestrator.ui.passwords import Password
    from orchestrator.ui.settings import UiSettings

PACKAGES = ("fastapi", "uvicorn", "jinja2")
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 7860


def ui(
    options: CommonOptions,
    output: Output,
    *,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port to listen on.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="Address to listen on; any but this machine's own needs a token."
        ),
    ] = DEFAULT_HOST,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="TEXT",
            help="What a visitor has to know; or its hash, in ORCHESTRATOR_UI_PASSWORD_HASH.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="NAME",
            help="Another name by which browsers reach this server; repeatable.",
            show_default=False,
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", metavar=NO_VALUE, help="Do not open the page in a browser.")
    ] = False,
    hash_password: Annotated[
        bool,
        typer.Option("--hash-password", metavar=NO_VALUE, help="Ask for a password and write its hash, nothing else."),
    ] = False,
) -> int:
    """Open the web interface: runs, results, health, the project and its parameters, in a browser."""
    if hash_password:
        return _hash_password(output)
    _require_extra()
    from orchestrator.ui.settings import UiSettings  # the rooms below are slow to import

    settings = UiSettings(
        folder=Path.cwd(),
        config=None if options.config is None else options.config.expanduser().absolute(),
        scenario=options.scenario,
        overrides=tuple(options.overrides or ()),
        database=None if options.database is None else options.database.expanduser().absolute(),
        fork=options.fork,
        host=host,
        port=port,
        password=_password(token),
        allowed_hosts=tuple(allow_host or ()),
    )
    if settings.exposed and settings.password is None:
        raise ConfigurationError(
            f"--host {host} lets other machines see every result and start runs, so visitors have to sign in.",
            to_fix="choose a token with the option --token, or a password: `orchestrator ui --hash-password` says how",
        )
    _initialize(output, settings)
    return _serve(output, settings, browser=not no_browser)


def _require_extra() -> None:
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"`orchestrator ui` needs the package {missing[0]}, which is not installed.",
            to_fix="pip install 'dbt-year-orchestrator[ui]'",
        )


def _password(token: str | None) -> Password | None:
    from orchestrator.ui.passwords import HASH_VARIABLE, hashed, read_hash

    if token is not None:
        return hashed(token)
    text = os.environ.get(HASH_VARIABLE, "")
    return read_hash(text) if text.strip() else None


def _hash_password(output: Output) -> int:
    from orchestrator.ui.passwords import HASH_VARIABLE, hashed

    if sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if getpass.getpass("Again: ") != password:
            raise ConfigurationError("The two are not the same.", to_fix="try again")
    else:
        password = sys.stdin.readline().rstrip("\n")
    text = hashed(password).text()
    output.write_json({"hash": text}, "hashed")
    output.say(f"export {HASH_VARIABLE}='{text}'")
    return 0


def _initialize(output: Output, settings: UiSettings) -> None:
    """Make the run history where there is none yet; what is wrong with the configuration is shown as a page."""
    from orchestrator.storage.initialization import ensure_initialized, is_ready
    from orchestrator.ui.workspace import Workspace

    workspace = Workspace(settings)
    if workspace.is_empty():
        url = f"sqlite:///{settings.folder / 'var' / 'orchestrator.db'}"
    else:
        try:
            url = workspace.config().storage_url
        except ConfigurationError:
            return
    with suppress(OrchestratorError):  # the pages say it, and recover
        if is_ready(url):
            return
        with output.people.status("Initializing database…"):
            if not output.people.is_terminal:
                output.say("Initializing database…")
            ensure_initialized(url, show_progress=False)


def _serve(output: Output, settings: UiSettings, *, browser: bool) -> int:
    from orchestrator.ui.server import Server

    server = Server(settings)
    server.listen()
    output.write_json({"url": server.url}, "serving")
    output.say(Text.assemble("The web interface is at ", (server.url, "bold"), "  (Ctrl-C ends it; runs go on)"))
    if settings.exposed:
        output.say(
            Text(
                f"! Everybody who reaches {settings.host}:{settings.port} and knows the token sees all results and can "
                "start, cancel and heal. The connection is not encrypted: put a proxy with HTTPS before it.",
                "yellow",
            )
        )
    server.serve(open_browser=browser and _may_open(output))
    output.say("Stopped. Runs that were started here go on.")
    allow_fast_exit()  # libraries of the chat would take seconds to take themselves apart
    return INTERRUPTED


def _may_open(output: Output) -> bool:
    """Tell whether there is somebody in front of a browser: a person at a terminal, not root in a container."""
    return output.people.is_terminal and sys.stdin.isatty() and not os.environ.get("CI") and os.geteuid() != 0
