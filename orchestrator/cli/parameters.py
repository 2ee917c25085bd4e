"""``orchestrator parameters``: what may be varied, between which limits, and the values that a run would use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestrator.cli.command import facts_of, load_config
from orchestrator.cli.fast_exit import allow_fast_exit
from orchestrator.cli.options import NO_VALUE, CommonOptions
from orchestrator.cli.output import Output

if TYPE_CHECKING:
    from orchestrator.reports.parameters import ParameterList


def parameters(
    options: CommonOptions,
    output: Output,
    *,
    schema: Annotated[
        bool, typer.Option("--schema", metavar=NO_VALUE, help="Write a JSON Schema of the parameters instead.")
    ] = False,
) -> int:
    """List the parameters that may be varied, and the values that a run would use; nothing is written."""
    from orchestrator.reports.parameters import (  # slow to import
        list_parameters,
        parameters_record,
        parameters_schema,
    )

    config = load_config(options)
    found = list_parameters(config, facts_of(config, output))
    if schema:
        document = parameters_schema(found)
        output.write_raw_json(document)
        if not options.json:
            output.people.print_json(json.dumps(document))
    else:
        output.write_json(parameters_record(found), "listed")
        _show(output, found)
    allow_fast_exit()
    return 0


def _show(output: Output, found: ParameterList) -> None:
    from orchestrator.reports.parameters import shown_range, shown_value  # as above

    if found.declared:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading, justify in (("parameter", "left"), ("value", "right"), ("range", "left"), ("set by", "left")):
            table.add_column(heading, justify=justify, no_wrap=heading == "parameter")  # type: ignore[arg-type]
        table.add_column("meaning")
        for one in found.declared:
            value = Text(shown_value(one.shown(one.value)), "bold" if one.value != one.default else "")
            table.add_row(one.name, value, shown_range(one), one.origin, one.declared.description or "")
        output.show(table)
    else:
        output.say("The configuration declares no parameters.")
    if found.undeclared:
        output.say(Text(f"Not declared: {', '.join(found.undeclared)}", "dim"))
    if not found.declared:
        output.say("To declare one: parameters: {NAME: {type: number, minimum: 0, maximum: 1, description: …}}")
