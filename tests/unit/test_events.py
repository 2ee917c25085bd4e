"""Events: plain values that pickle and turn into JSON."""

from __future__ import annotations

import dataclasses
import json
import pickle
import typing
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path

import pytest

from orchestrator.core import events
from orchestrator.core.events import EVENT_TYPES, Event, HookFinished, as_record, from_record, ignore, jsonable

AT = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
SAMPLES: dict[object, object] = {
    str: "text",
    int: 3,
    float: 1.5,
    bool: True,
    datetime: AT,
    tuple[str, ...]: ("a", "b"),
    tuple[int, ...]: (1, 2),
    tuple[events.TableState, ...]: (events.TableState("t", 3, "99"), events.TableState("u", 0, None)),
    dict[str, object]: {"a": [1, {"b": None}]},
}


def sample(cls: type[Event]) -> Event:
    """Make an event with a value in every field."""
    values: dict[str, object] = {}
    for name, hint in typing.get_type_hints(cls).items():
        kinds = typing.get_args(hint) if type(None) in typing.get_args(hint) else (hint,)
        values[name] = SAMPLES[kinds[0]]
    return cls(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", EVENT_TYPES.values())
def test_every_event_pickles_and_turns_into_json(cls: type[Event]) -> None:
    """The record holds every field under its name, the event's own name first."""
    event = sample(cls)
    assert pickle.loads(pickle.dumps(event)) == event
    record = json.loads(json.dumps(as_record(event)))
    assert list(record) == ["event", *(field.name for field in dataclasses.fields(cls))]
    assert (record["event"], record["at"]) == (cls.__name__, AT.isoformat())


@pytest.mark.parametrize("cls", EVENT_TYPES.values())
def test_every_event_comes_back_from_its_record(cls: type[Event]) -> None:
    """What the JSON lines of a run hold is what was emitted, so that it can be told again later."""
    event = sample(cls)
    assert from_record(json.loads(json.dumps(as_record(event)))) == event


@pytest.mark.parametrize("cls", EVENT_TYPES.values())
def test_lines_of_earlier_versions_name_no_run(cls: type[Event]) -> None:
    """A record from before events named their run is still read; only those that always did must do so."""
    event = sample(cls)
    record = as_record(event)
    del record["run_id"]
    if cls in (events.RunStarted, events.RunFinished):
        with pytest.raises(ValueError, match="run_id"):
            from_record(record)
    else:
        assert from_record(record) == dataclasses.replace(event, run_id=None)


@pytest.mark.parametrize(
    "record",
    [
        {"event": "YearStarted", "year": 2025},
        {"event": "YearStarted", "at": AT.isoformat(), "year": "2025"},
        {"event": "YearStarted", "at": "yesterday", "year": 2025},
        {"event": "StageCheckpointed", "at": AT.isoformat(), "year": 1, "stage": "s", "tables": [{}], "seconds": 1},
    ],
)
def test_a_record_that_is_no_event_is_refused(record: dict[str, object]) -> None:
    """A field is missing, or of another kind; an event that is not known is none."""
    with pytest.raises(ValueError):  # noqa: PT011
        from_record(record)
    assert from_record({"event": "FromTheFuture", "at": AT.isoformat()}) is None


@pytest.mark.parametrize("cls", EVENT_TYPES.values())
def test_every_event_is_frozen_and_says_what_it_signals(cls: type[Event]) -> None:
    """Events are values, described in the same form."""
    assert (cls.__doc__ or "").startswith("Signals ")
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(sample(cls), "at", AT)  # noqa: B010  # mypy would refuse the assignment


def test_every_event_class_is_known_by_name() -> None:
    """EVENT_TYPES misses none that the module defines."""
    classes = [cls for cls in vars(events).values() if isinstance(cls, type)]
    assert set(EVENT_TYPES.values()) == {c for c in classes if issubclass(c, Event)} - {Event}


class Colour(Enum):
    """An enum with a value that JSON cannot say as it is."""

    RED = Decimal("1.5")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), 1.5),
        (date(2025, 1, 2), "2025-01-02"),
        (Path("a/b"), "a/b"),
        (Colour.RED, 1.5),
        ({Path("k"): [Decimal(1)]}, {"k": [1.0]}),
        ((1, None, True), [1, None, True]),
        (Exception, Exception),
    ],
)
def test_values_turn_into_what_json_can_say(value: object, expected: object) -> None:
    """Dates, decimals, paths, enums and containers are translated; the rest is left alone."""
    assert jsonable(value) == expected


def test_a_nested_dataclass_becomes_an_object() -> None:
    """Values inside values are translated as well."""
    event = HookFinished(at=AT, hook_type="t", name="n", seconds=1, success=True, on_error="warn")
    inner = jsonable([event])
    assert isinstance(inner, list)
    assert inner[0]["at"] == AT.isoformat()


def test_ignoring_an_event_does_nothing() -> None:
    """The ``emit`` of whoever does not watch returns nothing."""
    assert ignore(Event(at=AT)) is None  # type: ignore[func-returns-value]
