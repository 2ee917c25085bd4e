"""The relations that a node reads and writes, under the names that lineage has for them."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.core.datasets import Dataset, DatasetsOf, NodeDatasets
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.source_facts import SourceFacts

WRITING = ("seed", "model", "snapshot")


def datasets_of(facts: Callable[[], ProjectFacts | None], namespace: str | None = None) -> DatasetsOf:
    """Return what tells the datasets of a node.

    ``facts`` are asked each time and may be None. ``namespace`` names the database; by default it is
    ``duckdb:///path/of/the.duckdb``, and ``adapter://profile/target`` where the database is no file.
    """

    def of_node(unique_id: str) -> NodeDatasets:
        project = facts()
        node = None if project is None else project.node(unique_id)
        if project is None or node is None:
            return NodeDatasets()
        where = namespace or _namespace(project)
        return NodeDatasets(
            inputs=tuple(found for found in (_read(project, parent, where) for parent in node.depends_on) if found),
            outputs=(_written(node, where),) if _writes(node) else (),
        )

    return of_node


def _namespace(facts: ProjectFacts) -> str:
    if facts.database_path is not None:
        return f"{facts.adapter}://{facts.database_path}"
    return f"{facts.adapter}://{facts.profile}/{facts.target}"


def _writes(node: NodeFacts) -> bool:
    return node.resource_type in WRITING and node.materialized != "ephemeral"


def _written(node: NodeFacts, namespace: str) -> Dataset:
    columns = tuple((column.name, column.data_type) for column in node.columns)
    return Dataset(namespace, _name(node), columns)


def _read(facts: ProjectFacts, unique_id: str, namespace: str) -> Dataset | None:
    node = facts.node(unique_id)
    if node is not None:
        return _written(node, namespace) if _writes(node) else None
    source = next((one for one in facts.sources if one.unique_id == unique_id), None)
    return None if source is None else Dataset(namespace, _name(source))


def _name(relation: NodeFacts | SourceFacts) -> str:
    return ".".join(part for part in (relation.database, relation.schema, relation.identifier) if part)
