"""The configuration file that a command is meant for, where it names none."""

from __future__ import annotations

import os
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
                if stands_at(place / name):
                    return place / name
    raise ConfigurationError(
        f"There is no config/simulation.yaml, orchestrator.yaml or {DBT_PROJECT} in {folder} or a folder above it.",
        to_fix=f"run in the folder of your project, or name the configuration file with --config or {PATH_VARIABLE}",
    )


def stands_at(path: Path) -> bool:
    """Tell whether something stands where a file is looked for, readable or not; a folder is something else."""
    return os.path.lexists(path) and not path.is_dir()


def configuration_in(folder: Path) -> Path | None:
    """Return the configuration file that lies in a folder, None where none has a name that is looked for."""
    names = (*NAMES, Path(NAMES[0].name), Path(DBT_PROJECT))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def other_ending(file: Path) -> Path | None:
    """Return the file that ends with ``.yaml`` in the place of ``.yml``, or the other way round, where there is one."""
    endings = {".yaml": ".yml", ".yml": ".yaml"}
    other = file.with_suffix(endings.get(file.suffix, file.suffix))
    return other if other != file and other.is_file() else None


def bare_project(file: Path) -> Layer:
    """Return the configuration of a dbt project that has none."""
    return Layer({"dbt": {"project_dir": "."}}, {(): Origin(file.name, "file")})
