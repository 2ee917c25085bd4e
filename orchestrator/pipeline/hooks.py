"""Hooks: functions that act at the moments of a run, and may stop it.

A hook is any callable that takes one :class:`HookContext`. Its shape is checked when it is registered, not when it
is first called, years into a run.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import HookDefinitionError, HookError, RunCancelledError
from orchestrator.core.events import Emit, HookFinished, HookStarted, ignore
from orchestrator.core.masking import masked
from orchestrator.core.text import did_you_mean

__all__ = ["Hook", "HookContext", "HookManager", "HookType", "checked"]

POLICIES = ("abort", "warn")


@dataclass(frozen=True, kw_only=True)
class HookContext:
    """Context of a hook's call.

    ``years`` are all years of the run; ``year`` and ``stage`` are None where the hook's type has none. ``query``
    and ``execute`` take SQL and work on the run's own connection. ``error`` is set for ON_FAILURE alone.
    """

    run_id: str
    scenario: str
    years: tuple[int, ...]
    config: SimulationConfig
    query: Callable[[str], list[tuple[object, ...]]]
    execute: Callable[[str], None]
    year: int | None = None
    stage: str | None = None
    database: Path | None = None
    error: BaseException | None = None


HookCallback = Callable[[HookContext], object]


@dataclass(frozen=True)
class Hook:
    """A callable and when to call it.

    ``name`` is by default the callable's own, ``stage`` limits PRE_STAGE and POST_STAGE hooks to one stage, and
    ``on_error`` says what an error does: ``abort`` stops the run, ``warn`` is told and the run goes on. ON_FAILURE
    hooks always warn, so that they never hide the error they are called for.
    """

    hook_type: HookType
    callback: HookCallback
    name: str = ""
    stage: str | None = None
    on_error: str = "abort"

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", _own_name(self.callback))


def _own_name(callback: object) -> str:
    if inspect.isroutine(callback) or inspect.isclass(callback):
        return f"{callback.__module__}.{callback.__qualname__}"
    kind = type(callback)
    return f"{kind.__module__}.{kind.__qualname__}"


class HookManager:
    """Keeps hooks in the order of their registration and calls them.

    ``check`` is called before the first of them and after each; it raises where the run was cancelled meanwhile.
    """

    def __init__(self, emit: Emit = ignore, *, check: Callable[[], None] = lambda: None) -> None:
        self._emit = emit
        self._check = check
        self._hooks: tuple[Hook, ...] = ()

    def register_hook(self, hook: Hook) -> Hook:
        """Add a hook after those of its type that are there already, and return it as it was registered.

        Raises:
            HookDefinitionError: it is no hook, or not one that can be called.
        """
        hook = checked(hook)
        if any(known.name == hook.name for known in self.list_hooks(hook.hook_type)):
            raise HookDefinitionError(
                f"A {hook.hook_type.value} hook named {hook.name!r} is registered already.",
                to_fix="give one of them another name=…, or unregister the first.",
            )
        self._hooks = (*self._hooks, hook)
        return hook

    def unregister_hook(self, name: str) -> tuple[Hook, ...]:
        """Remove the hooks of that name, of whatever type, and return them.

        Raises:
            HookDefinitionError: there is none.
        """
        removed = tuple(hook for hook in self._hooks if hook.name == name)
        if not removed:
            known = sorted({hook.name for hook in self._hooks})
            raise HookDefinitionError(
                f"No hook named {name!r} is registered.{did_you_mean(name, known)}"
                f" Registered hooks: {', '.join(known) or 'none'}."
            )
        self._hooks = tuple(hook for hook in self._hooks if hook.name != name)
        return removed

    def list_hooks(self, hook_type: HookType | None = None) -> tuple[Hook, ...]:
        """Return the hooks of a type, or all of them, in the order in which they are called."""
        return tuple(hook for hook in self._hooks if hook_type in {None, hook.hook_type})

    def execute_hooks(self, hook_type: HookType, context: HookContext) -> bool:
        """Call the hooks of a type, in order, those for another stage left out; tell whether there were any.

        Raises:
            HookError: a hook with the policy ``abort`` raised; later ones are not called.
            RunCancelledError: the run was cancelled; a hook under way had returned first, or met it itself.
        """
        self._check()
        hooks = [hook for hook in self.list_hooks(hook_type) if hook.stage in {None, context.stage}]
        for hook in hooks:
            self._call(hook, context)
            self._check()
        return bool(hooks)

    def _call(self, hook: Hook, context: HookContext) -> None:
        kind = hook.hook_type.value
        self._emit(HookStarted(at=utc_now(), hook_type=kind, name=hook.name, year=context.year, stage=context.stage))
        elapsed = stopwatch()
        failure: BaseException | None = None
        try:
            hook.callback(context)
        except BaseException as error:  # noqa: BLE001  # a hook is isolated; what is no Exception goes on below
            failure = error
        self._emit(
            HookFinished(
                at=utc_now(),
                hook_type=kind,
                name=hook.name,
                seconds=elapsed(),
                success=failure is None,
                on_error=hook.on_error,
                error=None if failure is None else masked(f"{type(failure).__name__}: {failure}"),
                year=context.year,
                stage=context.stage,
            )
        )
        if failure is None:
            return
        cancelled = isinstance(failure, RunCancelledError) and failure.run_id == context.run_id
        if (cancelled and hook.hook_type is not HookType.ON_FAILURE) or not isinstance(failure, Exception):
            failure.add_note(f"in the {kind} hook {hook.name!r}")
            raise failure
        if hook.on_error == "abort":
            moment = ", ".join(str(part) for part in (context.year, context.stage) if part is not None)
            raise HookError.wrapping(failure, hook_name=hook.name, hook_type=kind, moment=moment) from failure


def checked(hook: Hook) -> Hook:
    """Return the hook with its type and policy made definite.

    Raises:
        HookDefinitionError: it is no hook, or not one that can be called.
    """
    if not isinstance(hook, Hook):
        raise HookDefinitionError(
            f"{hook!r} is a {type(hook).__name__}, not a Hook.",
            to_fix="register Hook(HookType.POST_YEAR, function).",
        )
    who = f"The hook {hook.name!r}"
    try:
        hook_type = HookType(hook.hook_type)
    except ValueError:
        types = [kind.value for kind in HookType]
        raise HookDefinitionError(
            f"{who} has the unknown type {hook.hook_type!r}.{did_you_mean(str(hook.hook_type), types)}"
            f" Valid types: {', '.join(types)}."
        ) from None
    if hook.on_error not in POLICIES:
        raise HookDefinitionError(f"{who} has on_error={hook.on_error!r}, but must have 'abort' or 'warn'.")
    if hook.stage is not None and not hook_type.has_stage:
        raise HookDefinitionError(
            f"{who} is limited to the stage {hook.stage!r}, but a {hook_type.value} hook belongs to no stage.",
            to_fix="make it a pre_stage or post_stage hook, or leave stage= out.",
        )
    _check_callback(who, hook.callback)
    on_error = "warn" if hook_type is HookType.ON_FAILURE else hook.on_error
    return dataclasses.replace(hook, hook_type=hook_type, on_error=on_error)


def _check_callback(who: str, callback: object) -> None:
    if not callable(callback):
        raise HookDefinitionError(f"{who} cannot be called: {callback!r} is a {type(callback).__name__}.")
    body = callback if inspect.isroutine(callback) or inspect.isclass(callback) else type(callback).__call__
    for target in (inspect.unwrap(callback), body):
        if inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target):
            raise HookDefinitionError(
                f"{who} is a coroutine function: calling it would do nothing.",
                to_fix="register a plain function that runs it, such as lambda context: asyncio.run(hook(context)).",
            )
        if inspect.isgeneratorfunction(target):
            raise HookDefinitionError(f"{who} is a generator function: calling it would do nothing.")
    try:
        signature = inspect.signature(callback)
    except ValueError:
        return  # Some built-in functions do not tell their parameters.
    try:
        signature.bind(object())
    except TypeError as error:
        raise HookDefinitionError(
            f"{who} must take one argument, the HookContext, but its parameters are {signature}: {error}.",
            to_fix="write def hook(context: HookContext) -> None.",
        ) from None
