"""``orchestrator ui`` as a program."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import uvicorn
from uvicorn.server import ServerState

from orchestrator.ui.connections import MOST_OF_AN_ADDRESS, Connection
from orchestrator.ui.gate import Receive, Scope, Send
from tests.support.cli_project import Cli, interrupt
from tests.support.processes import wait_until
from tests.support.programs import start_python
from tests.support.ui import answers, free_port, make_lakes, read_json, send_form, served
from tests.support.workspaces import REPOSITORY


@pytest.fixture
def empty(tmp_path: Path) -> Cli:
    """Give an empty folder."""
    return Cli(tmp_path, tmp_path / "none.duckdb")


@pytest.fixture
def bare(tmp_path: Path) -> Cli:
    """Give a workspace that nothing was run in."""
    (tmp_path / "orchestrator.yaml").write_text("dbt: {project_dir: .}\n")
    return Cli(tmp_path, tmp_path / "none.duckdb")


def test_it_works_in_an_empty_folder(empty: Cli) -> None:
    """It makes the run history there, says so once, and its first page says how to begin."""
    port = free_port()
    process = empty.start("ui", "--port", str(port))
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "the page is there")
    with urlopen(f"http://127.0.0.1:{port}/") as answer:
        assert b"To begin" in answer.read()
    told = interrupt(process)
    assert told.exit_code == 130
    assert told.out.count("Initializing database") == 1
    assert f"http://127.0.0.1:{port}/" in told.out
    assert "Stopped" in told.out and told.err == ""
    assert (empty.root / "var" / "orchestrator.db").is_file()
    again = empty.start("ui", "--port", str(port))
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "the page is there again")
    assert "Initializing" not in interrupt(again).out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once(bare: Cli, number: signal.Signals) -> None:
    """Although somebody watches; the exit code is that of an interruption."""
    port = free_port()
    process = bare.start("ui", "--no-browser", "--port", str(port))
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "the page is there")
    with urlopen(f"http://127.0.0.1:{port}/live?list=1") as stream:
        assert stream.readline() == b"retry: 1000\n"
        told = interrupt(process, number)
    assert told.exit_code == 130
    assert "Traceback" not in told.err + told.out and "Exception in" not in told.err + told.out


def test_a_request_that_is_never_finished_is_closed(bare: Cli) -> None:
    """Its connection ends, while others are answered; nobody holds them all."""
    started = Connection.seconds_for_headers
    Connection.seconds_for_headers = 0.2
    try:
        asyncio.run(_slow_visitors())
    finally:
        Connection.seconds_for_headers = started


async def _slow_visitors() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(app, http=Connection, ws="none", lifespan="off", log_config=None, port=free_port())
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", config.port
    )
    async with server:
        for words in (b"", b"GET / HTTP/1.1\r\nhost: x\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET / HT"):
            reader, writer = await asyncio.open_connection("127.0.0.1", config.port)
            writer.write(words)
            told = await asyncio.wait_for(reader.read(), 10)
            assert (b"200 OK" in told) == words.endswith(b"HT")
            writer.close()
        pairs = [await asyncio.open_connection("127.0.0.1", config.port) for _ in range(MOST_OF_AN_ADDRESS + 1)]
        assert await asyncio.wait_for(pairs[-1][0].read(), 10) == b""
        for _, writer in pairs:
            writer.close()


def test_the_chat_comes_once_the_configuration_is_right(empty: Cli) -> None:
    """What is wrong is said with its own remedy; a visit after it was mended loads it; wrong calls leave no trace."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    process = empty.start("ui", "--no-browser", "--port", str(port))
    wait_until(lambda: answers(f"{address}/"), "the page is there")

    def chat() -> str:
        with urlopen(f"{address}/chat/") as answer:  # noqa: S310  # an address of ours
            return str(answer.read().decode())

    wait_until(lambda: "loading" not in chat(), "the chat has failed")
    assert "To fix" in chat() and "pip install" not in chat()
    file = empty.root / "orchestrator.yaml"
    file.write_text("dbt: {project_dir: .}\nstagess: []\n")
    assert "loading" in chat()
    wait_until(lambda: "Did you mean &#39;stages&#39;" in chat(), "the chat has failed again")
    profile = "bare: {target: dev, outputs: {dev: {type: duckdb, path: x.duckdb}}}\n"
    (empty.root / "profiles.yml").write_text(profile)
    (empty.root / "dbt_project.yml").write_text("name: bare\nprofile: bare\n")
    file.write_text("dbt: {project_dir: .}\n")
    wait_until(lambda: "gradio" in chat(), "the chat is there")
    for call in ({"fn_index": 999, "data": []}, {"fn_index": 1, "data": [[], {}, 3]}, {}):
        body = json.dumps({**call, "session_hash": "x"}).encode()
        headers = {"origin": address, "content-type": "application/json"}
        request = Request(f"{address}/chat/gradio_api/queue/join", data=body, headers=headers)  # noqa: S310  # as above
        with pytest.raises(HTTPError) as refused:
            urlopen(request)  # noqa: S310  # as above
        assert refused.value.code == 422, call
        refused.value.close()
    with urlopen(f"{address}/chat/gradio_api/heartbeat/x") as stream:  # noqa: S310  # as above
        assert stream.readline()
        told = interrupt(process)
    assert "Traceback" not in told.out + told.err and "Exception in" not in told.out + told.err


