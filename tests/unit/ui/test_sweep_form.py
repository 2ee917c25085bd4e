"""The command line that the form of a new sweep makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import ConfigurationError
from orchestrator.ui.settings import UiSettings
from orchestrator.ui.sweep_form import SweepForm, VaryField

SETTINGS = UiSettings(Path("/x"), config=Path("/x/config.yaml"), scenario="high", overrides=("dbt.threads=2",))


def form(**filled: object) -> SweepForm:
    """Return a form with one open field and a closed one."""
    fields = (
        VaryField("vars.growth", "Growth", "", "", "0.03", "0.02, 0.03"),
        VaryField("vars.api_key", "Api key", "", "", "***", "a,b", closed="is a secret"),
    )
    return SweepForm(**{"fields": fields, "scenarios": ("baseline",), **filled})  # type: ignore[arg-type]


def test_everything_that_is_filled_in() -> None:
    """Each as an option of its own, with the workspace of the server; a closed field says nothing."""
    filled = form(first="2025", last="2027", seeds="1-4", workers="2", others="n=1,2\nsimulation.x=3", agreed=True)
    assert filled.arguments(SETTINGS, "trial") == [
        *("sweep", "run", "2025-2027", "--name", "trial"),
        *("--vary", "vars.growth=0.02, 0.03", "--vary", "vars.n=1,2", "--vary", "simulation.x=3"),
        *("--scenarios", "baseline", "--seeds", "1-4", "--workers", "2", "--yes"),
        *("--config", "/x/config.yaml", "--set", "dbt.threads=2"),
    ]


def test_nothing_is_left_to_the_configuration() -> None:
    """What is empty is not said, so that the section sweep of the configuration counts."""
    empty = SweepForm((), ())
    assert empty.arguments(UiSettings(Path("/x")), "s") == ["sweep", "run", "--name", "s"]
    asked = empty.asked()
    assert (asked.vary, asked.scenarios, asked.seeds, asked.workers) == (None, None, None, None)


@pytest.mark.parametrize(
    "filled", [{"first": "x"}, {"workers": "0"}, {"workers": "12345"}, {"others": "growth=1"}, {"others": "=1"}]
)
def test_what_cannot_be_read(filled: dict[str, str]) -> None:
    """It is refused before anything is asked."""
    with pytest.raises(ConfigurationError):
        form(**filled).asked()
