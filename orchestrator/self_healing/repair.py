"""Carry out a healing plan, and keep the ledger node by node: dbt's own result of each decides whether it is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from orchestrator.core.clocks import Deadline, utc_now
from orchestrator.core.errors import NodeFailedError, OrchestratorError, RunCancelledError
from orchestrator.core.text import plural
from orchestrator.database.catalog import Relation
from orchestrator.database.transactions import Change, execute_apart
from orchestrator.dbt_runner.process.runner import DbtRunner
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.dbt_runner.project.results import DbtResult, NodeResult
from orchestrator.dbt_runner.project.settings import Vars
from orchestrator.ledger.layouts import ledger_version, upgrade_statements
from orchestrator.ledger.reading import FAILED, SKIPPED, UNSEEN
from orchestrator.ledger.writing import LedgerWriter
from orchestrator.self_healing.contents_keeper import ContentsKeeper
from orchestrator.self_healing.evidence import Outdated
from orchestrator.self_healing.healing_plan import HealingCommand, HealingPlan
from orchestrator.self_healing.hook_tables import BY_HOOK
from orchestrator.self_healing.initialization_state import TableFinding
from orchestrator.self_healing.registry import node_of
from orchestrator.self_healing.sight import Sight


@dataclass(frozen=True)
class Built:
    """The names of what a healing built: what was not there before, and what was built again."""

    created: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()


CallHook = Callable[[str], None]
"""Calls the function that builds a required table of that name; whatever the function raises goes on."""


def no_hook(name: str) -> None:
    """Refuse to build a table where nobody has said how: only a configuration of tables knows functions."""
    raise OrchestratorError(f"Nothing that could build table {name} was handed over.")


def as_one(failed: Sequence[NodeFailedError]) -> NodeFailedError:
    """Return the failures of several commands of a step as one, which names all of their nodes."""
    if len(failed) == 1:
        return failed[0]
    remedies = dict.fromkeys(error.to_fix for error in failed if error.to_fix is not None)
    whole = NodeFailedError(
        "\n".join(error.message for error in failed),
        nodes=[node for error in failed for node in error.nodes],
        to_fix="; ".join(remedies) or None,
    )
    whole.__cause__ = failed[0]
    return whole


class Repair:
    """One repair; ``variables`` are the vars of its dbt commands, ``replay`` allows to send what dbt sent before.

    ``call_hook`` builds what functions build.

    ``built`` are the nodes that dbt built, in order, ``unbuilt`` the unique ids of those that failed, or were not tried
    because something failed that they are built from.
    """

    def __init__(
        self,
        runner: DbtRunner,
        facts: ProjectFacts,
        plan: HealingPlan,
        variables: Vars | None,
        *,
        replay: bool,
        call_hook: CallHook,
    ):
        self._runner = runner
        self._facts = facts
        self._plan = plan
        self._variables = variables
        self._replay = replay
        self._call_hook = call_hook
        self._ledger = LedgerWriter.of(facts)
        self.built: list[NodeFacts] = []
        self.unbuilt: dict[str, str] = {}

    def begin(self, deadline: Deadline) -> None:
        """State in the ledger, before anything is touched, what is about to be built."""
        place = self._facts.ledger
        lay_out = upgrade_statements(ledger_version(self._runner, place), place)
        nodes = [node for command in self._plan.commands if command.command != "create" for node in command.nodes]
        self._runner.execute([*lay_out, *self._ledger.building(nodes, utc_now())], deadline.remaining())

    def perform(self, command: HealingCommand, deadline: Deadline) -> NodeFailedError | None:
        """Build what nothing that failed stands above; return what failed, None where nothing did.

        Raises:
            OrchestratorError: dbt or the database cannot go on at all.
        """
        nodes = tuple(node for node in command.nodes if node.unique_id not in self.unbuilt)
        if not nodes:
            return None
        drops = [node for node in command.drops if node.unique_id not in self.unbuilt]
        if drops:
            self._execute((), self._drop(drops, deadline), deadline)
        if command.command == "create":
            for node in nodes:
                self._runner.create_empty(node, deadline.remaining())
            self._note(nodes, None, deadline)
            return None
        if command.command == "call":
            failures = [failed for node in nodes if (failed := self._call(node, deadline)) is not None]
            return as_one(failures) if failures else None
        result = self._runner.attempt_nodes(
            command.command,
            nodes,
            vars=self._variables,
            timeout=deadline.remaining(),
            full_refresh=command.full_refresh,
            replay=self._replay and command.command == "run",
        )
        error = self._runner.failure_of(result)
        try:
            self._note(nodes, result, deadline)
        except OrchestratorError as also:
            raise (error or also) from also
        if error is not None and not isinstance(error, NodeFailedError):
            raise error
        return error

    def _call(self, node: NodeFacts, deadline: Deadline) -> NodeFailedError | None:
        """Let a function build its table, and look whether it did; return the failure, None where there is none."""
        deadline.check()
        try:
            self._call_hook(node.name)
        except RunCancelledError:
            raise
        except Exception as error:  # noqa: BLE001  # the function is the user's
            said = error.message if isinstance(error, OrchestratorError) else f"{type(error).__name__}: {error}"
            failed = _hook_failed(node, f"raised {said}", f"correct {node.file} and run again")
            failed.__cause__ = error
        else:
            wrong = self._why_not_built(node, deadline)
            if wrong is None:
                self._note([node], None, deadline)
                return None
            remedy = f"let {node.file} fill {node.relation.quoted()}, with execute(sql) of its context for example"
            failed = _hook_failed(node, f"returned, and {wrong}", remedy)
        result = NodeResult(node.unique_id, node.name, BY_HOOK, "error", 0.0, None, failed.message, node.file)
        self._note([node], DbtResult("call", (result,), 0.0), deadline)
        return failed

    def _why_not_built(self, node: NodeFacts, deadline: Deadline) -> str | None:
        """Say what a function has not done, None where its table is there with the rows that are promised."""
        if self._runner.catalog(deadline.remaining()).get(node.relation) is None:
            return f"there is no table {node.relation.quoted()}"
        if not node.min_rows:
            return None
        ((rows,),) = self._runner.query(f"select count(*) from {node.relation.quoted()}", deadline.remaining())
        count = int(str(rows))
        if count >= node.min_rows:
            return None
        return f"{node.relation.quoted()} has {plural(count, 'row')}, of {plural(node.min_rows, 'row')} at least"

    def note_contents(self, lasting: Set[str], findings: Iterable[TableFinding], deadline: Deadline) -> None:
        """Note what the tables hold that were built and are ``lasting`` (unique ids): there before the first year.

        Where the code or an input of one has changed, its rows have rightly changed as well.
        """
        outdated = [node_of(one.table, self._facts).unique_id for one in findings if isinstance(one.seen, Outdated)]
        renewed = {*outdated, *self._facts.descendants(outdated)}
        keeper = ContentsKeeper(self._facts, lasting & {node.unique_id for node in self.built})
        keeper.built(self._runner, renewed, deadline.remaining())

    def note_unseen(self, sight: Sight, deadline: Deadline) -> None:
        """State of what built nothing that can be seen under its name that this is so."""
        hidden = [node for node in self.built if node.kind is None and sight.relation(node) is None]
        if hidden:
            self._runner.execute(self._ledger.built(self._facts, hidden, utc_now(), UNSEEN), deadline.remaining())

    def _execute(self, statements: Sequence[str], drops: Sequence[Change], deadline: Deadline) -> None:
        own = self._facts.ledger.database
        execute_apart(lambda texts: self._runner.execute(texts, deadline.remaining()), own, drops, statements)

    def _drop(self, nodes: Sequence[NodeFacts], deadline: Deadline) -> list[Change]:
        """Return the statements that drop what these nodes built: of batches that failed, what the others left."""
        if not nodes:
            return []
        catalog = self._runner.catalog(deadline.remaining())
        cascade = self._facts.capabilities.drop_cascade
        return [(node.relation, catalog.drop_statement(node.relation, cascade=cascade)) for node in nodes]

    def told_apart(self, before: Mapping[str, Relation | None], after: Sight) -> Built:
        """Tell what is new, or of another kind than before, from what was built again; each by name.

        ``before`` is what there was, by unique id. What left nothing that can be seen under its name is neither.
        """
        created, repaired = [], []
        for node in self.built:
            was, there = before[node.unique_id], after.relation(node)
            if there is None:
                continue
            if was is None or was.kind != there.kind:
                created.append(node.relation.name)
            else:
                repaired.append(node.name)
        return Built(tuple(sorted(created)), tuple(repaired))

    def _note(self, nodes: Iterable[NodeFacts], result: DbtResult | None, deadline: Deadline) -> None:
        """Write into the ledger what was built, what failed and what is therefore not tried."""
        failed, skipped = ({}, {}) if result is None else _not_built(nodes, result)
        built = [node for node in nodes if node.unique_id not in failed and node.unique_id not in skipped]
        self.built += built
        statements = list(self._ledger.built(self._facts, built, utc_now()))
        drops: list[Change] = []
        if failed or skipped:
            skipped |= self._below(failed)
            self.unbuilt |= failed | skipped
            drops = self._drop([node for node in nodes if node.batched and node.unique_id in failed], deadline)
            statements += self._ledger.unbuilt(failed, FAILED, utc_now())
            statements += self._ledger.unbuilt(skipped, SKIPPED, utc_now())
        self._execute(statements, drops, deadline)

    def _below(self, failed: Iterable[str]) -> dict[str, str]:
        """Return what is left of the plan below what failed, each with the name of that."""
        planned = {node.unique_id for node in self._plan.nodes} - {node.unique_id for node in self.built} - set(failed)
        found: dict[str, str] = {}
        for unique_id in failed:
            cause = self._facts.node(unique_id)
            assert cause is not None
            for below in self._facts.descendants([unique_id]) & planned:
                found.setdefault(below, cause.name)
        return found


def _hook_failed(node: NodeFacts, what: str, to_fix: str) -> NodeFailedError:
    said = f"Table {node.name} was not built: function {node.file} {what.rstrip('.')}."
    return NodeFailedError(said, nodes=[node.unique_id], to_fix=to_fix)


def _not_built(nodes: Iterable[NodeFacts], result: DbtResult) -> tuple[dict[str, str], dict[str, str]]:
    """Return dbt's message of each node that failed, and of each that it skipped the name of the first that failed.

    A node of which dbt has no result failed, too.
    """
    of = {one.unique_id: one for one in result.nodes}
    cause = next((one.name for one in result.failures), "something else")
    failed, skipped = {}, {}
    for node in nodes:
        one = of.get(node.unique_id)
        if one is None or one.failed:
            failed[node.unique_id] = "dbt says nothing of it" if one is None else one.message or one.status
        elif one.status == "skipped":
            skipped[node.unique_id] = cause
    return failed, skipped
