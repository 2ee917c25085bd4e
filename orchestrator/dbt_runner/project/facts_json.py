"""The facts of a project, read back from JSON."""

from __future__ import annotations

from pathlib import Path

from orchestrator.database.attachments import Attachment
from orchestrator.database.names import SchemaName
from orchestrator.dbt_runner.analysis.change_kinds import ChangedRelation
from orchestrator.dbt_runner.project.facts import ColumnFacts, NodeFacts, ProjectFacts, ProjectShape
from orchestrator.dbt_runner.project.selectable_facts import Selectable
from orchestrator.dbt_runner.project.source_facts import SourceFacts


def facts_of(document: dict[str, object]) -> ProjectFacts:
    """Return the facts that ``dataclasses.asdict`` made this of, by way of JSON.

    Raises:
        KeyError, TypeError, AssertionError: it was made of something else.
    """
    values = dict(document)
    nodes, sources, hooks = values.pop("nodes"), values.pop("sources"), values.pop("run_hooks")
    attachments, disabled = values.pop("attachments"), values.pop("disabled")
    assert isinstance(nodes, list) and isinstance(sources, list) and isinstance(hooks, list)
    assert isinstance(attachments, list) and isinstance(disabled, list)
    path, shape, ledger = values.pop("database_path"), values.pop("shape"), values.pop("ledger")
    assert isinstance(shape, dict) and isinstance(ledger, dict)
    return ProjectFacts(
        nodes=tuple(node_of(node) for node in nodes),
        run_hooks=tuple(node_of(node) for node in hooks),
        sources=tuple(SourceFacts(**{**source, "files": tuple(source["files"])}) for source in sources),
        versions=_pairs(values.pop("versions")),
        unasked=_pairs(values.pop("unasked")),
        var_defaults=_pairs(values.pop("var_defaults")),
        vars_elsewhere=_texts(values.pop("vars_elsewhere")),
        decided=_pairs(values.pop("decided")),
        tests_decided=_pairs(values.pop("tests_decided")),
        foundation=_texts(values.pop("foundation")),
        selectable=_selectable(values.pop("selectable")),
        written_files=_texts(values.pop("written_files")),
        project_dir=Path(str(values.pop("project_dir"))),
        database_path=None if path is None else Path(str(path)),
        attachments=tuple(_attachment_of(one) for one in attachments),
        disabled=tuple(map(str, disabled)),
        shape=ProjectShape(**shape),
        ledger=SchemaName(**ledger),
        **values,  # type: ignore[arg-type]  # what asdict() wrote, checked by FORMAT
    )


def _selectable(listed: object) -> tuple[Selectable, ...]:
    assert isinstance(listed, list)
    return tuple(Selectable(str(kind), str(name), _texts(tags), _texts(nodes)) for kind, name, tags, nodes in listed)


def _texts(listed: object) -> tuple[str, ...]:
    assert isinstance(listed, list)
    return tuple(map(str, listed))


def _attachment_of(values: dict[str, object]) -> Attachment:
    path, why = values["path"], values["why"]
    return Attachment(str(values["name"]), None if path is None else Path(str(path)), None if why is None else str(why))


def node_of(values: dict[str, object]) -> NodeFacts:
    """Return the facts of a node, as :func:`facts_of` does those of a project."""
    columns, labels, changes = values["columns"], values["labels"], values["changes"]
    assert isinstance(columns, list) and isinstance(labels, list) and isinstance(changes, list)
    fixed: dict[str, object] = {
        "columns": tuple(ColumnFacts(**column) for column in columns),
        "labels": tuple(tuple(label) for label in labels),
        "changes": tuple(ChangedRelation(*change) for change in changes),
        "code": _pairs(values["code"]),
        "inputs": _pairs(values["inputs"]),
        "reads": _pairs(values["reads"]),
        "decided": _pairs(values["decided"]),
        "selectable": _pairs(values["selectable"]),
    }
    for name in ("fqn", "tags", "depends_on", "unseen", "by_source", "vars", "looks_up"):
        listed = values[name]
        assert isinstance(listed, list)
        fixed[name] = tuple(listed)
    return NodeFacts(**{**values, **fixed})  # type: ignore[arg-type]  # as above


def _pairs(listed: object) -> tuple[tuple[str, str], ...]:
    assert isinstance(listed, list)
    return tuple((str(name), str(text)) for name, text in listed)
