"""Preparation of a zygote beside the imports: values that dbt works out once for a process, whatever the project.

dbt makes much of itself when it is first used: JSON schemas and serializers of its classes, syntax trees and code of
its own macros, modules that are imported late. A child of the zygote rehearses: it parses and builds a small project,
tells what was worked out meanwhile, and ends. The zygote itself never runs dbt. It works out the same once more, and
each of these is a pure function of a class, a module or a text: nothing of the rehearsal, and of no project, gets into
it. Jinja's syntax trees are kept where dbt itself keeps them for many projects in one process; project's texts are not.
"""

from __future__ import annotations

import inspect
import linecache
from contextlib import suppress
from importlib import import_module

from orchestrator.dbt_runner.process.locks import use_thread_locks
from orchestrator.dbt_runner.process.rehearsal import PROJECT, Rehearsed, rehearse


def warm(*, rehearse_too: bool) -> None:
    """Import dbt; with ``rehearse_too`` also rehearse, and work out what the rehearsal did."""
    use_thread_locks()
    import_module("orchestrator.dbt_runner.process.session")
    rehearsed = rehearse(PROJECT) if rehearse_too else None
    if rehearsed is not None:
        work_out(rehearsed)


def work_out(rehearsed: Rehearsed) -> None:
    """Do in this process what the rehearsal found to be done."""
    from orchestrator.dbt_runner.adapter.shortcuts import take_shortcuts

    for name in rehearsed.modules:
        with suppress(ImportError):
            import_module(name)
    take_shortcuts()
    for cls in rehearsed.schemas:
        cls.json_schema()  # type: ignore[attr-defined]  # dbt puts it into each
    _compile_serializers(rehearsed)
    _read_macros(rehearsed)
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


def _read_macros(rehearsed: Rehearsed) -> None:
    from dbt.clients import jinja_static
    from dbt_common import tests
    from dbt_common.clients import jinja

    tests.enable_test_caching()
    for one in rehearsed.blocks:
        jinja.extract_toplevel_blocks(one.text, allowed_blocks=one.kinds, collect_raw_data=one.raw)
    for text in rehearsed.templates:
        jinja.parse(text)
    for text in rehearsed.macros:
        jinja_static.statically_extract_macro_calls(text, {})
    for caches, name in (
        (jinja, "_TESTING_BLOCKS_CACHE"),
        (jinja, "_TESTING_PARSE_CACHE"),
        (jinja_static, "_TESTING_MACRO_CACHE"),
    ):
        setattr(caches, name, Finished(getattr(caches, name)))
    for native, texts in rehearsed.compiled.items():
        for text in texts:
            jinja.get_environment(native=native).compile(text)


class Finished(dict[object, object]):
    """A cache that takes nothing more: texts of a project are worked out as ever."""

    def __setitem__(self, key: object, value: object) -> None:
        """Drop it."""
