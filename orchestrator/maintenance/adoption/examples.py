"""The example projects that ship, laid out in an empty folder."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterable
from pathlib import Path

from orchestrator.core.errors import ConfigurationError
from orchestrator.core.text import did_you_mean

PACKAGE = Path(__file__).parents[2]
FOLDER = "examples"
IGNORED = ".gitignore"
MADE = "var/\n"
"""What a repository should leave out of what the program makes."""


def examples() -> dict[str, dict[str, Path]]:
    """Return the files of each example, by the name of the example and their path in it.

    An installed package holds them. In a checkout they are where ``pyproject.toml`` takes them from for that package.
    """
    installed = PACKAGE / FOLDER
    if installed.is_dir():
        return {one.name: _files({"": one}) for one in sorted(installed.iterdir()) if one.is_dir()}
    checkout = PACKAGE.parent / "pyproject.toml"
    if not checkout.is_file():
        return {}
    build = tomllib.loads(checkout.read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    found: dict[str, dict[str, Path]] = {}
    for source, target in build["force-include"].items():
        parts = Path(target).parts
        if parts[:2] == (PACKAGE.name, FOLDER):
            within = _files({"/".join(parts[3:]): PACKAGE.parent / source})
            found.setdefault(parts[2], {}).update(within)
    return found


def lay_out(name: str, folder: Path) -> tuple[Path, ...]:
    """Write an example into a folder that is empty, or made; return its files, in their order.

    Hidden files that are there already, such as ``.git``, stay as they are.

    Raises:
        ConfigurationError: there is no such example, something is in the folder, or it cannot be written; nothing of
            the example is left in it then.
    """
    known = examples()
    if name not in known:
        there = ", ".join(known) or "none is installed"
        raise ConfigurationError(
            f"There is no example {name!r}.{did_you_mean(name, known)}", to_fix=f"name one of those that ship: {there}"
        )
    _require_empty(folder)
    written: list[Path] = []
    made = _missing_folders(folder)
    try:
        for path, source in sorted(known[name].items()):
            target = folder / path
            made += _missing_folders(target.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                written.append(target)
                file.write(source.read_bytes())
        ignored = folder / IGNORED
        if not os.path.lexists(ignored):
            with ignored.open("x", encoding="utf-8") as text:
                written.append(ignored)
                text.write(MADE)
    except BaseException as error:
        _take_back(written, made)
        if isinstance(error, OSError):
            raise cannot_be_written(folder, error) from None
        raise
    return tuple(written)


def cannot_be_written(folder: Path, error: OSError) -> ConfigurationError:
    """Return the error for a folder in which nothing can be written."""
    return ConfigurationError(f"{folder} cannot be written: {error.strerror}.", to_fix="name a folder that can be")


def _require_empty(folder: Path) -> None:
    if folder.is_dir():
        there = sorted(one.name for one in folder.iterdir() if not one.name.startswith("."))
    else:
        there = [folder.name] if os.path.lexists(folder) else []
    if there:
        shown = ", ".join(there[:3]) + (", …" if len(there) > 3 else "")
        raise ConfigurationError(
            f"{folder} is not empty ({shown}), and nothing is ever overwritten.",
            to_fix="name a folder that is empty or does not exist yet",
        )


def _files(places: dict[str, Path]) -> dict[str, Path]:
    """Return every file below these places, by its path in the example."""
    found: dict[str, Path] = {}
    for within, place in places.items():
        if place.is_file():
            found[within] = place
            continue
        for file in sorted(place.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                found["/".join(filter(None, (within, file.relative_to(place).as_posix())))] = file
    return found


def _missing_folders(folder: Path) -> list[Path]:
    return [one for one in (folder, *folder.parents) if not one.exists()]


def _take_back(files: Iterable[Path], folders: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
    for folder in sorted(set(folders), key=lambda one: len(one.parts), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)
