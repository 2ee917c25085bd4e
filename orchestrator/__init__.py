"""Pipeline orchestrator for dbt projects that march through time.

Heavy imports wait until a name is used: ``import orchestrator`` alone imports neither dbt nor duckdb.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.config import HookType, SimulationConfig
    from orchestrator.dbt_runner.runner import DbtRunner
    from orchestrator.exceptions import (
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
        StageTimeoutError,
        TestFailedError,
        YearSequenceError,
    )
    from orchestrator.factory import create_orchestrator
    from orchestrator.pipeline.hooks import Hook, HookContext, HookManager
    from orchestrator.pipeline.workflow import SimulationResult
    from orchestrator.pipeline_orchestrator import PipelineOrchestrator
    from orchestrator.self_healing.auto_initializer import AutoInitializer
    from orchestrator.self_healing.initialization_state import (
        InitializationResult,
        InitializationState,
        RequiredTable,
        TableFinding,
        TableTier,
    )
    from orchestrator.self_healing.table_checker import TableExistenceChecker

_MODULE_OF = {
    "AutoInitializer": "self_healing.auto_initializer",
    "ConcurrentInitializationError": "exceptions",
    "ConfigurationError": "exceptions",
    "DatabaseCorruptionError": "exceptions",
    "DatabaseLockedError": "exceptions",
    "DbtError": "exceptions",
    "DbtRunner": "dbt_runner.runner",
    "Hook": "pipeline.hooks",
    "HookContext": "pipeline.hooks",
    "HookError": "exceptions",
    "HookManager": "pipeline.hooks",
    "HookType": "config",
    "InitializationError": "exceptions",
    "InitializationResult": "self_healing.initialization_state",
    "InitializationState": "self_healing.initialization_state",
    "InitializationTimeoutError": "exceptions",
    "NodeFailedError": "exceptions",
    "NothingSelectedError": "exceptions",
    "OrchestratorError": "exceptions",
    "PipelineOrchestrator": "pipeline_orchestrator",
    "RequiredTable": "self_healing.initialization_state",
    "SimulationConfig": "config",
    "SimulationResult": "pipeline.workflow",
    "StageTimeoutError": "exceptions",
    "TableExistenceChecker": "self_healing.table_checker",
    "TableFinding": "self_healing.initialization_state",
    "TableTier": "self_healing.initialization_state",
    "TestFailedError": "exceptions",
    "YearSequenceError": "exceptions",
    "create_orchestrator": "factory",
}

__all__ = [
    "AutoInitializer",
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
    "NodeFailedError",
    "NothingSelectedError",
    "OrchestratorError",
    "PipelineOrchestrator",
    "RequiredTable",
    "SimulationConfig",
    "SimulationResult",
    "StageTimeoutError",
    "TableExistenceChecker",
    "TableFinding",
    "TableTier",
    "TestFailedError",
    "YearSequenceError",
    "create_orchestrator",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'orchestrator' has no attribute {name!r}")
    return getattr(importlib.import_module(f"orchestrator.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