def test_a_port_that_is_taken(bare: Cli) -> None:
    """One paragraph that names another one."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = bare("ui", "--port", str(port))
    assert told.exit_code == 1
    assert f"Port {port} of 127.0.0.1 is taken" in told.err and f"--port {port + 1}" in told.err
    assert "Traceback" not in told.err


def test_other_machines_need_a_token(bare: Cli) -> None:
    """Nothing is shown to a network without one, and a short one is no token."""
    told = bare("ui", "--host", "0.0.0.0")  # noqa: S104
    assert told.exit_code == 2 and "sign in" in told.err and "--token" in told.err
    short = bare("ui", "--host", "0.0.0.0", "--token", "abc")  # noqa: S104
    assert short.exit_code == 2 and "characters" in short.err


def test_it_says_what_it_exposes(bare: Cli) -> None:
    """With a token it listens, and says who sees what."""
    port = free_port()
    process = bare.start("ui", "--host", "0.0.0.0", "--port", str(port), "--token", "a token of some length")  # noqa: S104
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/sign-in"), "the page is there")
    told = interrupt(process)
    assert "not encrypted" in told.out
    assert "a token of some length" not in told.out + told.err


def test_a_hash_of_a_password(bare: Cli) -> None:
    """It is made by a command, and serves in place of the password itself."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = ["-m", "orchestrator", "ui", "--hash-password", "--json"]
    process = start_python(command, cwd=bare.root, env=environment, stdin=subprocess.PIPE)
    out, err = process.communicate("a password of some length\n", timeout=60)
    assert process.returncode == 0, err
    text = out.split('"hash": "')[1].split('"')[0]
    port = free_port()
    running = bare.start("ui", "--port", str(port), env={"ORCHESTRATOR_UI_PASSWORD_HASH": text})
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/sign-in"), "the page is there")
        with urlopen(f"http://127.0.0.1:{port}/runs") as answer:
            assert "/sign-in" in answer.geturl()
    finally:
        interrupt(running)


def test_without_the_extra(bare: Cli, tmp_path: Path) -> None:
    """One paragraph with the exact command."""
    site = tmp_path / "site" / "fastapi"
    hide = f"import sys, importlib.machinery as m\nf = m.PathFinder.find_spec\n{HIDE}"
    site.parent.mkdir()
    (site.parent / "sitecustomize.py").write_text(hide)
    told = bare("ui", env={"PYTHONPATH": f"{site.parent}:{REPOSITORY}"}, cold=True)
    assert told.exit_code == 2
    assert "pip install 'dbt-year-orchestrator[ui]'" in told.err
    assert "Traceback" not in told.err


HIDE = """
class Hidden:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name == "fastapi" else f(name, path, target)
sys.meta_path[:] = [Hidden if one is m.PathFinder else one for one in sys.meta_path]
"""


def test_a_run_outlives_the_server(tmp_path: Path) -> None:
    """It is a process of its own: who closes the pages ends nothing."""
    cli = make_lakes(tmp_path / "lakes")
    (cli.root / "hold").touch()
    with served(cli) as address:
        send_form(address, "/runs")
        wait_until(lambda: bool(read_json(f"{address}/runs.json")["runs"]), "the run is there")
    (cli.root / "hold").unlink()
    wait_until(lambda: cli("runs", "show", "--json").document()["status"] == "completed", "the run is done")


def test_no_connection_leaves(tmp_path: Path, bare: Cli) -> None:
    """The server opens none to anywhere; a network that is not there is not missed."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("needs root, to take the network away")
    look = "from urllib.request import urlopen as u; print(u('http://127.0.0.1:7869/').status)"
    script = (
        'ip link set lo up 2>/dev/null; "$0" -m orchestrator ui --no-browser --port 7869 & '
        f'for i in $(seq 100); do "$0" -c "{look}" 2>/dev/null && break; sleep 0.1; done; kill -INT $!; wait'
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        ["unshare", "-n", "bash", "-c", script, sys.executable],
        cwd=bare.root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "Cannot open network namespace" in done.stderr or "Operation not permitted" in done.stderr:
        pytest.skip("no namespace of networks may be made here")
    assert "200" in done.stdout, done.stderr


def test_a_browser_is_not_opened_for_root_or_without_a_terminal(bare: Cli, tmp_path: Path) -> None:
    """BROWSER names a program that would leave a file; it does not, piped or with --no-browser on a terminal."""
    opened = tmp_path / "opened"
    browser = tmp_path / "browser.sh"
    browser.write_text(f"#!/bin/sh\ntouch '{opened}'\n")
    browser.chmod(0o755)
    port = free_port()
    process = bare.start("ui", "--port", str(port), env={"BROWSER": str(browser)})
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "the page is there")
    interrupt(process)
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "BROWSER": str(browser)}
    command = ["-m", "orchestrator", "ui", "--no-browser", "--port", str(port)]
    on_terminal = start_python(
        command, cwd=bare.root, env=environment, cold=True, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "the page is there")
    on_terminal.send_signal(signal.SIGINT)
    assert on_terminal.wait(60) == 130
    os.close(ours)
    assert not opened.exists()
