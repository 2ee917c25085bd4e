"""What stands against sending a node's statements again, told from the records of its templates."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from dbt.artifacts.resources.v1.config import NodeConfig
from dbt_common.clients.jinja import get_environment

from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.replay_proof import ReplayProof

if TYPE_CHECKING:
    from dbt.config import RuntimeConfig
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode

MACROS = {
    "plain": "{% macro plain(x) %}{{ return(x) }}{% endmacro %}",
    "asks": "{% macro asks() %}{{ turns() }}{% set rows = run_query('select 1') %}{% endmacro %}",
    "turns": "{% macro turns() %}{{ asks() }}{% endmacro %}",
    "adds": "{% macro adds(found) %}{% do found.append('x') %}{% endmacro %}",
    "spoken": "{% macro spoken() %}{{ adapter.dispatch('spoken')() }}{% endmacro %}",
    "default__spoken": "{% macro default__spoken() %}{{ invocation_id }}{% endmacro %}",
    "run_query": "{% macro run_query(sql) %}{{ sql }}{% endmacro %}",
}


def node(
    code: str, name: str = "m", *, hooks: tuple[object, ...] = (), parents: tuple[str, ...] = (), **settings: object
) -> ManifestNode:
    """Make a model as dbt's manifest holds it."""
    config = NodeConfig.from_dict(
        {"materialized": "ephemeral" if name != "m" else "table", "pre-hook": [*hooks], **settings}
    )
    found = SimpleNamespace(
        unique_id=f"model.p.{name}",
        name=name,
        resource_type="model",
        language="sql",
        raw_code=code,
        config=config,
        constraints=[],
        columns={},
        unrendered_config={},
        depends_on_nodes=parents,
    )
    return cast("ManifestNode", found)


def proof(*nodes: ManifestNode) -> ReplayProof:
    """Make a proof over a project of these nodes and the macros above."""
    macros = {name: SimpleNamespace(name=name, package_name="p", macro_sql=text) for name, text in MACROS.items()}
    manifest = SimpleNamespace(macros=macros, nodes={one.unique_id: one for one in nodes})
    config = SimpleNamespace(credentials=SimpleNamespace(type="duckdb"))
    analysis = TemplateAnalysis(get_environment(None, capture_macros=True), list(MACROS.items()), frozenset({"year"}))
    return ReplayProof(cast("Manifest", manifest), cast("RuntimeConfig", config), analysis)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("select {{ var('year') }} as y, {{ plain(1) }} from {{ ref('a') }}", None),
        ("select {{ p.plain(1) }}", None),
        ("select {{ invocation_id }}", "m: it uses invocation_id"),
        ("{{ spoken() }}", "m: it uses invocation_id"),
        ("{{ asks() }}", "m: it queries the database with run_query()"),
        ("{{ p.nowhere() }}", "m: it calls nowhere"),
        ("{{ [1, 2] | random }}", "m: it draws lots"),
        ("{% set this = 1 %}{% set run_started_at = 1 %}", "m: it gives run_started_at another meaning"),
        ("{% do exceptions.warn('x') %}", "m: it warns"),
        ("{{ exceptions.raise_compiler_error('x') }}", None),
        ("{% do var('labels').append('x') %}", "m: it may change what other templates read"),
        ("{{ var('year')", "m: its template cannot be read"),
    ],
)
def test_what_stands_against_it(code: str, reason: str | None) -> None:
    """Whatever is not known to be the same in every year makes dbt run the node."""
    assert proof().blocker(node(code)) == reason


def test_macros_that_call_each_other_are_all_read() -> None:
    """Whichever of them is asked for first, what the other one does counts for both."""
    asked = proof()
    reason = "m: it queries the database with run_query()"
    assert [asked.blocker(node(code)) for code in ("{{ asks() }}", "{{ turns() }}", "{{ asks() }}")] == [reason] * 3


def test_an_ephemeral_model_counts_with_those_that_read_it() -> None:
    """Its code becomes a part of theirs."""
    above = node("select {{ invocation_id }}", "above")
    reads = node("select * from {{ ref('above') }}", parents=("model.p.above",))
    assert proof(above).blocker(reads) == "above: it uses invocation_id"


def test_a_node_that_changes_others_is_told_whatever_else_is_wrong_with_it() -> None:
    """A list that a macro adds to may be a variable's; grants alone would leave the other nodes to a replay."""
    adding = node("{{ adds(var('labels')) }}", grants={"select": ["you"]})
    assert proof().blocker(adding) == "m has grants"
    assert proof().changes_others(adding)
    assert not proof().changes_others(node("select 1", grants={"select": ["you"]}))


def test_hooks_obey_the_rules_of_nodes() -> None:
    """Whatever they say is compiled as a model is, where it stands within the transaction."""
    assert proof().blocker(node("select 1", hooks=("delete from {{ this }} where y = {{ var('year') }}",))) is None
    assert proof().blocker(node("select 1", hooks=("{{ asks() }}",))) == "m: it queries the database with run_query()"
    outside = node("select 1", hooks=({"sql": "select 1", "transaction": False},))
    assert proof().blocker(outside) == "m has a hook outside its transaction"


def test_indexes_of_a_table_that_is_made_anew_have_other_names_each_time() -> None:
    """Those of a table to which rows are added stay."""
    indexes = [{"columns": ["a"]}]
    assert proof().blocker(node("select 1", indexes=indexes)) == "m has indexes, which dbt gives new names each time"
    assert proof().blocker(node("select 1", materialized="incremental", indexes=indexes)) is None
