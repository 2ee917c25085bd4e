"""What a zygote prepares is the same for all projects, and spares a dbt process most of its work."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.support.workspaces import REPOSITORY

pytestmark = pytest.mark.slow

# What is worked out of a class, a module or a text, and kept by whoever works it out.
PREPARED = (
    r".*\.__mashumaro_\w+",  # serializers of dbt's classes
    r".*\.__\w+_(de)?serialize_[0-9a-f]{32}",
    r".*\.__(un)?pack_\w+",
    r".*\.(to|from)_(dict|msgpack|dict_msgpack|json)",
    r".*\._mapped_fields",
    r".*\.__forward_(evaluated|value)__",
    r".*\.__dataclass_fields__\['\w+'\]\.type",
    r"(inspect\.(modulesbyfile|_filesbymodname)|linecache\.cache|encodings\._cache|re\._cache)",
)
PROGRAM = """
import gc, importlib, json, os, sys
gc.disable()
from orchestrator.dbt_runner.process import warm_up
from tests.integration.module_state import changes, module_state
warm_up.prepare_import()
import orchestrator.dbt_runner.process.session
rehearsed = warm_up.rehearse(warm_up.PROJECT)
for name in rehearsed.modules:
    importlib.import_module(name)
import mashumaro.core.meta.code.builder
from orchestrator.dbt_runner.adapter.shortcuts import take_shortcuts
take_shortcuts()
besides = frozenset({"__main__", "__mp_main__", "tests.integration.module_state"})
before = module_state(besides)
warm_up.work_out(rehearsed)
after = module_state(besides)
print(json.dumps(changes(before, after)))
import dbt.deprecations, dbt.adapters.factory, dbt.flags
dbt.deprecations.active_deprecations['x'] = 1
dbt.adapters.factory.FACTORY.adapters['duckdb'] = 1
dbt.flags.set_flags(object())
print(json.dumps(changes(after, module_state(besides))))
print(len(os.listdir("/proc/self/task")), len(rehearsed.schemas) > 10, len(rehearsed.templates) > 300_000)
sys.stdout.flush()
os._exit(0)
"""


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What a process that imported dbt says of its modules: what a zygote changes, then what dbt keeps of a project."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-3:]


def test_nothing_but_the_listed_caches_is_changed(told: list[str]) -> None:
    """Beside imports and shortcuts, all of it are caches of pure functions; nothing of a project is in its modules."""
    paths = json.loads(told[0])
    known = re.compile("|".join(f"(?:{pattern})(?![a-zA-Z0-9_]).*" for pattern in PREPARED), re.DOTALL)
    assert len(paths) > 1000
    assert [path for path in paths if not known.fullmatch(path)][:20] == []
    assert told[2] == "1 True True"


def test_a_change_would_be_seen(told: list[str]) -> None:
    """What dbt keeps of a project shows: an adapter, a warning that was given, a flag."""
    paths = json.loads(told[1])
    assert {"dbt.adapters.factory.FACTORY.adapters['duckdb']", "dbt.deprecations.active_deprecations['x']"} < set(paths)
    assert any("GLOBAL_FLAGS" in path for path in paths)
