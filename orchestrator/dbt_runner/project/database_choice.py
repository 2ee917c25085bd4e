"""The database that the configuration names, against the one that the dbt profile uses."""

from __future__ import annotations

from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.settings import DbtSettings


def same_database(settings: DbtSettings, facts: ProjectFacts) -> bool:
    """Tell whether the profile uses the file that the configuration names, where it names one."""
    wanted, used = settings.database, facts.database_path
    return wanted is None or used is None or wanted.resolve() == used


def require_same_database(settings: DbtSettings, facts: ProjectFacts) -> None:
    """Make sure of it.

    Raises:
        ConfigurationError: the profile uses another file.
    """
    if same_database(settings, facts):
        return
    raise ConfigurationError(
        f"The configuration names database {settings.database}, but profile {facts.profile!r} with target "
        f"{facts.target!r} uses {facts.database_path}.",
        to_fix="""write path: "{{ env_var('ORCHESTRATOR_DATABASE') }}" in profiles.yml, or take `database:` """
        "out of the configuration",
    )
