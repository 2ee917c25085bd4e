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
from typing import TYPE_CHECKING

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import OrchestratorError, RunNotFoundError
from orchestrator.scenarios.plan import SweepPlan
from orchestrator.scenarios.state import MemberState
from orchestrator.storage.base import CANCELLED, COMPLETED, FAILED, RUNNING, StorageBackend, workflow_name

if TYPE_CHECKING:
    from orchestrator.storage.models import SweepRecord

logger = logging.getLogger(__name__)


@dataclass
class SweepHistory:
    """Writes one sweep into the history of a configuration, where it keeps one."""

    config: SimulationConfig
    plan: SweepPlan
    started_at: datetime = field(default_factory=utc_now)
    _backend: StorageBackend | None = None
    _failed: bool = False

    def begin(self, states: Mapping[str, MemberState], *, idle: bool = False) -> None:
        """Write that the sweep began; ``idle`` tells that nothing is to be run, and then nothing has begun."""
        if not idle:
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

    def end(self, states: Mapping[str, MemberState], *, idle: bool = False) -> None:
        """Write how the sweep ended, and let go of the history; one that was idle took the time that it took before."""
        counts = Counter(state.status for state in states.values())
        status = COMPLETED if counts["done"] == len(states) else FAILED
        if counts["done"] + counts["failed"] < len(states):
            status = CANCELLED
        self._do(lambda backend: self._save(backend, status, states, idle=idle))
        if self._backend is not None:
            self._backend.close()

    def _save(
        self, backend: StorageBackend, status: str, states: Mapping[str, MemberState], *, idle: bool = False
    ) -> None:
        from orchestrator.storage.models import SweepRecord  # as above

        plan, now = self.plan, utc_now()
        ended = status != RUNNING
        workflow = workflow_name(str(self.config.root))
        before = self._before(backend, workflow) if idle else None
        times = (self.started_at, now if ended else None, (now - self.started_at).total_seconds() if ended else None)
        if before is not None and before.completed_at is not None:
            times = before.started_at, before.completed_at, before.duration_seconds
        backend.sweeps.save(
            SweepRecord(
                workflow,
                plan.name,
                status,
                {
                    "years": [plan.first_year, plan.last_year],
                    "varied": {one.key: list(one.values) for one in plan.variations},
                    "scenarios": list(plan.scenarios),
                    "seeds": list(plan.seeds),
                },
                dict(Counter(state.status for state in states.values())),
                *times,
            )
        )

    def _before(self, backend: StorageBackend, workflow: str) -> SweepRecord | None:
        """Return this sweep as it was run last."""
        known = backend.sweeps.list_sweeps()
        return next((one for one in known if (one.workflow_name, one.name) == (workflow, self.plan.name)), None)

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
