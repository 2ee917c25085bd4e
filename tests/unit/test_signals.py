"""A request to end: met at once, but not in the middle of an import."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, signal, sys, threading
from orchestrator.cli import signals

sys.path.insert(0, {folder!r})
signals.TRIES_DURING_IMPORTS = {tries}
for number in signals.REQUESTS_TO_END:
    signal.signal(number, signal.SIG_DFL)  # whoever started us may ignore some, as nohup does
signals.end_like_ctrl_c()
try:
    import interrupted_module
    threading.Event().wait()
except KeyboardInterrupt:
    print("interrupted", "interrupted_module" in sys.modules and hasattr(sys.modules["interrupted_module"], "whole"))
"""


def run(folder: Path, module: str, tries: int = 1_000) -> str:
    """Return what a program prints that imports ``module``, which sends its own process a request to end."""
    (folder / "interrupted_module.py").write_text(module)
    program = PROGRAM.format(folder=str(folder), tries=tries)
    return output_of(program)


def output_of(program: str) -> str:
    """Return what a Python program of its own process prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_import_is_finished_before_the_interruption(tmp_path: Path, number: signal.Signals) -> None:
    """A native module that is interrupted while it defines its enumerations aborts the process."""
    module = f"import os\nos.kill(os.getpid(), {int(number)})\nfor _ in range(1000): pass\nwhole = True\n"
    assert run(tmp_path, module) == "interrupted True\n"


def test_an_import_that_does_not_end_is_interrupted(tmp_path: Path) -> None:
    """A module of a hook may compute while it is imported, and Ctrl-C ends that too."""
    module = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: time.sleep(0.01)\n"
    assert run(tmp_path, module, tries=3) == "interrupted False\n"


def test_outside_of_imports_nothing_waits() -> None:
    """The ordinary case: the interruption is raised where the program is."""
    program = (
        "import os, signal\nfrom orchestrator.cli.signals import end_like_ctrl_c\nend_like_ctrl_c()\n"
        "try:\n    os.kill(os.getpid(), signal.SIGTERM)\n    print('missed')\n"
        "except KeyboardInterrupt:\n    print('at once')\n"
    )
    assert output_of(program) == "at once\n"


def test_what_is_ignored_stays_ignored() -> None:
    """``nohup`` ignores SIGHUP, and a shell ignores SIGINT for what it puts in the background."""
    program = (
        "import os, signal\nfrom orchestrator.cli.signals import end_like_ctrl_c\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "end_like_ctrl_c()\nos.kill(os.getpid(), signal.SIGHUP)\nos.kill(os.getpid(), signal.SIGINT)\n"
        "print('goes on')\n"
    )
    assert output_of(program) == "goes on\n"
