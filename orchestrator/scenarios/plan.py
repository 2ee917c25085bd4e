"""The plan of a sweep: what is varied, and the members that come of it, kept as a JSON file."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited

FORMAT = 1
MOST_BYTES = 256 * 1024 * 1024
LONGEST_READABLE_KEY = 80
Databases = Literal["all", "failed", "none"]


@dataclass(frozen=True)
class Variation:
    """A key of the configuration, such as ``vars.target_growth_rate``, and the values that it takes in turn."""

    key: str
    values: tuple[JsonValue, ...]


@dataclass(frozen=True)
class Member:
    """One simulation of a sweep: a scenario, the values of the varied keys by dotted key, and a random seed.

    ``seed`` None leaves the seed to the scenario. ``key`` names the member's folder.
    """

    key: str
    scenario: str
    seed: int | None
    values: dict[str, JsonValue]

    @classmethod
    def of(cls, scenario: str, seed: int | None, values: dict[str, JsonValue]) -> Member:
        """Make a member, and its key of what it is: readable, and no two the same."""
        parts = [scenario, *(f"{key.rpartition('.')[2]}={_short(value)}" for key, value in values.items())]
        if seed is not None:
            parts.append(f"seed={seed}")
        readable = re.sub(r"[^\w=.+-]+", "_", "-".join(parts))[:LONGEST_READABLE_KEY]
        exact = json.dumps([scenario, seed, values], sort_keys=True)
        return cls(f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}", scenario, seed, values)

    def overrides(self) -> dict[str, JsonValue]:
        """Return the keys of the configuration that this member sets."""
        seed = {} if self.seed is None else {"simulation.random_seed": self.seed}
        return {**self.values, **seed}


@dataclass(frozen=True)
class SweepPlan:
    """A sweep: years (both included), what is varied, and its members in order.

    ``keep`` are the tables whose rows are gathered, by name. ``databases`` says whose database files stay.
    ``overrides`` are what a command line set over the configuration for all members, secrets masked.
    """

    name: str
    created_at: str
    first_year: int
    last_year: int
    variations: tuple[Variation, ...]
    scenarios: tuple[str, ...]
    seeds: tuple[int, ...]
    members: tuple[Member, ...]
    keep: tuple[str, ...] = ()
    databases: Databases = "all"
    overrides: tuple[str, ...] = ()

    @property
    def years(self) -> tuple[int, ...]:
        """All years, in order."""
        return tuple(range(self.first_year, self.last_year + 1))

    def write(self, path: Path) -> None:
        """Write the plan to a file, all or nothing."""
        replace_file(path, json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode())

    @classmethod
    def read(cls, path: Path) -> SweepPlan:
        """Read a plan.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is no plan, or one of another version.
        """
        document = parsed_json(read_limited(path, MOST_BYTES))
        try:
            assert isinstance(document, dict) and document.pop("format") == FORMAT
            return cls(
                **{
                    **document,
                    "variations": tuple(Variation(one["key"], tuple(one["values"])) for one in document["variations"]),
                    "members": tuple(Member(**one) for one in document["members"]),
                    "scenarios": tuple(document["scenarios"]),
                    "seeds": tuple(document["seeds"]),
                    "keep": tuple(document["keep"]),
                    "overrides": tuple(map(str, document.get("overrides", ()))),
                }
            )
        except (AssertionError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is no plan of a sweep, or one of another version") from error


def _short(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)
