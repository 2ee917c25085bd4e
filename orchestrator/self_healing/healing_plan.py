"""From findings to the smallest ordered list of dbt commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from orchestrator.core.errors import InitializationError
from orchestrator.dbt_runner.project.facts import BY_BUILD, NodeFacts, ProjectFacts
from orchestrator.self_healing.evidence import Problem
from orchestrator.self_healing.hook_tables import BY_HOOK
from orchestrator.self_healing.initialization_state import RequiredTable, TableFinding, TableTier
from orchestrator.self_healing.refusals import Refusal, as_error, keeps, refused_loss, refused_old_rows
from orchestrator.self_healing.registry import node_of

STEP_OF = {
    TableTier.SEED: "load_seeds",
    TableTier.HOOK: "build_hook_tables",
    TableTier.FOUNDATION: "build_foundation",
    TableTier.STATE: "create_state",
}
Tells = Callable[[NodeFacts], bool]


@dataclass(frozen=True)
class HealingCommand:
    """One thing to do.

    ``command`` is ``seed``, ``run`` or (with snapshots or functions) ``build`` of dbt, ``create`` for an empty state
    table, or ``call`` for one that a function builds. ``drops`` are the nodes whose relation goes first: it is of the
    wrong shape, or dbt would only add to it.
    """

    step: str
    command: str
    nodes: tuple[NodeFacts, ...]
    full_refresh: bool = False
    drops: tuple[NodeFacts, ...] = ()

    def words(self) -> str:
        """Return the command as a person would type it."""
        if self.command == "create":
            return "create empty"
        if self.command == "call":
            return f"call {', '.join(node.file for node in self.nodes)}"
        return f"dbt {self.command}" + (" --full-refresh" if self.full_refresh else "")


@dataclass(frozen=True)
class HealingPlan:
    """Commands in the order in which they must run; none when nothing is wrong.

    ``refusals`` are what would cost rows and is left as it is, ``held`` what is built from that and is left as well.
    """

    commands: tuple[HealingCommand, ...]
    refusals: tuple[Refusal, ...] = ()
    held: tuple[NodeFacts, ...] = ()

    @property
    def refusal(self) -> InitializationError | None:
        """Return the refusals as one error, None where there are none."""
        return as_error(self.refusals, self.held)

    @property
    def left(self) -> frozenset[str]:
        """Return the unique ids of what is refused or held back."""
        return frozenset(node.unique_id for node in (*(refusal.node for refusal in self.refusals), *self.held))

    @property
    def nodes(self) -> tuple[NodeFacts, ...]:
        """Return every node that will be built, in order."""
        return tuple(node for command in self.commands for node in command.nodes)


def make_plan(
    findings: Sequence[TableFinding],
    required: Sequence[RequiredTable],
    facts: ProjectFacts,
    is_there: Tells,
    holds_rows: Tells,
    outdated: Set[str] = frozenset(),
) -> HealingPlan:
    """Plan the repair of ``findings`` and of nothing else.

    A missing or wrong table is built with those of its ancestors that it reads and that are not there either; a
    drifted or stale one also takes its required descendants along, and what lies between, and so does one that may get
    other rows each time: a function builds it, it reads the clock, or it is incremental and has lost what it held.
    ``is_there`` tells whether what a node builds is in the database, ``holds_rows`` whether it is a table with any: an
    incremental or state table with rows is never rebuilt, nor a snapshot whose own definition has changed: that is
    refused, and holds back what is built from it. ``outdated`` are unique ids of ancestors that are not required and
    were changed.
    """
    nodes = {finding.table: node_of(finding.table, facts) for finding in findings}
    tiers = {node_of(table, facts).unique_id: table.tier for table in required}
    problems = {nodes[finding.table].unique_id: finding for finding in findings}
    refusals = {
        nodes[finding.table].unique_id: refused
        for finding in findings
        if (refused := refused_loss(nodes[finding.table], finding, holds_rows, simulates=facts.simulates)) is not None
    }
    build = set(problems) | outdated
    others = {u for u in problems if (n := facts.node(u)) is not None and (n.unseen or n.resource_type == BY_HOOK)}
    changed = {unique_id for unique_id, finding in problems.items() if _entails_descendants(finding)}
    lost = {nodes[f.table].unique_id for f in findings if f.problem is Problem.MISSING and _has_history(nodes[f.table])}
    changed |= outdated | others | (lost - {u for u, tier in tiers.items() if tier is TableTier.STATE})
    affected = {u for u in facts.descendants(changed) if (node := facts.node(u)) is not None and node.builds}
    foundation = {unique_id for unique_id, tier in tiers.items() if tier is TableTier.FOUNDATION}
    kept = {u for u in affected if (node := facts.node(u)) is not None and keeps(node, holds_rows)}
    for unique_id in sorted(kept & foundation - problems.keys()):
        node = facts.node(unique_id)
        assert node is not None
        refusals[unique_id] = refused_old_rows(node, _told_above(unique_id, facts, problems))
    affected -= kept
    required_again = affected & foundation
    between = affected & facts.ancestors(required_again) - tiers.keys()
    build |= required_again | between
    state = {unique_id for unique_id in build if tiers.get(unique_id) is TableTier.STATE}
    below = (facts.descendants(refusals) - state if refusals else set()) - refusals.keys()
    held = [node for node in facts.nodes if node.unique_id in build & below]
    build -= refusals.keys() | below
    state &= build
    build |= _absent_ancestors(build - state, facts, is_there, {u for u, t in tiers.items() if t is TableTier.STATE})
    chosen = [node for node in facts.nodes if node.unique_id in build]
    commands = _commands(chosen, state, problems, changed | affected, facts)
    return HealingPlan(tuple(commands), tuple(refusals.values()), tuple(held))


def _has_history(node: NodeFacts) -> bool:
    """Tell whether a table holds rows that it would not get again when it is built from nothing."""
    return node.materialized in ("incremental", "snapshot")


def _told_above(unique_id: str, facts: ProjectFacts, problems: dict[str, TableFinding]) -> str:
    above = facts.ancestors([unique_id])
    cause = next((finding for cause, finding in problems.items() if cause in above), None)
    return f"{cause.table.name} {cause.detail}" if cause is not None else "what it is built from has changed"


def _commands(
    chosen: list[NodeFacts],
    state: set[str],
    problems: dict[str, TableFinding],
    renewed: set[str],
    facts: ProjectFacts,
) -> Iterable[HealingCommand]:
    drifted = {unique_id for unique_id, finding in problems.items() if finding.problem is Problem.DRIFTED}
    misshapen = {unique_id for unique_id, finding in problems.items() if finding.problem is Problem.WRONG_TYPE}
    seeds = [node for node in chosen if node.resource_type == "seed"]
    called = [node for node in chosen if node.resource_type == BY_HOOK]
    models = [n for n in chosen if n.resource_type not in ("seed", BY_HOOK) and n.unique_id not in state]
    created = [node for node in chosen if node.unique_id in state]
    plain = tuple(node for node in seeds if node.unique_id not in drifted)
    if plain:
        drops = tuple(node for node in plain if node.unique_id in misshapen)
        yield HealingCommand(STEP_OF[TableTier.SEED], "seed", plain, drops=drops)
    refreshed = tuple(node for node in seeds if node.unique_id in drifted)
    if refreshed:
        yield HealingCommand(STEP_OF[TableTier.SEED], "seed", refreshed, full_refresh=True)
    if called:
        yield HealingCommand(STEP_OF[TableTier.HOOK], "call", tuple(called))
    create = []
    if created:
        drops = tuple(node for node in created if node.unique_id in misshapen | drifted)
        create.append(HealingCommand(STEP_OF[TableTier.STATE], "create", tuple(created), drops=drops))
    read_first = state & facts.ancestors(node.unique_id for node in models)
    yield from create if read_first else ()
    for together in _in_turns(models, facts):
        outgrown = {node.unique_id for node in together if node.materialized == "incremental"} & renewed
        drops = tuple(node for node in together if node.batched or node.unique_id in misshapen | outgrown)
        command = "build" if any(node.resource_type in BY_BUILD for node in together) else "run"
        yield HealingCommand(STEP_OF[TableTier.FOUNDATION], command, tuple(together), drops=drops)
    yield from () if read_first else create


def _in_turns(chosen: list[NodeFacts], facts: ProjectFacts) -> list[list[NodeFacts]]:
    """Split nodes into commands: what reads another one as a source comes later, for dbt does not know that order."""
    ids = {node.unique_id for node in chosen}
    turn: dict[str, int] = {}
    for node in facts.nodes:
        after = [turn[parent] + (parent in node.by_source) for parent in node.depends_on if parent in turn]
        if after or node.unique_id in ids:
            turn[node.unique_id] = max(after, default=0)
    return [[n for n in chosen if turn[n.unique_id] == one] for one in sorted({turn[unique_id] for unique_id in ids})]


def _absent_ancestors(build: set[str], facts: ProjectFacts, is_there: Tells, state: set[str]) -> set[str]:
    """Return what ``build`` reads, directly or through views, and what is not in the database."""
    absent: set[str] = set()
    seen: set[str] = set()
    pending = sorted(build)
    while pending:
        node = facts.node(pending.pop())
        for parent_id in node.depends_on if node is not None else ():
            parent = facts.node(parent_id)
            if parent is None or parent_id in seen or parent_id in state:
                continue
            seen.add(parent_id)
            if not parent.builds:
                pending.append(parent_id)
                continue
            if not is_there(parent):
                absent.add(parent_id)
                pending.append(parent_id)
            elif parent.kind == "view":
                pending.append(parent_id)
    return absent


def _entails_descendants(finding: TableFinding) -> bool:
    return finding.problem in (Problem.DRIFTED, Problem.STALE)
