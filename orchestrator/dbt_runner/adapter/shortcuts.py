"""Work that dbt does again and again, done with the same result in fewer steps.

Each shortcut stands in the place of one function of dbt, and gives what that function gives. They are taken only with
the versions of dbt that were read for this; with any other dbt does all by itself.
"""

from __future__ import annotations

import inspect
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import cache
from itertools import repeat
from types import FrameType, ModuleType, SimpleNamespace

from dbt.clients.jinja import MacroGenerator
from dbt.context.macro_resolver import TestMacroNamespace
from dbt.context.macros import GLOBAL_PROJECT_NAME, MacroNamespace, MacroNamespaceBuilder
from dbt.context.manifest import ManifestContext
from dbt.contracts.graph.nodes import Macro, ParsedNode
from dbt.plugins.manager import PluginManager
from dbt.tracking import track_behavior_change_warn
from dbt_common import behavior_flags
from dbt_common.constants import SECRET_ENV_PREFIX
from dbt_common.events import base_types
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager
from dbt_common.exceptions import base as exceptions
from mashumaro.jsonschema import schema as json_schema

from dbt import flags
from orchestrator.dbt_runner.adapter.event_fields import parse_dict
from orchestrator.dbt_runner.adapter.template_shortcuts import take_template_shortcuts
from orchestrator.dbt_runner.project.parse_inputs import versions

READ = {"dbt-core": "1.11.16", "dbt-common": "1.39.0", "mashumaro": "3.14"}
"""The versions whose functions these replace."""
AGATE = frozenset({"agate.data_types.date", "agate.data_types.date_time"})
LOUD = frozenset({EventLevel.WARN, EventLevel.ERROR})


class Listener:
    """A callback of dbt that wants all warnings and errors, and of other events those of some names alone."""

    def __init__(self, names: frozenset[str], told: Callable[[EventMsg], None]) -> None:
        self.names = names
        self._told = told

    def __call__(self, message: EventMsg) -> None:
        """Hand on what dbt says; it may be more than is wanted."""
        self._told(message)


def take_shortcuts() -> None:
    """Take them in this process, where dbt is one that was read for them; what is not imported yet has to wait."""
    if READ.items() <= versions().items():
        EventManager.fire_event = _fire_event
        base_types.ParseDict = parse_dict
        behavior_flags.BehaviorFlagRendered._default_source = staticmethod(_asking_module)
        flags.get_flag_obj = _flags_for_templates
        MacroGenerator.__init__ = _make_generator
        MacroNamespace.__getitem__ = _macro_of_name
        MacroNamespaceBuilder.build_namespace = _build_namespace
        ManifestContext.to_dict = _context_with_macros
        exceptions.env_secrets = _secrets
        json_schema._default = _default_in_schema
        ParsedNode.write_node = _forgo_file
        PluginManager.get_prefixed_modules = staticmethod(_plugins)
        take_template_shortcuts()
        for name in AGATE & sys.modules.keys():
            sys.modules[name].parsedatetime = _shared_calendars()  # type: ignore[attr-defined]  # their import of it


def _fire_event(
    manager: EventManager,
    event: BaseEvent,
    level: EventLevel | None = None,
    node: object = None,
    force_warn_or_error_handling: bool = False,  # noqa: FBT001, FBT002 - as dbt calls it
) -> None:
    """Make a message of an event only where somebody reads it."""
    if force_warn_or_error_handling or _is_read(manager, event, level):
        _fire_in_full(manager, event, level, node, force_warn_or_error_handling)


def _is_read(manager: EventManager, event: BaseEvent, level: EventLevel | None) -> bool:
    if (level or event.level_tag()) in LOUD or manager.loggers or os.environ.get("DBT_TEST_BINARY_SERIALIZATION"):
        return True
    name = type(event).__name__
    return not all(
        name not in callback.names if isinstance(callback, Listener) else callback is track_behavior_change_warn
        for callback in manager.callbacks
    )


