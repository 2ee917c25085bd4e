"""Add up where the time of a run went."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.events import Event, HookFinished, LockAcquired, StageFinished, StepFinished, YearsPurged, YearStarted


class TimeSpent:
    """A listener that adds up seconds; ``since_start`` gives those since the program began.

    The time before the first year that belongs to no step, hook or wait is start-up: imports, the start of dbt
    and its parse, as far as they were waited for.
    """

    def __init__(self, since_start: Callable[[], float]) -> None:
        self._since_start = since_start
        self._seconds: dict[str, float] = {"start-up and parse": 0.0}
        self._began = False

    def __call__(self, event: Event) -> None:
        """Add the seconds of one event."""
        match event:
            case StepFinished():
                self._add("healing", event.seconds)
            case HookFinished() if event.name != "self_healing":
                self._add("hooks", event.seconds)
            case LockAcquired() if event.seconds > 0.1:
                self._add("waiting for the database", event.seconds)
            case YearsPurged():
                self._add("purge", event.seconds)
            case YearStarted() if not self._began:
                self._began = True
                self._seconds["start-up and parse"] = max(0.0, self._since_start() - sum(self._seconds.values()))
            case StageFinished():
                self._add(event.stage, event.seconds)
            case _:
                pass

    def rows(self) -> list[tuple[str, float]]:
        """Return what was spent on what, then the rest and the total, all in seconds."""
        total = self._since_start()
        rest = max(0.0, total - sum(self._seconds.values()))
        return [*self._seconds.items(), ("everything else", rest), ("total", total)]

    def _add(self, what: str, seconds: float) -> None:
        self._seconds[what] = self._seconds.get(what, 0.0) + seconds
