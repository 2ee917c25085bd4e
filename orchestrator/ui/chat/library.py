"""The library that shows the chat, imported when it is needed: it takes seconds."""

from __future__ import annotations

import os
from typing import Any

from orchestrator.core.errors import MissingExtraError

EXTRA = "pip install 'dbt-year-orchestrator[ui]'"


def import_gradio() -> Any:
    """Import Gradio with everything switched off that would ask somebody elsewhere.

    Raises:
        MissingExtraError: it is not installed.
    """
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", GRADIO_RUN_HISTORY="False")
    try:
        import fastapi  # noqa: F401  # looked for first: it takes less
        import gradio
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"The chat needs the package {error.name}, which is not installed.", to_fix=EXTRA
        ) from error
    return gradio
