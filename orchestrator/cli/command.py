"""The parts that all commands share: streams, configuration, orchestrator, and the way they fail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.error_output import report_error, report_unwritten
from orchestrator.cli.fast_exit import allow_fast_exit
from orchestrator.cli.options import CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.signals import ignore_further
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.events import HEALING_HOOK, Event
from orchestrator.core.fan_out import fan_out
from orchestrator.database.file_names import is_a_file

if TYPE_CHECKING:
    from orchestrator.cli.progress.progress import Progress
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.dbt_runner.process.runner import DbtRunner
    from orchestrator.dbt_runner.project.facts import ProjectFacts
    from orchestrator.pipeline.orchestrator import PipelineOrchestrator

Body = Callable[..., int]  # of CommonOptions, Output, and the options and arguments of its own
Command = Callable[[], int]
ANYWHERE = {"version", "help"}  # commands that name no file


def typer_function(body: Body, name: str) -> Callable[..., Command]:
    """Return a function for Typer: the parameters of a command's body, and the common options that it takes.

    It returns what the command line asks for, ready to run: Typer has then done its part, and catches nothing.
    """
    _, _, *own = inspect.signature(body, eval_str=True).parameters.values()
    common = CommonOptions.parameters(name)

    def parsed(**values: Any) -> Command:
        options = CommonOptions(**{parameter.name: values.pop(parameter.name) for parameter in common})
        return lambda: _run(options, partial(body if name in ANYWHERE else _somewhere(body), **values))

    parsed.__doc__ = body.__doc__
    parsed.__signature__ = inspect.Signature([*own, *common])  # type: ignore[attr-defined]  # what Typer reads
    return parsed


def _somewhere(body: Body) -> Body:
    """Return a body that is not run where the current folder is gone: paths cannot be told then."""

    def run(*args: Any, **values: Any) -> int:
        try:
            Path.cwd()
        except OSError as error:
            raise ConfigurationError(
                "The current folder is gone: it has been removed."
                if isinstance(error, FileNotFoundError)
                else f"The current folder cannot be used: {error.strerror}.",
                to_fix="cd to a folder that exists",
            ) from error
        return body(*args, **values)

    return run


def _run(options: CommonOptions, body: Body) -> int:
    """Run the body of a command; whatever it raises is shown, and gives the exit code."""
    output = Output(json=options.json, verbosity=options.verbosity, quiet=options.quiet, advice=options.same_workspace)
    try:
        code = body(options, output)
    except KeyboardInterrupt as error:
        ignore_further()
        return report_error(error, output, options)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # the process edge
        return report_error(error, output, options)
    return report_unwritten(output.unwritten(), output, code)


def load_config(options: CommonOptions, *, timeout: float | None = None) -> SimulationConfig:
    """Read the configuration that the options name; ``timeout`` replaces that of the healing."""
    from orchestrator.config.simulation import SimulationConfig  # half a second: the first words come before

    database = options.database
    if (
        database is not None and database != Path() and is_a_file(str(database))
    ):  # else the refusal shows it as it was written
        database = database.expanduser().absolute()
    config = SimulationConfig.load(
        options.config,
        scenario=options.scenario,
        overrides=options.overrides or (),
        database=database,
        fork=options.fork,
    )
    if timeout is not None:
        config = config.with_overrides({"self_healing.timeout_seconds": timeout})
    clean_up(config)
    return config


def clean_up(config: SimulationConfig) -> None:
    """Finish what a crash left of a restore; costs a look for one folder where there are no backups."""
    from orchestrator.config.paths import backups_dir

    if backups_dir(config.root).is_dir():
        from orchestrator.maintenance.backup.exclusion import recover_configured  # slow to import

        recover_configured(config)


@contextmanager
def orchestrator_for(
    config: SimulationConfig,
    listeners: Iterable[Callable[[Event], None]],
    *,
    auto_initialize: bool = True,
) -> Iterator[PipelineOrchestrator]:
    """Make the orchestrator of a configuration and end its dbt process in any case."""
    from orchestrator.factory import create_orchestrator  # slow to import, see above

    orchestrator = create_orchestrator(config, auto_initialize=auto_initialize, listeners=listeners)
    with ended(orchestrator.runner):
        yield orchestrator


def exit_fast_unless_hooked(orchestrator: PipelineOrchestrator) -> None:
    """Let the process end at once after this command, unless hooks of the user may hold something unwritten."""
    if all(hook.name == HEALING_HOOK for hook in orchestrator.hooks.list_hooks()):
        allow_fast_exit()


@contextmanager
def ended(runner: DbtRunner) -> Iterator[DbtRunner]:
    """End the dbt process in any case, on Ctrl-C whatever it is doing."""
    try:
        yield runner
    except KeyboardInterrupt:
        runner.stop()
        raise
    finally:
        runner.close()


@contextmanager
def runner_with_facts(config: SimulationConfig, output: Output) -> Iterator[tuple[DbtRunner, ProjectFacts]]:
    """Give the project's facts; dbt is started, and shown, only where it has changed since its last parse."""
    from orchestrator.wiring import dbt_runner  # slow to import, see above

    quick = dbt_runner(config)
    known = quick.known_facts()
    if known is not None:
        yield quick, known
        return
    with progress_for(output) as progress, ended(dbt_runner(config, fan_out([progress]))) as runner:
        yield runner, runner.facts()


def facts_of(config: SimulationConfig, output: Output) -> ProjectFacts:
    """Return the project's facts; see :func:`runner_with_facts`."""
    with runner_with_facts(config, output) as (_, facts):
        return facts


def progress_for(output: Output) -> Progress:
    """Return the progress display of a command."""
    from orchestrator.cli.progress.progress import Progress  # slow to import, and a healthy look shows none

    return Progress(output.people, detail=output.verbosity > 0)
