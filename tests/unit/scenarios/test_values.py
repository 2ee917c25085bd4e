"""Tests of what is varied, as people type it."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from orchestrator.config.sweeps import SweepSettings
from orchestrator.core.errors import ConfigurationError
from orchestrator.scenarios.plan import Variation
from orchestrator.scenarios.request import Asked
from orchestrator.scenarios.values import read_scenarios, read_seeds, read_variation, varied_key


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("x=0.02,0.03", [0.02, 0.03]),
        ("x=0.01..0.05/0.01", [0.01, 0.02, 0.03, 0.04, 0.05]),
        ("x=0.1..0.35/0.1", [0.1, 0.2, 0.3]),
        ("x=5..1/-2", [5, 3, 1]),
        ("x=0..90/30", [0, 30, 60, 90]),
        ("x=1..3", [1, 2, 3]),
        ("x=-1..1", [-1, 0, 1]),
        ("x=range(3)", [0, 1, 2]),
        ("x=range(1,10,4)", [1, 5, 9]),
        ("x=true,false,null", [True, False, None]),
        ("x=a,'b, c',\"d,e\"", ["a", "b, c", "d,e"]),
        ("x=[1, 2],[3]", [[1, 2], [3]]),
        ("x={a: 1, b: [2]}", [{"a": 1, "b": [2]}]),
        ("x='0.02'", ["0.02"]),
        ("x=1,1.0,true", [1, 1.0, True]),
        ("x=''", [""]),
    ],
)
def test_values_are_read(written: str, values: list[JsonValue]) -> None:
    """Numbers, ranges, words, quoted text, lists and mappings, of the type that they are written in."""
    found = read_variation(written).values
    assert list(found) == values
    assert [type(one) for one in found] == [type(one) for one in values]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("x", "is not written KEY=VALUES"),
        ("=1", "is not written KEY=VALUES"),
        ("a..b=1", "is not written KEY=VALUES"),
        ("x=", "names no value"),
        ("x=1,,2", "holds an empty value"),
        ("x=1,2,1", "names the value 1 twice"),
        ("x=0.1..0.2", "needs a step"),
        ("x=1..5/0", "a step of 0 does not lead from 1 to 5"),
        ("x=1..5/-1", "holds no number"),
        ("x=5..1", "a step of 1 does not lead from 5 to 1"),
        ("x=1.2.3..5/1", "is no range of numbers"),
        ("x=range(5,1)", "holds no number"),
        ("x=range(1,5,0)", "the step of"),
        ("x=1..99999999999", "at most 100,000"),
        ("x=range(99999999999)", "at most 100,000"),
        ("x=no", "'no' cannot be read: the value is no"),
        ("x={", "cannot be read"),
    ],
)
def test_what_is_written_otherwise_is_refused(written: str, said: str) -> None:
    """Each in one sentence, with the cure."""
    with pytest.raises(ConfigurationError) as caught:
        read_variation(written)
    assert said in caught.value.message
    assert caught.value.to_fix is not None


@pytest.mark.parametrize(
    ("written", "to_fix"),
    [
        ("rain_factor", "write --vary rain_factor=VALUE,VALUE"),
        ("rain factor", "write --vary growth=VALUE,VALUE"),
        ("rain_factor=", "write --vary rain_factor=VALUE,VALUE"),
        ("x=1,,2", "remove the comma"),
        ("x=5..1", "write 5..1/-1"),
        ("x=0.1..0.5/-0.1", "write 0.1..0.5/0.1"),
        ("x=1..5/0", "write 1..5/STEP"),
    ],
)
def test_the_cure_is_written_with_what_was_written(written: str, to_fix: str) -> None:
    """So that it can be typed as it stands."""
    with pytest.raises(ConfigurationError) as caught:
        read_variation(written)
    assert str(caught.value.to_fix).startswith(to_fix)


def test_what_a_program_gives() -> None:
    """One scenario or table may be a text; a value that is no list is refused in words."""
    asked = Asked(vary={"rain": [1]}, scenarios="wet, dry", keep="lakes").request(SweepSettings())
    assert (asked.scenarios, asked.keep) == (("wet", "dry"), ("lakes",))
    assert Asked(vary={"rain": 1, "wet": True}).request(SweepSettings()).variations == (
        Variation("vars.rain", (1,)),
        Variation("vars.wet", (True,)),
    )
    for wrong in (Asked(vary={"rain": {}}), Asked(scenarios=["wet", "wet"])):  # type: ignore[dict-item]
        with pytest.raises(ConfigurationError):
            wrong.request(SweepSettings())


def test_what_is_wrong_is_looked_for_where_it_stands() -> None:
    """In the configuration, not in an option that nobody gave."""
    settings = SweepSettings(vary={"rain": "5..1"}, seeds="2-1")
    with pytest.raises(ConfigurationError, match=r"^sweep\.vary rain: 5\.\.1 holds no number"):
        Asked().request(settings)
    with pytest.raises(ConfigurationError, match=r"^sweep\.seeds is '2-1'"):
        Asked(vary={}).request(settings)
    with pytest.raises(ConfigurationError, match=r"^--seeds is '3-1'"):
        Asked(vary={}, seeds="3-1").request(settings)


def test_a_scheduler_has_an_address() -> None:
    """A name alone is refused at once, instead of half a minute later."""
    for address in ("tcp://host:8786", "tls://10.0.0.5:1", "host:8786", "tcp://[::1]:8786", None):
        assert Asked(scheduler=address).work(SweepSettings()).scheduler == address
    for wrong in ("localhost", "tcp://host", "host:port", "a b:1"):
        with pytest.raises(ConfigurationError, match="which is no address"):
            Asked(scheduler=wrong).work(SweepSettings())


def test_seeds() -> None:
    """A list, a range, both; no seed twice."""
    assert read_seeds("1-3,7") == (1, 2, 3, 7)
    assert read_seeds("5") == (5,)
    for wrong in ("", "a", "3-1", "1-", "-1", "1,1", "1-99999999"):
        with pytest.raises(ConfigurationError):
            read_seeds(wrong)


def test_scenarios() -> None:
    """Names with commas between them."""
    assert read_scenarios("a, b") == ("a", "b")
    for wrong in ("", ",", "a,a"):
        with pytest.raises(ConfigurationError):
            read_scenarios(wrong)


def test_a_bare_name_is_a_variable_unless_it_is_a_section() -> None:
    """So that what may not be varied is refused under its own name."""
    assert [varied_key(key) for key in ("growth", "stages", "a.b")] == ["vars.growth", "stages", "a.b"]
