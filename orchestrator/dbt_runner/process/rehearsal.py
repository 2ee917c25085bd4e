"""Rehearse dbt in a child, to learn what it works out once for a process, whatever the project."""

from __future__ import annotations

import linecache
import os
import pickle
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

PROJECT = {
    "dbt_project.yml": "{name: rehearsal, version: 1.0.0, profile: rehearsal}",
    "profiles.yml": "rehearsal: {target: dev, outputs: {dev: {type: duckdb, path: 'FOLDER/rehearsal.duckdb'}}}",
    "seeds/numbers.csv": "a,b\n1,x\n2,y\n",
    "models/view_of.sql": "select a, b from {{ ref('numbers') }} where a <> {{ var('none', 0) }}",
    "models/inside.sql": "{{ config(materialized='ephemeral') }} select * from {{ ref('view_of') }}",
    "models/table_of.sql": "{{ config(materialized='table', tags=['x']) }} select * from {{ ref('inside') }}",
    "models/grown.sql": "{{ config(materialized='incremental', unique_key='a') }} select * from {{ ref('view_of') }} "
    "{% if is_incremental() %} where a > 1 {% endif %}",
    "models/added.sql": "{{ config(materialized='incremental', incremental_strategy='append', "
    "persist_docs={'relation': true}, pre_hook='select 1', grants={}) }} select * from {{ ref('numbers') }}",
    "models/merged.sql": "{{ config(materialized='incremental', incremental_strategy='merge', unique_key='a', "
    "on_schema_change='append_new_columns') }} select * from {{ ref('numbers') }}",
    "snapshots/kept.sql": "{% snapshot kept %}{{ config(target_schema='main', unique_key='a', strategy='check', "
    "check_cols=['b']) }} select * from {{ ref('numbers') }}{% endsnapshot %}",
    "models/docs.md": "{% docs said %}What is said{% enddocs %}",
    "analyses/looked.sql": "select * from {{ ref('numbers') }}",
    "models/models.yml": """
models:
  - name: added
    description: "{{ doc('said') }}"
    columns: [{name: a, data_tests: [{not_null: {config: {where: a > 0}}}]}]
  - name: table_of
    description: What it is
    config: {contract: {enforced: true}}
    columns:
      - {name: a, data_type: int, data_tests: [not_null, unique]}
      - {name: b, data_type: varchar, data_tests: [{accepted_values: {arguments: {values: [x, y]}}}]}
sources:
  - {name: outside, schema: main, tables: [{name: numbers}]}
exposures:
  - {name: shown, type: dashboard, owner: {name: somebody}, depends_on: [ref('table_of')]}
unit_tests:
  - name: all_grow
    model: view_of
    given: [{input: ref('numbers'), rows: [{a: 1, b: x}]}]
    expect: {rows: [{a: 1, b: x}]}
seeds:
  - {name: numbers, config: {column_types: {a: int}}}
""",
    "tests/none.sql": "select 1 as one from {{ ref('table_of') }} where a > 9",
    "macros/own.sql": "{% macro own(x) %}{{ x }}{% endmacro %}",
}
TIMES = 2  # an incremental model is another one the second time


@dataclass(frozen=True)
class Serializer:
    """A method that was compiled for a class: how the builder of mashumaro was made, and which of its methods ran."""

    method: str
    args: tuple[object, ...]
    options: dict[str, object]


@dataclass(frozen=True)
class Rehearsed:
    """Values that dbt worked out, each a pure function of what is named here.

    ``schemas`` are classes whose JSON schema was made. ``templates`` is what was found of dbt's own macros. ``sources``
    are files of Python code that were read, for dbt asks who calls it. ``manifest`` is what was parsed, packed by dbt.
    """

    modules: tuple[str, ...]
    schemas: tuple[type, ...]
    serializers: tuple[Serializer, ...]
    templates: bytes
    sources: tuple[str, ...]
    manifest: bytes


def rehearse(project: Mapping[str, str]) -> Rehearsed | None:
    """Let a child parse and build a project, files by name; return what it worked out, None when that failed.

    What failed is written to standard error.
    """
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-rehearsal-"))
    ours, theirs = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        ours.close()  # who holds both ends waits for ever, where the zygote has ended
        _rehearse_and_end(project, folder, theirs)
    try:
        theirs.close()
        with ours:
            rehearsed = _told(ours)
    except BaseException:  # the zygote is told to end
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.waitpid(child, 0)
        shutil.rmtree(folder, ignore_errors=True)
    return rehearsed


def _told(connection: Connection) -> Rehearsed | None:
    try:
        rehearsed = connection.recv()
    except EOFError:
        return None
    assert isinstance(rehearsed, Rehearsed)
    return rehearsed


def _rehearse_and_end(project: Mapping[str, str], folder: Path, told: Connection) -> NoReturn:
    try:
        for name in [name for name in os.environ if name.startswith("DBT_")]:
            del os.environ[name]
        for name, text in project.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.replace("FOLDER", str(folder)))
        told.send(_play(folder))
    except BaseException:  # noqa: BLE001 - the process edge: the zygote does without
        traceback.print_exc()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        sys.stderr.flush()
        os._exit(0)


def _play(folder: Path) -> Rehearsed:
    from orchestrator.dbt_runner.adapter.template_shortcuts import kept_templates
    from orchestrator.dbt_runner.process.copies import pack
    from orchestrator.dbt_runner.process.session import DbtSession
    from orchestrator.dbt_runner.project.settings import DbtSettings, Invoke

    before = set(sys.modules)
    schemas, serializers = _watched_schemas(), _watched_serializers()
    settings = DbtSettings(project_dir=folder, profiles_dir=folder, cwd=folder, cache_dir=folder / "cache")
    session = DbtSession(settings, lambda event: None, lambda work, meanwhile: work())
    session.load()
    for _ in range(TIMES):
        session.invoke(Invoke("build"))
    return Rehearsed(
        modules=tuple(name for name in sys.modules if name not in before and sys.modules[name].__spec__ is not None),
        schemas=tuple(schemas),
        serializers=tuple(serializers),
        templates=kept_templates().packed(),
        sources=tuple(linecache.cache),
        manifest=pack(session.parsed),
    )


def _watched_schemas() -> dict[type, None]:
    """Keep, from now on, the classes whose JSON schema is made."""
    from dbt_common import dataclass_schema

    seen: dict[type, None] = {}
    build: Callable[[type], object] = dataclass_schema.build_json_schema

    def watched(cls: type) -> object:
        if _can_be_told(cls):
            seen[cls] = None
        return build(cls)

    dataclass_schema.build_json_schema = watched
    return seen


def _watched_serializers() -> list[Serializer]:
    """Keep, from now on, which serializers are compiled because they are called for the first time."""
    from mashumaro.core.meta.code.builder import CodeBuilder

    seen: list[Serializer] = []
    begin = CodeBuilder.__init__

    def watched(builder: object, *args: object, **options: object) -> None:
        begin(builder, *args, **options)
        first = str(options.get("first_method", ""))
        if options.get("allow_postponed_evaluation") is False and first:
            method = "add_pack_method" if first.startswith("__mashumaro_to_") else "add_unpack_method"
            serializer = Serializer(method, args, options)
            if _can_be_told(serializer):
                seen.append(serializer)

    CodeBuilder.__init__ = watched
    return seen


def _can_be_told(value: object) -> bool:
    """Tell whether another process can be told of it: classes have to have a name in a module."""
    try:
        pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        return False
    return True
