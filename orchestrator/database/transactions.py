"""Changes of relations that may lie in several databases, of which DuckDB writes one in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchestrator.database.names import RelationName

Execute = Callable[[Sequence[str]], list[int]]
Change = tuple[RelationName, str]
"""A relation, and the statement that changes it."""


def execute_apart(execute: Execute, own: str, changes: Sequence[Change], with_them: Sequence[str] = ()) -> list[int]:
    """Run changes, and return how many rows each affected, -1 where unknown.

    Those in the database ``own`` are one transaction with the statements ``with_them``, which come first in it. Changes
    in each other database are a transaction of their own before that: where one of them is lost, nothing says yet that
    it was made.

    >>> other, own = RelationName.of("b", "main", "t"), RelationName.of("a", "main", "t")
    >>> execute_apart(lambda texts: [print(texts)] and [1] * len(texts), "a", [(own, "x"), (other, "y")], ["z"])
    ['y']
    ['z', 'x']
    [1, 1]
    """
    places = [own if name.database in ("", own.lower()) else name.database for name, _ in changes]
    found = [-1] * len(changes)
    for place in (*dict.fromkeys(one for one in places if one != own), own):
        before = list(with_them) if place == own else []
        chosen = [number for number, one in enumerate(places) if one == place]
        statements = [*before, *(changes[number][1] for number in chosen)]
        affected = execute(statements)[len(before) :] if statements else []
        for number, count in zip(chosen, affected, strict=True):
            found[number] = count
    return found
