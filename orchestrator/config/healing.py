"""The sections of the configuration that say what must be ready before the first year, and how it is made so."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from orchestrator.config.schema import Flag, Seconds, Section, Text, texts_as_list


def _kind_of_tables(value: object) -> str:
    return "list" if isinstance(value, (list, tuple)) else "auto"


class SelfHealingSettings(Section):
    """Repair of the database before a run: whether, and for how long."""

    auto_initialize: Flag = Field(
        default=True,
        description="Whether a run repairs what is missing or broken before its first year; false refuses such a run.",
        examples=[False],
    )
    timeout_seconds: Seconds = Field(
        60.0,
        description="Longest time that the whole repair may take, waiting included, in seconds.",
        examples=[120],
    )
    lock_timeout_seconds: float = Field(
        30.0,
        strict=True,
        ge=0,
        allow_inf_nan=False,
        description="Longest wait for another process that uses the database, in seconds; 0 does not wait.",
        examples=[0],
        json_schema_extra={"unit": "seconds"},
    )
    foundation: Annotated[tuple[Text, ...], BeforeValidator(texts_as_list)] = Field(
        (),
        description="dbt selector, or a list of them of which any may match, of what is built once before the first "
        "year of a simulation; what reads the year is left out of it. By default tag:FOUNDATION where a node has that "
        "tag.",
        examples=["tag:STATIC"],
        json_schema_extra={"form": "text, or a list of texts"},
    )


class RequiredTableSettings(Section):
    """A table that must be there before the first year."""

    name: Text = Field(description="Name of the seed, model or source table in the dbt project.", examples=["orders"])
    tier: Literal["seed", "foundation", "state"] = Field(
        description="What it is: a seed (loaded from a file), a foundation (a model, built once before the first "
        "year), or a state (created empty before the first year, and filled by the years).",
        examples=["seed"],
    )
    selector: Text | None = Field(
        None,
        description="Name or unique id of the dbt node that builds it; by default its name.",
        examples=["seed.shop.orders"],
    )
    min_rows: int | None = Field(
        None,
        strict=True,
        ge=0,
        description="Fewest rows it must hold, with fewer it counts as empty; by default what meta.min_rows of the "
        "node says, else any number.",
        examples=[1],
        json_schema_extra={"unit": "rows"},
    )


RequiredTables = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[tuple[RequiredTableSettings, ...], Tag("list")],
    Discriminator(_kind_of_tables),
]
