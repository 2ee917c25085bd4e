"""What dbt renders of a node, and what that reads and does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.marks import ANY_VAR, UNKNOWN
from orchestrator.dbt_runner.analysis.python_code import reads_anything
from orchestrator.dbt_runner.analysis.rendered_with import rendered_with
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.analysis.template_record import RENDERED, GrowingRecord, TemplateRecord

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode


def code_of_node(node: ManifestNode, analysis: TemplateAnalysis) -> tuple[tuple[str, ...], TemplateRecord]:
    """Return what dbt renders of a node, and what it does; a seed has hooks alone."""
    hooks = rendered_with(node)
    if str(node.language) == "python":
        code = GrowingRecord(reads={"config"})
        code.add(analysis.of(hooks))
        if "var" in node.raw_code:
            code.uses_year, code.blocker, code.beyond_print = True, "a python model that may read vars", RENDERED
            code.vars.add(ANY_VAR)
        if reads_anything(node.raw_code) is not None:
            code.reads.add(UNKNOWN)
            code.vars.add(ANY_VAR)
        return (hooks, node.raw_code), code.frozen()
    text = hooks + ("" if str(node.resource_type) == "seed" else node.raw_code)
    return (text,), analysis.of(text)
