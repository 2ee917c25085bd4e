"""What somebody asks to be swept: what a command line or a program says, else what the configuration says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import JsonValue

from orchestrator.config.sweeps import SweepSettings, one_as_list
from orchestrator.core.errors import ConfigurationError
from orchestrator.scenarios.plan import Databases, Variation
from orchestrator.scenarios.planning import SweepRequest
from orchestrator.scenarios.sweeping import SweepWork
from orchestrator.scenarios.values import read_scenarios, read_seeds, read_variation, variation, varied_key

Values = str | int | float | Sequence[JsonValue]
_ADDRESS = re.compile(r"(?:\w+://)?(?:[^\s/:\[\]]+|\[[^\s/\[\]]+\]):\d+/?")


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
        with _called("--vary", "sweep.vary", configured=self.vary is None):
            variations = tuple(_variation(key, values) for key, values in vary.items())
        with _called("--scenarios", "sweep.scenarios", configured=self.scenarios is None):
            scenarios = _scenarios(settings.scenarios if self.scenarios is None else self.scenarios)
        with _called("--seeds", "sweep.seeds", configured=self.seeds is None):
            seeds = _seeds(settings.seeds if self.seeds is None else self.seeds)
        keep = settings.keep if self.keep is None else self.keep
        return SweepRequest(
            self.name or settings.name,
            self.first_year,
            self.last_year,
            variations,
            scenarios,
            seeds,
            (keep,) if isinstance(keep, str) else tuple(keep),
            self.databases or settings.databases,
            self.max_members or settings.max_members,
        )

    def work(self, settings: SweepSettings) -> SweepWork:
        """Return how it is worked off.

        Raises:
            ConfigurationError: the address of the scheduler cannot be one.
        """
        return SweepWork(
            self.workers or settings.workers,
            _scheduler(self.scheduler or settings.scheduler),
            settings.retries if self.retries is None else self.retries,
            dashboard=self.dashboard,
            share=settings.share if self.share is None else self.share,
        )


@contextmanager
def _called(option: str, key: str, *, configured: bool) -> Iterator[None]:
    """Have an error name the key of the configuration, not the option, where that is where the value stands."""
    try:
        yield
    except ConfigurationError as error:
        if not configured:
            raise
        fix = None if error.to_fix is None else error.to_fix.replace(option, key)
        raise ConfigurationError(error.message.replace(option, key), to_fix=fix) from error


def _variation(key: str, values: Values) -> Variation:
    given = one_as_list(values)
    if isinstance(given, str):
        return read_variation(f"{key}={given}")
    if not isinstance(given, Sequence):  # what a program gives may be anything
        raise ConfigurationError(
            f"The values of {key} are {given!r}, which is no list.", to_fix="write a list of values"
        )
    return variation(varied_key(key), list(given))


def _scheduler(address: str | None) -> str | None:
    if address is not None and not _ADDRESS.fullmatch(address):
        raise ConfigurationError(
            f"--scheduler is {address!r}, which is no address of a Dask scheduler.",
            to_fix="write its protocol, host and port: tcp://HOST:8786",
        )
    return address


def _scenarios(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names of scenarios, which may be one text; no name twice."""
    return read_scenarios(given if isinstance(given, str) else ",".join(given)) if given else ()


def _seeds(seeds: str | int | Sequence[int]) -> tuple[int, ...]:
    if isinstance(seeds, (str, int)):
        return read_seeds(str(seeds))
    return read_seeds(",".join(map(str, seeds))) if seeds else ()
