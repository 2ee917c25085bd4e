"""``orchestrator ask``: a scenario made of a sentence, shown before anything is written."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestrator.cli.command import facts_of, load_config
from orchestrator.cli.confirmation import can_ask
from orchestrator.cli.fast_exit import allow_fast_exit
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output
from orchestrator.core.errors import ConfigurationError

if TYPE_CHECKING:
    from orchestrator.config.simulation import SimulationConfig
    from orchestrator.reports.parameters import ParameterList
    from orchestrator.ui.assistants.base import Message
    from orchestrator.ui.assistants.overlay import CheckedProposal

LONGEST_INPUT = 100_000  # characters of a pipe
LEAVES = ("quit", "exit", "bye", "q")
UNUSABLE = 2


def ask(
    options: CommonOptions,
    output: Output,
    sentence: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SENTENCE",
            help="What to simulate, such as 'growth of 5 %'; by default asked for, or read from a pipe.",
            show_default=False,
        ),
    ] = None,
    *,
    save: Annotated[
        bool, typer.Option("--save", metavar=NO_VALUE, help="Write the scenario file after showing it.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Name of the scenario, whatever the sentence says.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", metavar=NO_VALUE, help="Replace a scenario of that name.")] = False,
) -> int:
    """Make a scenario of a sentence: show what would change, ask what is unclear; nothing is written without --save."""
    from orchestrator.reports.parameters import list_parameters  # slow to import, as what follows
    from orchestrator.ui.assistants.base import Message, Proposal
    from orchestrator.ui.assistants.choose import choose_assistant
    from orchestrator.ui.assistants.overlay import accepted

    config = load_config(options)
    parameters = list_parameters(config, facts_of(config, output))
    assistant = choose_assistant(config, parameters)
    messages: list[Message] = []
    checked: CheckedProposal | None = None
    for text in _turns(output, sentence):
        messages.append(Message("user", text))
        *told, proposal = assistant.stream_chat(messages)
        assert isinstance(proposal, Proposal)
        messages.append(Message("assistant", "".join(map(str, told)), proposal))
        named = proposal if name is None else dataclasses.replace(proposal, name=name)
        checked = accepted(config, parameters, named)
        _require_name(checked, name)
        _show(output, checked, parameters, "".join(map(str, told)))
    if checked is None:
        return 0
    code, status = (
        _save(output, config, checked, replace=yes) if save else (0, "open" if _is_open(checked) else "proposed")
    )
    output.write_json(proposal_record(checked), status, ok=code == 0)
    allow_fast_exit()
    return code


def _turns(output: Output, sentence: list[str] | None) -> Iterator[str]:
    """Yield what the user says: the sentence, what a pipe holds, or line by line what is typed."""
    if sentence:
        yield " ".join(sentence)
        return
    if sys.stdin is None or not sys.stdin.isatty():
        yield "" if sys.stdin is None else sys.stdin.read(LONGEST_INPUT)
        return
    if not can_ask(output):
        raise ConfigurationError("There is no sentence.", to_fix="write one: `orchestrator ask 'growth of 5 %'`")
    output.people.print("What should be simulated? An empty line ends.")
    while True:
        try:
            text = output.people.input("> ", markup=False)
        except EOFError:
            return
        if not text.strip() or text.strip().lower() in LEAVES:
            return
        yield text


def _require_name(checked: CheckedProposal, name: str | None) -> None:
    """Refuse a name of the command line that cannot be one; one of a sentence is asked about."""
    if name is not None and checked.name is None:
        raise ConfigurationError(checked.questions[-1], to_fix="give another --name")


def _is_open(checked: CheckedProposal) -> bool:
    return bool(checked.questions or checked.not_understood)


def proposal_record(checked: CheckedProposal) -> dict[str, object]:
    """Return a proposal for JSON."""
    return {
        "name": checked.name,
        "overlay": checked.overlay,
        "questions": list(checked.questions),
        "not_understood": list(checked.not_understood),
    }


def _show(output: Output, checked: CheckedProposal, parameters: ParameterList, told: str) -> None:
    from orchestrator.ui.assistants.overlay import scenario_yaml

    if checked.changes:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("key", no_wrap=True)
        table.add_column("before", justify="right")
        table.add_column("")
        table.add_column("after", justify="right")
        table.add_column("your words")
        for change in checked.changes:
            after = Text(_value(change.after), "bold")
            table.add_row(change.key, _value(change.before), "→", after, Text(change.words))
        output.show(table)
    said = {line.strip() for text in (*checked.questions, *checked.not_understood) for line in text.splitlines()}
    for line in told.splitlines():
        if line.strip() and line.strip() not in said and " → " not in line:
            output.say(Text(line))
    for text in checked.questions:
        output.say(Text(f"? {text}", "yellow"))
    for text in checked.not_understood:
        output.say(Text(f"✗ not understood: {text}", "yellow"))
    if not parameters.declared:
        output.say("The configuration declares no parameters, so there is little to ask for.")
        output.say("To declare one: parameters: {NAME: {type: number, minimum: 0, maximum: 1, description: …}}")
    if (checked.changes or checked.name) and not checked.errors:
        output.say()
        output.say(Text(scenario_yaml(checked).rstrip(), "dim"))


def _value(value: object) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _save(output: Output, config: SimulationConfig, checked: CheckedProposal, *, replace: bool) -> tuple[int, str]:
    """Write the scenario unless something is open; return the exit code and the outcome in a word."""
    from orchestrator.config.paths import in_project
    from orchestrator.ui.assistants.overlay import save_scenario

    if _is_open(checked):
        output.say("Nothing was saved, because something is open: say it in other words, or leave it out.")
        return UNUSABLE, "open"
    if checked.name is None:
        raise ConfigurationError("The scenario has no name.", to_fix="add --name NAME, or say “call it NAME”")
    if not checked.changes:
        raise ConfigurationError("Nothing would change, so there is nothing to save.", to_fix="say what should change")
    path = save_scenario(checked, config, replace=replace)
    output.say(f"\nSaved {in_project(path, config.root)}. Run it: orchestrator simulate --scenario {checked.name}")
    return 0, "saved"
