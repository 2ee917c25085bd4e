"""Parameters: what a configuration declares, and what becomes of values that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import ConfigurationError, SimulationConfig
from orchestrator.core.masking import masked
from orchestrator.dbt_runner.project.variables import require_variables_fit
from orchestrator.ledger.changes import Change
from orchestrator.ledger.wording import told_change
from orchestrator.reports.parameters import list_parameters, parameters_record, parameters_schema
from tests.unit.test_healing_plan import node, project

GROWTH = {"type": "number", "minimum": 0, "maximum": 0.5, "unit": "a year", "description": "Growth of the headcount."}


def config(
    parameters: Mapping[str, object], variables: Mapping[str, object] | None = None, root: Path = Path("/p")
) -> SimulationConfig:
    """Make a configuration with these parameters and variables."""
    return SimulationConfig.from_mapping({"parameters": parameters, "vars": variables or {}}, root=root)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        (GROWTH, 0.05),
        (GROWTH, 0),
        (GROWTH, None),
        ({"type": "integer", "minimum": 1}, 1),
        ({"type": "string"}, "x"),
        ({"type": "boolean"}, False),
        ({"type": "date", "minimum": "2025-01-01"}, "2025-01-01"),
        ({"type": "choice", "choices": ["a", 2]}, 2),
    ],
)
def test_values_that_fit(declared: dict[str, object], value: object) -> None:
    """Limits belong to the range; null is left to the project."""
    assert config({"x": declared}, {"x": value}).vars == {"x": value}


@pytest.mark.parametrize(
    ("declared", "value", "said"),
    [
        (GROWTH, 10**400, "but must be a number"),
        (GROWTH, 3, "is 3, but must be between 0 and 0.5 a year (Growth of the headcount)."),
        (GROWTH, "0.1", "is '0.1', but must be a number"),
        (GROWTH, True, "is true, but must be a number"),
        ({"type": "integer"}, 1.5, "is 1.5, but must be a whole number."),
        ({"type": "integer", "minimum": 1, "unit": "days"}, 0, "must be 1 days or more"),
        ({"type": "integer", "maximum": 1}, 2, "must be 1 or less"),
        ({"type": "string"}, 1, "must be text"),
        ({"type": "boolean"}, "yes", "must be true or false"),
        ({"type": "date"}, "2025-13-01", "must be a date such as 2025-12-31"),
        ({"type": "date"}, "20250101", "must be a date"),
        ({"type": "date", "maximum": "2025-01-01"}, "2025-01-02", "must be 2025-01-01 or less"),
        ({"type": "choice", "choices": ["high", "low"]}, "hihg", "must be one of 'high', 'low'. Did you mean 'high'?"),
        ({"type": "choice", "choices": [1]}, True, "must be one of 1"),
    ],
)
def test_values_that_do_not(declared: dict[str, object], value: object, said: str) -> None:
    """The message names what was found, what is allowed with its unit, and what it means."""
    with pytest.raises(ConfigurationError) as raised:
        config({"x": declared}, {"x": value})
    assert "vars.x is " in raised.value.message
    assert said in raised.value.message


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"type": "number", "file": True}, "parameters.x.file belongs to type string only"),
        ({"type": "numbr"}, "parameters.x.type is \"numbr\", but must be 'number'"),
        ({"type": "choice"}, "parameters.x.choices is missing"),
        ({"type": "number", "choices": [1]}, "parameters.x.choices belongs to type choice only"),
        ({"type": "string", "minimum": 1}, "parameters.x.minimum belongs to a number"),
        ({"type": "number", "minimum": "low"}, "parameters.x.minimum is 'low', but must be a number"),
        ({"type": "date", "maximum": 2025}, "parameters.x.maximum is 2025, but must be a date"),
        ({"type": "number", "minimum": 2, "maximum": 1}, "parameters.x.maximum is 1, but must be 2 (minimum) or more"),
        ({"type": "number", "unt": "years"}, "parameters.x.unt is not a known key. Did you mean 'unit'?"),
        ({}, "parameters.x.type is missing"),
    ],
)
def test_a_wrong_declaration_is_refused(declared: dict[str, object], said: str) -> None:
    """The key below the parameter is named."""
    with pytest.raises(ConfigurationError) as raised:
        config({"x": declared})
    assert said in raised.value.message


def test_a_file_must_be_there(tmp_path: Path) -> None:
    """Its name is relative to the project root; globs, an empty text and URLs are left to the project."""
    (tmp_path / "people.csv").write_text("id")
    facts = project([replace(node("births", "table"), vars=("census",))])
    declared = {"census": {"type": "string", "file": True}}
    for value in ("people.csv", "*.csv", str(tmp_path / "people.csv"), "", "s3://bucket/people.csv"):
        require_variables_fit(config(declared, {"census": value}, tmp_path), facts)
    for value in ("poeple.csv", "*.parquet", "."):
        with pytest.raises(ConfigurationError, match="there is no such file in") as raised:
            require_variables_fit(config(declared, {"census": value}, tmp_path), facts)
        assert str(raised.value.to_fix).startswith("correct vars.census")
    with pytest.raises(ConfigurationError, match=r"there is no such file\.") as raised:
        require_variables_fit(config(declared, {"census": "/no/such.csv"}, tmp_path), facts)
    assert raised.value.to_fix == "correct vars.census"


def test_a_variable_that_nothing_reads_is_refused() -> None:
    """The nearest that is read, or declared, is named; what the project declares may be set."""
    facts = replace(
        project([replace(node("births", "table"), vars=("swarm",))]),
        var_defaults=(("idle", "1"),),
        vars_elsewhere=("suffix",),
    )
    for name in ("swarm", "idle", "suffix"):
        require_variables_fit(config({}, {name: 1}), facts)
    require_variables_fit(config({"later": {"type": "number"}}, {"later": 1}), facts)
    with pytest.raises(ConfigurationError) as raised:
        require_variables_fit(config({}, {"swram": 20}), facts)
    assert "reads the variable \"swram\", so it would change nothing. Did you mean 'swarm'?" in raised.value.message
    assert raised.value.to_fix == "write vars.swarm"


def test_where_names_are_computed_no_variable_is_refused() -> None:
    """Something may read it."""
    facts = project([replace(node("births", "table"), vars=("*", "swarm"))])
    require_variables_fit(config({}, {"rate_of_anything": 20}), facts)


def test_null_is_for_variables_that_the_project_leaves_empty() -> None:
    """Elsewhere it would take a value away."""
    facts = replace(project(), var_defaults=(("rate", "0.5"), ("extra", "null")))
    declared = {"rate": {"type": "number"}, "extra": {"type": "number"}}
    require_variables_fit(config(declared, {"extra": None}), facts)
    with pytest.raises(ConfigurationError, match=r"vars\.rate is null, but the dbt project's own value is 0\.5"):
        require_variables_fit(config(declared, {"rate": None}), facts)


def test_parameters_are_listed_with_value_origin_and_readers() -> None:
    """What the configuration sets wins over the project's own value; other variables are named."""
    facts = replace(
        project([replace(node("births", "table"), vars=("growth", "swarm")), replace(node("b", "view"), vars=("*",))]),
        var_defaults=(("growth", "0.03"), ("start_year", "1")),
    )
    given = config({"growth": {**GROWTH, "words": ["increase"]}}, {"growth": 0.05})
    found = list_parameters(given, facts)
    assert parameters_record(found) == {
        "parameters": [
            {
                "name": "growth",
                "value": 0.05,
                "origin": "the configuration",
                "default": 0.03,
                "secret": False,
                "type": "number",
                "minimum": 0,
                "maximum": 0.5,
                "choices": None,
                "unit": "a year",
                "description": "Growth of the headcount.",
                "words": ["increase"],
                "read_by": ["births"],
            }
        ],
        "undeclared": ["swarm"],
    }
    properties = parameters_schema(found)["properties"]
    assert properties == {
        "growth": {
            "description": "Growth of the headcount.",
            "type": "number",
            "minimum": 0,
            "maximum": 0.5,
            "x-unit": "a year",
            "default": 0.03,
        }
    }


