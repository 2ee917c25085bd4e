"""Analysis of the templates of one project: one record for each, which the fingerprint, reuse and replay ask.

It errs to one side only: whatever it cannot follow counts as something that reads and changes anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes

from orchestrator.dbt_runner.analysis.decided import returned_by
from orchestrator.dbt_runner.analysis.marks import ANY_VAR, UNKNOWN
from orchestrator.dbt_runner.analysis.statements import examine
from orchestrator.dbt_runner.analysis.template_names import TemplateNames
from orchestrator.dbt_runner.analysis.template_record import RENDERED, GrowingRecord, TemplateRecord
from orchestrator.dbt_runner.analysis.template_uses import NO_USES, TemplateUses


class TemplateAnalysis:
    """Records of one project's templates; ``year_vars`` are the variables that change between commands.

    ``macros`` maps macro name to its source text, of all packages; of several macros with one name all count.
    ``of_dbt`` are the texts of those that come with dbt and its adapter. With ``works_out``, what the year decides by
    an expression that can be worked out is no blocker, but noted in the records.
    """

    def __init__(
        self,
        environment: Environment,
        macros: Iterable[tuple[str, str]],
        year_vars: frozenset[str],
        of_dbt: Set[str] = frozenset(),
        *,
        works_out: bool = False,
    ) -> None:
        self.works_out = works_out
        self.environment = environment
        self.year_vars = year_vars
        self._of_dbt = of_dbt
        self._sources: dict[str, list[str]] = {}
        for name, text in macros:
            self._sources.setdefault(name, []).append(text)
        self._foreign = {name for name, texts in self._sources.items() if not set(texts) <= of_dbt}
        self._implementations: dict[str, list[str]] = {}
        for name in self._sources:
            parts = name.split("__")
            for start in range(1, len(parts)):
                self._implementations.setdefault("__".join(parts[start:]), []).append(name)
        self._records: dict[str, TemplateRecord] = {}
        self._macros: dict[str, TemplateRecord] = {}
        self._open: dict[str, GrowingRecord] = {}
        self._returning: set[str] = set()

    def of(self, text: str) -> TemplateRecord:
        """Return the record of one model's or test's code."""
        found = self._records.get(text)
        if found is None:
            template = self._parse(text)
            found = _UNREADABLE if template is None else self._examined(template).frozen(self._uses(template))
            if not self._open:  # else it may be made of a macro that is not known in full yet
                self._records[text] = found
        return found

    def strings(self, text: str) -> TemplateRecord:
        """Return the record of a constant that holds Jinja itself: a hook, say."""
        return self.of(text)

    def macro(self, name: str) -> TemplateRecord | GrowingRecord:
        """Return what a macro, with all its implementations for dispatch, does."""
        if name in self._macros:
            return self._macros[name]
        if name in self._open:
            if next(reversed(self._open)) == name:
                return self._open[name]  # itself, or its dispatch: it is looked at until nothing is added
            return _CYCLE
        texts = [
            text
            for implementation in sorted({name, *self._implementations.get(name, ())})
            for text in self._sources.get(implementation, ())
        ]
        templates = [(self._parse(text), text in self._of_dbt) for text in texts]
        record = self._open[name] = GrowingRecord()
        before: tuple[int, ...] = ()
        while before != (before := record.size()):
            for template, of_dbt in templates:
                record.add(_UNREADABLE if template is None else self._examined(template, is_macro=True, of_dbt=of_dbt))
        del self._open[name]
        uses = NO_USES
        for template, _ in templates:
            uses = uses.joined(_UNREADABLE.uses if template is None else self._uses(template))
        self._macros[name] = record.frozen(uses)
        return self._macros[name]

    def returned(self, name: str) -> str | None:
        """Return the text of the expression that is all that a macro is; None where it is anything else."""
        texts = self._sources.get(name, ())
        if len(texts) != 1 or self.dispatches(name) or name in self._returning:
            return None
        template = self._parse(texts[0])
        if template is None or "var" in template.names.own:
            return None
        self._returning.add(name)
        try:
            return returned_by(template.tree, name, template.names.assigned, self.returned)
        finally:
            self._returning.discard(name)

    def uses(self, name: str) -> TemplateUses:
        """Return what a macro uses, with all its implementations for dispatch; it must not be open."""
        self.macro(name)
        return self._macros[name].uses

    def implementations(self, names: Iterable[str]) -> set[str]:
        """Return these macros' names and those of all their implementations for dispatch."""
        return {implementation for name in names for implementation in (name, *self._implementations.get(name, ()))}

    def known(self, name: str) -> bool:
        """Tell whether a macro of that name exists in any package, or one that dispatch finds by it."""
        return name in self._sources or name in self._implementations

    def dispatches(self, name: str) -> bool:
        """Tell whether there is a macro that dispatch may find by that name."""
        return name in self._implementations

    def is_open(self, name: str) -> bool:
        """Tell whether a macro is being looked at: it calls itself."""
        return name in self._open

    def names(self) -> set[str]:
        """Return the names of all macros."""
        return set(self._sources)

    def _examined(self, template: _Template, *, is_macro: bool = False, of_dbt: bool = False) -> GrowingRecord:
        return examine(self, self.year_vars, template.tree, template.names, is_macro=is_macro, of_dbt=of_dbt)

    def _uses(self, template: _Template) -> TemplateUses:
        return TemplateUses.of(template.tree, template.names, self._sources.keys(), self._foreign)

    def _parse(self, text: str) -> _Template | None:
        try:
            tree = self.environment.parse(text)
        except TemplateSyntaxError:
            return None
        return _Template(tree, TemplateNames.of(tree))


@dataclass(frozen=True)
class _Template:
    tree: nodes.Template
    names: TemplateNames


_UNREADABLE = TemplateRecord(
    uses_year=True,
    blocker="the template cannot be read",
    vars=frozenset({ANY_VAR}),
    reads=frozenset({UNKNOWN}),
    beyond_print=RENDERED,
    uses=TemplateUses(unreadable=True),
)
_CYCLE = TemplateRecord(
    uses_year=True,
    decides=True,
    blocker="macros call each other in a cycle",
    vars=frozenset({ANY_VAR}),
    beyond_print=RENDERED,
)
