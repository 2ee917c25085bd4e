"""The questions of ``orchestrator new``, each with what the project tells as its default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import yaml

from orchestrator.cli.new_output import wrapped
from orchestrator.cli.output import Output
from orchestrator.cli.year_range import parse_range
from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import did_you_mean
from orchestrator.maintenance.adoption.stages import FOLDERS, LAYERS, ONE, TAGS, StageChoice
from orchestrator.maintenance.adoption.yaml_text import shown_range
from orchestrator.maintenance.adoption.year_range import YearRange
from orchestrator.maintenance.adoption.year_variable import YearCandidate

NONE = "none"
T = TypeVar("T")
_CUT_BY = {
    TAGS: "one for each tag",
    FOLDERS: "one for each folder",
    LAYERS: "layers of the graph",
    ONE: "all in one",
}


class Questions:
    """What is asked on a terminal; where nobody ``asks``, every answer is the default."""

    def __init__(self, output: Output, *, asks: bool) -> None:
        self._output = output
        self.asks = asks

    def value(self, name: str, error: ConfigurationError) -> object:
        """Ask for the value of a variable without which dbt cannot read the project, written as in YAML.

        Raises:
            ConfigurationError: nobody can be asked.
        """
        if not self.asks:
            raise error
        return yaml.safe_load(self._ask(f"Value of {name}, which the project needs to be read", ""))

    def variable(self, candidates: Sequence[YearCandidate]) -> YearCandidate | None:
        """Ask which variable carries the year; None where there are no years."""
        best = candidates[0] if candidates and candidates[0].convincing else None
        if not self.asks or not candidates:
            return best
        for one in candidates[:3] if len(candidates) > 1 or best is None else ():
            self._say(f"{one.variable}: {'; '.join(one.because)}")
        known = {one.variable: one for one in candidates}

        def check(answer: str) -> YearCandidate | None:
            if answer.lower() == NONE:
                return None
            if answer not in known:
                raise ValueError(f"No model keeps rows by {answer}.{did_you_mean(answer, known)}")
            return known[answer]

        return self._checked("Variable that carries the year, or none", NONE if best is None else best.variable, check)

    def column(self, chosen: YearCandidate) -> str:
        """Ask which column holds the year."""
        return self._ask("Column that holds the year", chosen.column or chosen.variable)

    def years(self, proposed: YearRange) -> tuple[int | None, int | None]:
        """Ask for the range of years."""
        default = shown_range(proposed)

        def check(answer: str) -> tuple[int | None, int | None]:
            try:
                return (None, None) if answer == default else parse_range(answer)
            except ConfigurationError as error:
                raise ValueError(str(error)) from None

        return self._checked("Years", default, check)

    def stages(self, choices: Sequence[StageChoice]) -> StageChoice:
        """Ask how a year is cut into stages."""
        if not self.asks or len(choices) < 2:
            return choices[0]
        known = {one.by: one for one in choices}
        for one in choices:
            names = ", ".join(stage.name for stage in one.stages)
            self._say(f"{one.by}: {_CUT_BY[one.by]} ({names})")

        def check(answer: str) -> StageChoice:
            if answer not in known:
                raise ValueError(f"Answer one of {', '.join(known)}.")
            return known[answer]

        return self._checked("Stages of a year", choices[0].by, check)

    def _checked(self, what: str, default: str, check: Callable[[str], T]) -> T:
        while True:
            answer = self._ask(what, default)
            try:
                return check(answer)
            except ValueError as error:
                self._output.people.print(str(error))

    def _say(self, text: str) -> None:
        self._output.say(wrapped(self._output, text, 2, 2))

    def _ask(self, what: str, default: str) -> str:
        if not self.asks:
            return default
        told = f"{what} [{default}]: " if default else f"{what}: "
        try:
            return self._output.people.input(told, markup=False).strip() or default
        except EOFError:
            raise ConfigurationError("No answer came, so nothing was written.", to_fix="add --yes") from None
