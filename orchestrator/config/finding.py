"""The configuration file that a command is meant for, where it names none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.config.origins import Layer, Origin
from orchestrator.core.errors import ConfigurationError

PATH_VARIABLE = "ORCHESTRATOR_CONFIG"
NAMES = (Path("config/simulation.yaml"), Path("orchestrator.yaml"))
DBT_PROJECT = "dbt_project.yml"


def find_configuration(path: Path | str | None, environ: Mapping[str, str]) -> Path:
    """Return the absolute path of the configuration file.

    It is ``path``, else what ``ORCHESTRATOR_CONFIG`` names, else ``config/simulation.yaml`` or ``orchestrator.yaml`` in
    the working folder or the nearest folder above that has one, else the nearest ``dbt_project.yml``: a dbt project
    needs no file of ours, see :func:`bare_project`.

    Raises:
        ConfigurationError: there is none of them.
    """
    given = path if path is not None else environ.get(PATH_VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    folder = Path.cwd()
    places = (folder, *folder.parents)
    for names in (NAMES, (Path(DBT_PROJECT),)):
        for place in places:
            for name in names:
                if (place / name).is_file():
                    return place / name
    raise ConfigurationError(
        f"There is no config/simulation.yaml, orchestrator.yaml or {DBT_PROJECT} in {folder} or a folder above it.",
        to_fix=f"run in the folder of your project, or name the configuration file with --config or {PATH_VARIABLE}",
    )


def bare_project(file: Path) -> Layer:
    """Return the configuration of a dbt project that has none."""
    return Layer({"dbt": {"project_dir": "."}}, {(): Origin(file.name, "file")})
