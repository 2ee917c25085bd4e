"""Rules about several keys of the configuration at once; each names the key that breaks it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.config.healing import RequiredTables
from orchestrator.config.schema import HookSettings, SimulationYears, StageSettings, finding_at
from orchestrator.core.text import is_encodable, on_one_line
from orchestrator.core.untrusted import what_is_no_file
from orchestrator.database.file_names import ANOTHER_NAME, why_unusable

OWN_PATH = "set `database:` to the path of a file of its own, such as var/simulation.duckdb"


def database_trouble(path: Path, history: Path | None) -> tuple[str, str] | None:
    """Return why a path can be no database, and what to do about it; None where it can.

    ``history`` is the file of the run history. A folder is told by whoever opens it.
    """
    special = what_is_no_file(path)
    if special not in (None, "a folder"):
        return f"this is {special}, not a file", OWN_PATH
    if path == history:
        return "that is the file of the run history (storage.url)", OWN_PATH
    reason = why_unusable(path)
    return None if reason is None else (reason, ANOTHER_NAME)


def require_unique_names(names: Sequence[str], remedy: str) -> None:
    """Refuse an entry of a list that has the name of an earlier one; ``remedy`` ends the message."""
    for index, name in enumerate(names):
        if name in names[:index]:
            raise finding_at(f"is {name!r} again; {remedy}", index, "name")


def require_json_values(variables: Mapping[str, object]) -> None:
    """Refuse dbt vars without a name that can be told, and what JSON, in UTF-8, does not have, however deep it lies."""
    for name, value in variables.items():
        if not name.strip():
            raise ValueError("holds an empty name.")
        if on_one_line(name) != name:
            raise ValueError(f"holds a name with a control character: {on_one_line(name)!r}.")
        for one in _scalars(value):
            if isinstance(one, float) and not math.isfinite(one):
                raise finding_at(f"{_where(one, value)} {one}, which JSON, and so dbt, cannot carry.", name)
            if isinstance(one, str) and not is_encodable(one):
                raise finding_at(f"{_where(one, value)} {one!r}, which UTF-8, and so dbt, cannot carry.", name)


def _where(one: object, value: object) -> str:
    return "is" if one is value else "holds"


def _scalars(value: object) -> Iterator[object]:
    """Yield the keys and values that a value of JSON is made of."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _scalars(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _scalars(item)
    else:
        yield value


def require_years_and_stages(
    years: SimulationYears | None, stages: Sequence[StageSettings], variables: Mapping[str, object]
) -> None:
    """Refuse a simulation without stages, stages without one, and a year that the user's vars set, too."""
    if years is None:
        if stages:
            raise finding_at(
                "are given, but there is no section simulation with start_year and end_year to run them in.",
                "stages",
            )
        return
    if not stages:
        raise finding_at(
            "is empty, but a simulation needs stages: a list of {name, select}, run in order every year.", "stages"
        )
    if years.year_var in variables:
        raise finding_at(
            "is set by the orchestrator for every year (simulation.year_var); remove it.", "vars", years.year_var
        )


def require_use_of_foundation(
    foundation: Sequence[str], years: SimulationYears | None, required: RequiredTables
) -> None:
    """Refuse a selector of the foundation where nothing would go by it."""
    if foundation and years is None:
        raise finding_at(
            "is given, but there is no section simulation: without years, all that dbt builds is required.",
            "self_healing",
            "foundation",
        )
    if foundation and required != "auto" and any(table.tier != "hook" for table in required):
        raise finding_at(
            "is given, and required_tables is a list, which says itself what is foundation; leave one of them out.",
            "self_healing",
            "foundation",
        )


def require_stages_of_hooks(hooks: Sequence[HookSettings], stages: Sequence[StageSettings]) -> None:
    """Refuse a hook that names a stage which there is not, or where its type has none."""
    names = [stage.name for stage in stages]
    for index, hook in enumerate(hooks):
        if hook.stage is None:
            continue
        if not hook.type.has_stage:
            raise finding_at(
                f"is {hook.stage!r}, but a {hook.type.value} hook belongs to no stage; only pre_stage and "
                "post_stage hooks do.",
                "hooks",
                index,
                "stage",
            )
        if hook.stage not in names:
            raise finding_at(
                f"is {hook.stage!r}, but the stages are {', '.join(names) or 'not given'}.", "hooks", index, "stage"
            )
