"""What went wrong with a language model, in words that say what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pydantic_ai import exceptions as theirs

from orchestrator.core.errors import (
    AssistantError,
    AssistantTimeoutError,
    AssistantUnavailableError,
    OrchestratorError,
)
from orchestrator.core.masking import masked
from orchestrator.ui.assistants.llm_models import OTHERWISE, LanguageModel, WireError

SHOWN = 200  # characters of what a server said

_FAILURES: tuple[tuple[type[Exception], type[AssistantError], str, str], ...] = (
    (
        theirs.ModelQuotaExceededError,
        AssistantUnavailableError,
        "answers no more: the account has used up what it may use",
        "look at the account's limits and bills",
    ),
    (
        theirs.ModelAuthenticationError,
        AssistantUnavailableError,
        "refuses the key, or has none",
        "put a valid key into the environment variable {key}, and start this program again",
    ),
    (
        theirs.ModelNotFoundError,
        AssistantUnavailableError,
        "does not know this model, or has another URL",
        "correct the name of the model or the URL",
    ),
    (
        theirs.ModelContextWindowExceededError,
        AssistantError,
        "cannot read a conversation of this length",
        "begin a new conversation",
    ),
    (
        theirs.ModelOverloadedError,
        AssistantUnavailableError,
        "is overloaded",
        "try again in a minute",
    ),
    (
        theirs.ModelUnavailableError,
        AssistantUnavailableError,
        "is not available at the moment",
        "try again in a minute",
    ),
    (theirs.ModelServerError, AssistantUnavailableError, "failed by itself", "try again in a minute"),
    (
        theirs.ModelRequestRejectedError,
        AssistantError,
        "refuses the question",
        "choose a model that can call tools",
    ),
    (
        theirs.ContentFilterError,
        AssistantError,
        "does not answer this: its provider filters such content",
        "say it in other words",
    ),
    (
        theirs.OutputTokenLimitExceeded,
        AssistantError,
        "gave an answer that has no end",
        "ask for less at once",
    ),
)


def translated(error: BaseException, chosen: LanguageModel, misfits: list[str], seconds: float) -> OrchestratorError:
    """Return the error that something which a model's library raised stands for.

    ``misfits`` are what was wrong with the proposals that the model made; ``seconds`` is how long it may be silent.
    """
    if isinstance(error, OrchestratorError) and not isinstance(error, WireError):
        return error
    who = f"The language model {chosen.model} of {chosen.place}"
    causes = list(_causes(error))
    of_wire = next((one for one in causes if isinstance(one, WireError)), None)
    if of_wire is not None:
        return AssistantError(f"{who} {of_wire.message}.", to_fix=f"look at its URL and its name, {OTHERWISE}")
    if any(isinstance(one, TimeoutError | theirs.ModelTimeoutError | theirs.ModelRequestTimeout) for one in causes):
        return AssistantTimeoutError(
            f"{who} was silent for {seconds:g} seconds.", to_fix=f"try again, or choose a faster model, {OTHERWISE}"
        )
    if isinstance(error, theirs.ModelRateLimitError):
        wait = None if error.retry_after is None else math.ceil(error.retry_after)
        when = "in a minute" if wait is None else f"in {wait} second{'' if wait == 1 else 's'}"
        return AssistantUnavailableError(
            f"{who} was asked too often (HTTP 429).", to_fix=f"try again {when}, {OTHERWISE}"
        )
    for kind, ours, what, to_fix in _FAILURES:
        if isinstance(error, kind):
            remedy = to_fix.format(key=chosen.key_names[0])
            return ours(f"{who} {what}{_status(error)}.", to_fix=f"{remedy}, {OTHERWISE}")
    if isinstance(error, theirs.ModelHTTPError):
        return AssistantUnavailableError(
            f"{who} gave no answer{_status(error)}.", to_fix=f"correct the URL of the model, {OTHERWISE}"
        )
    if isinstance(error, theirs.ModelConnectionError):
        start = "start it with `ollama serve`, or correct its URL" if chosen.provider == "ollama" else "look at its URL"
        away = "cannot be reached" if error.phase in ("connect", "pool") else "broke off its answer"
        return AssistantUnavailableError(f"{who} {away}.", to_fix=f"{start} and the network, {OTHERWISE}")
    fit = f" The last time: {masked(misfits[-1])}" if misfits else ""
    return AssistantError(
        f"{who} did not answer in the form that was asked for.{fit}",
        to_fix=f"say it in other words, choose a model that can call tools, {OTHERWISE}",
    )


def _status(error: BaseException) -> str:
    """Return the HTTP status of an error, and what the server said of it, in parentheses."""
    if not isinstance(error, theirs.ModelHTTPError):
        return ""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else body if isinstance(body, str) else None
    words = " ".join(masked(said).split())[:SHOWN] if isinstance(said, str) else ""
    return f" (HTTP {error.status_code}{': ' if words else ''}{words.rstrip('.')})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen = 0
    while error is not None and seen < 20:
        yield error
        error, seen = error.__cause__ or error.__context__, seen + 1
