"""Facts about one dbt project, taken out of its manifest.

They are plain values: they cross the process border, and a JSON copy of them lets ``check`` run without
importing dbt at all (see :mod:`orchestrator.dbt_runner.project.kept_parse`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.database.attachments import Attachment
from orchestrator.database.capabilities import Capabilities, capabilities_of
from orchestrator.database.names import RelationName, SchemaName
from orchestrator.dbt_runner.analysis.change_kinds import ChangedRelation
from orchestrator.dbt_runner.project.selectable_facts import Selectable
from orchestrator.dbt_runner.project.source_facts import SourceFacts

BY_BUILD = ("snapshot", "function")  # `dbt run` leaves them out
RELATIONAL = ("table", "view", "incremental", "seed", "snapshot")


@dataclass(frozen=True)
class ColumnFacts:
    """A documented column; ``data_type`` is as written in the project, None when it is not."""

    name: str
    data_type: str | None
    description: str = ""


@dataclass(frozen=True)
class NodeFacts:
    """One enabled seed, model, snapshot, function or test.

    ``columns`` are a model's documented ones, or a seed's header with its declared types; ``contract`` tells
    whether dbt enforces them. ``file`` is relative to the project. ``has_rows`` is None except for seeds. ``appends``
    tells whether it is incremental without a unique key, so that building it twice doubles its rows. ``full_refresh``
    tells that each build of it replaces all of its rows whatever the command says, ``writes_other_years`` (from its
    ``meta``) that a year may change rows of other years in it.
    ``code`` are (what, checksum) of its own text and of the macros it reaches, such as ``("model a", ...)`` or
    ``("macro b", ...)``; ``inputs`` are the variables it reads, the year left out, as (name, JSON of the value).
    ``uses_year`` tells whether its own code, or a macro that it reaches, reads the year variable, or may read it for
    all that can be told; ``names_year`` that the year variable is named there; ``prints_year`` that this provably does
    nothing but print it.
    ``reuse_blocker`` says why a parse made for one year cannot serve another, None when it provably can, where each of
    ``decided``, (expression of the year, its value as JSON), has that value.
    ``replay_blocker`` says why dbt itself must run it in every year, None when what dbt sent for it once may be sent
    again; ``changes_others`` that it may change how other nodes come out, so that dbt must run these as well.
    ``changes`` are the relations whose rows statements of its hooks, or of macros and queries, change
    (:class:`orchestrator.dbt_runner.analysis.change_kinds.ChangedRelation`).
    ``reads`` are all other inputs, as (what, checksum or value); their kinds are in
    :mod:`orchestrator.dbt_runner.project.input_kinds`. ``unseen`` names what may change its rows and is no input, such
    as the clock.
    ``by_source`` are those of ``depends_on`` whose relation it reads as a source: dbt itself does not build them first.
    ``vars`` are the names of all variables that it reads, ``*`` among them where a name is computed.
    ``later_only`` tells that it is switched off in the first year, and not in all others, ``materialized_otherwise``
    that its materialization is another in some later year.
    ``upstream`` is a digest of all inputs of everything that it is built from. ``external_file`` is the
    absolute path, or the URL, of the file or folder that an external model writes beside its relation;
    ``external_untold`` says why it cannot be told. ``batched`` tells whether dbt builds it batch by batch, each
    committed by itself, and in a table that is there the last ones alone. ``reads_itself`` tells that its
    template names ``this``, ``looks_up`` are the identifiers, in lower case, of the relations that its Jinja looks up.
    ``selectable`` are (what, value) by which a selector of dbt may choose it, beside its name, file and tags.
    ``description`` is for people.
    """

    unique_id: str
    name: str
    resource_type: str
    fqn: tuple[str, ...]
    file: str
    database: str
    schema: str
    identifier: str
    materialized: str
    tags: tuple[str, ...]
    checksum: str
    columns: tuple[ColumnFacts, ...]
    contract: bool
    depends_on: tuple[str, ...]
    min_rows: int | None
    summary: bool
    labels: tuple[tuple[str, str, str], ...]
    has_rows: bool | None
    appends: bool
    full_refresh: bool
    writes_other_years: bool
    code: tuple[tuple[str, str], ...]
    inputs: tuple[tuple[str, str], ...]
    uses_year: bool
    prints_year: bool
    reuse_blocker: str | None
    replay_blocker: str | None = None
    changes_others: bool = False
    vars: tuple[str, ...] = ()
    reads: tuple[tuple[str, str], ...] = ()
    unseen: tuple[str, ...] = ()
    by_source: tuple[str, ...] = ()
    decided: tuple[tuple[str, str], ...] = ()
    later_only: bool = False
    materialized_otherwise: bool = False
    upstream: str = ""
    external_file: str | None = None
    external_untold: str | None = None
    batched: bool = False
    names_year: bool = False
    reads_itself: bool = False
    looks_up: tuple[str, ...] = ()
    selectable: tuple[tuple[str, str], ...] = ()
    description: str = ""
    changes: tuple[ChangedRelation, ...] = ()

    @cached_property
    def relation(self) -> RelationName:
        """Return the name of the relation that this node builds."""
        return RelationName.of(self.database, self.schema, self.identifier)

    @property
    def kind(self) -> str | None:
        """Return what it builds in the catalog: ``table``, ``view``, or None when that is not known."""
        if self.materialized == "view":
            return "view"
        return "table" if self.materialized in RELATIONAL else None

    @property
    def typed_by_contract(self) -> bool:
        """Tell whether an enforced contract gives every column a type."""
        return self.contract and all(column.data_type is not None for column in self.columns)

    @property
    def leaves_relation(self) -> bool:
        """Tell whether a relation of its name is sure to be there once it is built."""
        return self.kind is not None or self.external_file is not None or self.external_untold is not None

    @property
    def builds(self) -> bool:
        """Tell whether dbt builds something for it, whatever its materialization is called."""
        return self.resource_type != "test" and self.materialized != "ephemeral"


@dataclass(frozen=True)
class ProjectShape:
    """Hashes of what decides dbt's statements beside the nodes' own code: of the project, and of where it stands."""

    project: str
    place: str


@dataclass(frozen=True)
class ProjectFacts:
    """Facts of a parsed project.

    ``database_path`` is the absolute file that the profile really uses, None where the adapter has no file.
    ``reuse_blocker`` and ``decided`` hold for the whole project (YAML or the profile read the year variable), and so
    does ``replay_blocker`` (such as hooks of the project); ``tests_blocker`` and ``tests_decided`` for its tests, where
    YAML reads the year about these.
    ``versions`` are (package, version) pairs of what decides the result, ``unasked`` (what, checksum or value) of what
    dbt runs by itself, such as ``("hook p-on-run-start-0", ...)`` or macros that no node calls. ``ledger`` is
    the schema in which the ledger lies. ``shape`` is worked out by :mod:`orchestrator.dbt_runner.project.shape`;
    ``reads_database_path`` tells that a template may read where the file of the database lies.
    ``simulates`` tells whether there are years at all, ``attachments`` are the databases that the profile attaches,
    ``disabled`` the unique ids of nodes that are switched off. ``var_defaults`` are (name, JSON of the value) of the
    variables that the project and its packages declare, ``vars_elsewhere`` the names of those that are read, but by no
    node: by hooks, macros that no node calls, YAML files and the profile. ``foundation`` are the unique ids of
    what ``foundation_selector`` of the configuration matches; both are empty where the configuration has none.
    ``run_hooks`` are what dbt runs at the beginning and the end of each command, in its order; they are no ``nodes``.
    ``selectable`` are exposures and the like, by which a selector may choose the nodes above or below them.
    ``written_files`` are what the project writes itself, as names or patterns.
    """

    project_name: str
    project_dir: Path
    adapter: str
    target: str
    profile: str
    database_path: Path | None
    nodes: tuple[NodeFacts, ...]
    sources: tuple[SourceFacts, ...]
    reuse_blocker: str | None
    versions: tuple[tuple[str, str], ...]
    unasked: tuple[tuple[str, str], ...]
    ledger: SchemaName
    shape: ProjectShape
    decided: tuple[tuple[str, str], ...] = ()
    tests_blocker: str | None = None
    tests_decided: tuple[tuple[str, str], ...] = ()
    reads_database_path: bool = True
    replay_blocker: str | None = None
    simulates: bool = True
    attachments: tuple[Attachment, ...] = ()
    disabled: tuple[str, ...] = ()
    var_defaults: tuple[tuple[str, str], ...] = ()
    vars_elsewhere: tuple[str, ...] = ()
    foundation: tuple[str, ...] = ()
    foundation_selector: str = ""
    run_hooks: tuple[NodeFacts, ...] = ()
    selectable: tuple[Selectable, ...] = ()
    written_files: tuple[str, ...] = ()

    @property
    def capabilities(self) -> Capabilities:
        """Return what the project's database can do."""
        return capabilities_of(self.adapter)

    @property
    def decided_by_year(self) -> bool:
        """Tell whether the year decides what dbt keeps of a parse, or whether that cannot be told."""
        return self.has_branches or self.yaml_reads_year or any(_decides(node) for node in self.nodes)

    @property
    def has_branches(self) -> bool:
        """Tell whether it may decide something beside tests: which nodes there are, and what they read."""
        nodes = any(_decides(node) for node in self.nodes if node.resource_type != "test")
        return nodes or bool(self.reuse_blocker or self.decided)

    @property
    def yaml_reads_year(self) -> bool:
        """Tell whether something beside the nodes reads the year while dbt parses."""
        return bool(self.reuse_blocker or self.decided or self.tests_blocker or self.tests_decided)

    def node(self, unique_id: str) -> NodeFacts | None:
        """Return the node, or the hook of a command, of that unique id; None when there is none."""
        return self._by_id.get(unique_id)

    def buildable(self, name: str) -> NodeFacts | None:
        """Return the node that builds something with that unique id, name or alias, None when there is none.

        Case is ignored; the name may have its package or schema before it.
        """
        for wanted in (name.lower(), name.lower().rpartition(".")[2]):
            for known in (self._by_name, self._by_alias):
                if wanted in known:
                    return known[wanted]
        return None

    def seeds(self) -> tuple[NodeFacts, ...]:
        """Return the enabled seeds, by name."""
        return tuple(sorted((n for n in self.nodes if n.resource_type == "seed"), key=lambda seed: seed.name))

    def models(self) -> tuple[NodeFacts, ...]:
        """Return the enabled models, parents before children."""
        return self._models

    def ancestors(self, unique_ids: Iterable[str]) -> set[str]:
        """Return the unique ids of everything upstream of ``unique_ids``, without these themselves."""
        found: set[str] = set()
        pending = list(unique_ids)
        while pending:
            node = self._by_id.get(pending.pop())
            for parent in node.depends_on if node is not None else ():
                if parent not in found:
                    found.add(parent)
                    pending.append(parent)
        return found

    def descendants(self, unique_ids: Iterable[str]) -> set[str]:
        """Return the unique ids of everything downstream of ``unique_ids``, without these themselves."""
        children: dict[str, list[str]] = {}
        for node in self.nodes:
            for parent in node.depends_on:
                children.setdefault(parent, []).append(node.unique_id)
        found: set[str] = set()
        pending = list(unique_ids)
        while pending:
            for child in children.get(pending.pop(), ()):
                if child not in found:
                    found.add(child)
                    pending.append(child)
        return found

    def code_of(self, node: NodeFacts) -> dict[str, str]:
        """Return what a node's rows are made by: its own code and that of the ephemeral models it reads."""
        found = self._codes.get(node.unique_id)
        if found is None:
            found = {name: checksum for part in self.with_ephemerals(node) for name, checksum in part.code}
            self._codes[node.unique_id] = found
        return found

    def decided_by(self, node: NodeFacts) -> dict[str, str]:
        """Return all but variables that decides a node's rows: code and what it reads, ephemeral models included."""
        found = self._decisive.get(node.unique_id)
        if found is None:
            own = self._by_id.get(node.unique_id, node)  # it may be that of facts from which something was left out
            read = {what: value for part in self.with_ephemerals(own) for what, value in part.reads}
            found = self._decisive[node.unique_id] = {**self.code_of(own), **read}
        return found

    def inputs_of(self, node: NodeFacts) -> dict[str, str]:
        """Return the variables that a node and the ephemeral models it reads use, and their values as JSON."""
        found = self._inputs.get(node.unique_id)
        if found is None:
            found = {name: value for part in self.with_ephemerals(node) for name, value in part.inputs}
            self._inputs[node.unique_id] = found
        return found

    def reads_year(self, node: NodeFacts) -> bool:
        """Tell whether a node, or an ephemeral model that it reads, reads the year variable."""
        return any(part.uses_year for part in self.with_ephemerals(node))

    def variables_of(self, node: NodeFacts) -> frozenset[str]:
        """Return the variables that a node and the ephemeral models it reads use, ``*`` where a name is computed."""
        return frozenset(name for part in self.with_ephemerals(node) for name in part.vars)

    def with_ephemerals(self, node: NodeFacts) -> list[NodeFacts]:
        """Return a node and the ephemeral models that become part of its SQL."""
        nodes = self._by_id
        found = [node]
        for part in found:
            parents = [nodes[parent] for parent in part.depends_on if parent in nodes]
            found += [p for p in parents if p.materialized == "ephemeral" and p not in found]
        return found

    @cached_property
    def _codes(self) -> dict[str, dict[str, str]]:
        return {}  # filled as they are asked for: a healthy look asks for all of them, again and again

    @cached_property
    def _decisive(self) -> dict[str, dict[str, str]]:
        return {}  # as above

    @cached_property
    def _inputs(self) -> dict[str, dict[str, str]]:
        return {}  # as above

    @cached_property
    def _models(self) -> tuple[NodeFacts, ...]:
        return tuple(node for node in self.nodes if node.resource_type == "model")

    @cached_property
    def _by_id(self) -> dict[str, NodeFacts]:
        return {node.unique_id: node for node in (*self.nodes, *self.run_hooks)}

    @cached_property
    def _by_name(self) -> dict[str, NodeFacts]:
        """Return the nodes that build something, by unique id and name in lower case; of several, the first."""
        buildable = [node for node in reversed(self.nodes) if node.resource_type != "test"]
        return {key.lower(): node for node in buildable for key in (node.unique_id, node.name)}

    @cached_property
    def _by_alias(self) -> dict[str, NodeFacts]:
        return {node.identifier.lower(): node for node in reversed(self.nodes) if node.resource_type != "test"}


def _decides(node: NodeFacts) -> bool:
    return bool(node.reuse_blocker or node.decided)
