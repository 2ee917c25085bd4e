"""Columns of a model that has no contract: what its compiled SQL gives, as the database describes it.

What the SQL reads and the database does not have yet is put in as SQL of its own. The table itself, which a year reads
as the year before left it, is put in with the columns that the database misses in it, first of no type and then of
those that come out, until these stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.core.errors import DatabaseError, DbtError, DbtProjectError
from orchestrator.database.sql import quoted_name
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts

Columns = tuple[tuple[str, str], ...]
NO_TYPE = '"NULL"'
ROUNDS, MOST_COLUMNS, DEEPEST = 6, 500, 40
_LACKING = (
    re.compile(r'Referenced column "(?P<name>[^"]+)" (?:was )?not found'),
    re.compile(r'does not have a column named "(?P<name>[^"]+)"'),
)


_QUALIFIED = re.compile(r'(?:\w+|"[^"]+")\."?(?P<name>[^".]+)"?')


@dataclass(frozen=True)
class Describer:
    """What it takes to describe models of one project.

    ``compiled`` gives the SQL of nodes by unique id, ``rendered`` the names by which SQL reads what a node builds,
    ``is_there`` tells whether the database has it, ``describe`` gives the columns of a query.
    """

    facts: ProjectFacts
    compiled: Callable[[list[NodeFacts]], Mapping[str, str]]
    rendered: Callable[[NodeFacts], Iterable[str]]
    is_there: Callable[[NodeFacts], bool]
    describe: Callable[[str], Columns]

    def columns(self, node: NodeFacts) -> Columns:
        """Return the columns of a model whose table is not there, by name and type.

        Raises:
            DbtProjectError: they cannot be told: its SQL reads what nobody builds, or has no types of its own.
        """
        above = self.facts.ancestors([node.unique_id])
        absent = [one for one in self.facts.nodes if one.unique_id in above and one.builds and not self.is_there(one)]
        absent = [one for one in absent if one.unique_id != node.unique_id]
        sql = self.compiled([*absent, node])
        known: dict[str, str | None] = {}
        before: Columns = ()
        for _ in range(ROUNDS):
            found = self._described(node, absent, sql, known)
            if found == before or not known:
                return self._typed(node, found)
            before = found
            types = {name.lower(): data_type for name, data_type in found}
            known = {name: None if types.get(name, NO_TYPE) == NO_TYPE else types[name] for name in known}
        raise _untold(node, "its types differ in each year, for they are made of those of the year before")

    def _described(
        self, node: NodeFacts, absent: list[NodeFacts], sql: Mapping[str, str], known: dict[str, str | None]
    ) -> Columns:
        """Describe the SQL once; what it misses in the table itself is added to ``known``."""
        while len(known) <= MOST_COLUMNS:
            stand_in = ", ".join(
                f"{'null' if data_type is None else f'cast(null as {data_type})'} as {quoted_name(name)}"
                for name, data_type in known.items()
            )
            parts = {one.unique_id: (one, sql[one.unique_id]) for one in absent}
            parts[node.unique_id] = (node, f"select {stand_in or 'null as nothing'} where false")
            try:
                return self.describe(self._put_together(sql[node.unique_id], parts, DEEPEST))
            except (DatabaseError, DbtError) as error:
                lacking = lacking_column(error.message)
                if lacking is None or lacking.lower() in known:
                    raise _untold(node, " ".join(error.message.split())) from error
                known[lacking.lower()] = None
        raise _untold(node, "it reads too many columns of itself")

    def _put_together(self, sql: str, parts: Mapping[str, tuple[NodeFacts, str]], depth: int) -> str:
        """Put the SQL of what is not there in the place of its names."""
        for one, text in parts.values():
            for name in self.rendered(one):
                if name in sql and depth > 0:
                    sql = sql.replace(name, f"({self._put_together(text, parts, depth - 1)})")
        return sql

    def _typed(self, node: NodeFacts, found: Columns) -> Columns:
        untyped = [name for name, data_type in found if data_type == NO_TYPE]
        if untyped:
            raise _untold(node, f"nothing gives {', '.join(untyped)} a type; cast it")
        return found


def lacking_column(message: str) -> str | None:
    r"""Return the column that a query misses, by the database's message; None where that speaks of something else.

    In a subquery that also reads what is around it, only the place that the message points at tells it.

    >>> lacking_column('Referenced column "level" not found in FROM clause!')
    'level'
    >>> lacking_column('Referenced table "s" not found!\n\nLINE 1: where s.id = i\n              ^^^^')
    'id'
    """
    found = next((match for one in _LACKING if (match := one.search(message))), None)
    if found is not None:
        return found["name"]
    lines = message.splitlines()
    pointers = [number for number, line in enumerate(lines) if number and line.strip() and not line.strip(" ^")]
    if not pointers or "Referenced table" not in message:
        return None
    start, end = lines[pointers[0]].index("^"), len(lines[pointers[0]].rstrip())
    named = _QUALIFIED.fullmatch(lines[pointers[0] - 1][start:end])
    return None if named is None else named["name"]


def _untold(node: NodeFacts, why: str) -> DbtProjectError:
    return DbtProjectError(
        f"Model {node.name} ({node.file}) has no enforced contract with a data_type for every column, and its columns "
        f"cannot be told from its SQL, so its table cannot be created empty before the first year: {why}",
        to_fix=f"set `contract: {{enforced: true}}` and every data_type on {node.name}, or correct its SQL",
    )
