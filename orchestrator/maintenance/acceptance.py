"""Accept tables as they are: what dbt itself, or a person, has brought up to date need not be built again."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import did_you_mean
from orchestrator.ledger.layouts import ledger_version, upgrade_statements
from orchestrator.ledger.watched import with_watched
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.pipeline.orchestrator import PipelineOrchestrator
from orchestrator.self_healing.contents_keeper import ContentsKeeper
from orchestrator.self_healing.evidence import Problem
from orchestrator.self_healing.initialization_state import TableFinding
from orchestrator.self_healing.registry import node_of
from orchestrator.self_healing.table_checker import TableExistenceChecker


def accept_tables(orchestrator: PipelineOrchestrator, names: Sequence[str]) -> tuple[TableFinding, ...]:
    """Note that stale tables hold what the project, as it is now, makes; return what was known of them.

    Nothing of the tables is written. Those that are ready already are not in the result.

    Raises:
        ConfigurationError: one is not required, or something else is wrong with it; nothing is noted then.
        DatabaseLockedError: somebody else holds the mutex, or has the file open.
    """
    runner = orchestrator.runner
    with orchestrator.mutex.held(orchestrator.config.self_healing.lock_timeout_seconds):
        checker = orchestrator.initializer.checker(runner.facts())
        _require_known(names, checker)
        found = [one for one in checker.findings_in(runner) if one.table.name in names]
        for one in found:
            if one.problem is not Problem.STALE:
                raise ConfigurationError(
                    f"Table {one.table.name} cannot be accepted: it {one.detail}.",
                    to_fix="run `orchestrator init`, which builds it; only a stale table can be accepted",
                )
        if found:
            facts, place = with_watched(checker.facts, runner), checker.facts.ledger
            nodes = [node_of(one.table, facts) for one in found]
            lay_out = upgrade_statements(ledger_version(runner, place), place)
            runner.execute([*lay_out, *LedgerWriter.of(facts).built(facts, nodes, utc_now())])
            accepted = {node.unique_id for node in nodes}
            ContentsKeeper(facts, checker.lasting_ids & accepted).built(runner, accepted)
        runner.release()
        return tuple(found)


def _require_known(names: Sequence[str], checker: TableExistenceChecker) -> None:
    known = sorted(table.name for table in checker.required)
    for name in names:
        if name not in known:
            raise ConfigurationError(
                f"No required table is called {name!r}.{did_you_mean(name, known)}",
                to_fix="name tables as `orchestrator check` does",
            )
