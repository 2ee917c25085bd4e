"""Proof that a project's templates do not read where the file of the database lies, so that a parse serves any."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.analysis.marks import UNKNOWN
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.project.every_node import every_node
from orchestrator.dbt_runner.project.inputs import TEMPLATE
from orchestrator.dbt_runner.project.parsed_project import ParsedProject
from orchestrator.dbt_runner.project.var_values import COMPUTED_ENV_VAR

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode

VARIABLE = "ORCHESTRATOR_DATABASE"
PROFILE = "profiles.yml"
_PATHLESS = ("name", "schema", "database", "type", "profile_name", "threads")
_PATHLESS_READS = frozenset(f"{holder}.{part}" for holder in ("target", "env") for part in _PATHLESS)
_WITH_PATH = frozenset({UNKNOWN, "target", "env", "adapter", "context", "builtins", "invocation_args_dict"})
_PARTS_OF_ADAPTER = frozenset({"adapter.config", "adapter.connections"})
_HOLDS_PATH = re.compile(
    rf"\b(?:target|env)\b(?!\s*\.\s*(?:{'|'.join(_PATHLESS)})\b)|\b(?:context|builtins|invocation_args_dict|adapter)\b"
)


def reads_database_path(project: ParsedProject, analysis: TemplateAnalysis, files: Mapping[str, str]) -> bool:
    """Tell whether the path may be read: by a node, a hook, a macro of the project or, from ``files``, a YAML file.

    What a profile makes of it is seen in the profile itself.
    """
    manifest = project.manifest
    nodes: list[ManifestNode] = [*every_node(manifest).values()]
    for found in manifest.disabled.values():
        nodes += [node for node in found if getattr(node, "raw_code", "")]  # sources and exposures have none
    texts = [node.raw_code for node in nodes if project.is_own(node.package_name)]
    names = [*project.own_macros]
    if any(_by_variable(text) for text in (*texts, *project.own_macros.values())):
        return True
    records = [*map(analysis.of, texts), *map(analysis.macro, names)]
    if any(_with_path(record.reads) for record in records):
        return True
    for path, text in files.items():
        for template in TEMPLATE.findall(text):
            if not path.endswith(PROFILE) and (_by_variable(template) or _HOLDS_PATH.search(template)):
                return True
    return False


def _by_variable(text: str) -> bool:
    return VARIABLE in text or COMPUTED_ENV_VAR.search(text) is not None


def _with_path(reads: Collection[str]) -> bool:
    own = {name for name in reads if name.startswith(("target.", "env."))} - _PATHLESS_READS
    return bool(own) or not _WITH_PATH.isdisjoint(reads) or not _PARTS_OF_ADAPTER.isdisjoint(reads)
