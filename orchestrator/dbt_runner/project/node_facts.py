"""Read :class:`NodeFacts` of one node of dbt's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.analysis.printed_year import PrintProof
from orchestrator.dbt_runner.analysis.rendered_with import rendered_with
from orchestrator.dbt_runner.analysis.reuse import ReuseProof
from orchestrator.dbt_runner.analysis.template_code import ANY_VAR, Code
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import ColumnFacts, NodeFacts
from orchestrator.dbt_runner.project.seed_files import SeedFile
from orchestrator.dbt_runner.project.var_values import VarValues, digest

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode

HARMLESS_CONFIG = frozenset(
    {"access", "alias", "database", "docs", "enabled", "group", "meta", "persist_docs", "schema", "tags"}
)


def node_facts(
    node: ManifestNode,
    project_dir: Path,
    proof: ReuseProof,
    printing: PrintProof,
    values: VarValues,
    macros: dict[str, str],
) -> NodeFacts:
    """Return what is known of a node before it runs; ``macros`` are the texts of the project's own.

    Raises:
        DbtProjectError: a seed file cannot be read.
        ConfigurationError: a ``meta`` that the orchestrator reads has a wrong value.
    """
    kind = str(node.resource_type)
    has_rows: bool | None = None
    checksum = node.checksum.checksum
    columns = tuple(ColumnFacts(column.name, column.data_type) for column in node.columns.values())
    if kind == "seed":
        path = Path(node.root_path or project_dir) / node.original_file_path
        if not path.is_file():
            path = project_dir / node.original_file_path
        seed = SeedFile.read(path, node.config.delimiter)
        has_rows, checksum = seed.has_rows, seed.checksum
        declared = {name: str(data_type) for name, data_type in node.config.column_types.items()}
        columns = tuple(ColumnFacts(name, declared.get(name)) for name in seed.header)
    code = Code()
    prints_year = False
    if kind != "seed":
        if str(node.language) == "python":
            reads = "var" in node.raw_code
            blocker = "a python model that may read vars" if reads else None
            code = Code(uses_year=reads, blocker=blocker, vars={ANY_VAR} if reads else set())
        else:
            text = rendered_with(node) + node.raw_code
            code = proof.of(text)
            prints_year = code.uses_year and printing.holds(text)
    meta = {**node.meta, **node.config.meta}
    reached = [name for name in sorted(proof.implementations(code.macros)) if name in macros]
    return NodeFacts(
        unique_id=node.unique_id,
        name=_full_name(node),
        resource_type=kind,
        fqn=tuple(node.fqn),
        file=node.original_file_path,
        database=node.database or "",
        schema=node.schema,
        identifier=node.alias,
        materialized=str(node.config.materialized),
        tags=tuple(node.tags),
        checksum=checksum,
        columns=columns,
        contract=kind == "model" and node.config.contract.enforced,
        depends_on=tuple(node.depends_on_nodes),
        min_rows=_whole_number(meta.get("min_rows"), node.unique_id),
        summary=meta.get("summary") is True,
        labels=_labels(node),
        has_rows=has_rows,
        appends=node.config.materialized == "incremental" and not node.config.get("unique_key"),
        full_refresh=node.config.get("full_refresh") is True,
        writes_other_years=_true_or_false(meta, "writes_other_years", node.unique_id),
        code=(
            (f"{kind} {_full_name(node)}", digest(checksum, _deciding_config(node))),
            (f"place of {_full_name(node)}", f"{node.schema}.{node.alias}"),
            *((f"macro {name}", digest(macros[name])) for name in reached),
        ),
        inputs=values.of(node.package_name, code.vars, [node.raw_code or "", *(macros[name] for name in reached)]),
        uses_year=code.uses_year,
        prints_year=prints_year,
        reuse_blocker=code.blocker,
    )


def _full_name(node: ManifestNode) -> str:
    """Return a node's name; that of a versioned model has its version, as in ``dim.v2``."""
    number = getattr(node, "version", None)  # models alone have one
    return node.name if number is None else f"{node.name}.v{number}"


def _deciding_config(node: ManifestNode) -> str:
    """Return what was configured for a node, as it is written, less what cannot change its rows."""
    chosen = {name: value for name, value in node.unrendered_config.items() if name not in HARMLESS_CONFIG}
    return canonical(chosen)


def _labels(node: ManifestNode) -> tuple[tuple[str, str, str], ...]:
    found = []
    for column in node.columns.values():
        meta = {**column.meta, **column.config.meta}
        if "label" in meta:
            found.append((column.name, str(meta["label"]), str(meta.get("format", "integer"))))
    return tuple(found)


def _true_or_false(meta: Mapping[str, object], name: str, unique_id: str) -> bool:
    value = meta.get(name, False)
    if isinstance(value, bool):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.{name} is {value!r}, but must be true or false.",
        to_fix="correct it where the dbt project configures this node",
    )


def _whole_number(value: object, unique_id: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise ConfigurationError(
        f"{unique_id}: meta.min_rows is {value!r}, but must be a whole number of rows, 0 or more.",
        to_fix="correct it in the YAML file of the dbt project that describes this node",
    )
