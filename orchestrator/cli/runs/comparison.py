"""The differences between two runs for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import Output
from orchestrator.cli.summary import plain_table
from orchestrator.core.formats import NOTHING, shown, shown_time
from orchestrator.core.text import plural
from orchestrator.reports.comparison import Difference, ResultDifference, RowsDifference
from orchestrator.reports.run_history import SHORT, ComparedRuns
from orchestrator.reports.runs import scenario_label

MOST_TABLES = 20


def show_comparison(output: Output, compared: ComparedRuns) -> None:
    """Write what differs between two runs, kind by kind."""
    a, b, found = compared.a, compared.b, compared.comparison
    heads = (a.id[:SHORT], b.id[:SHORT])
    for letter, run in (("A", a), ("B", b)):
        output.say(Text(f"{letter}  {run.id}  {scenario_label(run)}, {shown_time(run.started_at)}", "bold"))
    _show_differences(output, "Parameters", heads, found.parameters)
    _show_differences(output, "Versions", heads, found.versions)
    _show_results(output, heads, found.results)
    _show_rows(output, heads, found.rows)
    _show_differences(output, "Seconds", heads, found.seconds, justify="right")
    output.say()
    if found.rows:
        output.say(f"The rows differ first at {found.rows[0].name}; {_equal(found.same_rows)}.")
    elif found.same_rows:
        output.say(f"Both left the same rows: {_equal(found.same_rows)}, stage by stage.")
    else:
        output.say("They have no stage in common, so their rows cannot be compared.")


def _show_results(output: Output, heads: tuple[str, str], found: Sequence[ResultDifference]) -> None:
    """Write the summary's values that differ, in full, with what A has more than B."""
    table = _table(("Year", "Result"), (*heads, "A − B", "in %"))
    year = ""
    for one in found:
        begins = one.year != year
        year = one.year
        values = (_result(value, one.format) for value in (one.a, one.b))
        signed = NOTHING if one.difference is None else _signed(one.difference, one.format)
        table.add_row(year if begins else "", one.label, *values, signed, _percent(one.percent))
    _show(output, table)


def _show_rows(output: Output, heads: tuple[str, str], found: Sequence[RowsDifference]) -> None:
    """Write the tables that differ after a stage, each where it differs first."""
    first = {one.name.rpartition("/")[2]: one for one in reversed(found)}
    table = _table(("Table", "differs first after"), (*heads, "rows A − B"))
    listed = sorted(first.items(), key=lambda item: found.index(item[1]))
    for name, one in listed[:MOST_TABLES]:
        stage = one.name.rpartition("/")[0].replace("/", " ")
        numbers = [value if isinstance(value, int) else 0 for value in (one.a, one.b)]
        more = f"{numbers[0] - numbers[1]:+,}" if numbers[0] != numbers[1] else "other values"
        table.add_row(name, stage, *(f"{number:,}" for number in numbers), more)
    _show(output, table)
    if len(listed) > MOST_TABLES:
        output.say(Text(f"and {plural(len(listed) - MOST_TABLES, 'table')} more (--json shows all)", "dim"))


def _show_differences(
    output: Output, title: str, heads: tuple[str, str], found: Sequence[Difference], *, justify: str = "left"
) -> None:
    right = justify == "right"
    table = _table((title, *(() if right else heads)), heads if right else ())
    for one in found:
        table.add_row(one.name, _value(one.a), _value(one.b))
    _show(output, table)


def _table(left: Sequence[str], right: Sequence[str]) -> Table:
    table = plain_table()
    for head in left:
        table.add_column(head, overflow="fold")
    for head in right:
        table.add_column(head, justify="right", overflow="fold")
    return table


def _show(output: Output, table: Table) -> None:
    if table.rows:
        output.say()
        output.show(table)


def _result(value: object, kind: str) -> str:
    """Write a value of the summary with all digits that differ; money is not shortened here.

    >>> _result(84679872.49, "money"), _result(0.7166, "percent"), _result(1030, "integer"), _result(None, "integer")
    ('84,679,872', '71.66%', '1,030', '–')
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return shown(value, kind)
    if kind == "percent":
        return f"{value:.2%}"
    return f"{value:,.0f}" if kind in ("money", "integer") else _value(value)


def _signed(value: float, kind: str) -> str:
    """Write a difference with its sign; of two percentages, in points.

    >>> _signed(0.0019, "percent"), _signed(-1591516.4, "money"), _signed(0.0, "integer")
    ('+0.19 pt', '-1,591,516', '+0')
    """
    if kind == "percent":
        return f"{value * 100:+.2f} pt"
    return f"{value:+,.0f}" if kind in ("money", "integer") else f"{value:+,.4g}"


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:+.1f}%"


def _value(value: object) -> str:
    """Write a value for people.

    >>> _value(84679872.49), _value(0.714718), _value(1030), _value(None), _value([2025, 2026])
    ('84,679,872.49', '0.7147', '1,030', '–', '[2025, 2026]')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 10 else f"{value:,.4g}"


def _equal(tables: int) -> str:
    return f"{plural(tables, 'table')} {'is' if tables == 1 else 'are'} equal"
