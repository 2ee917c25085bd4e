"""A command on a terminal of its own, which is read and answered as a person would."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

from tests.support.processes import GENEROUS
from tests.support.workspaces import REPOSITORY

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """A command of ours whose input and output are a terminal of 100 columns; ``text`` is all that was on it."""

    def __init__(self, root: Path, *args: str) -> None:
        self._ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        environment |= {"PYTHONPATH": str(REPOSITORY), "COLUMNS": "100", "TERM": "xterm"}
        command = [sys.executable, "-m", "orchestrator", *args]
        self._process = subprocess.Popen(
            command, cwd=root, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        self.text = ""
        self._read = 0

    def wait_for(self, text: str, seconds: float = GENEROUS) -> None:
        """Read until a text is there that was not read before."""
        ends = time.monotonic() + seconds
        while (found := self.text.find(text, self._read)) < 0:
            assert time.monotonic() < ends and self._more(), f"{text!r} did not come: {self.text}"
        self._read = found + len(text)

    def answer(self, text: str) -> None:
        """Type a line."""
        os.write(self._ours, f"{text}\n".encode())

    def close_input(self) -> None:
        """Type Ctrl-D until the command ends: one that comes before it reads from the terminal is lost."""
        ends = time.monotonic() + GENEROUS
        while self._process.poll() is None:
            assert time.monotonic() < ends, f"it does not end: {self.text}"
            os.write(self._ours, b"\x04")
            self._more()

    def end(self) -> int:
        """Read what is still to come, and return the exit code."""
        ends = time.monotonic() + GENEROUS
        while self._more():
            assert time.monotonic() < ends, f"it does not end: {self.text}"
        os.close(self._ours)
        return self._process.wait(timeout=GENEROUS)

    def _more(self) -> bool:
        """Read what comes next; False where the other side has closed the terminal."""
        ready, _, _ = select.select([self._ours], [], [], 0.2)
        if not ready:
            return True
        try:
            read = os.read(self._ours, 65536)
        except OSError:  # Linux says so where all of the other side are gone
            return False
        self.text += _CONTROLS.sub("", read.decode(errors="replace"))
        return bool(read)
