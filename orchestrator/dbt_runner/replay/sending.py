"""Send the statements of a recording with the SQL of another year: parents first, several nodes at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from orchestrator.core.clocks import stopwatch, utc_now
from orchestrator.core.errors import DbtError
from orchestrator.core.events import CommandStarted, Emit, NodeFinished, NodeStarted
from orchestrator.database.catalog import Catalog
from orchestrator.dbt_runner.adapter.database import Cursor
from orchestrator.dbt_runner.project.facts import ProjectFacts
from orchestrator.dbt_runner.project.results import NodeResult
from orchestrator.dbt_runner.replay.node_sql import query_of
from orchestrator.dbt_runner.replay.recording import RecordedNode, Recording, created_within


@dataclass(frozen=True)
class ReplayResult:
    """The outcome of a replay: what ran, the unique ids that are left to dbt, and why.

    ``by_dbt`` tells that dbt ran some of them already, ``begun`` that the hooks that come first were sent.
    """

    nodes: tuple[NodeResult, ...]
    left: tuple[str, ...]
    reason: str | None = None
    by_dbt: bool = False
    begun: bool = False


def send(
    recording: Recording,
    compiled: Mapping[str, str],
    catalog: Catalog,
    waits_for: Mapping[str, frozenset[str]],
    cursors: Sequence[Cursor],
    emit: Emit,
) -> ReplayResult:
    """Send all of a recording: hooks that come first, its nodes, and the last hooks where all nodes are done.

    Raises:
        DbtError: a node failed after its rows were committed.
    """
    first = _send_hooks(cursors[0], recording.first, compiled)
    sent = _send_nodes(recording, compiled, catalog, waits_for, cursors, emit)
    last = () if sent.left else _send_hooks(cursors[0], recording.last, compiled)
    return replace(sent, nodes=(*first, *sent.nodes, *last), begun=True)


def _send_hooks(cursor: Cursor, hooks: Sequence[RecordedNode], compiled: Mapping[str, str]) -> tuple[NodeResult, ...]:
    """Send hooks of a command; the outcome of one that fails, and of those after it, is what dbt says of them."""
    done: list[NodeResult] = []
    for one in hooks:
        result, elapsed = replace(one.result, status="success", message="OK"), stopwatch()
        if done and done[-1].status != "success":
            done.append(replace(result, status="skipped", seconds=0.0, message=None))
            continue
        try:
            for statement in one.statements_for(compiled[result.unique_id], ""):
                cursor.execute(statement.text)
        except Exception as error:  # noqa: BLE001 - it may have committed something: dbt must not send it again
            with suppress(Exception):
                cursor.execute("rollback")
            result = replace(result, status="error", message=f"{result.name} failed, error:\n{error}")
        done.append(replace(result, seconds=elapsed()))
    return tuple(done)


def _send_nodes(
    recording: Recording,
    compiled: Mapping[str, str],
    catalog: Catalog,
    waits_for: Mapping[str, frozenset[str]],
    cursors: Sequence[Cursor],
    emit: Emit,
) -> ReplayResult:
    """Send the nodes of a recording, as many at a time as there are cursors; once one does not fit, no other is begun.

    ``compiled`` is the SQL of the year by unique id, ``catalog`` what the database held before, ``waits_for`` the nodes
    of the recording that each one needs.

    Raises:
        DbtError: a node failed after its rows were committed.
    """
    emit(CommandStarted(at=utc_now(), command="", nodes=len(recording.nodes)))
    free = list(cursors)
    waiting = list(recording.nodes)
    done: dict[str, NodeResult] = {}
    running: dict[Future[NodeResult | str], tuple[RecordedNode, Cursor]] = {}
    reason: str | None = None
    with ThreadPoolExecutor(len(cursors), "replay") as pool:
        while True:
            while reason is None and free and (one := _next(waiting, waits_for, done)) is not None:
                waiting.remove(one)
                cursor = free.pop()
                sql = compiled[one.result.unique_id]
                running[pool.submit(_send_node, cursor, one, sql, catalog, emit)] = (one, cursor)
            if not running:
                break
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                one, cursor = running.pop(future)
                free.append(cursor)
                result = future.result()
                if isinstance(result, str):
                    reason = reason or result
                else:
                    done[one.result.unique_id] = result
    ids = [one.result.unique_id for one in recording.nodes]
    return ReplayResult(tuple(done[i] for i in ids if i in done), tuple(i for i in ids if i not in done), reason)


def waits_for(recording: Recording, facts: ProjectFacts, *, tests_first: bool) -> dict[str, frozenset[str]]:
    """Return by unique id which nodes of a recording must be done before: its parents, also through other nodes.

    ``tests_first`` makes each node wait for all before it, as ``dbt build`` lets a model wait for the tests of its
    parents.
    """
    ids = [one.result.unique_id for one in recording.nodes]
    if tests_first:
        return {unique_id: frozenset(ids[:place]) for place, unique_id in enumerate(ids)}
    within = frozenset(ids)
    return {unique_id: _nearest(unique_id, within, facts) for unique_id in ids}


def _nearest(unique_id: str, within: frozenset[str], facts: ProjectFacts) -> frozenset[str]:
    found: set[str] = set()
    seen: set[str] = set()
    pending = [unique_id]
    while pending:
        node = facts.node(pending.pop())
        for parent in node.depends_on if node is not None else ():
            if parent in within:
                found.add(parent)
            elif parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return frozenset(found)


def _next(
    waiting: Iterable[RecordedNode], waits_for: Mapping[str, frozenset[str]], done: Mapping[str, object]
) -> RecordedNode | None:
    return next((one for one in waiting if waits_for[one.result.unique_id] <= done.keys()), None)


def _send_node(cursor: Cursor, one: RecordedNode, compiled: str, catalog: Catalog, emit: Emit) -> NodeResult | str:
    """Send a node's statements; the reason when dbt must run it: nothing of it is in the database then."""
    result, elapsed, started = one.result, stopwatch(), utc_now()
    committed = False
    others = f"the query of {result.name} gives other columns or types than its table has"
    statements = one.statements_for(compiled, f"{started:%Y%m%d%H%M%S%f}")
    query = query_of(compiled)
    created = created_within(statements, query) if one.relation is not None else None
    try:
        if one.relation is not None and created is None and not _same_columns(cursor, one, f"({query}\n)", catalog):
            return others
        emit(_started(result, started))
        for number, statement in enumerate(statements):
            cursor.execute(statement.text)
            committed = committed or statement.text.lstrip().upper().startswith("COMMIT")
            if (
                created is not None
                and created[0] == number
                and not _has_expected_columns(cursor, one, created[1], query, catalog)
            ):
                cursor.execute("rollback")
                return others
        if one.relation is None and not _passed(cursor.fetchall()):
            return f"{result.name} does not pass"
    except Exception as error:  # whatever it is, dbt meets it again and tells it
        with suppress(Exception):  # no transaction may be open
            cursor.execute("rollback")
        if committed:
            raise DbtError(
                f"Model {result.name} ({result.file}) failed after its rows were committed: {error}",
                to_fix="run again: the year will be rebuilt",
            ) from error
        return f"{result.name}: {error}"
    seconds = elapsed()
    emit(
        NodeFinished(
            at=utc_now(),
            unique_id=result.unique_id,
            name=result.name,
            resource_type=result.resource_type,
            status=result.status,
            seconds=seconds,
            sql_seconds=seconds,
        )
    )
    return replace(result, seconds=seconds)