def _asking_module() -> str:
    """Name the module that asks for a flag of dbt's behaviour; dbt reads the source of all that called it first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = _module_of(frame)
        if module is not None and module.__name__ != behavior_flags.__name__:
            return module.__name__
        frame = frame.f_back
    return "Unknown"


def _module_of(frame: FrameType) -> ModuleType | None:
    module = sys.modules.get(frame.f_globals.get("__name__", ""))
    if module is not None and getattr(module, "__file__", None) == frame.f_code.co_filename:
        return module
    return inspect.getmodule(frame)


def _flags_for_templates() -> Namespace:
    """Return the flags that templates see: of one command always the same, in an object of their own."""
    global _last_flags
    if _last_flags is None or _last_flags[0] is not flags.GLOBAL_FLAGS:
        _last_flags = (flags.GLOBAL_FLAGS, vars(_flags_in_full()))
    return Namespace(**_last_flags[1])


def _make_generator(
    generator: MacroGenerator, macro: object, context: object = None, node: object = None, stack: object = None
) -> None:
    """Set what the three classes above one another set; dbt makes one for each macro and each template."""
    generator.context = context
    generator.macro = macro
    generator.node = node
    generator.stack = stack


def _macro_of_name(namespace: MacroNamespace, key: str) -> object:
    """Look where dbt looks, in its order."""
    for members in (namespace.local_namespace, namespace.global_namespace, namespace.packages):
        if key in members:
            return members[key]
    if key == GLOBAL_PROJECT_NAME:
        return namespace.global_project_namespace
    return namespace.global_project_namespace[key]


def _build_namespace(
    builder: MacroNamespaceBuilder, macros_by_package: Mapping[str, Mapping[str, Macro]], context: dict[str, object]
) -> MacroNamespace:
    """Sort the macros of each package into the namespaces that dbt sorts them into one by one."""
    internal: dict[str, dict[str, MacroGenerator]] = {}
    for package, macros in macros_by_package.items():
        made = map(MacroGenerator, macros.values(), repeat(context), repeat(builder.node), repeat(builder.thread_ctx))
        generators = dict(zip(macros, made, strict=True))
        if package in builder.internal_package_names:
            internal[package] = generators
            continue
        builder.packages[package] = generators
        if package == builder.search_package:
            builder.locals.update(generators)
        elif package == builder.root_package:
            builder.globals.update(generators)
    own: dict[str, MacroGenerator] = {}
    for package in reversed(builder.internal_package_names_order):
        own.update(internal.get(package, {}))
    return MacroNamespace(builder.globals, builder.locals, own, builder.packages)


def _context_with_macros(context: ManifestContext) -> dict[str, object]:
    """Return what templates see, with the macros above what is no macro; dbt looks up each of them by its name."""
    namespace = context.namespace
    if isinstance(namespace, TestMacroNamespace):
        in_full: dict[str, object] = _context_in_full(context)
        return in_full
    members: dict[str, object] = super(ManifestContext, context).to_dict()
    for part in reversed([*namespace._search_order()]):
        members.update(part)
    return members


def _forgo_file(node: ParsedNode, project_root: str, compiled_path: str, compiled_code: str) -> None:
    """Write no file of compiled SQL: the folder that dbt is given for them is its process's own, and goes with it."""


def _plugins() -> Mapping[str, ModuleType]:
    """Return the installed plugins of dbt, looked for once in each search path, not once in each command."""
    return _plugins_on(tuple(sys.path))


@cache
def _plugins_on(search_path: tuple[str, ...]) -> Mapping[str, ModuleType]:
    del search_path  # dbt looks for them there by itself
    found: dict[str, ModuleType] = _plugins_in_full()
    return found


@cache
def _shared_calendars() -> SimpleNamespace:
    """Return of ``parsedatetime`` what agate uses; each of its many types would make the same patterns of words."""
    import parsedatetime

    return SimpleNamespace(**{**vars(parsedatetime), "Constants": cache(parsedatetime.Constants)})


def _secrets() -> list[str]:
    """Return the values of variables that are secrets; dbt asks for them for each macro that is not where it looks."""
    names = [name for name in os.environ if name.startswith(SECRET_ENV_PREFIX)]
    return [os.environ[name] for name in names if os.environ[name].strip()]


def _default_in_schema(field_type: object, value: object, config: type) -> object:
    """Return the default of a field as a JSON schema has it; what JSON has too needs no class that serializes it."""
    if value is None or type(value) in (bool, int, str):
        return value
    return _default_in_full(field_type, value, config)


_default_in_full = json_schema._default
_context_in_full = ManifestContext.to_dict
_fire_in_full = EventManager.fire_event
_flags_in_full = flags.get_flag_obj
_plugins_in_full = PluginManager.get_prefixed_modules
_last_flags: tuple[object, dict[str, object]] | None = None
