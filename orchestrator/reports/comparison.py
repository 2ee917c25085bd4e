"""The differences between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.storage.base import RunRecord


@dataclass(frozen=True)
class Difference:
    """One thing that two runs have not alike; None where a run has it not at all."""

    name: str
    a: object
    b: object


@dataclass(frozen=True)
class ResultDifference(Difference):
    """One value of the summary that differs: of which year, its column with label and format.

    ``difference`` is a − b, ``percent`` the same in percent of b; None where one of them is no number, or b is 0.
    """

    year: str
    label: str
    format: str
    difference: float | None
    percent: float | None


@dataclass(frozen=True)
class RowsDifference(Difference):
    """Rows of one table after one stage: ``a`` and ``b`` are their numbers, which may be equal while values differ."""


@dataclass(frozen=True)
class Comparison:
    """The differences of two runs by kind; ``same_rows`` counts the checkpoints of tables that are equal in both.

    ``rows`` are named ``year/stage/table``.
    """

    parameters: tuple[Difference, ...]
    versions: tuple[Difference, ...]
    results: tuple[ResultDifference, ...]
    rows: tuple[RowsDifference, ...]
    same_rows: int
    seconds: tuple[Difference, ...]

    @property
    def same_result(self) -> bool:
        """Tell whether both left the same rows, as far as both have checkpoints."""
        return not self.rows and self.same_rows > 0


def compare(a: RunRecord, b: RunRecord) -> Comparison:
    """Compare parameters, versions, results, rows of tables and times."""
    tables_a, tables_b = _tables(a), _tables(b)
    return Comparison(
        parameters=differences(_parameters(a), _parameters(b)),
        versions=differences(a.run.versions, b.run.versions),
        results=tuple(_result_differences(a, b)),
        rows=tuple(_row_differences(tables_a, tables_b)),
        same_rows=sum(tables_b.get(name) == value for name, value in tables_a.items()),
        seconds=tuple(d for d in differences(_seconds(a), _seconds(b)) if None not in (d.a, d.b)),
    )


def differences(a: Mapping[str, object], b: Mapping[str, object]) -> tuple[Difference, ...]:
    """Return what is not equal, in the order of the first mapping.

    >>> differences({"x": 1, "y": 2}, {"x": 1, "z": 3})
    (Difference(name='y', a=2, b=None), Difference(name='z', a=None, b=3))
    """
    names = dict.fromkeys([*a, *b])
    return tuple(Difference(name, a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name))


def flat(value: object, name: str = "") -> dict[str, object]:
    """Return the leaves of nested mappings by their dotted names.

    >>> flat({"vars": {"a": 1, "b": [2]}, "c": {}})
    {'vars.a': 1, 'vars.b': [2], 'c': {}}
    """
    if not isinstance(value, Mapping) or not value:
        return {name: value}
    found: dict[str, object] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{name}.{key}" if name else str(key))
    return found


def _parameters(record: RunRecord) -> dict[str, object]:
    run = record.run
    asked = {key: value for key, value in run.inputs.items() if key not in ("command", "stages")}
    return {
        **asked,
        "fingerprint": (run.fingerprint or "")[:16] or None,
        "database": run.database,
        **flat({key: value for key, value in run.config_snapshot.items() if key != "overrides"}),
    }


def _result_differences(a: RunRecord, b: RunRecord) -> Iterator[ResultDifference]:
    """Yield the values of the summary that differ, by year."""
    values_a, values_b = _results(a), _results(b)
    labels = _labels(b) | _labels(a)
    for year, name in dict.fromkeys([*values_a, *values_b]):
        one, other = values_a.get((year, name)), values_b.get((year, name))
        if one == other:
            continue
        label, kind = labels.get(name, (name, "number"))
        difference, percent = change_of(one, other)
        yield ResultDifference(f"{year} {name}", one, other, year, label, kind, difference, percent)


def change_of(a: object, b: object) -> tuple[float | None, float | None]:
    """Return by how much ``a`` is more than ``b``, and the same in percent of ``b``.

    >>> change_of(150, 120), change_of(1, 0), change_of(None, 1), change_of("x", "y")
    ((30.0, 25.0), (1.0, None), (None, None), (None, None))
    """
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in (a, b)):
        return None, None
    difference = float(str(a)) - float(str(b))
    return difference, None if b == 0 else difference / abs(float(str(b))) * 100


def _labels(record: RunRecord) -> dict[str, tuple[str, str]]:
    """Return label and format of each column of the summary."""
    found: dict[str, tuple[str, str]] = {}
    for output in record.outputs:
        if output.key == "summary_columns" and isinstance(output.value, list):
            found |= {column["name"]: (column["label"], column["format"]) for column in output.value}
    return found


def _results(record: RunRecord) -> dict[tuple[str, str], object]:
    """Return every number of the summary by year and column."""
    found: dict[tuple[str, str], object] = {}
    for output in record.outputs:
        if output.key == "summary" and isinstance(output.value, list):
            for row in output.value:
                if isinstance(row, dict) and row:
                    (_, year), *values = row.items()
                    found |= {(str(year), name): value for name, value in values}
    return found


def _tables(record: RunRecord) -> dict[str, tuple[object, object]]:
    """Return (rows, digest) of each table at each checkpoint; of a stage that ran twice, the last."""
    found: dict[str, tuple[object, object]] = {}
    for state in record.states:
        tables = state.state_data.get("tables")
        for table in tables if isinstance(tables, list) else ():
            found[f"{state.node_id}/{table['table']}"] = (table["rows"], table["digest"])
    return found


def _row_differences(
    a: Mapping[str, tuple[object, object]], b: Mapping[str, tuple[object, object]]
) -> list[RowsDifference]:
    """Return the tables that both looked at and that differ."""
    differing = (name for name in a if name in b and a[name] != b[name])
    return [RowsDifference(name, a[name][0], b[name][0]) for name in differing]


def _seconds(record: RunRecord) -> dict[str, object]:
    found: dict[str, object] = {}
    for step in record.steps:
        if step.seconds is not None:
            name = f"{step.year} {step.name}" if step.year is not None else step.name
            found[name] = round(float(str(found.get(name, 0.0))) + step.seconds, 2)
    return {**found, "total": None if record.run.duration_seconds is None else round(record.run.duration_seconds, 2)}
