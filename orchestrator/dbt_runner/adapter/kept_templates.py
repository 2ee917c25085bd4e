"""What was worked out of templates: kept for this process, and that of dbt's own macros beside the installed code.

Everything is found by the text that it was made of, so nothing of it can be out of date: another text, or another
version of what works it out, finds nothing. The file lies where Python keeps the compiled code of this module, and is
trusted as that is. Templates of projects are not in it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import marshal
import sys
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

from orchestrator.core.files import replace_file

FORMAT = 1
MOST = 10_000
"""So many texts are kept at most, of each kind."""
PREFIX = "templates-"
DIGEST_BYTES = hashlib.sha256().digest_size

KeptMacro = tuple[str, str, tuple[str, ...] | None]
"""A macro of a file: its name, its block, and for a materialization the languages that it supports."""
MacroCall = tuple[str, str | None, bool]
"""A call in a macro: the name, maybe with its package; the namespace of a dispatch; whether it is a dispatch."""


@dataclass
class KeptTemplates:
    """Macros by the text of their file, calls by the text of a macro, code by the text of a template.

    ``codes`` are two: of templates that render text, and of those that render a value of Python (``True``).
    ``own`` are the texts of dbt's own files and macros, whose results may be written to ``path``.
    """

    path: Path | None = None
    files: dict[str, tuple[KeptMacro, ...]] = field(default_factory=dict)
    calls: dict[str, tuple[MacroCall, ...]] = field(default_factory=dict)
    codes: dict[bool, dict[str, CodeType]] = field(default_factory=lambda: {False: {}, True: {}})
    own: set[str] = field(default_factory=set)
    written: int = 0

    @classmethod
    def at(cls, path: Path) -> KeptTemplates:
        """Return what was written there, nothing where that cannot be read."""
        kept = cls(path)
        with suppress(OSError, ValueError, EOFError, TypeError):
            content = path.read_bytes()
            payload = content[DIGEST_BYTES:]
            if hashlib.sha256(payload).digest() == content[:DIGEST_BYTES]:
                kept.take(payload)
        kept.written = kept._size()
        return kept

    def take(self, payload: bytes) -> None:
        """Add what :meth:`packed` gave."""
        files, calls, codes, own = marshal.loads(payload)  # noqa: S302 - our own, and made by this version of Python
        self.files.update(files)
        self.calls.update(calls)
        for native, of_text in codes.items():
            self.codes[native].update(of_text)
        self.own.update(own)

    def packed(self) -> bytes:
        """Pack what is known of dbt's own templates."""
        own = self.own
        files = {text: macros for text, macros in self.files.items() if text in own}
        calls = {text: found for text, found in self.calls.items() if text in own}
        codes = {native: {text: code for text, code in of.items() if text in own} for native, of in self.codes.items()}
        return marshal.dumps((files, calls, codes, own))

    def save(self) -> None:
        """Write what is new about dbt's own templates; where nothing can be written, the next process does without."""
        if self.path is None or self._size() == self.written:
            return
        self.written = self._size()
        payload = self.packed()
        with suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            mode = Path(__file__).stat().st_mode & 0o666  # as Python does with compiled code
            replace_file(self.path, hashlib.sha256(payload).digest() + payload, mode=mode)
            for other in self.path.parent.glob(f"{PREFIX}*"):
                if other != self.path:
                    other.unlink()

    def _size(self) -> int:
        own = self.own
        counted: tuple[Collection[str], ...] = (self.files, self.calls, *self.codes.values())
        return sum(len(own.intersection(of)) for of in counted)


def path_for(versions: Iterable[tuple[str, str]]) -> Path:
    """Return where these versions of packages keep what they worked out, with this version of Python."""
    decided = (FORMAT, sorted(versions), sys.version, importlib.util.MAGIC_NUMBER.hex())
    name = f"{PREFIX}{hashlib.sha256(repr(decided).encode()).hexdigest()[:16]}.bin"
    return Path(importlib.util.cache_from_source(__file__)).with_name(name)
