"""Config, meta, columns and description of a node as inputs, compared with what dbt takes by default."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from orchestrator.dbt_runner.project.canonical import canonical, digest
from orchestrator.dbt_runner.project.input_kinds import (
    COLUMNS,
    CONFIG,
    DESCRIPTION,
    ENTRY,
    META,
    PARENTS,
    WRITTEN_CONFIG,
)
from orchestrator.dbt_runner.project.profile_inputs import Pairs
from orchestrator.dbt_runner.project.shown_values import shown

if TYPE_CHECKING:
    from dbt.contracts.graph.nodes import ManifestNode

HARMLESS_CONFIG = frozenset(
    [
        "access",
        "alias",
        "database",
        "docs",
        "enabled",
        "grants",
        "group",
        "meta",
        "persist_docs",
        "schema",
        "static_analysis",
        "tags",
    ]
)
"""Config that stands in the name of a relation, or says who may read it and what is said of it."""
META_OF_OURS = frozenset(["min_rows", "summary", "watch", "prior_year_of", "writes_other_years"])
CHANGES_BY_ITSELF = frozenset(
    [
        "created_at",
        "raw_code",
        "compiled",
        "compiled_code",
        "compiled_path",
        "checksum",
        "root_path",
        "build_path",
        "relation_name",
        "extra_ctes",
        "extra_ctes_injected",
        "deferred",
        "unrendered_config",
        "unrendered_config_call_dict",
        "config_call_dict",
    ]
)
_HOOKS = ("pre-hook", "post-hook", "pre_hook", "post_hook")


def full_name(node: ManifestNode) -> str:
    """Return a node's name; that of a versioned model has its version, as in ``dim.v2``."""
    number = getattr(node, "version", None)  # models alone have one
    return node.name if number is None else f"{node.name}.v{number}"


def is_batched(node: ManifestNode) -> bool:
    """Tell whether dbt builds a node batch by batch."""
    config = node.config
    return str(config.materialized) == "incremental" and str(config.get("incremental_strategy")) == "microbatch"


def reads_config(reads: Set[str]) -> bool:
    """Tell whether a template may read any entry of its config, the harmless ones too."""
    return not reads.isdisjoint({"config", "model", "model.config", "unknown"})


def config_inputs(node: ManifestNode, *, whole: bool, open_: bool) -> Pairs:
    """Return the config of a node, as it was rendered, where it is not dbt's default, and all of its ``meta``.

    ``whole``: what is harmless by itself counts, too; ``open_``: nothing of it may come out of the environment.
    """
    name = full_name(node)
    usual = type(node.config)().to_dict(omit_none=True)
    rendered = node.config.to_dict(omit_none=True) | node.config.extra  # where an empty value is no absent one
    written = {key: canonical(value) for key, value in node.unrendered_config.items()}
    secret = {key for key, text in written.items() if "env_var" in text}
    left_out = {"meta"} if whole else HARMLESS_CONFIG
    found = [
        (f"{CONFIG} {key} of {name}", shown(key, value, open_=open_ and key not in secret))
        for key, value in sorted(rendered.items())
        if key not in left_out
        and (key in node.config.extra or (value != usual.get(key) and value not in (None, [], {})))
    ]
    found += [
        (f"{WRITTEN_CONFIG} {key} of {name}", digest(text)[:12])
        for key, text in sorted(written.items())
        if ("{{" in text or "{%" in text) and key not in {*left_out, *_HOOKS}
    ]
    meta = {**node.meta, **node.config.meta}
    plain = open_ and "meta" not in secret and "+meta" not in secret
    found += [
        (f"{META} {key} of {name}", shown(str(key), value, open_=plain))
        for key, value in sorted(meta.items(), key=lambda item: str(item[0]))
        if whole or key not in META_OF_OURS
    ]
    return tuple(found)


def entry_inputs(node: ManifestNode, reads: Set[str]) -> Pairs:
    """Return columns that dbt enforces, texts that it stores, and what a template reads of ``model``."""
    name = full_name(node)
    found: list[tuple[str, str]] = []
    contract = getattr(node.config, "contract", None)  # tests and seeds of some versions have none
    if contract is not None and contract.enforced:
        columns = [
            [c.name, c.data_type, c.quote, [one.to_dict() for one in c.constraints]] for c in node.columns.values()
        ]
        own = [one.to_dict() for one in getattr(node, "constraints", ())]
        found.append((f"{COLUMNS} {name}", digest(canonical([columns, own]))[:16]))
    elif str(node.resource_type) == "seed":
        quoted = [c.name for c in node.columns.values() if c.quote]
        if quoted:
            found.append((f"{COLUMNS} {name}", digest(canonical(quoted))[:16]))
    persisted = node.config.persist_docs
    if any(persisted.values()):
        said = [node.description, {c.name: c.description for c in node.columns.values()}]
        found.append((f"{DESCRIPTION} {name}", digest(canonical(said))[:16]))
    if node.depends_on_nodes:
        parents = sorted(parent.partition(".")[2] for parent in node.depends_on_nodes)
        found.append((f"{PARENTS} {name}", shown("", parents)))
    parts = {one.partition(".")[2] for one in reads if one.startswith("model.")} - {"created_at"}
    if parts or "model" in reads:
        entry = node.to_dict(omit_none=True)
        chosen = sorted(set(entry) - CHANGES_BY_ITSELF if "model" in reads else parts)
        read = canonical({part: entry.get(part) for part in chosen}, ordered=True)
        found.append((f"{ENTRY} {name}", digest(read)[:16]))
    return tuple(found)
