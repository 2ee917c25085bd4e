"""Apply one plan per year in one process, by SQLMesh's own Context: ``python sqlmesh_plans.py EXECUTION_TIME…``."""

from __future__ import annotations

import sys

from sqlmesh import Context

context = Context(paths=["."])
for moment in sys.argv[1:]:
    context.plan(execution_time=moment, auto_apply=True, no_prompts=True, skip_tests=True)