def _started(result: NodeResult, at: datetime) -> NodeStarted:
    return NodeStarted(at=at, unique_id=result.unique_id, name=result.name, resource_type=result.resource_type)


def _has_expected_columns(cursor: Cursor, one: RecordedNode, made: str, query: str, catalog: Catalog) -> bool:
    """Tell whether what was made of a query has the columns that the relation has, or is to get.

    To look at that costs a tenth of a look at the query. A column of nulls alone has another type in there.
    """
    return _same_columns(cursor, one, made, catalog) or _same_columns(cursor, one, f"({query}\n)", catalog)


def _same_columns(cursor: Cursor, one: RecordedNode, relation: str, catalog: Catalog) -> bool:
    """Tell whether a relation, or a query in parentheses, gives the columns and types of a node's relation."""
    assert one.relation is not None
    there = catalog.get(one.relation)
    found = columns_of(cursor, relation)
    return found == one.columns if there is None else sorted(found) == sorted(there.columns)


def columns_of(cursor: Cursor, relation: str) -> tuple[tuple[str, str], ...]:
    """Return (name, type) of the columns of a relation, or of a query in parentheses, in order."""
    cursor.execute(f"describe {relation}")
    return tuple((str(name), str(data_type)) for name, data_type, *_ in cursor.fetchall())


def _passed(rows: list[tuple[object, ...]]) -> bool:
    """Judge the row of a dbt test: failures, should_warn, should_error; dbt takes none but a whole number."""
    return len(rows) == 1 and type(rows[0][0]) is int and rows[0][1:] == (False, False)
