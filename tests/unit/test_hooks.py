"""Hooks: shape, order, policies, and the three ways to bring them in."""

from __future__ import annotations

import functools
import pickle
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import (
    ConfigurationError,
    HookDefinitionError,
    HookError,
    InitializationTimeoutError,
    RunCancelledError,
)
from orchestrator.core.events import Event, HookFinished, HookStarted
from orchestrator.pipeline.hook_loading import hooks_from_config, hooks_from_entry_points
from orchestrator.pipeline.hooks import Hook, HookContext, HookManager, HookType


@pytest.fixture
def context(tmp_path: Path) -> HookContext:
    """Give the context of a stage of 2026 in a project that is no simulation."""
    return HookContext(
        run_id="r",
        scenario="baseline",
        years=(2025, 2026),
        year=2026,
        stage="events",
        config=SimulationConfig.from_mapping({}, root=tmp_path),
        query=lambda sql: [],
        execute=lambda sql: None,
    )


def one(context: HookContext) -> None:
    """Do nothing."""


@pytest.mark.parametrize("on_error", ["abort", "warn"])
def test_a_cancelled_run_is_no_failure_of_its_hook(context: HookContext, on_error: str) -> None:
    """The error of the run itself passes as it is, whatever the policy; that of another run is one like any other."""

    def cancelled(run_id: str) -> Callable[[HookContext], None]:
        def hook(context: HookContext) -> None:
            raise RunCancelledError("It was cancelled.", run_id=run_id)

        return hook

    own, other = HookManager(), HookManager()
    own.register_hook(Hook(HookType.PRE_YEAR, cancelled("r"), name="own", on_error=on_error))
    with pytest.raises(RunCancelledError) as caught:
        own.execute_hooks(HookType.PRE_YEAR, context)
    assert type(caught.value) is RunCancelledError
    assert caught.value.__notes__ == ["in the pre_year hook 'own'"]
    other.register_hook(Hook(HookType.PRE_YEAR, cancelled("another"), name="other", on_error=on_error))
    with pytest.raises(HookError) if on_error == "abort" else nullcontext():
        other.execute_hooks(HookType.PRE_YEAR, context)


def test_no_hook_is_called_once_the_run_is_cancelled(context: HookContext) -> None:
    """The check stands before the first hook and after each, also where no hook is registered."""
    called: list[str] = []

    def check() -> None:
        if called:
            raise RunCancelledError("It was cancelled.", run_id="r")

    manager = HookManager(check=check)
    manager.execute_hooks(HookType.PRE_YEAR, context)
    for name in ("one", "two"):
        manager.register_hook(Hook(HookType.PRE_YEAR, lambda context: called.append("hook"), name=name))
    for hook_type in (HookType.PRE_YEAR, HookType.POST_YEAR):
        with pytest.raises(RunCancelledError):
            manager.execute_hooks(hook_type, context)
    assert called == ["hook"]


def test_hooks_are_called_in_the_order_of_registration(context: HookContext) -> None:
    """Each hook of the type gets the very context, in order; other types are not called."""
    calls: list[tuple[str, HookContext]] = []
    manager = HookManager()

    def noting(name: str) -> Callable[[HookContext], None]:
        return lambda given: calls.append((name, given))

    for name in ("c", "a", "b"):
        manager.register_hook(Hook(HookType.PRE_YEAR, noting(name), name=name))
    manager.register_hook(Hook(HookType.POST_YEAR, noting("no")))
    manager.execute_hooks(HookType.PRE_YEAR, context)
    assert [name for name, _ in calls] == ["c", "a", "b"]
    assert all(given is context for _, given in calls)


def test_a_stage_filter_keeps_other_stages_out(context: HookContext) -> None:
    """A hook limited to a stage is called for that stage alone; one without a limit for every stage."""
    calls: list[str] = []
    manager = HookManager()

    def noting(stage: str | None) -> Callable[[HookContext], None]:
        return lambda given: calls.append(str(stage))

    for stage in (None, "events", "other"):
        manager.register_hook(Hook(HookType.PRE_STAGE, noting(stage), str(stage), stage))
    manager.execute_hooks(HookType.PRE_STAGE, context)
    assert calls == ["None", "events"]


