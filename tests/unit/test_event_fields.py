"""Messages of dbt's events are filled as ``ParseDict`` fills them, and refused as it refuses."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
from dbt.adapters.events import adapter_types_pb2 as adapter_events
from dbt_common.events import types_pb2 as common_events
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message

from orchestrator.dbt_runner.adapter import event_fields
from orchestrator.dbt_runner.adapter.event_fields import parse_dict

MOMENT = "2026-11-29T10:26:26.100592Z"
NODE = {"node_path": "a.sql", "node_name": "a", "unique_id": "model.p.a", "node_status": "started", "meta": {}}


class Status(str, Enum):
    """A text that is more than a text."""

    DONE = "done"


EASY: dict[str, tuple[type[Message], dict[str, Any]]] = {
    "texts": (adapter_events.SQLQuery, {"conn_name": "c", "sql": "select 'é'"}),
    "parts": (adapter_events.SQLQuery, {"conn_name": "c", "sql": "", "node_info": NODE}),
    "an empty part": (adapter_events.SQLQuery, {"node_info": {}}),
    "none": (adapter_events.SQLQuery, {"conn_name": None, "node_info": {"node_name": None}}),
    "numbers": (adapter_events.SQLQueryStatus, {"status": "OK", "elapsed": 0.1, "query_id": "1"}),
    "a text that is more": (adapter_events.SQLQuery, {"sql": Status.DONE}),
    "an envelope": (
        common_events.NoteMsg,
        {"info": {"name": "Note", "ts": MOMENT, "pid": 7, "extra": {}, "level": "info", "msg": "m"}},
    ),
}
ODD: dict[str, tuple[type[Message], dict[str, Any]]] = {
    "another name of a field": (adapter_events.SQLQuery, {"connName": "c"}),
    "a map": (common_events.NoteMsg, {"info": {"extra": {"a": "b"}}}),
    "meta": (adapter_events.SQLQuery, {"node_info": {**NODE, "meta": {"a": [1, None, {"b": 2}]}}}),
    "a whole number for a broken one": (adapter_events.SQLQueryStatus, {"elapsed": 3}),
    "a number as text": (common_events.NoteMsg, {"info": {"pid": "7"}}),
    "a list": (adapter_events.AdapterEventDebug, {"base_msg": "m", "args": ["a", 1, None]}),
}
WRONG: dict[str, tuple[type[Message], dict[str, Any]]] = {
    "an unknown field": (adapter_events.SQLQuery, {"nothing": 1}),
    "a number for a text": (adapter_events.SQLQuery, {"sql": 1}),
    "a truth for a number": (common_events.NoteMsg, {"info": {"pid": True}}),
    "a number that is too large": (common_events.NoteMsg, {"info": {"pid": 2**40}}),
    "no number": (adapter_events.SQLQueryStatus, {"elapsed": float("nan")}),
    "a number without end": (adapter_events.SQLQueryStatus, {"elapsed": float("inf")}),
    "a number that needs more bits": (adapter_events.SQLQueryStatus, {"elapsed": 1e300}),
    "half a character": (adapter_events.SQLQuery, {"sql": "\ud800"}),
    "a text for a part": (adapter_events.SQLQuery, {"node_info": "a"}),
    "no moment": (common_events.NoteMsg, {"info": {"ts": "today"}}),
}


@pytest.mark.parametrize("name", EASY)
def test_what_is_usual_needs_no_help(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the same, to the byte, and ``ParseDict`` was not asked."""
    kind, values = EASY[name]
    monkeypatch.delattr(event_fields, "ParseDict")
    found, wanted = parse_dict(values, kind()), ParseDict(values, kind())
    assert found == wanted
    assert found.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_left_to_it(name: str) -> None:
    """The message is the same, and nothing of a first try is in it."""
    kind, values = ODD[name]
    found, wanted = parse_dict(values, kind()), ParseDict(values, kind())
    assert found.SerializeToString(deterministic=True) == wanted.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused(name: str) -> None:
    """With the same words."""
    kind, values = WRONG[name]
    with pytest.raises(ParseError) as wanted:
        ParseDict(values, kind())
    with pytest.raises(ParseError) as found:
        parse_dict(values, kind())
    assert str(found.value) == str(wanted.value)
