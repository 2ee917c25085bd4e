"""The values of healing: what is required, what is wrong, what was done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from orchestrator.self_healing.evidence import Evidence, Problem
from orchestrator.self_healing.hook_tables import HookCall
from orchestrator.self_healing.wording import told


class InitializationState(str, Enum):
    """State of a healing: NOT_STARTED → IN_PROGRESS → COMPLETED | FAILED → IN_PROGRESS on retry."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


class TableTier(str, Enum):
    """Kind of a required table, which says how and when it is built; in the order in which tiers are healed."""

    SEED = "seed"
    HOOK = "hook"
    FOUNDATION = "foundation"
    STATE = "state"


TIERS = tuple(TableTier)


def heal_advice(*, simulates: bool) -> str:
    """Say what heals a required table; ``simulates`` when the project has years to run.

    >>> heal_advice(simulates=False)
    'run `orchestrator init`'
    """
    return "run `orchestrator init`" + ("; `simulate` does this automatically" if simulates else "")


@dataclass(frozen=True)
class RequiredTable:
    """A table that must be ready before the first year; ``selector`` is the dbt selector that builds it.

    ``min_rows`` is how many rows it must hold at least, None where nothing is promised. ``built_by`` is the function
    that builds a table of tier hook, None for all others.
    """

    name: str
    tier: TableTier
    selector: str
    min_rows: int | None = None
    built_by: HookCall | None = None


@dataclass(frozen=True)
class TableFinding:
    """One thing wrong with one required table; ``seen`` is what was found, and since when, as values."""

    table: RequiredTable
    seen: Evidence

    @property
    def problem(self) -> Problem:
        """Return what is wrong."""
        return self.seen.problem

    @property
    def detail(self) -> str:
        """Say in words what was seen."""
        return told(self.seen)


@dataclass(frozen=True)
class InitializationStep:
    """One step of a healing; ``completed_at`` is None only for a step that was never left."""

    name: str
    started_at: datetime
    completed_at: datetime | None
    seconds: float
    success: bool
    error: str | None = None


@dataclass(frozen=True)
class InitializationResult:
    """Result of a healing.

    ``missing_tables_found`` are the names of required tables that were not ready. Of what was built, ``tables_created``
    are the names that the database holds afterwards and did not hold, or held as another kind, before;
    ``tables_repaired`` are the nodes of everything else, such as what is built from a table that was stale. What was
    built and left nothing that can be seen under its name is in neither.
    """

    state: InitializationState
    steps: tuple[InitializationStep, ...]
    missing_tables_found: tuple[str, ...]
    tables_created: tuple[str, ...]
    started_at: datetime
    completed_at: datetime | None
    error: str | None = None
    tables_repaired: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the whole duration; 0 while it goes on."""
        return 0.0 if self.completed_at is None else (self.completed_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class InitializationSummary:
    """A database against its list: how many tables are required, and how many of each tier are not ready."""

    initialized: bool
    required: int
    not_ready: int
    by_tier: tuple[tuple[TableTier, int, int], ...]
    by_problem: tuple[tuple[Problem, int], ...]
