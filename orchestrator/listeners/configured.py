"""The listeners that a configuration names; their libraries are looked for here, and imported by the first run."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.datasets import DatasetsOf
from orchestrator.core.errors import MissingExtraError
from orchestrator.core.events import Event
from orchestrator.listeners.background import BackgroundListener

SECONDS_MORE = 1.0  # so that the reason is known where the last message takes all of its time


def configured_listeners(
    config: SimulationConfig, datasets_of: Callable[[str | None], DatasetsOf]
) -> list[Callable[[Event], None]]:
    """Return the listeners of the section ``listeners``; ``datasets_of`` is given the namespace of the tables.

    Raises:
        MissingExtraError: the library of one of them is not installed.
    """
    settings = config.listeners
    found: list[Callable[[Event], None]] = []
    if settings.openlineage is not None:
        found.append(_openlineage(config, datasets_of))
    if settings.notifications is not None:
        found.append(_notifications(config))
    if settings.otel is not None:
        found.append(_traces(config))
    return found


def _openlineage(config: SimulationConfig, datasets_of: Callable[[str | None], DatasetsOf]) -> Callable[[Event], None]:
    settings = config.listeners.openlineage
    assert settings is not None
    _require("openlineage", "openlineage.client", "openlineage-python", config)
    from orchestrator.listeners.openlineage import OpenLineageSink  # only where it is wanted

    file = None if settings.file is None else config.resolve(settings.file)
    known = datasets_of(settings.dataset_namespace)
    return BackgroundListener(
        "OpenLineage",
        settings.url or str(file),
        lambda: OpenLineageSink(settings, file, known),
        seconds=settings.timeout_seconds + SECONDS_MORE,
    )


def _notifications(config: SimulationConfig) -> Callable[[Event], None]:
    settings = config.listeners.notifications
    assert settings is not None
    _require("notifications", "apprise", "apprise", config)
    from orchestrator.listeners.notifications import NotificationSink  # only where it is wanted

    several = "the service" if len(settings.urls) == 1 else f"the {len(settings.urls)} services"
    return BackgroundListener(
        "Notifications",
        f"{several} of listeners.notifications.urls",
        lambda: NotificationSink(settings),
        seconds=settings.timeout_seconds,
    )


def _traces(config: SimulationConfig) -> Callable[[Event], None]:
    settings = config.listeners.otel
    assert settings is not None
    _require("otel", "opentelemetry.exporter.otlp.proto.http", "opentelemetry-exporter-otlp-proto-http", config)
    from orchestrator.listeners.traces import TraceSink  # only where it is wanted

    return BackgroundListener(
        "OpenTelemetry", settings.url, lambda: TraceSink(settings), seconds=settings.timeout_seconds + SECONDS_MORE
    )


def _require(name: str, module: str, package: str, config: SimulationConfig) -> None:
    """Refuse a listener whose library is not there; the extra has the name of the listener."""
    try:
        there = find_spec(module) is not None
    except ModuleNotFoundError:
        there = False
    if not there:
        raise MissingExtraError(
            f"{config.origin_of('listeners', name)}: listeners.{name} needs the package {package}, which is not "
            "installed.",
            to_fix=f"pip install 'dbt-year-orchestrator[{name}]'",
        )
