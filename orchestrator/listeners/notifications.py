"""Tell people by whatever service they use, with Apprise, that a run failed, ended or healed the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.config.listeners import NotificationSettings
from orchestrator.core.events import Event, RunFinished, RunStarted, StepFinished
from orchestrator.listeners.own_log import kept_from_the_log

if TYPE_CHECKING:
    from apprise import Apprise

HEALED_STEP = "verify"  # what healing ends with, where it had anything to do
LOG = "apprise"
TITLE = "dbt-year-orchestrator"


@dataclass(frozen=True)
class Notification:
    """One text for people; ``status`` is that of the run, or ``healed``."""

    status: str
    text: str


class NotificationSink:
    """Writes the notifications of one run and sends each to every service.

    Raises:
        RuntimeError: Apprise knows no service for one of the URLs.
    """

    def __init__(self, settings: NotificationSettings) -> None:
        self._settings = settings
        with kept_from_the_log(LOG):
            self._services = _services(settings)  # takes a second: while dbt starts, and not at the end of the run
        self._started: RunStarted | None = None

    def messages(self, event: Event) -> Iterator[Notification]:
        """Return what people want to be told of an event."""
        if isinstance(event, RunStarted):
            self._started = event
        if self._started is None:
            return
        status = _status(event)
        if status is not None and status in self._settings.when:
            seconds = event.seconds if isinstance(event, RunFinished) else None
            yield Notification(status, self._text(self._started, status, seconds, event))

    def _text(self, started: RunStarted, status: str, seconds: float | None, event: Event) -> str:
        taken = (event.at - started.at).total_seconds() if seconds is None else seconds
        years = f"{started.years[0]}–{started.years[-1]}" if len(started.years) > 1 else f"{started.years[0]}"
        return self._settings.template.format(
            run_id=started.run_id, status=status, scenario=started.scenario, years=years, seconds=f"{taken:.1f}"
        )

    def send(self, message: Notification) -> None:
        """Send one notification to all services.

        Raises:
            RuntimeError: one of them did not take it.
        """
        import apprise

        kind = apprise.NotifyType.FAILURE if message.status == "failed" else apprise.NotifyType.INFO
        with kept_from_the_log(LOG) as said:
            sent = self._services.notify(
                message.text,
                title=TITLE,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        if not sent:
            raise RuntimeError("; ".join(dict.fromkeys(said)) or "the service did not take it")

    def close(self) -> None:
        """Nothing is held open."""


def _services(settings: NotificationSettings) -> Apprise:
    import apprise

    # Without a time limit, which would take threads that the end of the process waits for. Services have limits of
    # their own, cto and rto in their URLs.
    services = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False, service_timeout=0))
    for number, url in enumerate(settings.urls, 1):
        if not services.add(url):
            raise RuntimeError(f"listeners.notifications.urls: Apprise knows no service for number {number}")
    return services


def _status(event: Event) -> str | None:
    if isinstance(event, RunFinished):
        return event.status
    healed = isinstance(event, StepFinished) and event.step == HEALED_STEP and event.success
    return "healed" if healed else None
