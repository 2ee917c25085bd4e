"""The nodes of a dbt project with what they are built from, and the state of each in the database."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.errors import DatabaseLockedError, StorageError
from orchestrator.core.events import NodeFinished
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.ledger.reading import FAILED as BUILD_FAILED
from orchestrator.ledger.reading import read_built_tables
from orchestrator.reports.run_page import read_events
from orchestrator.self_healing.evidence import Problem
from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding
from orchestrator.self_healing.registry import node_of
from orchestrator.wiring import table_checker

READY, STALE, MISSING, FAILED = "ready", "stale", "missing", "failed"
UNKNOWN, NOT_BUILT, GIVEN = "unknown", "not built", "given"
STATES = (FAILED, MISSING, STALE, READY, UNKNOWN, NOT_BUILT, GIVEN)
_OF_PROBLEM = {Problem.MISSING: MISSING, Problem.FAILED: FAILED}
YEARS_BUILD_IT = "built during each year"


@dataclass(frozen=True)
class LineageNode:
    """A node: ``layer`` counts what it is built from, one upon the other; ``group`` is its stage, tier or tag.

    ``state`` is ready, stale, missing, failed, unknown (the database is in use), not built (nothing of it ever is) or
    given (a source); ``why`` says more where there is more to say. ``parents`` and ``children`` are unique ids.
    """

    unique_id: str
    name: str
    kind: str
    group: str
    layer: int
    state: str
    why: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    description: str
    tags: tuple[str, ...]
    file: str
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Lineage:
    """The nodes, parents first, and how many tests the project has; ``locked`` says who has the database open."""

    nodes: tuple[LineageNode, ...]
    tests: int
    locked: str | None

    def get(self, name: str) -> LineageNode | None:
        """Return a node by its name or unique id."""
        return next((node for node in self.nodes if name in (node.unique_id, node.name)), None)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Count the nodes in each state that occurs, the worst first."""
        found = [(state, sum(node.state == state for node in self.nodes)) for state in STATES]
        return [(state, count) for state, count in found if count]


@dataclass(frozen=True)
class _Seen:
    """What a look at the database found; ``there`` are the unique ids whose relation exists, with its columns."""

    findings: Mapping[str, TableFinding]
    required: Mapping[str, RequiredTable]
    there: Mapping[str, tuple[tuple[str, str], ...]]
    failed: Mapping[str, str]
    locked: str | None = None


def lineage_of(
    config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts, *, last_run: Path | None = None
) -> Lineage:
    """Return the lineage of a project; ``last_run`` is the folder of the events of its newest run, where that failed.

    Raises:
        ConfigurationError: the list of tables names what the project does not have.
        DatabaseError: the database cannot be read.
    """
    seen = _look(config, runner, facts)
    failed = dict(seen.failed) if last_run is None else {**seen.failed, **failures_of(last_run)}
    tables = [node for node in facts.nodes if node.resource_type != "test"]
    sources = {source.unique_id: source for source in facts.sources}
    known = {node.unique_id for node in tables} | set(sources)
    parents = {node.unique_id: tuple(p for p in node.depends_on if p in known) for node in tables}
    children: dict[str, list[str]] = {}
    for unique_id, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(unique_id)
    layers = _layers([*sources, *parents], parents)
    read = [one for one in sources if one in children]
    found = [_source_node(facts, one, layers[one], tuple(children[one])) for one in read]
    for node in tables:
        required = seen.required.get(node.unique_id)
        state, why = _state(node, seen, failed)
        found.append(
            LineageNode(
                node.unique_id,
                node.name,
                node.resource_type if node.resource_type != "model" else node.materialized,
                _group(node, required, config),
                layers[node.unique_id],
                state,
                why,
                parents[node.unique_id],
                tuple(children.get(node.unique_id, ())),
                seen.there.get(node.unique_id) or tuple((c.name, c.data_type or "") for c in node.columns),
                node.description,
                node.tags,
                node.file,
                tuple(name for name in node.vars if name != "*"),
            )
        )
    return Lineage(tuple(found), sum(node.resource_type == "test" for node in facts.nodes), seen.locked)


