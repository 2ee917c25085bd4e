"""The history's part of a sweep: the sweep itself, and the runs of its members, which workers left as JSON lines.

Many workers that write one SQLite file at once would lose each other's records; so one process writes all of it.
As everywhere, a history that fails stops nothing: it is said once, and `orchestrator runs import` makes up for it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import OrchestratorError, RunNotFoundError
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.state import MemberState
from orchestrator.storage.base import CANCELLED, COMPLETED, FAILED, RUNNING, StorageBackend, workflow_name

logger = logging.getLogger(__name__)


@dataclass
class SweepHistory:
    """Writes one sweep into the history of a configuration, where it keeps one."""

    config: SimulationConfig
    plan: SweepPlan
    started_at: datetime = field(default_factory=utc_now)
    _backend: StorageBackend | None = None
    _failed: bool = False

    def begin(self, states: Mapping[str, MemberState]) -> None:
        """Write that the sweep began."""
        self._do(lambda backend: self._save(backend, RUNNING, states))

    def add_run(self, run_id: str) -> None:
        """Bring a run of a member into the history."""

        def add(backend: StorageBackend) -> None:
            from orchestrator.storage.importing import import_runs  # SQLAlchemy: a fifth of a second

            try:
                import_runs(backend, self.config.root / "var" / "runs", [run_id])
            except RunNotFoundError:  # it left no events: its worker died too early, or on another machine
                logger.debug("There are no events of run %s", run_id)

        self._do(add)

    def end(self, states: Mapping[str, MemberState]) -> None:
        """Write how the sweep ended, and let go of the history."""
        counts = Counter(state.status for state in states.values())
        status = COMPLETED if counts["done"] == len(states) else FAILED
        if counts["done"] + counts["failed"] < len(states):
            status = CANCELLED
        self._do(lambda backend: self._save(backend, status, states))
        if self._backend is not None:
            self._backend.close()

    def _save(self, backend: StorageBackend, status: str, states: Mapping[str, MemberState]) -> None:
        from orchestrator.storage.models import SweepRecord  # as above

        plan, now = self.plan, utc_now()
        ended = status != RUNNING
        backend.sweeps.save(
            SweepRecord(
                workflow_name(str(self.config.root)),
                plan.name,
                status,
                {
                    "years": [plan.first_year, plan.last_year],
                    "varied": {one.key: list(one.values) for one in plan.variations},
                    "scenarios": list(plan.scenarios),
                    "seeds": list(plan.seeds),
                },
                dict(Counter(state.status for state in states.values())),
                self.started_at,
                now if ended else None,
                (now - self.started_at).total_seconds() if ended else None,
            )
        )

    def _do(self, work: Callable[[StorageBackend], None]) -> None:
        if not self.config.storage.enabled or self._failed:
            return
        try:
            if self._backend is None:
                from orchestrator.storage.factory import create_storage_backend  # as above

                self._backend = create_storage_backend(self.config)
            work(self._backend)
        except (OrchestratorError, OSError) as error:
            self._failed = True
            logger.warning(
                "This sweep is missing from the run history, or incomplete there. %s\nThe events of its runs are kept "
                "in var/runs: once the problem is fixed, `orchestrator runs import` imports them.",
                error,
            )