def test_every_call_is_timed_and_told(context: HookContext) -> None:
    """A start and an end are emitted, with year, stage, seconds and success."""
    events: list[Event] = []
    manager = HookManager(events.append)
    manager.register_hook(Hook(HookType.PRE_STAGE, one))
    manager.execute_hooks(HookType.PRE_STAGE, context)
    started, finished = events
    assert isinstance(started, HookStarted) and isinstance(finished, HookFinished)
    assert started.name == finished.name == f"{__name__}.one"
    assert (finished.hook_type, finished.year, finished.stage) == ("pre_stage", 2026, "events")
    assert finished.success and finished.seconds >= 0


def test_abort_stops_the_run_with_the_cause(context: HookContext) -> None:
    """The error names hook, type and reason, keeps its cause, and later hooks are not called."""
    calls: list[HookContext] = []
    cause = KeyError("lost")

    def fail(context: HookContext) -> None:
        raise cause

    events: list[Event] = []
    manager = HookManager(events.append)
    manager.register_hook(Hook(HookType.PRE_YEAR, fail, "careful"))
    manager.register_hook(Hook(HookType.PRE_YEAR, calls.append, "later"))
    with pytest.raises(HookError, match=r"'careful' stopped the run \(2026, events\)\. KeyError: 'lost'") as caught:
        manager.execute_hooks(HookType.PRE_YEAR, context)
    assert caught.value.__cause__ is cause and calls == []
    assert isinstance(events[-1], HookFinished) and not events[-1].success and events[-1].error == "KeyError: 'lost'"


def test_an_error_of_ours_can_be_caught_by_its_own_class(context: HookContext) -> None:
    """A healing that times out as a hook is a HookError and an InitializationTimeoutError, exit code and all."""

    def heal(context: HookContext) -> None:
        raise InitializationTimeoutError("Too slow.", step="load_seeds", to_fix="wait")

    manager = HookManager()
    manager.register_hook(Hook(HookType.PRE_SIMULATION, heal))
    with pytest.raises(InitializationTimeoutError) as caught:
        manager.execute_hooks(HookType.PRE_SIMULATION, context)
    error = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(error, HookError) and isinstance(error, InitializationTimeoutError)
    assert (error.exit_code, error.step, error.to_fix) == (124, "load_seeds", "wait")


def test_warn_is_told_and_the_run_goes_on(context: HookContext) -> None:
    """A failing hook with the policy warn leaves an event, and the next hook is called."""
    calls: list[HookContext] = []

    def fail(context: HookContext) -> None:
        raise ValueError("shrug")

    events: list[Event] = []
    manager = HookManager(events.append)
    manager.register_hook(Hook(HookType.PRE_YEAR, fail, on_error="warn"))
    manager.register_hook(Hook(HookType.PRE_YEAR, calls.append))
    manager.execute_hooks(HookType.PRE_YEAR, context)
    assert calls == [context]
    assert isinstance(events[1], HookFinished)
    assert (events[1].success, events[1].on_error, events[1].error) == (
        False,
        "warn",
        "ValueError: shrug",
    )


def test_a_failure_hook_never_hides_the_failure(context: HookContext) -> None:
    """ON_FAILURE hooks always warn, whatever policy they were given."""

    def fail(context: HookContext) -> None:
        raise ValueError("again")

    manager = HookManager()
    assert manager.register_hook(Hook(HookType.ON_FAILURE, fail, on_error="abort")).on_error == "warn"
    manager.execute_hooks(HookType.ON_FAILURE, context)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("on_error", ["abort", "warn"])
def test_interrupts_pass_through(context: HookContext, interrupt: type[BaseException], on_error: str) -> None:
    """Ctrl-C inside a hook is Ctrl-C, not an error of the hook, under either policy; its end is told."""

    def stop(context: HookContext) -> None:
        raise interrupt

    events: list[Event] = []
    manager = HookManager(events.append)
    manager.register_hook(Hook(HookType.PRE_YEAR, stop, on_error=on_error))
    with pytest.raises(interrupt):
        manager.execute_hooks(HookType.PRE_YEAR, context)
    assert isinstance(events[-1], HookFinished) and not events[-1].success


async def coroutine(context: HookContext) -> None:
    """Do nothing, later."""


def generator(context: HookContext) -> Iterator[None]:
    """Do nothing, step by step."""
    yield


class AsyncCall:
    """An object whose call is a coroutine."""

    async def __call__(self, context: HookContext) -> None:
        """Do nothing, later."""


class Call:
    """An object that can be called."""

    def __call__(self, context: HookContext, *, extra: int = 0) -> None:
        """Do nothing."""

    def method(self, context: HookContext) -> None:
        """Do nothing."""


def no_argument() -> None:
    """Ask for nothing."""


def too_many(context: HookContext, more: int) -> None:
    """Ask for more than a hook gets."""


