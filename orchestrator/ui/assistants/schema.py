"""What a conversation may configure: the configuration that scenarios are laid over, and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.reports.parameters import ParameterList, list_parameters
from orchestrator.ui.assistants.base import Proposal
from orchestrator.ui.assistants.overlay import CheckedProposal, check_proposal, save_scenario, scenario_yaml
from orchestrator.wiring import dbt_runner


@dataclass(frozen=True)
class Subject:
    """A configuration as it was at a moment, with the parameters of its project."""

    config: SimulationConfig
    parameters: ParameterList

    def check(self, proposal: Proposal) -> CheckedProposal:
        """Lay a proposal over the configuration by the configuration's own loader."""
        return check_proposal(self.config, self.parameters, proposal)


class ConfigSchema:
    """Reads the configuration and the project anew for each question, so that an edit of theirs counts at once.

    ``load`` gives the configuration; ``parameters`` what its project has to be varied.
    """

    def __init__(
        self,
        load: Callable[[], SimulationConfig] = SimulationConfig.load,
        parameters: Callable[[SimulationConfig], ParameterList] | None = None,
    ) -> None:
        self._load = load
        self._parameters = parameters or parameters_of_project

    def subject(self) -> Subject:
        """Return the configuration and its parameters as they are now.

        Raises:
            ConfigurationError: the configuration or the project is wrong.
        """
        config = self._load()
        return Subject(config, self._parameters(config))

    def yaml(self, proposal: Proposal) -> str:
        """Return the text of the scenario file of a proposal.

        Raises:
            ConfigurationError: the proposal does not fit.
        """
        return scenario_yaml(self.subject().check(proposal))

    def save(self, proposal: Proposal, *, replace: bool = False) -> Path:
        """Write the scenario file of a proposal and return its path.

        Raises:
            ConfigurationError: the proposal has no name or does not fit, or the scenario exists already.
            OSError: the file cannot be written.
        """
        subject = self.subject()
        return save_scenario(subject.check(proposal), subject.config, replace=replace)


def parameters_of_project(config: SimulationConfig) -> ParameterList:
    """Return the parameters of a configuration; dbt reads the project only where it has changed since it last did."""
    quick = dbt_runner(config)
    known = quick.known_facts()
    if known is not None:
        return list_parameters(config, known)
    runner = dbt_runner(config)
    try:
        return list_parameters(config, runner.facts())
    finally:
        runner.close()
