"""What somebody asks to be swept: what a command line or a program says, else what the configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.config.sweeps import SweepSettings
from orchestrator.core.errors import ConfigurationError
from orchestrator.scenarios.plan import Databases, Variation
from orchestrator.scenarios.planning import SweepRequest
from orchestrator.scenarios.sweeping import SweepWork
from orchestrator.scenarios.values import read_scenarios, read_seeds, read_variation, variation, varied_key

Values = str | Sequence[JsonValue]


@dataclass(frozen=True)
class Asked:
    """What is asked for, as it is given; what is None is left to the section ``sweep`` of the configuration."""

    name: str | None = None
    first_year: int | None = None
    last_year: int | None = None
    vary: Mapping[str, Values] | None = None
    scenarios: str | Sequence[str] | None = None
    seeds: str | int | Sequence[int] | None = None
    keep: str | Sequence[str] | None = None
    databases: Databases | None = None
    max_members: int | None = None
    workers: int | None = None
    scheduler: str | None = None
    retries: int | None = None
    dashboard: bool = False
    share: bool | None = None

    def request(self, settings: SweepSettings) -> SweepRequest:
        """Return what is to be run.

        Raises:
            ConfigurationError: values or seeds are written in another way than they are.
        """
        vary: Mapping[str, Values] = settings.vary if self.vary is None else self.vary
        keep = settings.keep if self.keep is None else self.keep
        return SweepRequest(
            self.name or settings.name,
            self.first_year,
            self.last_year,
            tuple(_variation(key, values) for key, values in vary.items()),
            _scenarios(settings.scenarios if self.scenarios is None else self.scenarios),
            _seeds(settings.seeds if self.seeds is None else self.seeds),
            (keep,) if isinstance(keep, str) else tuple(keep),
            self.databases or settings.databases,
            self.max_members or settings.max_members,
        )

    def work(self, settings: SweepSettings) -> SweepWork:
        """Return how it is worked off."""
        return SweepWork(
            self.workers or settings.workers,
            self.scheduler or settings.scheduler,
            settings.retries if self.retries is None else self.retries,
            dashboard=self.dashboard,
            share=settings.share if self.share is None else self.share,
        )


def _variation(key: str, values: Values) -> Variation:
    if isinstance(values, str):
        return read_variation(f"{key}={values}")
    if not isinstance(values, Sequence):  # what a program gives may be anything
        raise ConfigurationError(f"The values of {key} are {values!r}, which is no list.", to_fix=f"write [{values!r}]")
    return variation(varied_key(key), list(values))


def _scenarios(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of scenarios, which may be one text; no name twice."""
    return read_scenarios(given if isinstance(given, str) else ",".join(given)) if given else ()


def _seeds(seeds: str | int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(seeds, (str, int)):
        return read_seeds(str(seeds))
    return read_seeds(",".join(map(str, seeds))) if seeds else ()