@pytest.mark.parametrize(
    ("hook", "offence"),
    [
        ("text", "is a str, not a Hook"),
        (Hook(HookType.PRE_YEAR, "text"), "cannot be called: 'text' is a str"),  # type: ignore[arg-type]
        (
            Hook(HookType.PRE_YEAR, no_argument),  # type: ignore[arg-type]
            r"must take one argument, the HookContext, but its parameters are \(\)",
        ),
        (Hook(HookType.PRE_YEAR, too_many), "missing a required argument: 'more'"),  # type: ignore[arg-type]
        (Hook(HookType.PRE_YEAR, coroutine), "coroutine function"),
        (Hook(HookType.PRE_YEAR, functools.partial(coroutine)), "coroutine function"),
        (Hook(HookType.PRE_YEAR, AsyncCall()), "coroutine function"),
        (Hook(HookType.PRE_YEAR, generator), "generator function"),
        (Hook("pre_yaer", one), "unknown type 'pre_yaer'. Did you mean 'pre_year'?"),  # type: ignore[arg-type]
        (Hook(HookType.PRE_YEAR, one, on_error="ignore"), "on_error='ignore'"),
        (Hook(HookType.PRE_YEAR, one, stage="s"), "a pre_year hook belongs to no stage"),
    ],
)
def test_what_is_no_hook_is_refused_when_it_is_registered(hook: Hook, offence: str) -> None:
    """The refusal names the hook and what is wrong with it, and nothing is registered."""
    manager = HookManager()
    with pytest.raises(HookDefinitionError, match=offence) as caught:
        manager.register_hook(hook)
    assert caught.value.exit_code == 2
    assert manager.list_hooks() == ()
    if isinstance(hook, Hook):
        assert hook.name in str(caught.value)


@pytest.mark.parametrize(
    "callback", [one, Call(), Call().method, functools.partial(too_many, more=1), print, [].append]
)
def test_any_callable_of_one_argument_is_a_hook(callback: Callable[[HookContext], object]) -> None:
    """Functions, methods, callable objects, partials and built-ins are taken, and have a name."""
    assert HookManager().register_hook(Hook(HookType.PRE_YEAR, callback)).name


def test_a_type_may_be_written_as_text(context: HookContext) -> None:
    """``"pre_year"`` is HookType.PRE_YEAR, for whoever writes it."""
    calls: list[HookContext] = []
    manager = HookManager()
    manager.register_hook(Hook("pre_year", calls.append))  # type: ignore[arg-type]
    manager.execute_hooks(HookType.PRE_YEAR, context)
    assert calls == [context]


def test_names_are_unique_within_a_type() -> None:
    """The same name twice for one moment is refused; for two moments it is fine."""
    manager = HookManager()
    manager.register_hook(Hook(HookType.PRE_YEAR, one))
    manager.register_hook(Hook(HookType.POST_YEAR, one))
    with pytest.raises(HookDefinitionError, match="registered already"):
        manager.register_hook(Hook(HookType.PRE_YEAR, one))
    assert len(manager.list_hooks()) == 2 and len(manager.list_hooks(HookType.PRE_YEAR)) == 1


def test_unregistering_returns_what_it_removes() -> None:
    """All hooks of a name go; a name that nobody has is refused with the nearest one."""
    manager = HookManager()
    manager.register_hook(Hook(HookType.PRE_YEAR, one, "audit"))
    manager.register_hook(Hook(HookType.POST_YEAR, one, "audit"))
    with pytest.raises(HookDefinitionError, match="Did you mean 'audit'"):
        manager.unregister_hook("audti")
    assert [hook.hook_type for hook in manager.unregister_hook("audit")] == [
        HookType.PRE_YEAR,
        HookType.POST_YEAR,
    ]
    assert manager.list_hooks() == ()


# From configuration


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """Give a project root with a package of hooks, and forget its modules afterwards."""
    package = tmp_path / "our_hooks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "yearly.py").write_text(
        textwrap.dedent(
            """
            from our_hooks import names

            def audit(context):
                names.seen.append(context.year)

            class Group:
                @staticmethod
                def inner(context):
                    pass

            number = 1
            """
        )
    )
    (package / "names.py").write_text("seen = []\n")
    (package / "broken.py").write_text("import surely_not_installed\n")
    (package / "raising.py").write_text("raise RuntimeError('at import')\n")
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def configured(root: Path, call: str, **more: object) -> SimulationConfig:
    """Make a configuration with one hook."""
    return SimulationConfig.from_mapping({"hooks": [{"type": "post_year", "call": call, **more}]}, root=root)


