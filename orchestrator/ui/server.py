"""The HTTP server of the web interface."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import threading
import webbrowser
from contextlib import suppress

import uvicorn

from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.ui.app import create_app
from orchestrator.ui.connections import Connection, says_more_than_ended
from orchestrator.ui.settings import UiSettings

SECONDS_TO_CLOSE = 1  # for answers that are being sent
WAITING = 128  # connections


class Server:
    """Listens on the address of the settings, and serves the pages until it is interrupted."""

    def __init__(self, settings: UiSettings) -> None:
        self._settings = settings
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """Return the address of the first page."""
        host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(  # noqa: S104  # only compared
            self._settings.host, self._settings.host
        )
        return f"http://{f'[{host}]' if ':' in host else host}:{self._settings.port}/"

    def listen(self) -> None:
        """Take the port.

        Raises:
            ConfigurationError: there is no such address.
            OrchestratorError: the port is taken, or may not be used.
        """
        host, port = self._settings.host, self._settings.port
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listening = socket.socket(family, kind)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(WAITING)
        except socket.gaierror as error:
            raise ConfigurationError(
                f"--host {host} is no address of this machine: {error.strerror}.", to_fix="leave --host out"
            ) from error
        except OSError as error:
            raise _refused(host, port, error) from error
        self._socket = listening

    def serve(self, *, open_browser: bool = False) -> None:
        """Serve until Ctrl-C."""
        assert self._socket is not None
        config = uvicorn.Config(
            create_app(self._settings),
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=SECONDS_TO_CLOSE,
            limit_concurrency=500,
            h11_max_incomplete_event_size=64 * 1024,
            http=Connection,
            ws="none",
            lifespan="on",
            proxy_headers=False,
        )
        logging.getLogger("uvicorn.error").addFilter(says_more_than_ended)
        server = _Uvicorn(config)
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # that is how it ends
            asyncio.run(server.serve(sockets=[self._socket]))


class _Uvicorn(uvicorn.Server):
    """Ends streams as soon as it is asked to end, so that it does not wait for their viewers."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        with suppress(AttributeError):
            await app.state.site.live.close()  # type: ignore[union-attr]  # it is the application that was made above
        await super().shutdown(sockets)


def _refused(host: str, port: int, error: OSError) -> OrchestratorError:
    if error.errno == errno.EADDRINUSE:
        return OrchestratorError(
            f"Port {port} of {host} is taken by another program, perhaps another `orchestrator ui`.",
            to_fix=f"open http://{host}:{port}/, or choose another port: `orchestrator ui --port {port + 1}`",
        )
    if error.errno == errno.EACCES:
        return OrchestratorError(f"Port {port} may not be used by this user.", to_fix="choose one above 1023")
    return ConfigurationError(f"{host}:{port} cannot be listened on: {error.strerror}.", to_fix="leave --host out")
