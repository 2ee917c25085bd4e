"""Fill a message of dbt's events from a dictionary, as ``google.protobuf.json_format.ParseDict`` does, in fewer steps.

``ParseDict`` looks at each value from all sides, for it may come from any JSON. Values of dbt's events are mostly
texts, numbers and dictionaries of such; whatever else one holds, and whatever does not fit, is left to ``ParseDict``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

TIMESTAMP, STRUCT, REPEATED = "google.protobuf.Timestamp", "google.protobuf.Struct", "repeated"
SMALL = 1e30  # what also fits into 32 bits; no number that is none is smaller


class _OddValueError(Exception):
    """Signals a value that is left to ``ParseDict``."""


def parse_dict(values: Mapping[str, object], message: Message) -> Message:
    """Fill a message that is empty, and return it; or another one of its kind."""
    try:
        _fill(message, values)
    except (_OddValueError, AttributeError, TypeError, ValueError):
        return ParseDict(values, type(message)())
    return message


def _fill(message: Message, values: Mapping[str, object]) -> None:
    kinds = _kinds(message.DESCRIPTOR)
    for name, value in values.items():
        kind = kinds.get(name)
        if kind is None:
            raise _OddValueError(name)
        if value is None:
            continue
        if kind == REPEATED:
            _require_empty(value)
        elif kind in (Mapping, TIMESTAMP, STRUCT):
            _fill_part(getattr(message, name), kind, value)
        elif isinstance(value, kind) if kind is str else type(value) is kind and _is_small(value):
            setattr(message, name, value)
        else:
            raise _OddValueError(name)


def _fill_part(part: Message, kind: object, value: object) -> None:
    part.SetInParent()
    if kind is Mapping and isinstance(value, dict):
        _fill(part, value)
    elif kind == TIMESTAMP and isinstance(value, str):
        part.FromJsonString(value)
    elif kind == STRUCT:
        _require_empty(value)
    else:
        raise _OddValueError(part.DESCRIPTOR.full_name)


def _require_empty(value: object) -> None:
    if value not in ({}, []):
        raise _OddValueError(value)


def _is_small(value: object) -> bool:
    return not isinstance(value, float) or abs(value) < SMALL


@cache
def _kinds(descriptor: Descriptor) -> dict[str, object]:
    """Return by name the kind of value of each field that is filled here."""
    found = {field.name: _kind(field) for field in descriptor.fields if field.containing_oneof is None}
    return {name: kind for name, kind in found.items() if kind is not None}


def _kind(field: FieldDescriptor) -> object:
    if field.is_repeated:
        return REPEATED
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return _SCALARS.get(field.type)
    name = str(field.message_type.full_name)
    if name in (TIMESTAMP, STRUCT):
        return name
    return None if name.startswith("google.protobuf.") else Mapping


_SCALARS: dict[int, type] = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_FLOAT: float,
    FieldDescriptor.TYPE_INT32: int,
    FieldDescriptor.TYPE_INT64: int,
    FieldDescriptor.TYPE_UINT32: int,
    FieldDescriptor.TYPE_UINT64: int,
}