def test_config_names_functions_of_the_project(project: Path, context: HookContext) -> None:
    """The project root is importable while hooks are loaded, and no longer."""
    path = list(sys.path)
    (hook,) = hooks_from_config(configured(project, "our_hooks.yearly:audit", on_error="warn"))
    assert (hook.hook_type, hook.name, hook.on_error) == (
        HookType.POST_YEAR,
        "our_hooks.yearly:audit",
        "warn",
    )
    assert sys.path == path
    manager = HookManager()
    manager.register_hook(hook)
    manager.execute_hooks(HookType.POST_YEAR, context)
    assert sys.modules["our_hooks.names"].seen == [2026]
    (inner,) = hooks_from_config(configured(project, "our_hooks.yearly:Group.inner", name="n"))
    assert inner.name == "n"


@pytest.mark.parametrize(
    ("call", "offence"),
    [
        ("our_hooks.yearly:adit", "our_hooks.yearly has no 'adit'. Did you mean 'audit'?"),
        ("our_hooks.weekly:audit", "no module 'our_hooks.weekly'"),
        ("nowhere_at_all:audit", "no module 'nowhere_at_all'"),
        ("our_hooks.broken:audit", "importing our_hooks.broken raised ModuleNotFoundError"),
        ("our_hooks.raising:audit", "importing our_hooks.raising raised RuntimeError: at import"),
        ("our_hooks.yearly:number", "cannot be called: 1 is a int"),
    ],
)
def test_a_wrong_entry_in_config_is_named(project: Path, call: str, offence: str) -> None:
    """The error says which entry, what it names, and what comes nearest; the search path is restored."""
    path = list(sys.path)
    with pytest.raises(ConfigurationError) as caught:
        hooks_from_config(configured(project, call))
    assert f"hooks[0].call {call!r}" in str(caught.value) and offence in str(caught.value)
    assert sys.path == path


def test_a_namesake_of_another_project_is_refused(project: Path, tmp_path: Path) -> None:
    """A module that is loaded already from elsewhere is not taken for the project's own."""
    hooks_from_config(configured(project, "our_hooks.yearly:audit"))
    other = tmp_path / "other"
    (other / "our_hooks").mkdir(parents=True)
    (other / "our_hooks" / "yearly.py").write_text("def audit(context): pass\n")
    with pytest.raises(ConfigurationError, match="a module of that name was found first"):
        hooks_from_config(configured(other, "our_hooks.yearly:audit"))


# From installed packages


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Install tiny packages with an entry point into a folder on the search path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(
            "from orchestrator.pipeline.hooks import Hook, HookType\ndef act(context): pass\n" + code
        )
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[orchestrator.hooks]\n{name}-entry = {name}:given\n")

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_installed_packages_bring_hooks(install: Callable[[str, str], None]) -> None:
    """An entry point may be a hook, several, or a function that makes them; order is by package."""
    install("zz_one", "given = Hook(HookType.PRE_YEAR, act, 'one')\n")
    install("mm_list", "given = [Hook(HookType.PRE_YEAR, act, n) for n in ('two', 'three')]\n")
    install("aa_made", "def given():\n    yield Hook(HookType.PRE_YEAR, act, 'four')\n")
    assert [hook.name for hook in hooks_from_entry_points()] == ["four", "two", "three", "one"]


@pytest.mark.parametrize(
    ("code", "offence"),
    [
        ("given = 3\n", "returned 3; it must return one Hook"),
        ("given = ['x']\n", "'x' is a str, not a Hook"),
        ("given = Hook(HookType.PRE_YEAR, 3, 'bad')\n", "The hook 'bad' cannot be called"),
        ("", "cannot be loaded: AttributeError"),
        ("import surely_not_installed\n", "cannot be loaded: ModuleNotFoundError"),
        ("def given():\n    raise ValueError('no')\n", "cannot be loaded: ValueError: no"),
    ],
)
def test_a_wrong_entry_point_is_named(install: Callable[[str, str], None], code: str, offence: str) -> None:
    """The error says which package and entry point is at fault."""
    install("bad_package", code)
    with pytest.raises(HookDefinitionError) as caught:
        hooks_from_entry_points()
    assert "'bad_package-entry' (bad_package:given) of bad_package" in str(caught.value)
    assert offence in str(caught.value)


def test_without_installed_hooks_there_are_none() -> None:
    """This environment brings no hooks."""
    assert hooks_from_entry_points() == ()