def failures_of(run: Path) -> dict[str, str]:
    """Return the messages of the nodes that failed in a run, by unique id, from the folder of its events."""
    found: dict[str, str] = {}
    with suppress(StorageError):
        for event in read_events(run.parent, run.name):
            if isinstance(event, NodeFinished) and event.resource_type != "test":
                if event.error is not None:
                    found[event.unique_id] = event.error
                else:
                    found.pop(event.unique_id, None)
    return found


def lineage_record(lineage: Lineage) -> dict[str, object]:
    """Return a lineage for JSON."""
    return {"nodes": list(lineage.nodes), "tests": lineage.tests, "locked": lineage.locked}


def _look(config: SimulationConfig, runner: DbtRunner, facts: ProjectFacts) -> _Seen:
    checker = table_checker(config, runner, facts)
    facts = checker.facts
    required = {node_of(table, facts).unique_id: table for table in checker.required}
    if facts.database_path is None:
        return _Seen({}, required, {}, {}, "It is on a server, and is not looked at here.")
    if not facts.database_path.exists():
        return _Seen({}, required, {}, {})
    try:
        with checker.open() as reader:
            found = {node_of(one.table, facts).unique_id: one for one in checker.findings_in(reader)}
            relations = reader.catalog().relations
            there = {n.unique_id: relations[n.relation].columns for n in facts.nodes if n.relation in relations}
            built = read_built_tables(reader, facts.ledger, facts)
    except DatabaseLockedError as error:
        return _Seen({}, required, {}, {}, error.message)
    failed = {one: table.message for one, table in built.items() if table.state == BUILD_FAILED}
    return _Seen(found, required, there, failed)


def _state(node: NodeFacts, seen: _Seen, failed: Mapping[str, str]) -> tuple[str, str]:
    if not node.builds:
        return NOT_BUILT, "ephemeral: its SQL becomes part of what reads it"
    if node.unique_id in failed:
        return FAILED, failed[node.unique_id]
    if seen.locked is not None:
        return UNKNOWN, seen.locked
    finding = seen.findings.get(node.unique_id)
    if finding is not None:
        state, problem = _OF_PROBLEM.get(finding.problem, STALE), finding.problem.value.replace("_", " ")
        return state, finding.detail if problem == state else f"{problem}: {finding.detail}"
    if node.unique_id not in seen.there and node.leaves_relation:
        return MISSING, "" if node.unique_id in seen.required else YEARS_BUILD_IT
    return READY, ""


def _group(node: NodeFacts, required: RequiredTable | None, config: SimulationConfig) -> str:
    """Return where a node belongs: the stage that selects it by a tag, else its tier, its first tag or its folder."""
    tags = {tag.lower() for tag in node.tags}
    for stage in config.stages:
        if any(select.lower() == f"tag:{tag}" for select in stage.select for tag in tags):
            return stage.name
    if required is not None:
        return required.tier.value
    return node.tags[0] if node.tags else node.resource_type


def _source_node(facts: ProjectFacts, unique_id: str, layer: int, children: tuple[str, ...]) -> LineageNode:
    source = next(one for one in facts.sources if one.unique_id == unique_id)
    name = f"{source.source_name}.{source.name}"
    why = "a table that others fill" if source.prior_year_of is None else f"the year before, of {source.prior_year_of}"
    return LineageNode(
        unique_id, name, "source", "source", layer, GIVEN, why, (), children, (), "", (), source.file, ()
    )


def _layers(order: list[str], parents: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """Return how many nodes lie one upon the other above each; ``order`` is parents first."""
    layers: dict[str, int] = {}
    for unique_id in order:
        above = [layers.get(parent, 0) for parent in parents.get(unique_id, ())]
        layers[unique_id] = 1 + max(above) if above else 0
    return layers
