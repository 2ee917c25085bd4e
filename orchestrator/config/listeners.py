"""Listeners that other programs provide: whom a run tells of itself, and which of it is a secret."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.config import JsonDict

from orchestrator.config.schema import Seconds, Section, Text, finding_at, texts_as_list

PLACEHOLDERS = ("run_id", "status", "scenario", "years", "seconds")
_URL = {"form": "URL"}
_BESIDE: JsonDict = {"beside": {"url": "http://127.0.0.1:5000"}}


def _is_http(text: str) -> str:
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError("must be a URL that begins with http:// or https://.")
    return text


def _is_service(text: str) -> str:
    if "://" not in text:  # the value is not shown: it is a secret
        raise ValueError("must be the URL of an Apprise service, such as mailtos://…, slack://… or json://….")
    return text


def _is_template(text: str) -> str:
    allowed = f"only {', '.join(f'{{{name}}}' for name in PLACEHOLDERS)}"
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"is no template ({error}); a brace that is meant as such is written twice.") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            raise ValueError(f"holds {{{name}}} in a way that is not allowed; {allowed} may stand there, as they are.")
    return text


HttpUrl = Annotated[Text, AfterValidator(_is_http), Field(json_schema_extra=_URL)]
ServiceUrl = Annotated[Text, AfterValidator(_is_service), Field(json_schema_extra=_URL)]


class OpenLineageSettings(Section):
    """A receiver of OpenLineage events, such as Marquez or a data catalog."""

    url: HttpUrl | None = Field(
        None, description="URL of the receiver; either this or file is needed.", examples=["http://127.0.0.1:5000"]
    )
    endpoint: Text = Field(
        "api/v1/lineage",
        description="Path of the receiver below url.",
        examples=["api/v1/lineage"],
        json_schema_extra=_BESIDE,
    )
    api_key: Text | None = Field(
        None,
        description="Key that is sent as a bearer token; a secret, best given as the environment variable "
        "ORCHESTRATOR_LISTENERS__OPENLINEAGE__API_KEY.",
        examples=["not-a-real-key"],
        json_schema_extra=_BESIDE,
    )
    file: Path | None = Field(
        None,
        description="File that events are appended to instead, a line each, relative to the project root.",
        examples=["var/lineage.jsonl"],
    )
    namespace: Text = Field(
        "default", description="Namespace of the jobs.", examples=["planning"], json_schema_extra=_BESIDE
    )
    dataset_namespace: Text | None = Field(
        None,
        description="Namespace of the tables, as other producers name the same database; by default "
        "duckdb:///path/of/the/file, or adapter://profile/target where the database is no file.",
        examples=["postgres://db.example.org:5432"],
        json_schema_extra=_BESIDE,
    )
    timeout_seconds: Seconds = Field(
        5.0,
        description="Longest time for one event, in seconds; the end of a run waits one second more for the last.",
        examples=[2],
        json_schema_extra={"unit": "seconds", **_BESIDE},
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise finding_at("is missing; write either url or file." if self.url is None else "excludes file.", "url")
        return self


class NotificationSettings(Section):
    """Messages to people by Apprise: mail, chat, SMS and many more."""

    urls: Annotated[tuple[ServiceUrl, ...], BeforeValidator(texts_as_list), Field(min_length=1)] = Field(
        description="URLs of services as Apprise writes them, all of them secrets: never shown, best given as the "
        "environment variable ORCHESTRATOR_LISTENERS__NOTIFICATIONS__URLS.",
        examples=[["json://127.0.0.1:8080/hook"]],
        json_schema_extra={"form": "URL, or a list of at least one URL"},
    )
    when: tuple[Literal["failed", "completed", "healed", "interrupted", "cancelled", "refused"], ...] = Field(
        ("failed",),
        description="What is told: how a run ended, and that it healed the database first (healed).",
        examples=[["failed", "healed"]],
    )
    template: Annotated[Text, AfterValidator(_is_template)] = Field(
        "{scenario} {years}: {status} after {seconds} s (run {run_id})",
        description="Text of a message; {run_id}, {status}, {scenario}, {years} and {seconds} are replaced.",
        examples=["{status}: {scenario}, {years}"],
    )
    timeout_seconds: Seconds = Field(
        10.0,
        description="Longest wait for the last message at the end of a run, in seconds; for one message the service's "
        "own limits hold, cto and rto in its URL.",
        examples=[5],
    )


class TraceSettings(Section):
    """A receiver of OpenTelemetry traces by OTLP over HTTP, such as a collector or Jaeger."""

    url: HttpUrl = Field(
        description="URL of the receiver with its path, usually /v1/traces.",
        examples=["http://127.0.0.1:4318/v1/traces"],
    )
    headers: dict[str, Text] = Field(
        default_factory=dict,
        description="Headers to send along, by name; their values are secrets.",
        examples=[{"authorization": "not-a-real-key"}],
    )
    service_name: Text = Field(
        "dbt-year-orchestrator", description="Name of the service in the traces.", examples=["planning"]
    )
    timeout_seconds: Seconds = Field(
        5.0,
        description="Longest time for one request, in seconds; the end of a run waits one second more for the last.",
        examples=[2],
    )


class ListenerSettings(Section):
    """Whom runs tell of themselves."""

    openlineage: OpenLineageSettings | None = Field(None, description="Lineage of runs, stages and nodes.")
    notifications: NotificationSettings | None = Field(None, description="Messages to people.")
    otel: TraceSettings | None = Field(None, description="Traces of runs, years, stages and nodes.")


def listener_secrets(data: Mapping[str, object]) -> Iterator[str]:
    """Yield the values of a configuration, not checked yet, that are secrets whatever their keys are called."""
    listeners = data.get("listeners")
    for section, key in (("notifications", "urls"), ("otel", "headers")):
        found = listeners.get(section) if isinstance(listeners, Mapping) else None
        yield from _texts(found.get(key) if isinstance(found, Mapping) else None)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
