"""Copies of a parsed manifest: each command of dbt is given one of its own, because dbt writes into it.

What is kept of a parse is msgpack, as dbt packs it. To unpack that makes every object through its class; a pickle of
an unpacked manifest gives the same objects in a third of the time. So the second copy is pickled, and every later one
comes from there.
"""

from __future__ import annotations

import gc
import pickle

import msgpack
from dbt.contracts.graph.manifest import Manifest
from dbt.mp_context import get_mp_context
from dbt.parser.manifest import extended_mashumaro_encoder, extended_msgpack_decoder

LOCK = "_lock"  # a manifest's own, which can neither be packed nor pickled


class Copies:
    """A parse, packed, and as many manifests of it as are wanted."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed
        self._given = 0
        self._pickled: bytes | None = None

    def another(self) -> Manifest:
        """Return a new manifest, of which nobody else knows."""
        if self._pickled is not None:
            return _restored(self._pickled)
        manifest = unpacked(self.packed)
        self._given += 1
        if self._given > 1:
            self._pickled = _pickled(manifest)
        return manifest


def pack(manifest: Manifest) -> bytes:
    """Pack a manifest as dbt does for its partial parse."""
    return bytes(manifest.to_msgpack(extended_mashumaro_encoder))


def unpacked(packed: bytes) -> Manifest:
    """Return a new manifest of what :func:`pack` gave."""
    return Manifest.from_msgpack(packed, decoder=_decoded)


def _decoded(packed: bytes) -> object:
    """Decode as dbt does, dates too, and let keys be numbers, which dbt's own decoder refuses."""
    return msgpack.unpackb(packed, ext_hook=extended_msgpack_decoder, raw=False, strict_map_key=False)


def _pickled(manifest: Manifest) -> bytes:
    """Pickle all attributes; dbt's own way to pickle a manifest mixes some of them up, such as fixtures."""
    held = {name: value for name, value in vars(manifest).items() if name != LOCK}
    return pickle.dumps(held, pickle.HIGHEST_PROTOCOL)


def _restored(pickled: bytes) -> Manifest:
    manifest = Manifest.__new__(Manifest)
    collecting = gc.isenabled()
    gc.disable()  # it makes many objects and no garbage: collections meanwhile take as long again
    try:
        held = pickle.loads(pickled)  # noqa: S301 - our own
    finally:
        if collecting:
            gc.enable()
    vars(manifest).update(held, **{LOCK: get_mp_context().Lock()})
    return manifest
