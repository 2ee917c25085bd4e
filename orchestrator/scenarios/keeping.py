"""What is there of a sweep: its plan, the states of its members, and which of them need not be run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from orchestrator.core.errors import SweepError
from orchestrator.core.files import replace_file
from orchestrator.core.untrusted import parsed_json, read_limited
from orchestrator.dbt_runner.project.parse_inputs import ParseInputs
from orchestrator.dbt_runner.project.settings import DbtSettings
from orchestrator.scenarios.folders import SweepFolder
from orchestrator.scenarios.inputs import MemberInputs, database_mark
from orchestrator.scenarios.plan import Member, SweepPlan
from orchestrator.scenarios.state import MemberState
from orchestrator.scenarios.tables import remove_tables

MOST_BYTES = 64 * 1024 * 1024


def read_states(folder: SweepFolder, plan: SweepPlan) -> dict[str, MemberState]:
    """Return what is kept of the members of a plan, by key and in its order."""
    return {member.key: MemberState.read(folder.member(member.key).state) for member in plan.members}


def is_kept(folder: SweepFolder, plan: SweepPlan, member: Member, state: MemberState, now: MemberInputs) -> bool:
    """Tell whether a member is done, made of the same inputs, and all there.

    Any doubt counts as no: then its own ledger is asked, which finds nothing to do where nothing changed.
    """
    if state.status != "done" or state.inputs != now.digest or state.hooks != now.hooks:
        return False
    if not state.foreign and not _unchanged(folder.member(member.key).inputs, now.settings):
        return False
    gathered = [file.parts[-4] for file in folder.results.glob(f"*/*/*/{member.key}.parquet")]
    if sorted(gathered) != sorted(state.tables):
        return False
    mark = database_mark(folder.member(member.key).database)
    return mark == state.database if mark is not None else plan.databases != "all"


def write_inputs(folder: SweepFolder, member: Member, inputs: ParseInputs) -> None:
    """Keep which files and which environment a member was made of."""
    replace_file(folder.member(member.key).inputs, json.dumps(inputs.to_json()).encode())


def changed_files(folder: SweepFolder, key: str, settings: DbtSettings) -> tuple[str, ...]:
    """Return the files that are not what a member was made of, as seen from where dbt runs."""
    inputs = _inputs(folder.member(key).inputs)
    files = () if inputs is None else inputs.changed_files(settings)
    return tuple(str(one.relative_to(settings.cwd)) if one.is_relative_to(settings.cwd) else str(one) for one in files)


def _unchanged(path: Path, settings: DbtSettings) -> bool:
    """Tell whether the files and the environment that a member was made of are the same now."""
    inputs = _inputs(path)
    return inputs is not None and inputs.unchanged(settings) is not None


def _inputs(path: Path) -> ParseInputs | None:
    """Return what a member was made of, None where that cannot be read."""
    try:
        document = parsed_json(read_limited(path, MOST_BYTES))
        return ParseInputs.from_json(document) if isinstance(document, dict) else None
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        return None


def old_plan(folder: SweepFolder) -> SweepPlan | None:
    """Return the plan that is there, None where there is none.

    Raises:
        SweepError: it cannot be read.
    """
    if not folder.plan.exists():
        return None
    try:
        return SweepPlan.read(folder.plan)
    except (OSError, ValueError) as error:
        raise SweepError(
            f"The plan {folder.plan} of the sweep cannot be read: {error}.",
            to_fix=f"`orchestrator sweep delete {folder.path.name}` removes the sweep, or choose another name (--name)",
        ) from error


def remove_database(folder: SweepFolder, member: Member) -> None:
    """Remove a member's database file, and what lies beside it."""
    database = folder.member(member.key).database
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink(missing_ok=True)


def remove_member(folder: SweepFolder, member: Member) -> None:
    """Remove all that there is of a member."""
    remove_tables(folder, member)
    shutil.rmtree(folder.member(member.key).path, ignore_errors=True)
