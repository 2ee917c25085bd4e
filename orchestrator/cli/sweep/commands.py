"""``orchestrator sweep run``."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.command import facts_of, load_config
from orchestrator.cli.options import CommonOptions, RangeArgument
from orchestrator.cli.output import Output
from orchestrator.cli.year_range import parse_range


def run(
    options: CommonOptions,
    output: Output,
    range_: RangeArgument = None,
    *,
    vary: Annotated[list[str] | None, typer.Option("--vary", metavar="KEY=VALUES", help="x")] = None,
    scenarios: Annotated[str | None, typer.Option("--scenarios", metavar="NAMES", help="x")] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="SEEDS", help="x")] = None,
    workers: Annotated[int | None, typer.Option("--workers", metavar="N", min=1, help="x")] = None,
    scheduler: Annotated[str | None, typer.Option("--scheduler", metavar="ADDRESS", help="x")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="x")] = None,
) -> int:
    """Run a simulation for every scenario, value and seed."""
    from orchestrator.scenarios.planning import SweepRequest
    from orchestrator.scenarios.project import SweptProject
    from orchestrator.scenarios.sweeping import SweepWork, prepare
    from orchestrator.scenarios.sweeping import run as run_sweep
    from orchestrator.scenarios.values import read_scenarios, read_seeds, read_variation

    first, last = parse_range(range_)
    request = SweepRequest(
        name,
        first,
        last,
        tuple(map(read_variation, vary or ())),
        read_scenarios(scenarios) if scenarios else (),
        read_seeds(seeds) if seeds else (),
    )
    config = load_config(options)
    assert config.file is not None
    project = SweptProject(config.file, tuple(options.overrides or ()))
    sweep = prepare(project, request, lambda config: facts_of(config, output))
    outcome = run_sweep(sweep, SweepWork(workers, scheduler), lambda happening: output.say(str(happening)))
    output.say(f"{outcome.seconds:.1f} s, done {len(outcome.done)}, failed {len(outcome.failed)}")
    return 1 if outcome.failed else 0
