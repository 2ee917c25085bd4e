"""Work that dbt does anew with the same template, done once: see :mod:`~orchestrator.dbt_runner.adapter.shortcuts`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jinja2
from dbt.clients import jinja_static
from dbt.flags import get_flags
from dbt.node_types import ModelLanguage
from dbt.parser import manifest as manifest_parser
from dbt.parser.macros import MacroParser
from dbt_common.clients import jinja

from orchestrator.dbt_runner.adapter.kept_templates import MOST, KeptMacro, KeptTemplates, MacroCall, path_for
from orchestrator.dbt_runner.project.macro_reach import INTERNAL_PACKAGES

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import Macro
    from dbt.contracts.graph.unparsed import UnparsedMacro

DECIDING = ("dbt-core", "dbt-common", "Jinja2")
NOT_MACROS = ("source", "ref", "config")


def take_template_shortcuts() -> None:
    """Take them in this process."""
    kept_templates()
    jinja.MacroFuzzEnvironment.compile = _compile_template
    MacroParser.parse_unparsed_macros = _parse_macros
    manifest_parser.statically_extract_macro_calls = _macro_calls


@cache
def kept_templates() -> KeptTemplates:
    """Return what this process knows of templates; the first time, what is kept beside the installed code."""
    return KeptTemplates.at(path_for((package, version(package)) for package in DECIDING))


def save_templates() -> None:
    """Keep what this process has found out of dbt's own templates, if it has."""
    if kept_templates.cache_info().currsize:
        kept_templates().save()


def _compile_template(
    environment: jinja.MacroFuzzEnvironment, source: object, *args: object, **options: object
) -> object:
    """Make the code of a template once; dbt does so whenever it renders a model, a hook or a value of a YAML file."""
    if type(source) is not str or args or options or jinja.MACRO_DEBUGGING:
        return _compile_in_full(environment, source, *args, **options)
    codes = kept_templates().codes[isinstance(environment, jinja.NativeSandboxEnvironment)]
    code = codes.get(source)
    if code is None:
        code = _compile_in_full(environment, source)
        if len(codes) < MOST:
            codes[source] = code
    return code


def _parse_macros(parser: MacroParser, base: UnparsedMacro) -> Iterator[Macro]:
    """Find the macros of a file; those of a text that was read before are known, unless dbt warns of it."""
    kept = kept_templates()
    if getattr(get_flags(), "validate_macro_args", False):
        yield from _parse_in_full(parser, base)
    elif base.raw_code in kept.files:
        for name, block, languages in kept.files[base.raw_code]:
            macro = parser.parse_macro(SimpleNamespace(full_block=block), base, name)
            if languages is not None:
                macro.supported_languages = [ModelLanguage(language) for language in languages]
            yield macro
    else:
        yield from _parsed_and_kept(parser, base, kept)


def _parsed_and_kept(parser: MacroParser, base: UnparsedMacro, kept: KeptTemplates) -> Iterator[Macro]:
    found: list[KeptMacro] = []
    warned = []

    def handle(**options: object) -> None:
        warned.append(options)
        type(parser)._handle_extract_warning(parser, **options)

    parser._handle_extract_warning = handle
    try:
        for macro in _parse_in_full(parser, base):
            languages = macro.supported_languages
            found.append((macro.name, macro.macro_sql, None if languages is None else tuple(map(str, languages))))
            yield macro
    finally:
        del parser._handle_extract_warning
    if not warned and len(kept.files) < MOST:
        kept.files[base.raw_code] = tuple(found)
        if str(parser.project.project_name) in INTERNAL_PACKAGES:
            kept.own.update((base.raw_code, *(block for _, block, _ in found)))


def _macro_calls(source: str, context: dict[str, object], wrapper: object = None) -> list[str]:
    """Name the macros that a macro may call, as dbt does: which calls it has is found once for a text."""
    kept = kept_templates()
    calls = kept.calls.get(source)
    if calls is None:
        found = None if wrapper is None else _calls_in(source)
        if found is None:
            in_full: list[str] = _calls_in_full(source, context, wrapper)
            return in_full
        calls = tuple(found)
        if len(kept.calls) < MOST:
            kept.calls[source] = calls
    return _named(calls, context, wrapper)


def _calls_in(source: str) -> list[MacroCall] | None:
    """Return the calls of a macro, None where one of them is dispatched in a way that is dbt's to judge."""
    found: list[MacroCall] = []
    for call in jinja.get_environment(None, capture_macros=True).parse(source).find_all(jinja2.nodes.Call):
        called = call.node
        if hasattr(called, "name"):
            found.append((str(called.name), None, False))
        elif isinstance(called, jinja2.nodes.Getattr) and type(called.node) is jinja2.nodes.Name:
            if called.node.name != "adapter":
                found.append((f"{called.node.name}.{called.attr}", None, False))
            elif called.attr == "dispatch":
                dispatch = _dispatch(call)
                if dispatch is None:
                    return None
                found.append(dispatch)
    return found


def _dispatch(call: jinja2.nodes.Call) -> MacroCall | None:
    """Return a dispatch whose name, and namespace if there is one, are written out; None for any other."""
    values: dict[str, str] = {}
    named = [(argument.key, argument.value) for argument in call.kwargs]
    for key, node in [*zip(("macro_name", "macro_namespace"), call.args, strict=False), *named]:
        if type(node) is not jinja2.nodes.Const or type(node.value) is not str or not node.value or key in values:
            return None
        values[key] = node.value
    plain = len(call.args) in (1, 2) and values.keys() <= {"macro_name", "macro_namespace"} and not call.dyn_args
    return (values["macro_name"], values.get("macro_namespace"), True) if plain else None


def _named(calls: Iterable[MacroCall], context: dict[str, object], wrapper: object) -> list[str]:
    names: list[str] = []
    for name, namespace, dispatched in calls:
        if dispatched:
            macro = wrapper.dispatch(name, macro_namespace=namespace).macro  # type: ignore[attr-defined]  # dbt's own
            names += [name, f"{macro.package_name}.{macro.name}"]
        elif name and name not in NOT_MACROS and not context.get(name) and name not in names:
            names.append(name)
    return names


_compile_in_full = jinja.MacroFuzzEnvironment.compile
_parse_in_full = MacroParser.parse_unparsed_macros
_calls_in_full = jinja_static.statically_extract_macro_calls
