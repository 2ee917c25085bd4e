"""Which language model answers: its provider, its key, and the connection to it.

Keys are read from the environment when they are needed. They are kept nowhere, and from then on out of every text.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.core.errors import AssistantError, ConfigurationError, MissingExtraError
from orchestrator.core.masking import masked, remember_values

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

EXTRA = "pip install 'dbt-year-orchestrator[llm]'"
OTHERWISE = "or go on without a language model: the rule-based assistant needs neither key nor network"
OLLAMA_URL = "http://127.0.0.1:11434/v1"
OWN_KEY = "ORCHESTRATOR_LLM_API_KEY"
KEYS = {
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "ollama": (),
    "compatible": (),
}
PACKAGES = {"openai": "openai", "anthropic": "anthropic", "google": "google.genai"}
MOST_BYTES = 4 * 1024 * 1024  # of one response
CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class LanguageModel:
    """A model of a provider: ``openai``, ``anthropic``, ``google``, ``ollama``, or ``compatible`` with a URL.

    ``compatible`` is any server that speaks OpenAI's language. ``base_url`` replaces the provider's own.
    """

    provider: str
    model: str
    base_url: str | None = None

    @classmethod
    def read(cls, words: str, base_url: str | None = None) -> LanguageModel:
        """Read ``provider:model``.

        >>> LanguageModel.read("ollama:qwen3:8b")
        LanguageModel(provider='ollama', model='qwen3:8b', base_url=None)

        Raises:
            ConfigurationError: there is no such provider, or something is missing.
        """
        provider, _, model = words.partition(":")
        found = cls(provider, model, base_url)
        found.require_whole()
        return found

    def require_whole(self) -> None:
        """Refuse a provider that is none, a model without a name, and a URL to which no key may be sent.

        Raises:
            ConfigurationError: it is one of these.
        """
        if self.provider not in KEYS:
            raise ConfigurationError(
                f"There is no provider of language models {self.provider!r}.",
                to_fix=f"name one of {', '.join(KEYS)}; any server that speaks OpenAI's language is `compatible`",
            )
        if not self.model:
            raise ConfigurationError(
                f"The model of {self.provider} has no name.", to_fix=f"write {self.provider}:NAME-OF-THE-MODEL"
            )
        if self.base_url is None:
            if self.provider == "compatible":
                raise ConfigurationError(
                    "A compatible server needs a URL.", to_fix="give it, such as http://127.0.0.1:8000/v1"
                )
            return
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ConfigurationError(
                f"{masked(self.base_url)!r} is no URL of a language model.",
                to_fix="write it like https://host/v1, without user or password",
            )

    @property
    def place(self) -> str:
        """Say where it is, for people: its host, or its provider."""
        url = self.base_url or (OLLAMA_URL if self.provider == "ollama" else None)
        return self.provider if url is None else urlsplit(url).netloc.rpartition("@")[2]

    @property
    def key_names(self) -> tuple[str, ...]:
        """The environment variables that may hold its key."""
        return KEYS[self.provider] or (OWN_KEY,)

    def key(self) -> str | None:
        """Return its key from the environment, None where it needs none.

        Raises:
            ConfigurationError: it needs one and there is none, or it would be sent where others can read it.
        """
        found = next((os.environ[name] for name in self.key_names if os.environ.get(name)), None)
        if found is None:
            if not KEYS[self.provider] or self._is_near():
                return None
            raise ConfigurationError(
                f"There is no key for the language model {self.model} of {self.provider}.",
                to_fix=f"set the environment variable {self.key_names[0]}, {OTHERWISE}",
            )
        if self.base_url is not None and urlsplit(self.base_url).scheme == "http" and not self._is_near():
            raise ConfigurationError(
                f"The key in {self.key_names[0]} would go to {self.place} where everybody on the way can read it.",
                to_fix=f"use an https:// URL, or unset {self.key_names[0]} where the server needs no key",
            )
        remember_values([found])
        return found

    def _is_near(self) -> bool:
        """Tell whether it is on this machine."""
        if self.base_url is None:
            return False
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class WireError(AssistantError):
    """Signals that what comes over the connection is no answer; the message goes on where the model was named."""


ENDLESS = "gave an answer that has no end"


def require_extra(chosen: LanguageModel) -> None:
    """Refuse a model whose library is not installed.

    Raises:
        MissingExtraError: it is not.
    """
    for module in ("pydantic_ai", PACKAGES.get(chosen.provider, "openai")):
        try:
            there = find_spec(module) is not None
        except ModuleNotFoundError:
            there = False
        if not there:
            raise MissingExtraError(
                f"A language model of {chosen.provider} needs the package {module.replace('.', '-')}, which is not "
                "installed.",
                to_fix=f"{EXTRA}, {OTHERWISE}",
            )


def make_client(seconds: float) -> httpx2.AsyncClient:
    """Make the connection: ``seconds`` of silence end it, it follows no redirection, and reads no endless answer."""
    import httpx2

    async def limit(response: httpx2.Response) -> None:
        if response.is_redirect:
            raise WireError(f"leads to another address (HTTP {response.status_code}), which is not followed")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _limited(response.stream)

    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        event_hooks={"response": [limit]},
        follow_redirects=False,
    )


def _limited(stream: httpx2.AsyncByteStream) -> httpx2.AsyncByteStream:
    import httpx2

    class Limited(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            read = 0
            async for chunk in stream:
                read += len(chunk)
                if read > MOST_BYTES:
                    raise WireError(ENDLESS)
                yield chunk

        async def aclose(self) -> None:
            await stream.aclose()

    return Limited()


def make_model(chosen: LanguageModel, key: str | None, client: httpx2.AsyncClient) -> Model:
    """Make what pydantic-ai asks; nothing connects yet."""
    url = chosen.base_url
    if chosen.provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        anthropic = AnthropicProvider(api_key=key or "none", base_url=url, http_client=client)
        return AnthropicModel(chosen.model, provider=anthropic)
    if chosen.provider == "google":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        google = GoogleProvider(api_key=key or "none", base_url=url, http_client=client)
        return GoogleModel(chosen.model, provider=google)
    from pydantic_ai.models.openai import OpenAIChatModel

    if chosen.provider == "openai":
        from pydantic_ai.providers.openai import OpenAIProvider

        openai = OpenAIProvider(base_url=url, api_key=key or "none", http_client=client)
        return OpenAIChatModel(chosen.model, provider=openai)
    if chosen.provider == "ollama":
        from pydantic_ai.models.ollama import OllamaModel
        from pydantic_ai.providers.ollama import OllamaProvider

        ollama = OllamaProvider(base_url=url or OLLAMA_URL, api_key=key or "none", http_client=client)
        return OllamaModel(chosen.model, provider=ollama)
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    assert url is not None
    compatible = OpenAICompatibleProvider("compatible", base_url=url, api_key=key or "none", http_client=client)
    return OpenAIChatModel(chosen.model, provider=compatible)
