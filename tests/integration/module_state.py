"""Everything that the modules of a process hold, so that it can be compared with what they hold later."""

from __future__ import annotations

import contextvars
import sys
import types
from collections import deque
from collections.abc import Iterator

SIMPLE = (str, bytes, int, float, bool, type(None), complex)
OF_THE_IMPORT = frozenset({"__builtins__", "__spec__", "__loader__", "__cached__", "__file__", "__doc__"})
LENGTH = 300


def module_state(besides: frozenset[str]) -> dict[str, str]:
    """Return a text for each value that can be reached from a module, by the shortest path to it.

    What is reached a second time is told by its type alone; ``besides`` are names of modules that are left out.
    """
    found: dict[str, str] = {}
    # It keeps them alive: the number of an object that is gone is given again.
    seen: dict[int, object] = {id(sys.modules[name]): None for name in besides if name in sys.modules}
    waiting: deque[tuple[str, object]] = deque(
        (name, module) for name, module in sorted(sys.modules.items()) if name not in besides
    )
    while waiting:
        path, value = waiting.popleft()
        if isinstance(value, SIMPLE):
            found[path] = repr(value)[:LENGTH]
            continue
        size = f" of {len(value)}" if isinstance(value, (dict, list, tuple, set, frozenset)) else ""
        found[path] = f"{type(value).__name__}{size}"
        if id(value) not in seen:
            seen[id(value)] = value
            waiting.extend(_parts(path, value))
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the paths whose text is another one."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def _parts(path: str, value: object) -> Iterator[tuple[str, object]]:
    match value:
        case types.ModuleType():
            yield from ((f"{path}.{k}", v) for k, v in list(vars(value).items()) if k not in OF_THE_IMPORT)
        case type():
            yield from ((f"{path}.{k}", v) for k, v in list(vars(value).items()) if k not in ("__dict__", "__doc__"))
        case types.FunctionType():
            yield from ((f"{path}.{k}", v) for k, v in list(vars(value).items()))
            yield from ((f"{path}(default {i})", v) for i, v in enumerate(value.__defaults__ or ()))
            yield from _closed_over(path, value)
        case classmethod() | staticmethod():
            yield f"{path}()", value.__func__
        case types.MethodType():
            yield from ((f"{path}.self", value.__self__), (f"{path}()", value.__func__))
        case contextvars.ContextVar():
            yield f"{path}.get()", value.get("not set")
        case dict():
            yield from ((f"{path}[{_key(k)}]", v) for k, v in list(value.items()))
        case list() | tuple():
            yield from ((f"{path}[{i}]", v) for i, v in enumerate(list(value)))
        case set() | frozenset():
            yield from ((f"{path}{{{_key(v)}}}", v) for v in list(value))
        case _:
            yield from _attributes(path, value)


def _closed_over(path: str, function: types.FunctionType) -> Iterator[tuple[str, object]]:
    for number, cell in enumerate(function.__closure__ or ()):
        try:
            yield f"{path}<{number}>", cell.cell_contents
        except ValueError:
            yield f"{path}<{number}>", "empty"


def _attributes(path: str, value: object) -> Iterator[tuple[str, object]]:
    try:
        named = object.__getattribute__(value, "__dict__")
    except AttributeError:
        named = {}
    yield from ((f"{path}.{k}", v) for k, v in list(named.items()))
    for cls in type(value).__mro__:
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            try:
                yield f"{path}.{name}", object.__getattribute__(value, name)
            except AttributeError:
                continue


def _key(key: object) -> str:
    if isinstance(key, (*SIMPLE, tuple)):
        return repr(key)[:LENGTH]
    return f"{type(key).__name__} {key.__qualname__}" if isinstance(key, type) else type(key).__name__
