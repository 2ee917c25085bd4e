"""``orchestrator new``: a configuration for a dbt project, or an example to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from orchestrator.cli.command import orchestrator_for, progress_for
from orchestrator.cli.confirmation import can_ask
from orchestrator.cli.fast_exit import allow_fast_exit
from orchestrator.cli.new_output import proposal_record, show_no_years, show_open, show_proposal
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.cli.plan import show_planned
from orchestrator.cli.year_range import parse_range
from orchestrator.core.clocks import utc_now
from orchestrator.core.errors import ConfigurationError, OrchestratorError
from orchestrator.core.formats import shown_path
from orchestrator.core.text import plural

if TYPE_CHECKING:
    from orchestrator.cli.new_questions import Questions
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.maintenance.adoption.looking import Place
    from orchestrator.maintenance.adoption.proposal import Proposal
    from orchestrator.maintenance.adoption.year_variable import YearCandidate
    from orchestrator.reports.plan import RunPlan


def new(
    options: CommonOptions,
    output: Output,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="Folder to write to; by default that of the dbt project, else the working folder.",
            show_default=False,
        ),
    ] = None,
    *,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="DBT_PROJECT",
            help="Folder of the dbt project; by default FOLDER, or one in it.",
            show_default=False,
        ),
    ] = None,
    years: Annotated[
        str | None,
        typer.Option("--years", metavar="RANGE", help="Years to simulate, such as 2025-2029.", show_default=False),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(
            "--example", metavar="NAME", help="Example project to write into an empty FOLDER.", show_default=False
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar=NO_VALUE, help="Take what is proposed without asking.")
    ] = False,
) -> int:
    """Write a configuration for a dbt project, as far as the project tells it; nothing is ever overwritten."""
    if example is not None:
        if source is not None or years is not None:
            raise ConfigurationError(
                "An example brings its own project and years.", to_fix="leave out --from and --years"
            )
        return _example(output, example, Path.cwd() if folder is None else folder.absolute())

    from orchestrator.cli.new_questions import Questions  # slow to import, as what follows
    from orchestrator.maintenance.adoption.looking import find_place, write_configuration

    wanted = parse_range(years)
    place = find_place(folder, source)
    questions = Questions(output, asks=not yes and can_ask(output))
    text, proposal = _proposed(options, output, place, questions, wanted)
    config = write_configuration(place, text)
    file = shown_path(place.file)
    output.say(Text(f"\nWrote {file}", "bold"))
    if proposal is not None:
        show_open(output, proposal, place)
    planned, refusal = _plan(config, output)
    document = {"file": place.file, "configuration": text, "proposal": proposal_record(proposal)}
    output.write_json(document | _plan_record(planned, refusal), "written")
    _show_plan(output, planned, refusal)
    output.say()
    ready = refusal is None and (proposal is None or not any(change.needed for change in proposal.changes))
    output.say(_next(place.root, "init" if proposal is None else "simulate", ready=ready))
    return 0


def _next(root: Path, command: str, *, ready: bool) -> str:
    """Return what to run next, as it can be typed from here."""
    enter = "" if root == Path.cwd() else f"cd {shlex.quote(shown_path(root))} && "
    first = "Run it" if ready else "When that is changed, run it"
    return f"{first}: {enter}orchestrator {command}"


def _example(output: Output, name: str, folder: Path) -> int:
    from orchestrator.maintenance.adoption.examples import lay_out  # not needed elsewhere

    files = lay_out(name, folder)
    output.write_json({"folder": folder, "files": [file.relative_to(folder) for file in files]}, "written")
    output.say(Text(f"Wrote the example {name} to {shown_path(folder)}: {plural(len(files), 'file')}", "bold"))
    output.say(_next(folder, "simulate", ready=True))
    allow_fast_exit()
    return 0


def _proposed(
    options: CommonOptions,
    output: Output,
    place: Place,
    questions: Questions,
    wanted: tuple[int | None, int | None],
) -> tuple[str, Proposal | None]:
    """Return the text of the configuration, and what it rests on; None for a project without years."""
    # slow to import
    from orchestrator.maintenance.adoption.looking import Look
    from orchestrator.maintenance.adoption.proposal import propose
    from orchestrator.maintenance.adoption.stages import stage_choices
    from orchestrator.maintenance.adoption.yaml_text import with_years, without_years
    from orchestrator.maintenance.adoption.year_range import variables_to_set, year_range
    from orchestrator.maintenance.adoption.year_variable import year_candidates

    progress = progress_for(output)

    def ask(name: str, error: ConfigurationError) -> object:
        with progress.paused():
            return questions.value(name, error)

    output.say(Text(f"Looking at {shown_path(place.project_dir)}", "bold"))
    with Look(place, _given(options)) as look:
        with progress:
            progress.busy("read the project")
            facts, study = look.project(ask)
        candidates = year_candidates(facts, study, look.given)
        chosen = questions.variable(candidates)
        if chosen is None and wanted != (None, None):
            chosen = _wanted(candidates)
        if chosen is None:
            show_no_years(output, facts, candidates)
            return without_years(place.shown_project, look.database, look.given), None
        column = questions.column(chosen)
        now = utc_now().year
        years = year_range(chosen, facts, study, look.given, wanted=wanted, this_year=now)
        if wanted == (None, None) and (answer := questions.years(years)) != wanted:
            years = year_range(chosen, facts, study, look.given, wanted=answer, this_year=now, wanted_by="as answered")
        variables = variables_to_set(years, chosen, facts, study, look.given)
        with progress:
            progress.busy("read the project with its years")
            facts = look.with_years(chosen, years, variables)
        stages = questions.stages(stage_choices(facts, from_packages=study.has_packages))
        proposal = propose(chosen, column, years, stages, facts, study, look.given)
        show_proposal(output, facts, proposal)
        return with_years(proposal, place.shown_project, look.database), proposal


def _wanted(candidates: tuple[YearCandidate, ...]) -> YearCandidate:
    """Return the likeliest variable for years that the command line names.

    Raises:
        ConfigurationError: no variable can carry them.
    """
    if candidates:
        return candidates[0]
    raise ConfigurationError(
        "No model of the dbt project keeps rows by the value of a variable, so --years would change nothing.",
        to_fix="read the year with var('year') in models that are incremental and have it as a column, or leave out "
        "--years",
    )


def _given(options: CommonOptions) -> dict[str, object]:
    """Return the variables of ``--set vars.NAME=VALUE``.

    Raises:
        ConfigurationError: something else is set.
    """
    from orchestrator.config.simulation import SimulationConfig  # slow to import

    config = SimulationConfig.from_mapping({}, root=Path.cwd(), overrides=options.overrides or ())
    others = sorted(config.model_fields_set - {"vars"})
    if others:
        raise ConfigurationError(
            f"--set {others[0]}…: the configuration is only about to be written, and takes variables alone.",
            to_fix="leave it out, and change the file that is written; or set vars.NAME=VALUE",
        )
    return dict(config.vars)


def _plan(config: SimulationConfig, output: Output) -> tuple[RunPlan | None, OrchestratorError | None]:
    """Return the plan of a run with what was written, or why there is none yet."""
    from orchestrator.reports.plan import plan_run  # slow to import

    years = () if config.simulation is None else config.years()
    try:
        with progress_for(output) as progress, orchestrator_for(config, [progress]) as orchestrator:
            return plan_run(orchestrator, years, busy=progress.busy), None
    except OrchestratorError as error:
        return None, error


def _plan_record(planned: RunPlan | None, refusal: OrchestratorError | None) -> dict[str, object]:
    from orchestrator.reports.plan import plan_record  # slow to import

    told = None if refusal is None else {"message": refusal.message, "to_fix": refusal.to_fix}
    return {"plan": None if planned is None else plan_record(planned), "plan_refused": told}


def _show_plan(output: Output, planned: RunPlan | None, refusal: OrchestratorError | None) -> None:
    output.say()
    if planned is not None:
        show_planned(output, planned)
    else:
        output.say(Text(f"! There is no plan yet: {refusal}", "yellow"))
