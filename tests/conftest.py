"""What every test stands on."""

from __future__ import annotations

import os
import signal

import pytest

from orchestrator.dbt_runner.process.zygote import VARIABLE, Zygote, supported

# A shell ignores SIGINT in what it starts in the background, and children inherit that: tests send it on purpose.
signal.signal(signal.SIGINT, signal.default_int_handler)

_zygote: Zygote | None = None


def pytest_configure(config: pytest.Config) -> None:
    """Start one zygote for the whole session: dbt processes of tests and of the programs they start are its forks."""
    global _zygote
    first = not hasattr(config, "workerinput") and not config.option.collectonly
    if first and VARIABLE not in os.environ and supported():
        _zygote = Zygote.start()
        os.environ[VARIABLE] = str(_zygote.address)


def pytest_unconfigure() -> None:
    """End it."""
    global _zygote
    if _zygote is not None:
        del os.environ[VARIABLE]
        _zygote.close()
        _zygote = None
