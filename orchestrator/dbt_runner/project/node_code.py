"""What dbt renders of a node, and what that reads and does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.marks import ANY_VAR, UNKNOWN
from orchestrator.dbt_runner.analysis.python_code import reads_anything
from orchestrator.dbt_runner.analysis.rendered_with import rendered_with
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.analysis.template_record import RENDERED, GrowingRecord, TemplateRecord
from orchestrator.dbt_runner.project.var_templates import is_template

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode


def code_of_node(
    node: ManifestNode, analysis: TemplateAnalysis, values: Mapping[str, object]
) -> tuple[tuple[str, ...], TemplateRecord]:
    """Return what dbt renders of a node, and what it does; a seed has hooks alone.

    ``values`` are those of the variables that it finds.
    """
    texts, code = _own_code(node, analysis)
    return with_templates(texts, code, analysis, values)


def with_templates(
    texts: tuple[str, ...], code: TemplateRecord, analysis: TemplateAnalysis, values: Mapping[str, object]
) -> tuple[tuple[str, ...], TemplateRecord]:
    """Add the templates that are the values of variables: ``var()`` renders them where it is called.

    What becomes of their text is not followed: where one reads a variable that changes, anything may depend on it.
    """
    templates = {name: value for name, value in values.items() if is_template(value)}
    if not templates:
        return texts, code
    whole, found = GrowingRecord(), dict.fromkeys(texts)
    whole.add(code)
    while new := [one for name, one in templates.items() if one not in found and _reads(whole, name)]:
        for template in map(str, new):
            found[template] = None
            record = analysis.of(template)
            whole.add(record)
            if record.uses_year or record.decides:
                whole.beyond_print = RENDERED
                whole.blocker = whole.blocker or "a variable whose value reads the year or chooses what is read"
    return tuple(found), whole.frozen(code.uses)


def _reads(code: GrowingRecord, name: str) -> bool:
    return name in code.vars or ANY_VAR in code.vars


def _own_code(node: ManifestNode, analysis: TemplateAnalysis) -> tuple[tuple[str, ...], TemplateRecord]:
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
