"""Hooks that nobody registers in code: those the configuration names, and those of installed packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from orchestrator.config.schema import HookSettings, HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import ConfigurationError, HookDefinitionError
from orchestrator.core.source_modules import import_from_source
from orchestrator.core.text import did_you_mean
from orchestrator.pipeline.hooks import Hook, checked

ENTRY_POINT_GROUP = "orchestrator.hooks"

_importing = threading.RLock()
_texts: dict[str, tuple[str, bytes]] = {}


def hooks_from_config(config: SimulationConfig) -> tuple[Hook, ...]:
    """Import the functions that the section ``hooks`` names, in its order; the project root is importable.

    Raises:
        ConfigurationError: a module or function is not there, or is no hook; it names the entry.
    """
    return tuple(_configured(config, index, entry) for index, entry in enumerate(config.hooks))


def _configured(config: SimulationConfig, index: int, entry: HookSettings) -> Hook:
    where = f"{config.origin_of('hooks', index, 'call')}: hooks[{index}].call {entry.call!r}"
    return hook_of(config, entry.call, where, entry.type, entry.name or entry.call, entry.stage, entry.on_error)


def hook_of(
    config: SimulationConfig,
    call: str,
    where: str,
    hook_type: HookType,
    name: str = "",
    stage: str | None = None,
    on_error: str = "abort",
) -> Hook:
    """Import the function that ``call`` names, as a hook; the project root is importable, ``where`` begins messages.

    A module whose file has changed since it was imported here is imported again: what it makes is compared with the
    file.

    Raises:
        ConfigurationError: its module or the function is not there, or cannot be called with a context.
    """
    module_name, _, attribute = call.partition(":")
    _forget_changed(module_name)
    found: object = _import(module_name, config.root, where)
    _note_text(module_name)
    seen = module_name
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            known = [name for name in dir(found) if not name.startswith("_")]
            raise ConfigurationError(
                f"{where}: {seen} has no {part!r}.{did_you_mean(part, known)}",
                to_fix=f"define {part} in {seen}, or correct the name.",
            ) from None
        seen = f"{seen}.{part}"
    hook = Hook(hook_type, found, name or call, stage, on_error)  # type: ignore[arg-type]  # checked next
    try:
        return checked(hook)
    except HookDefinitionError as error:
        raise ConfigurationError(f"{where}: {error.message}", to_fix=error.to_fix) from error


def _import(name: str, root: Path, where: str) -> ModuleType:
    try:
        with _importable(root):
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise _import_failed(name, error, where) from error
        raise ConfigurationError(
            f"{where}: there is no module {error.name!r}, neither in {root} nor among the installed packages.",
            to_fix=f"write {root / error.name.replace('.', '/')}.py, or install the package that holds it.",
        ) from error
    except Exception as error:
        raise _import_failed(name, error, where) from error
    _refuse_namesake(name, module, root, where)
    return module


def _import_failed(name: str, error: Exception, where: str) -> ConfigurationError:
    return ConfigurationError(f"{where}: importing {name} raised {type(error).__name__}: {error}")


def _refuse_namesake(name: str, module: ModuleType, root: Path, where: str) -> None:
    """Refuse a module that another project in this process brought in under the same name."""
    stem = root / name.replace(".", "/")
    own = [path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()]
    if own and module.__file__ is not None and Path(module.__file__).resolve() != own[0].resolve():
        raise ConfigurationError(
            f"{where}: {name} is {module.__file__}, not {own[0]}; a module of that name was found first.",
            to_fix="give the project's module a name of its own.",
        )


def _note_text(name: str) -> None:
    """Note the text of the file that a module was imported from."""
    file = sys.modules[name].__file__
    if file is not None and Path(file).is_file() and _texts.get(name, ("", b""))[0] != file:
        _texts[name] = file, Path(file).read_bytes()


def _forget_changed(name: str) -> None:
    """Forget a module that was imported here and whose file has another text by now."""
    file, text = _texts.get(name, ("", b""))
    if file and (not Path(file).is_file() or Path(file).read_bytes() != text):
        del _texts[name]
        sys.modules.pop(name, None)


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    with _importing:
        import_from_source()
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(str(root))


def hooks_from_entry_points() -> tuple[Hook, ...]:
    """Return the hooks of installed packages, by package and name of the entry point.

    An entry point of the group ``orchestrator.hooks`` is a :class:`Hook`, an iterable of them, or a callable
    without arguments that returns either.

    Raises:
        HookDefinitionError: an entry point cannot be loaded, or gives something else.
    """
    entries = importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
    hooks: list[Hook] = []
    for entry in sorted(entries, key=lambda entry: (entry.dist.name if entry.dist else "", entry.name)):
        package = entry.dist.name if entry.dist else "an unknown package"
        where = f"The entry point {entry.name!r} ({entry.value}) of {package}"
        try:
            found: object = entry.load()
            if callable(found):
                found = found()
            if inspect.isgenerator(found):
                found = tuple(found)
        except Exception as error:
            raise HookDefinitionError(
                f"{where} cannot be loaded: {type(error).__name__}: {error}",
                to_fix=f"repair or uninstall {package}.",
            ) from error
        for hook in _hooks_in(found, where):
            try:
                hooks.append(checked(hook))
            except HookDefinitionError as error:
                raise HookDefinitionError(f"{where}: {error.message}", to_fix=error.to_fix) from error
    return tuple(hooks)


def _hooks_in(found: object, where: str) -> Iterable[Hook]:
    if isinstance(found, Hook):
        return (found,)
    if not isinstance(found, Iterable) or isinstance(found, (str, bytes)):
        raise HookDefinitionError(f"{where} returned {found!r}; it must return one Hook or several.")
    return found
