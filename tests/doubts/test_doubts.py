"""The drawing of doubts (``make doubts``), for a moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubts.draw import main
from tests.doubts.judge import Doubt, Tally, judge
from tests.doubts.knobs import PARTS
from tests.support.processes import GENEROUS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(20 * GENEROUS)]


def test_a_few_doubts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is missed, and every change is told."""
    code = main(["--doubts", "2", "--seed", "12", "--folder", str(tmp_path)])
    told = capsys.readouterr().out
    assert code == 0, told
    assert "2 changes drawn" in told and "0 missed, seed 12" in told
    assert not list(tmp_path.iterdir())


def test_what_is_missed_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge can say no: where our command is kept from seeing a change, the difference is told."""
    from tests.doubts.judge import MissedError, Place

    part = next(one for one in PARTS if one.name == "seed")
    rows = part.knobs["rows"]
    values = {("seed", "rows"): rows[0], ("seed", "types"): ""}
    doubt = Doubt(years=False, parts=(part,), values=values, turned=("seed", "rows"), to=rows[1])
    lay = Place.lay

    def blind(place: Place, project: object) -> None:
        if place.root.name != "ours" or not place.database.exists():
            lay(place, project)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(Place, "lay", blind)
    with pytest.raises(MissedError, match="other rows than dbt after the repair"):
        judge(doubt, tmp_path, Tally())
