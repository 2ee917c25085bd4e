"""Projects as others have them, without a configuration: check, init and check again, with the rows of `dbt build`."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.support.programs import run_python
from tests.support.workspaces import PROJECTS

pytestmark = pytest.mark.slow

SHAPES = sorted(folder.name for folder in (PROJECTS / "shapes").iterdir())
OF_A_BUILD = ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to")  # when it was built


def dbt(folder: Path, *args: str) -> None:
    """Run dbt's own command line."""
    options = ["--profiles-dir", "."] if args[0] != "deps" else []
    done = run_python(["-m", "dbt.cli.main", *args, *options], cwd=folder, env=dict(os.environ), dbt=True)
    assert done.returncode == 0, done.stdout


def orchestrator(folder: Path, *args: str) -> int:
    """Run our command line; return its exit code."""
    done = run_python(["-m", "orchestrator", *args], cwd=folder)
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return done.returncode


def rows(database: Path) -> dict[str, str]:
    """Return a hash of the sorted rows of every relation that dbt built, by schema and name."""
    found = {}
    # A view of a file names it as dbt saw it, from the project's folder.
    with contextlib.chdir(database.parent), duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables where table_schema <> 'orchestrator'"
        ).fetchall()
        for schema, name in names:
            relation = connection.sql(f'select * from "{schema}"."{name}"')
            columns = [column for column in relation.columns if column not in OF_A_BUILD]
            listed = sorted(map(repr, relation.select(*columns).fetchall()))
            found[f"{schema}.{name}"] = hashlib.sha256("\n".join(listed).encode()).hexdigest()
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_a_project_of_this_shape_is_checked_and_built(shape: str, tmp_path: Path) -> None:
    """Nothing is there, all is built, nothing is wrong; and all of it is what dbt builds."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    shutil.copytree(PROJECTS / "shapes" / shape, ours)
    if (ours / "packages.yml").exists():
        dbt(ours, "deps")
    shutil.copytree(ours, theirs, symlinks=True)
    assert orchestrator(ours, "check") == 3
    assert orchestrator(ours, "init") == 0
    assert orchestrator(ours, "check") == 0
    dbt(theirs, "build", "--no-partial-parse")
    built = rows(theirs / f"{shape}.duckdb")
    assert built
    assert rows(ours / f"{shape}.duckdb") == built