@pytest.mark.parametrize(
    ("declared", "schema"),
    [
        ({"type": "choice", "choices": ["a", 2]}, {"enum": ["a", 2]}),
        (
            {"type": "date", "minimum": "2025-01-01"},
            {"type": "string", "format": "date", "formatMinimum": "2025-01-01"},
        ),
        ({"type": "boolean"}, {"type": "boolean"}),
    ],
)
def test_a_parameter_as_json_schema(declared: dict[str, object], schema: dict[str, object]) -> None:
    """Forms are made of it."""
    assert config({"x": declared}).parameters["x"].json_schema() == schema


SECRET = {"bonus_pool": {"type": "integer", "maximum": 9, "secret": True}, "desk": {"type": "string", "secret": True}}


def test_a_secret_parameter_is_listed_without_its_value() -> None:
    """Neither the value that a run would use nor the project's own is shown; the schema says that it is one."""
    facts = replace(project(), var_defaults=(("bonus_pool", "7"),))
    found = list_parameters(config(SECRET, {"desk": "fifth floor"}), facts)
    listed = parameters_record(found)["parameters"]
    assert isinstance(listed, list)
    assert [(one["name"], one["value"], one["default"], one["secret"]) for one in listed] == [
        ("bonus_pool", "***", "***", True),
        ("desk", "***", None, True),
    ]
    assert parameters_schema(found)["properties"] == {
        "bonus_pool": {"type": "integer", "maximum": 9, "writeOnly": True},
        "desk": {"type": "string", "writeOnly": True},
    }


def test_a_secret_parameter_is_shown_nowhere() -> None:
    """The snapshot, its overrides, commands, texts and changes of the ledger hold its name alone."""
    overrides = ["vars.bonus_pool=5", "vars.desk=fifth floor"]
    given = SimulationConfig.from_mapping(
        {"dbt": {"project_dir": "."}, "parameters": SECRET}, root="/", overrides=overrides
    )
    snapshot = given.snapshot()
    assert snapshot["vars"] == {"bonus_pool": "***", "desk": "***"}
    assert snapshot["overrides"] == {"vars.bonus_pool": "***", "vars.desk": "***"}
    command = "orchestrator simulate --set vars.bonus_pool=5 --set 'vars.desk=fifth floor' --set vars.pool=5"
    assert masked(command) == (
        "orchestrator simulate --set vars.bonus_pool=*** --set 'vars.desk=***' --set vars.pool=5"
    )
    assert masked('{"bonus_pool": 5, "bonus_pools": 5}') == '{"bonus_pool": ***, "bonus_pools": 5}'
    assert masked("he sits on the fifth floor") == "he sits on the ***"
    assert told_change(Change("var", "bonus_pool", "5", "6")) == "var bonus_pool changed"


def test_a_refused_secret_is_not_quoted() -> None:
    """The message says what is allowed."""
    with pytest.raises(ConfigurationError) as caught:
        config(SECRET, {"bonus_pool": 1234})
    assert "vars.bonus_pool is ***, but must be 9 or less" in str(caught.value)
