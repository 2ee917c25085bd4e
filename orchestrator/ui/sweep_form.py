"""The form that starts a sweep: its fields, what was typed into them, and the command line that this makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError
from orchestrator.reports.parameters import ParameterList, shown_range, shown_value
from orchestrator.scenarios.request import Asked
from orchestrator.ui.settings import UiSettings

VARY, SCENARIO = "vary.", "scenario."


@dataclass(frozen=True)
class VaryField:
    """A parameter that may be varied: ``now`` is the value in force, ``text`` the values that were typed.

    ``closed`` says why it cannot be varied.
    """

    key: str
    label: str
    about: str
    allowed: str
    now: str
    text: str = ""
    closed: str | None = None

    @property
    def name(self) -> str:
        """Return the name of the field in the form."""
        return f"{VARY}{self.key}"


@dataclass(frozen=True)
class SweepForm:
    """What stands in the form; ``others`` are further keys with their values, a line each."""

    fields: tuple[VaryField, ...]
    scenarios: tuple[str, ...]
    others: str = ""
    name: str = ""
    first: str = ""
    last: str = ""
    seeds: str = ""
    workers: str = ""
    agreed: bool = False

    def asked(self) -> Asked:
        """Return what is asked for.

        Raises:
            ConfigurationError: a number is none, or a line is not written as it has to be.
        """
        return Asked(
            name=self.name or None,
            first_year=_number(self.first, "The first year"),
            last_year=_number(self.last, "The last year"),
            vary=self._vary() or None,
            scenarios=self.scenarios or None,
            seeds=self.seeds or None,
            workers=_number(self.workers, "The number of workers"),
        )

    def arguments(self, settings: UiSettings, name: str) -> list[str]:
        """Return the command line of ``orchestrator`` that starts this sweep under a name."""
        asked = self.asked()
        years = [one for one in (asked.first_year, asked.last_year) if one is not None]
        found = ["sweep", "run", *(["-".join(map(str, years))] if years else []), "--name", name]
        found += [part for key, values in self._vary().items() for part in ("--vary", f"{key}={values}")]
        found += ["--scenarios", ",".join(self.scenarios)] if self.scenarios else []
        found += ["--seeds", self.seeds] if self.seeds else []
        found += ["--workers", str(asked.workers)] if asked.workers is not None else []
        found += ["--yes"] if self.agreed else []
        found += [] if settings.config is None else ["--config", str(settings.config)]
        return found + [part for one in settings.overrides for part in ("--set", one)]

    def _vary(self) -> dict[str, str]:
        found = {field.key: field.text for field in self.fields if field.text and field.closed is None}
        for line in filter(None, map(str.strip, self.others.splitlines())):
            key, equals, values = (part.strip() for part in line.partition("="))
            full = key if "." in key else f"vars.{key}"
            if not equals or not key or not values:
                raise ConfigurationError(f"{line!r} is not written KEY=VALUES.", to_fix="write growth=0.02,0.03")
            if full in found or key in found:
                raise ConfigurationError(f"{key} is varied twice.", to_fix="name all of its values in one place")
            found[full if full == f"vars.{key}" else key] = values
        return found


def empty_form(config: SimulationConfig, parameters: ParameterList) -> SweepForm:
    """Return the form before anything is typed: the configured years, and what the configuration says of sweeps."""
    simulation, sweep = config.simulation, config.sweep
    assert simulation is not None
    return SweepForm(
        _fields(config, parameters),
        tuple(sweep.scenarios) or (config.scenario,),
        first=str(simulation.start_year),
        last=str(simulation.end_year),
        workers="" if sweep.workers is None else str(sweep.workers),
    )


def filled_form(
    config: SimulationConfig, parameters: ParameterList, scenarios: tuple[str, ...], typed: Mapping[str, str]
) -> SweepForm:
    """Return the form as it was sent."""
    said = {key: value.strip() for key, value in typed.items()}
    return SweepForm(
        tuple(
            VaryField(one.key, one.label, one.about, one.allowed, one.now, said.get(one.name, ""), one.closed)
            for one in _fields(config, parameters)
        ),
        tuple(name for name in scenarios if said.get(f"{SCENARIO}{name}") == "yes"),
        **{key: said.get(key, "") for key in ("others", "name", "first", "last", "seeds", "workers")},
        agreed=said.get("agreed") == "yes",
    )


def _fields(config: SimulationConfig, parameters: ParameterList) -> tuple[VaryField, ...]:
    configured = {str(key) if "." in str(key) else f"vars.{key}": values for key, values in config.sweep.vary.items()}
    found = []
    for one in parameters.declared:
        key = f"vars.{one.name}"
        closed = "is a secret, and values of members stand in names of files" if one.declared.secret else None
        values = configured.get(key)
        now = shown_value(one.shown(one.value))
        if values is not None:
            now = f"{now}; the configuration varies it: {values if isinstance(values, str) else shown_value(values)}"
        label = one.name.replace("_", " ").capitalize()
        found.append(VaryField(key, label, one.declared.description or "", shown_range(one), now, closed=closed))
    return tuple(found)


def _number(text: str, what: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) > 0):
        raise ConfigurationError(f"{what} is {text!r}, but must be a whole number.", to_fix="write a number such as 4")
    return int(text)
