"""The section ``sweep`` of the configuration: what is varied where the command line does not say it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, JsonValue, StrictInt, StrictStr

from orchestrator.config.schema import Section, Text, texts_as_list

Values = StrictStr | Annotated[tuple[JsonValue, ...], Field(min_length=1)]


def one_as_list(value: object) -> object:
    """Return a number, true or false as the list of that value, and anything else as it is.

    >>> one_as_list(0.02), one_as_list("0..90/30"), one_as_list([1, 2])
    ([0.02], '0..90/30', [1, 2])
    """
    return [value] if isinstance(value, (bool, int, float)) else value


class SweepSettings(Section):
    """A sweep: one simulation for every scenario, value and seed."""

    name: Text | None = Field(
        None,
        description="Name of the sweep, and of its folder; by default made of what is varied.",
        examples=["growth"],
    )
    vary: dict[Text, Annotated[Values, BeforeValidator(one_as_list)]] = Field(
        default_factory=dict,
        description="Keys that are varied, variables by their bare name, and the values of each: a list, text as "
        "`--vary` takes it, or one number.",
        examples=[{"target_growth_rate": [0.02, 0.03], "vars.wait_days": "0..90/30"}],
    )
    scenarios: Annotated[tuple[Text, ...], BeforeValidator(texts_as_list)] = Field(
        (),
        description="Scenarios to be swept; by default the configured one.",
        examples=[["baseline", "high_growth"]],
        json_schema_extra={"form": "text, or a list of texts"},
    )
    seeds: StrictStr | StrictInt | tuple[StrictInt, ...] = Field(
        (),
        description="Random seeds, a list or text such as 1-100; by default that of each scenario.",
        examples=["1-100"],
        json_schema_extra={"form": "whole number, text, or a list of whole numbers"},
    )
    workers: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=1024,
        description="Number of worker processes on this machine; by default one for each core.",
        examples=[2],
        json_schema_extra={"unit": "processes"},
    )
    scheduler: Text | None = Field(
        None,
        description="Address of a Dask scheduler whose workers run the sweep; by default workers of our own.",
        examples=["tcp://10.0.0.5:8786"],
    )
    keep: Annotated[tuple[Text, ...], BeforeValidator(texts_as_list)] = Field(
        (),
        description="Tables whose rows are gathered of all members; by default the summary and what the last stage "
        "builds.",
        examples=[["rpt_scenario_summary"]],
        json_schema_extra={"form": "text, or a list of texts"},
    )
    databases: Literal["all", "failed", "none"] = Field(
        "all",
        description="Whose database files stay: those of all members, of failed ones, or none.",
        examples=["none"],
    )
    retries: int = Field(
        1,
        strict=True,
        ge=0,
        le=100,
        description="How often a member that failed, or whose worker died, is tried again.",
        examples=[2],
        json_schema_extra={"unit": "times"},
    )
    share: bool = Field(
        default=True,
        strict=True,
        description="Whether what members have in common before their first year is built once and copied.",
        examples=[False],
    )
    max_members: int = Field(
        1000,
        strict=True,
        ge=1,
        le=1_000_000,
        description="Most members that a sweep may have; more are refused.",
        examples=[5000],
        json_schema_extra={"unit": "members"},
    )
