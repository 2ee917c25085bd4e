"""One text for one value: what is equal has the same text, whatever the order of its keys."""

from __future__ import annotations

import hashlib
import json


def canonical(value: object, *, ordered: bool = False) -> str:
    r"""Return a value as JSON with sorted keys; what JSON does not know goes by its own text.

    ``ordered`` leaves the keys in their order, for where it can be seen: by a loop in a template.

    >>> canonical({"b": [1], "a": None}), canonical({2025: "x", "later": "y"})
    ('{"a": null, "b": [1]}', '{"int 2025": "x", "str \'later\'": "y"}')
    """
    try:
        return json.dumps(value, sort_keys=not ordered, default=str)
    except TypeError:  # keys that are dates, or of several kinds: YAML has them, JSON has not
        return json.dumps(_with_plain_keys(value), sort_keys=not ordered, default=str)


def digest(*parts: str) -> str:
    """Return one SHA-256 of several texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _with_plain_keys(value: object) -> object:
    """Replace each key by a text that tells its kind, too."""
    if isinstance(value, dict):
        return {f"{type(key).__name__} {key!r}": _with_plain_keys(one) for key, one in value.items()}
    return [_with_plain_keys(one) for one in value] if isinstance(value, (list, tuple)) else value
