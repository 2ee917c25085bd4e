"""Proof that a parse made with one value of a variable serves every other, or the reason why it does not.

It is the proof by which a parse serves several years (:mod:`orchestrator.dbt_runner.analysis.reuse`), for one variable
at a time, whatever values the others have; so a parse serves where each that has changed is proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.reuse import blocker_in_naming, blocker_in_yaml
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.node_code import code_of_node
from orchestrator.dbt_runner.project.parsed_project import ParsedProject

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

NODE_TYPES = ("seed", "model", "snapshot", "function", "test")


@dataclass(frozen=True)
class VariableReach:
    """What one variable decides.

    ``blocker`` says why a parse made with one value cannot serve another, None when it provably can. ``printed_by`` are
    the unique ids of the nodes that read it and provably do nothing but print it.
    """

    blocker: str | None
    printed_by: frozenset[str]


def variable_reach(project: ParsedProject, name: str, files: Mapping[str, str]) -> VariableReach:
    """Work out what a variable reaches, where the value of none is a template.

    ``files`` are the texts of the project's YAML files by path.
    """
    analysis = project.analysis({name})
    blocker = project_blocker(project.manifest, analysis, files)
    printed: set[str] = set()
    for node in every_node(project.manifest).values():
        if str(node.resource_type) not in NODE_TYPES:
            continue
        _, code = code_of_node(node, analysis, {})
        if code.blocker is not None and str(node.resource_type) != "seed":
            blocker = blocker or f"{node.name}: {code.blocker}"
        if code.prints_year:
            printed.add(node.unique_id)
    return VariableReach(
        None if blocker is None else blocker.replace("the year", f"variable {name}"), frozenset(printed)
    )


def project_blocker(manifest: Manifest, analysis: TemplateAnalysis, files: Mapping[str, str]) -> str | None:
    """Return why the variables of an analysis decide more than the text of nodes; None when they do not."""
    return (
        blocker_in_naming(analysis)
        or _blocker_in_disabled(manifest, analysis)
        or blocker_in_yaml(analysis.year_vars, files)
    )


def _blocker_in_disabled(manifest: Manifest, analysis: TemplateAnalysis) -> str | None:
    """Return which disabled node may be enabled with other values, None when none can."""
    for unique_id in sorted(manifest.disabled):
        for node in manifest.disabled[unique_id]:
            code = getattr(node, "raw_code", "")  # sources and exposures have none
            blocker = analysis.of(code).blocker if code and str(node.resource_type) in NODE_TYPES else None
            if blocker is not None:
                return f"{unique_id} is disabled, and {blocker}"
    return None
