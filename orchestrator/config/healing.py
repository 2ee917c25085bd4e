"""The sections of the configuration that say what must be ready before the first year, and how it is made so."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from orchestrator.config.schema import Flag, Seconds, Section, Text, finding_at, is_call, texts_as_list


def _kind_of_tables(value: object) -> str:
    return "list" if isinstance(value, (list, tuple)) else "auto"


DEFAULT_TIMEOUT_SECONDS = 600.0


class SelfHealingSettings(Section):
    """Repair of the database before a run: whether, and for how long."""

    auto_initialize: Flag = Field(
        default=True,
        description="Whether a run repairs what is missing or broken before its first year; false refuses such a run.",
        examples=[False],
    )
    timeout_seconds: Seconds = Field(
        DEFAULT_TIMEOUT_SECONDS,
        description="Longest time that the whole repair may take, in seconds, counted from the moment dbt is ready: "
        "neither its start nor the wait for another process is in it.",
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
    tier: Literal["seed", "hook", "foundation", "state"] = Field(
        description="What it is: a seed (loaded from a file), a hook (built by the function that call names, after the "
        "seeds), a foundation (a model, built once before the first year), or a state (created empty before the first "
        "year, and filled by the years). A list of hook tables alone is added to what auto means.",
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
    call: Annotated[str, Field(strict=True), AfterValidator(is_call)] | None = Field(
        None,
        description="Function that builds a table of tier hook, written package.module:function; it is called as a "
        "hook is.",
        examples=["my_package.tables:registry"],
        json_schema_extra={"beside": {"tier": "hook"}},
    )

    @model_validator(mode="after")
    def _called_where_it_is_a_hook(self) -> Self:
        if self.tier == "hook" and self.call is None:
            raise finding_at("is missing: a table of tier hook is built by the function that it names.", "call")
        if self.tier != "hook" and self.call is not None:
            raise finding_at(f"is given, but the table is of tier {self.tier}, which dbt builds.", "call")
        if self.tier == "hook" and self.selector is not None:
            raise finding_at("is given, but no dbt node builds a table of tier hook.", "selector")
        return self


RequiredTables = Annotated[
    Annotated[Literal["auto"], Tag("auto")] | Annotated[tuple[RequiredTableSettings, ...], Tag("list")],
    Discriminator(_kind_of_tables),
]
