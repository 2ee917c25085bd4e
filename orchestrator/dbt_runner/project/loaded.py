"""What the dbt process answers when it has read a project."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs


@dataclass(frozen=True)
class Loaded:
    """A project as dbt has read it: its facts, and what decided them."""

    facts: ProjectFacts
    inputs: ParseInputs
