"""The chat: describe what to simulate, see what would change, check it, save it, run it.

Alone by ``python -m orchestrator.ui.gradio_chat``; beside the other pages by :func:`mount`. Gradio takes seconds to
import and is imported when a chat is made.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace as with_values
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.config.layers import scenario_file
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.storage.base import ChatSessionRepository
from orchestrator.ui.assistants.base import Assistant
from orchestrator.ui.assistants.current import CurrentAssistant
from orchestrator.ui.assistants.llm_models import LanguageModel, require_extra
from orchestrator.ui.assistants.overlay import CheckedProposal, scenario_yaml
from orchestrator.ui.assistants.schema import ConfigSchema
from orchestrator.ui.chat import look, markup
from orchestrator.ui.chat.answering import Answer
from orchestrator.ui.chat.conversations import Conversations
from orchestrator.ui.chat.examples import examples
from orchestrator.ui.chat.gate import ChatGate
from orchestrator.ui.chat.library import import_gradio
from orchestrator.ui.chat.page import inputs_of, make_page
from orchestrator.ui.chat.secret import workspace_secret
from orchestrator.ui.navigation import PAGES

if TYPE_CHECKING:
    from fastapi import FastAPI

PATH = "/chat"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WATCH_SECONDS = 0.5
StartRun = Callable[[str], str]
Shown = list[dict[str, str]]


class GradioChatUI:
    """The chat of an assistant; ``session_repo`` keeps what is said, ``config_schema`` what may be configured.

    ``start_run`` starts a run of the scenario of a name and returns the address of the page that shows it; without it
    there is no button for that. ``pages`` are those beside it: key, name and address.
    """

    def __init__(
        self,
        assistant: Assistant,
        session_repo: ChatSessionRepository,
        config_schema: ConfigSchema,
        *,
        start_run: StartRun | None = None,
        pages: Sequence[tuple[str, str, str]] = (),
    ) -> None:
        self.pages = tuple(pages)
        self.conversations = Conversations(assistant, session_repo, config_schema)
        self._schema = config_schema
        self._start_run = start_run

    def generate_config(self, message: str, session_id: str) -> Iterator[str]:
        """Say something in a conversation; yield the whole answer so far, again and again until it is complete.

        Raises:
            OrchestratorError: the message is refused; a failure of the assistant is an answer.
        """
        yield from self._watch(self.conversations.say(session_id, message))

    def validate_config(self, session_id: str) -> CheckedProposal:
        """Check what a conversation has led to, as the configuration is now.

        Raises:
            ConfigurationError: nothing is proposed yet, or the configuration is wrong.
        """
        checked = self._checked(session_id)
        if checked is None:
            raise ConfigurationError("Nothing is proposed yet.", to_fix="say what to simulate")
        return checked

    def download_config(self, session_id: str) -> tuple[str, str]:
        """Return name and text of the scenario file that a conversation has led to.

        Raises:
            ConfigurationError: nothing is proposed yet, or it does not fit.
        """
        return markup.file_name(self.validate_config(session_id))

    def save_config(self, session_id: str, name: str, *, replace: bool = False) -> Path:
        """Write the scenario file, under a name of the user's where it is not empty, and return its path.

        Raises:
            ConfigurationError: there is no name, it does not fit, or the scenario exists.
            OSError: it cannot be written.
        """
        proposal = self.conversations.proposal(session_id)
        if proposal is None:
            raise ConfigurationError("Nothing is proposed yet.", to_fix="say what to simulate")
        return self._schema.save(with_values(proposal, name=name.strip() or proposal.name), replace=replace)

    def create_interface(self) -> Any:
        """Make the page, a ``gr.Blocks``.

        Raises:
            MissingExtraError: Gradio is not installed.
            ConfigurationError: the configuration is wrong, or the secret of the workspace cannot be made.
        """
        gradio = import_gradio()
        subject = self._schema.subject()
        return make_page(gradio, self, workspace_secret(subject.config.root), examples(subject))

    def launch(self, server_name: str = "127.0.0.1", server_port: int = 7860) -> None:
        """Serve the chat alone, until it is interrupted.

        Raises:
            ConfigurationError: ``server_name`` would show it to other machines.
        """
        import uvicorn

        uvicorn.run(self.app(server_name), host=server_name, port=server_port, log_level="info", access_log=False)

    def app(self, server_name: str = "127.0.0.1") -> FastAPI:
        """Return the application that :meth:`launch` serves.

        Raises:
            ConfigurationError: ``server_name`` would show it to other machines.
        """
        if server_name not in LOOPBACK:
            raise ConfigurationError(
                f"The chat alone asks for no password, so it is not served at {server_name}.",
                to_fix="use `orchestrator ui --host HOST --token TOKEN`",
            )
        import_gradio()
        from fastapi import FastAPI
        from fastapi.responses import RedirectResponse, Response
        from starlette.middleware.trustedhost import TrustedHostMiddleware

        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.add_api_route("/", lambda: RedirectResponse(f"{PATH}/"), include_in_schema=False)
        app.add_api_route("/favicon.ico", lambda: Response(status_code=204), include_in_schema=False)
        mount_chat(app, self)
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK[:2], "[::1]"])
        return app

    @property
    def can_run(self) -> bool:
        """Tell whether runs can be started from here."""
        return self._start_run is not None

    def start_run(self, session_id: str, name: str) -> tuple[str, str]:
        """Save the scenario unless it is saved as it is, and start a run of it; return its name and the run's address.

        Raises:
            OrchestratorError: it cannot be saved or started.
            OSError: it cannot be written.
        """
        assert self._start_run is not None
        chosen = name.strip() or self.validate_config(session_id).name or ""
        if not self._is_saved(session_id, chosen):
            self.save_config(session_id, chosen)
        return chosen, self._start_run(chosen)

    def _is_saved(self, session_id: str, name: str) -> bool:
        subject = self._schema.subject()
        proposal = self.conversations.proposal(session_id)
        if proposal is None or subject.config.file is None or not name:
            return False
        file = scenario_file(subject.config.file.parent / "scenarios", name)
        wanted = subject.check(with_values(proposal, name=name))
        return file is not None and not wanted.errors and file.read_text() == scenario_yaml(wanted)

    def shown(self, session_id: str, going_on: str | None = None) -> Shown:
        """Return the messages of a conversation, with the answer that is going on."""
        turns = self.conversations.turns(session_id)
        found = [{"role": turn.role, "content": markup.plain(turn.text)} for turn in turns]
        return found if going_on is None else [*found, {"role": "assistant", "content": markup.plain(going_on) or "…"}]

    def panel(self, session_id: str) -> str:
        """Return what stands beside a conversation, as HTML."""
        try:
            return markup.proposal_html(self._checked(session_id))
        except OrchestratorError as error:
            return f"{markup.NOTHING}<div class='outcome'>{markup.error_html(error)}</div>"

    def watch(self, session_id: str) -> Iterator[str]:
        """Yield the answer that is going on in a conversation, nothing where none is."""
        answer = self.conversations.answering(session_id)
        if answer is not None:
            yield from self._watch(answer)

    def _watch(self, answer: Answer) -> Iterator[str]:
        version, over = -1, False
        while not over:
            before = version
            version, text, over = answer.wait(version, WATCH_SECONDS)
            if version != before:
                yield text

    def _checked(self, session_id: str) -> CheckedProposal | None:
        proposal = self.conversations.proposal(session_id)
        return None if proposal is None else self._schema.subject().check(proposal)


def mount_chat(app: FastAPI, chat: GradioChatUI, path: str = PATH) -> FastAPI:
    """Put a chat into an application at ``path``, with a gate before it; its host is for the application to check.

    Raises:
        ConfigurationError: the configuration is wrong.
        MissingExtraError: Gradio is not installed.
    """
    gradio = import_gradio()
    theme = gradio.themes.Base(font=list(look.FONTS), font_mono=list(look.MONOSPACE))
    page = chat.create_interface()
    gradio.mount_gradio_app(
        app,
        page,
        path=path,
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=1,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme,
        css=look.CSS,
        head=look.HEAD,
    )
    app.add_middleware(ChatGate, path=path, inputs=inputs_of(page))
    return app


class ChatWorkspace(Protocol):
    """What a command line named: the configuration and what is laid over it."""

    @property
    def config(self) -> Path | None:
        """The configuration file, None for that of the working folder."""

    @property
    def scenario(self) -> str | None:
        """The scenario that is varied."""

    @property
    def overrides(self) -> Sequence[str]:
        """What ``--set`` set."""

    @property
    def database(self) -> Path | None:
        """What ``--database`` named."""

    @property
    def fork(self) -> str | None:
        """What ``--as`` named."""


def mount(
    app: FastAPI,
    path: str = PATH,
    *,
    settings: ChatWorkspace,
    llm: LanguageModel | None = None,
    start_run: StartRun | None = None,
) -> FastAPI:
    """Put the chat of a workspace into an application; its history is made where there is none.

    Raises:
        ConfigurationError: the configuration is wrong.
        StorageError: the history cannot be used.
        MissingExtraError: Gradio, or the library of the language model, is not installed.
    """
    import_gradio()

    def load() -> SimulationConfig:
        return SimulationConfig.load(
            settings.config,
            scenario=settings.scenario,
            overrides=settings.overrides,
            database=settings.database,
            fork=settings.fork,
        )

    return mount_chat(app, open_chat(load, llm, start_run=start_run, pages=PAGES), path)


def open_chat(
    load: Callable[[], SimulationConfig],
    llm: LanguageModel | None = None,
    *,
    start_run: StartRun | None = None,
    pages: Sequence[tuple[str, str, str]] = (),
) -> GradioChatUI:
    """Make the chat of a configuration; its history is made where there is none.

    Raises:
        ConfigurationError: the configuration is wrong.
        StorageError: the history cannot be used.
        MissingExtraError: the library of the language model is not installed.
    """
    from orchestrator.storage.factory import create_storage_backend  # SQLAlchemy: a fifth of a second

    schema = ConfigSchema(load)
    if llm is not None:
        require_extra(llm)
    backend = create_storage_backend(load(), show_progress=True)
    return GradioChatUI(CurrentAssistant(schema, llm), backend.chat_sessions, schema, start_run=start_run, pages=pages)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the chat alone; ``--help`` lists what may be said."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.ui.gradio_chat", description="Serve the chat alone.")
    parser.add_argument("--config", help="configuration file; by default that of the working folder")
    parser.add_argument("--scenario", help="scenario that is varied")
    parser.add_argument("--port", type=int, default=7860, help="port on 127.0.0.1, by default 7860")
    parser.add_argument("--llm", metavar="PROVIDER:MODEL", help="language model to ask, such as ollama:qwen3")
    parser.add_argument("--llm-url", metavar="URL", help="where it is, if not at its provider's")
    given = parser.parse_args(arguments)
    try:
        llm = None if given.llm is None else LanguageModel.read(given.llm, given.llm_url)
        import_gradio()
        load = partial(SimulationConfig.load, given.config, scenario=given.scenario)
        open_chat(load, llm).launch(server_port=given.port)
    except OrchestratorError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
