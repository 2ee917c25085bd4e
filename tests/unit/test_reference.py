"""The reference of the configuration: it says what the schema says, and its examples load."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from orchestrator.config.reference import NAME, Key, main, page, sections, written
from orchestrator.config.reference_text import NOTES
from orchestrator.config.schema import HookType
from orchestrator.config.simulation import SimulationConfig
from orchestrator.pipeline.hooks import HookContext

REPOSITORY = Path(__file__).parents[2]
KEYS = [key for section in sections() for key in section.keys]
BESIDE = {
    "simulation": "simulation: {start_year: 2025, end_year: 2026}",
    "stages": "stages: [{name: events, select: 'tag:EVENTS'}]",
}


def test_the_page_is_what_the_schema_makes(tmp_path: Path) -> None:
    """docs/configuration.md is no older than the schema; `make docs` writes it anew."""
    main(str(tmp_path / "page.md"))
    made = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8") == made


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_example_loads_and_sets_its_key(key: Key, tmp_path: Path) -> None:
    """What stands on the page is a configuration, together with the section that it needs, and sets that very key."""
    example = written(key.example)
    lines = [line for name, line in BESIDE.items() if not example.startswith(f"{name}:")]
    file = tmp_path / "orchestrator.yaml"
    file.write_text("\n".join([*lines, example]), encoding="utf-8")
    found: object = SimulationConfig.load(file, environ={}).model_dump(exclude_unset=True)
    for part in re.findall(r"[\w<>]+|\[\]", key.path):
        if part == "[]":
            assert isinstance(found, tuple)
            found = found[0]
        else:
            assert isinstance(found, dict)
            found = found[NAME if part == "<name>" else part]
    assert f"`{example}`" in page()


def test_every_key_of_a_schema_is_on_the_page() -> None:
    """No key is left out, in whatever section it stands."""
    paths = {key.path for key in KEYS}
    assert {"scenario", "stages[].first_year_only", "parameters.<name>.minimum", "hooks[].call", "storage.url"} <= paths
    for key in KEYS:
        assert key.meaning and key.value and key.default, key


def test_sections_have_their_notes() -> None:
    """Every note belongs to a section, that of hooks names every moment and everything that a hook is handed."""
    assert set(NOTES) <= {section.path for section in sections()}
    for kind in HookType:
        assert f"| `{kind.value}` |" in NOTES["hooks[]"]
    for field in dataclasses.fields(HookContext):
        assert f"`{field.name}" in NOTES["hooks[]"]
