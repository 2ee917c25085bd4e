"""Make every request to end from outside arrive as KeyboardInterrupt, and never in the middle of an import."""

from __future__ import annotations

import signal
import threading
from types import FrameType

REQUESTS_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SECONDS_BETWEEN_TRIES = 0.02
# What imports for longer than this (a hook's module that computes while it is imported) is interrupted all the same.
TRIES_DURING_IMPORTS = 150


def end_like_ctrl_c() -> None:
    """Let SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, save one that is ignored (nohup).

    During an import the interruption waits until the import is over: native modules that are interrupted while
    they define themselves abort the whole process, and a half-imported module breaks what runs afterwards.
    """
    interrupter = _Interrupter()
    for number in REQUESTS_TO_END:
        if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupter)


def ignore_further() -> None:
    """Ignore requests to end while the last lines are written."""
    for number in REQUESTS_TO_END:
        signal.signal(number, signal.SIG_IGN)


class _Interrupter:
    """The signal handler: raises at once, or asks again shortly while something is imported."""

    def __init__(self) -> None:
        self._tries_left = TRIES_DURING_IMPORTS

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._tries_left > 0 and is_importing(frame):
            self._tries_left -= 1
            self._ask_again(number)
            return
        raise KeyboardInterrupt

    def _ask_again(self, number: int) -> None:
        timer = threading.Timer(SECONDS_BETWEEN_TRIES, _send_to_main_thread, (number,))
        timer.daemon = True
        timer.start()


def is_importing(frame: FrameType | None) -> bool:
    """Return whether the code that ``frame`` belongs to runs as part of an import statement."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _send_to_main_thread(number: int) -> None:
    ident = threading.main_thread().ident
    if ident is not None:
        signal.pthread_kill(ident, number)
