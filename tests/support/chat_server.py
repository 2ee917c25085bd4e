"""A program that serves the chat of a fishery alone: ``python -m tests.support.chat_server FOLDER PORT LLM-URL``."""

from __future__ import annotations

import sys
from pathlib import Path

from orchestrator.storage.factory import create_storage_backend
from orchestrator.ui.assistants.llm import create_llm
from orchestrator.ui.gradio_chat import GradioChatUI
from tests.support.fishery import make_fishery


def main(folder: Path, port: int, url: str) -> None:
    """Serve it until the process is ended."""
    schema = make_fishery(folder)
    backend = create_storage_backend(f"sqlite:///{folder / 'var' / 'orchestrator.db'}")
    runs = folder / "runs.txt"

    def start_run(scenario: str) -> str:
        with runs.open("a") as file:
            file.write(f"{scenario}\n")
        return f"/runs/of-{scenario}"

    assistant = create_llm("openai", "fake-1", url, schema=schema, stall_seconds=120)
    GradioChatUI(assistant, backend.chat_sessions, schema, start_run=start_run).launch(server_port=port)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
