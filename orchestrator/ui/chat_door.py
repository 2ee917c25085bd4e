"""The way to the chat: it is loaded behind the first page, because its library takes seconds to import."""

from __future__ import annotations

import asyncio
import importlib
import logging
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from fastapi import FastAPI, Request

from orchestrator.core.clocks import stopwatch
from orchestrator.core.errors import MissingExtraError, OrchestratorError
from orchestrator.ui.run_processes import start_run
from orchestrator.ui.site import Site
from orchestrator.ui.workspace import State

T = TypeVar("T")

logger = logging.getLogger(__name__)

MODULE = "orchestrator.ui.gradio_chat"
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_TO_CLOSE = 1.0
SECONDS_UNTIL_AGAIN = 5.0
EXTRA = "pip install 'dbt-year-orchestrator[ui]'"
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ChatDoor:
    """An ASGI application that shows a page which waits, and passes everything on once the chat is there."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._chat: FastAPI | None = None
        self._why_not: OrchestratorError | None = None
        self._tried: State = ()
        self._watch = stopwatch()
        self._failed_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for the chat."""
        if self._chat is not None:
            await self._chat(_from_the_top(scope), receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1013})
            return
        self._begin()
        response = self._site.page(
            Request(scope, receive),
            "chat_waits.html",
            active="chat",
            title="Chat",
            why_not=self._why_not,
        )
        await response(scope, receive, send)

    async def open_behind_the_first_page(self) -> None:
        """Load the chat once the first page was made, so that it is there when somebody wants it."""
        while not self._site.served.is_set():
            await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
        self._begin()

    def _begin(self) -> None:
        """Load the chat, once; again where that failed, and the configuration has changed since, or some time is over.

        The time is longer than a page that waits takes to look again, so that it shows what is wrong.
        """
        changed = self._site.workspace.state() != self._tried
        if self._why_not is not None and (changed or self._watch() - self._failed_at > SECONDS_UNTIL_AGAIN):
            self._why_not = self._task = None
        if self._task is None:
            self._tried = self._site.workspace.state()
            self._task = asyncio.create_task(self._load())

    async def close(self) -> None:
        """End the chat."""
        self._closing.set()
        if self._task is not None and self._chat is None:
            self._task.cancel()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=SECONDS_TO_CLOSE)

    async def _load(self) -> None:
        try:
            app = await _in_thread(partial(_mounted, self._site))
            async with app.router.lifespan_context(app):
                self._chat = app
                await self._closing.wait()
        except OrchestratorError as error:
            self._why_not = error
        except ModuleNotFoundError as error:
            told = f"The chat needs the package {error.name}, which is not installed."
            self._why_not = MissingExtraError(told, to_fix=EXTRA)
        except Exception as error:
            logger.exception("the chat could not be loaded")
            self._why_not = OrchestratorError(
                f"The chat could not be loaded: unexpected {type(error).__name__}.",
                to_fix="see the terminal that runs `orchestrator ui`, and report it",
            )
        self._failed_at = self._watch()


async def _in_thread(work: Callable[[], T]) -> T:
    """Do something in a thread that the end of the program does not wait for, unlike those of asyncio."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def end(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # it is there where no error is

    def body() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is waited for
            failure = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(end, result, failure)

    threading.Thread(target=body, name="load the chat", daemon=True).start()
    return await done


def _mounted(site: Site) -> FastAPI:
    module = importlib.import_module(MODULE)  # slow to import: Gradio
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.site = site
    module.mount(app, path="/chat", settings=site.settings, start_run=partial(_start_run, site))
    return app


def _start_run(site: Site, scenario: str) -> str:
    """Start a run of a scenario; return the address of the page that shows it."""
    started = start_run(site.settings, site.workspace.config().root, scenario=site.own(scenario))
    return f"/work/{started.job}"


def _from_the_top(scope: Scope) -> Scope:
    """Return a scope as if nothing had been mounted on the way."""
    return {**scope, "root_path": scope.get("app_root_path", ""), "path": scope["path"]}
