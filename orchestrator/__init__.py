"""Pipeline orchestrator for dbt projects that march through time.

Heavy imports wait until a name is used: ``import orchestrator`` alone imports neither dbt nor duckdb.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # as in typing, whose import takes most of the time until a command can be interrupted

if TYPE_CHECKING:
    from orchestrator.config.schema import HookType
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.core.errors import (
        ConcurrentInitializationError,
        ConfigurationError,
        DatabaseCorruptionError,
        DatabaseLockedError,
        DbtError,
        HookError,
        InitializationError,
        InitializationTimeoutError,
        NodeFailedError,
        NothingSelectedError,
        OrchestratorError,
        RunCancelledError,
        StageTimeoutError,
        SweepBusyError,
        SweepError,
        TestFailedError,
        YearSequenceError,
        YearsWouldBeLostError,
    )
    from orchestrator.dbt_runner.process.runner import DbtRunner
    from orchestrator.dbt_runner.process.warm_process import WarmProcess
    from orchestrator.dbt_runner.process.zygote import Zygote
    from orchestrator.factory import create_orchestrator
    from orchestrator.ledger.changes import Change
    from orchestrator.pipeline.hooks import Hook, HookContext, HookManager
    from orchestrator.pipeline.orchestrator import PipelineOrchestrator
    from orchestrator.pipeline.resume import Loss
    from orchestrator.pipeline.workflow import SimulationResult
    from orchestrator.reports.calls import compare, compare_rows, report
    from orchestrator.self_healing.auto_initializer import AutoInitializer
    from orchestrator.self_healing.evidence import (
        ColumnsDiffer,
        Missing,
        Outdated,
        Problem,
        RowsChanged,
        TooFewRows,
        Unfinished,
        ViewReplaced,
        WrongKind,
    )
    from orchestrator.self_healing.initialization_state import (
        InitializationResult,
        InitializationState,
        RequiredTable,
        TableFinding,
        TableTier,
    )
    from orchestrator.self_healing.table_checker import TableExistenceChecker
    from orchestrator.sweeping import SweepResult, sweep

_MODULE_OF = {
    "AutoInitializer": "self_healing.auto_initializer",
    "Change": "ledger.changes",
    "ColumnsDiffer": "self_healing.evidence",
    "ConcurrentInitializationError": "core.errors",
    "ConfigurationError": "core.errors",
    "DatabaseCorruptionError": "core.errors",
    "DatabaseLockedError": "core.errors",
    "DbtError": "core.errors",
    "DbtRunner": "dbt_runner.process.runner",
    "Hook": "pipeline.hooks",
    "HookContext": "pipeline.hooks",
    "HookError": "core.errors",
    "HookManager": "pipeline.hooks",
    "HookType": "config.schema",
    "InitializationError": "core.errors",
    "InitializationResult": "self_healing.initialization_state",
    "InitializationState": "self_healing.initialization_state",
    "InitializationTimeoutError": "core.errors",
    "Loss": "pipeline.resume",
    "Missing": "self_healing.evidence",
    "NodeFailedError": "core.errors",
    "NothingSelectedError": "core.errors",
    "OrchestratorError": "core.errors",
    "Outdated": "self_healing.evidence",
    "PipelineOrchestrator": "pipeline.orchestrator",
    "Problem": "self_healing.evidence",
    "RequiredTable": "self_healing.initialization_state",
    "RunCancelledError": "core.errors",
    "SimulationConfig": "config.simulation",
    "SimulationResult": "pipeline.workflow",
    "StageTimeoutError": "core.errors",
    "SweepBusyError": "core.errors",
    "SweepError": "core.errors",
    "SweepResult": "sweeping",
    "TableExistenceChecker": "self_healing.table_checker",
    "TableFinding": "self_healing.initialization_state",
    "TableTier": "self_healing.initialization_state",
    "TestFailedError": "core.errors",
    "RowsChanged": "self_healing.evidence",
    "TooFewRows": "self_healing.evidence",
    "Unfinished": "self_healing.evidence",
    "ViewReplaced": "self_healing.evidence",
    "WrongKind": "self_healing.evidence",
    "YearSequenceError": "core.errors",
    "YearsWouldBeLostError": "core.errors",
    "WarmProcess": "dbt_runner.process.warm_process",
    "Zygote": "dbt_runner.process.zygote",
    "compare": "reports.calls",
    "compare_rows": "reports.calls",
    "create_orchestrator": "factory",
    "report": "reports.calls",
    "sweep": "sweeping",
}

__all__ = [
    "AutoInitializer",
    "Change",
    "ColumnsDiffer",
    "ConcurrentInitializationError",
    "ConfigurationError",
    "DatabaseCorruptionError",
    "DatabaseLockedError",
    "DbtError",
    "DbtRunner",
    "Hook",
    "HookContext",
    "HookError",
    "HookManager",
    "HookType",
    "InitializationError",
    "InitializationResult",
    "InitializationState",
    "InitializationTimeoutError",
    "Loss",
    "Missing",
    "NodeFailedError",
    "NothingSelectedError",
    "OrchestratorError",
    "Outdated",
    "PipelineOrchestrator",
    "Problem",
    "RequiredTable",
    "RowsChanged",
    "RunCancelledError",
    "SimulationConfig",
    "SimulationResult",
    "StageTimeoutError",
    "SweepBusyError",
    "SweepError",
    "SweepResult",
    "TableExistenceChecker",
    "TableFinding",
    "TableTier",
    "TestFailedError",
    "TooFewRows",
    "Unfinished",
    "ViewReplaced",
    "WarmProcess",
    "WrongKind",
    "YearSequenceError",
    "YearsWouldBeLostError",
    "Zygote",
    "compare",
    "compare_rows",
    "create_orchestrator",
    "report",
    "sweep",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
    return getattr(importlib.import_module(f"orchestrator.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
