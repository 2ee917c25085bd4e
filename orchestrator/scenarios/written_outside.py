"""Places outside of the databases of members that they would take from one another.

An ``external`` model leaves its rows in a file, and a view of it in the database. Where several members write one file,
the views of all of them show the rows of the last one. So it is with a table in a database that the profile attaches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.core.errors import ConfigurationError
from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.facts import NodeFacts, ProjectFacts
from orchestrator.scenarios.plan import Member, SweepPlan


@dataclass(frozen=True)
class MemberPlaces:
    """Where the members of a plan write; ``variables`` are those of dbt by the key of a member.

    ``facts_of`` gives the project as it is for a member, which takes a parse; it is asked where members differ.
    """

    plan: SweepPlan
    variables: Mapping[str, Mapping[str, object]]
    facts_of: Callable[[Member], ProjectFacts]

    def require_own(self, facts: ProjectFacts, varied: Collection[str]) -> None:
        """Make sure that no two members write different rows into one place outside of their databases.

        ``varied`` are the variables that differ between members. It is looked at where a model of the years, or one
        that a varied variable reaches, writes outside.

        Raises:
            ConfigurationError: such a model has the same place in two members.
        """
        differing = _differing(facts, frozenset({*varied, ANY_VAR}))
        written = [node for node in differing if _place(node, facts) is not None]
        if not written or len(self.plan.members) == 1:
            return
        samples = {one.key: self.facts_of(one) for one in self._samples()}
        for node in written:
            places = {key: _place_of(node.unique_id, found) for key, found in samples.items()}
            if len(set(places.values())) < len(places):
                raise _taken(node, next(iter(places.values())))
            if not all(self._is_of_member(key, place) for key, place in places.items()):
                self._require_all_own(node, facts, varied)

    def _samples(self) -> Iterator[Member]:
        """Yield the first member, its neighbour, which differs in one value, and the last, which differs in all."""
        yield self.plan.members[0]
        yield self.plan.members[1]
        if len(self.plan.members) > 2:
            yield self.plan.members[-1]

    def _is_of_member(self, key: str, place: str | None) -> bool:
        """Tell whether a place goes by that of the member's database, and so is nobody else's."""
        return place is not None and f"/{key}/" in place

    def _require_all_own(self, node: NodeFacts, facts: ProjectFacts, varied: Collection[str]) -> None:
        """Look at all members: those with the same values of all that the node reads have one place for certain."""
        read = facts.variables_of(node)
        names = sorted(varied if ANY_VAR in read else read & set(varied))
        by_values: dict[str, Member] = {}
        for member in self.plan.members:
            values = canonical([self.variables[member.key].get(name) for name in names], ordered=True)
            if values in by_values:
                raise _taken(node, _place_of(node.unique_id, self.facts_of(member)))
            by_values[values] = member
        seen: set[str | None] = set()
        for member in self.plan.members:
            place = _place_of(node.unique_id, self.facts_of(member))
            if place in seen:
                raise _taken(node, place)
            seen.add(place)


def _differing(facts: ProjectFacts, varied: frozenset[str]) -> list[NodeFacts]:
    """Return the nodes whose rows differ between years or members."""
    reached = {node.unique_id for node in facts.nodes if node.names_year or not varied.isdisjoint(node.vars)}
    reached |= facts.descendants(reached)
    return [node for node in facts.nodes if node.unique_id in reached]


def _place_of(unique_id: str, facts: ProjectFacts) -> str | None:
    node = facts.node(unique_id)
    return None if node is None else _place(node, facts)


def _place(node: NodeFacts, facts: ProjectFacts) -> str | None:
    """Return the file that a node writes, or its table in another database; None where it is in the member's own."""
    if node.external_file is not None or node.external_untold is not None:
        return node.external_file or f"({node.external_untold})"
    database = node.relation.database
    if not node.builds or database.lower() in ("", facts.ledger.database.lower()):
        return None
    files = {one.name.lower(): one.path for one in facts.attachments}
    return f"{node.relation.name} in {files.get(database.lower()) or database}"


def _taken(node: NodeFacts, place: str | None) -> ConfigurationError:
    if node.external_file is None and node.external_untold is None:
        return ConfigurationError(
            f"Members would write one table, {place}: {node.name} ({node.file}) is in a database that the profile "
            "attaches, has other rows in each member, and all would see those of the last one.",
            to_fix="build it in the database of the target (leave out `database` in its config), or attach a file "
            "beside the member's database: path: \"{{ env_var('ORCHESTRATOR_DATABASE') }}.attached\"",
        )
    return ConfigurationError(
        f"Members would write one file, {place}: the external model {node.name} ({node.file}) has other rows "
        "in each, and the view of every member would show those of the last one.",
        to_fix="give each member a file beside its database, with location=env_var('ORCHESTRATOR_DATABASE') ~ "
        f"'.{node.name}.parquet' in the model's config, or make it a table",
    )
