"""The options of ``orchestrator sweep run``."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import NO_VALUE

VaryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="KEY=VALUES",
        help="Key and its values: growth=0.02,0.03, 0.01..0.05/0.01, range(1,10); repeatable.",
        show_default=False,
    ),
]
ScenariosOption = Annotated[
    str | None,
    typer.Option("--scenarios", metavar="NAMES", help="Scenarios, with commas between them.", show_default=False),
]
SeedsOption = Annotated[
    str | None, typer.Option("--seeds", metavar="SEEDS", help="Random seeds: 1-100, or 1,5,9.", show_default=False)
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, max=1024, help="Worker processes; by default one a core.", show_default=False
    ),
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler, tcp://…, whose workers are used instead.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Name; by default made of what is varied.", show_default=False),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option(
        "--keep",
        metavar="TABLE",
        help="Table to gather; repeatable. By default the summary and the last stage's.",
        show_default=False,
    ),
]
DatabasesOption = Annotated[
    str | None,
    typer.Option(
        "--databases", metavar="all|failed|none", help="Whose database files stay; by default all.", show_default=False
    ),
]
RetriesOption = Annotated[
    int | None,
    typer.Option(
        "--retries", metavar="N", min=0, max=100, help="Tries more of a member that failed; 1.", show_default=False
    ),
]
MaxMembersOption = Annotated[
    int | None,
    typer.Option("--max-members", metavar="N", min=1, help="Most members allowed; 1000.", show_default=False),
]
DashboardOption = Annotated[
    bool,
    typer.Option("--dashboard", metavar=NO_VALUE, help="Serve Dask's own pages on 127.0.0.1:8787 meanwhile."),
]
ShareOption = Annotated[
    bool | None,
    typer.Option(
        "--share/--no-share",
        help="Build once what members have in common before their first year; by default done.",
        show_default=False,
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", metavar=NO_VALUE, help="Show members and what they take; run and write nothing.")
]
YesOption = Annotated[
    bool, typer.Option("--yes", metavar=NO_VALUE, help="Remove members that are no longer asked for, without asking.")
]
DeleteYesOption = Annotated[bool, typer.Option("--yes", metavar=NO_VALUE, help="Remove it without asking.")]
SweepArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the sweep.", show_default=False)]
NewestSweepArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Name of the sweep; by default the newest.", show_default=False),
]
