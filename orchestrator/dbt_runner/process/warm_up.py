"""Preparation of a zygote beside the imports: values that dbt works out once for a process, whatever the project.

dbt makes much of itself when it is first used: JSON schemas and serializers of its classes, macros and code of its own
templates, modules that are imported late. A child of the zygote rehearses: it parses and builds a small project, tells
what was worked out meanwhile, and ends. The zygote itself never runs dbt. It works out the same once more, and each of
these is a pure function of a class, a module or a text: nothing of the rehearsal, and of no project, gets into it.
"""

from __future__ import annotations

import inspect
import linecache
from contextlib import suppress
from importlib import import_module

from orchestrator.dbt_runner.process.before_import import prepare_import
from orchestrator.dbt_runner.process.rehearsal import PROJECT, Rehearsed, rehearse


def warm(*, rehearse_too: bool) -> None:
    """Import dbt; with ``rehearse_too`` also rehearse, and work out what the rehearsal did."""
    prepare_import()
    import_module("orchestrator.dbt_runner.process.session")
    rehearsed = rehearse(PROJECT) if rehearse_too else None
    if rehearsed is not None:
        work_out(rehearsed)


def work_out(rehearsed: Rehearsed) -> None:
    """Do in this process what the rehearsal found to be done."""
    from orchestrator.dbt_runner.adapter.shortcuts import take_shortcuts
    from orchestrator.dbt_runner.adapter.template_shortcuts import kept_templates, save_templates

    for name in rehearsed.modules:
        with suppress(ImportError):
            import_module(name)
    take_shortcuts()
    for cls in rehearsed.schemas:
        cls.json_schema()  # type: ignore[attr-defined]  # dbt puts it into each
    _compile_serializers(rehearsed)
    kept_templates().take(rehearsed.templates)
    save_templates()
    if rehearsed.sources:
        inspect.stack()  # makes the list of all modules by file
    for file in rehearsed.sources:
        linecache.getlines(file)


def _compile_serializers(rehearsed: Rehearsed) -> None:
    from mashumaro.core.meta.code.builder import CodeBuilder

    from orchestrator.dbt_runner.process.copies import unpacked

    for one in rehearsed.serializers:
        builder = CodeBuilder(*one.args, **one.options)
        if one.method == "add_pack_method":
            builder.add_pack_method()
        else:
            builder.add_unpack_method()
    unpacked(rehearsed.manifest).build_flat_graph()
