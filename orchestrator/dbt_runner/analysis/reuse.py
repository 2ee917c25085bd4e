"""Proof that one parse of a dbt project serves several years, or the reason why it does not.

dbt fixes refs, sources and configs while it parses; only bodies are rendered again for every command. A parse
made for one year may therefore serve another only if the year variable reaches neither a config value, nor an
alias, nor the choice of a ``ref`` or ``source``. :mod:`orchestrator.dbt_runner.analysis.year_taint` looks at the Jinja
syntax trees of models, tests and the macros they reach. It errs to one side only: whatever it cannot follow counts
as a blocker, and the project is then parsed anew for that year.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set

from jinja2 import Environment, TemplateSyntaxError, nodes

from orchestrator.dbt_runner.analysis.template_code import ANY_VAR, UNKNOWN, Code
from orchestrator.dbt_runner.analysis.year_taint import examine

NAMING_MACROS = ("generate_alias_name", "generate_schema_name", "generate_database_name")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PLAIN_VAR = re.compile(r"""\b(?:env_)?var\(\s*(?:\\?["']|'')([^"'\\]*)(?:\\?["']|'')\s*(?=[,)])""")
_STRING = re.compile(r"""(?P<open>"|')(?P<text>[^\\]*?)(?P=open)""")
_ANY_WAY_TO_VARS = re.compile(
    r"\b(?:var|vars|context|builtins|invocation_args_dict)\b|\bflags\b(?!\.(?!VARS)[A-Z_]+\b)"
)


class ReuseProof:
    """Answers for one project; ``year_vars`` are the variables that change between commands.

    ``macros`` maps macro name to its source text, of all packages; of several macros with one name all count.
    ``of_dbt`` are the texts of those that come with dbt and its adapter.
    """

    def __init__(
        self,
        environment: Environment,
        macros: Iterable[tuple[str, str]],
        year_vars: frozenset[str],
        of_dbt: Set[str] = frozenset(),
    ) -> None:
        self.environment = environment
        self._year_vars = year_vars
        self._of_dbt = of_dbt
        self._sources: dict[str, list[str]] = {}
        for name, text in macros:
            self._sources.setdefault(name, []).append(text)
        self._implementations: dict[str, list[str]] = {}
        for name in self._sources:
            parts = name.split("__")
            for start in range(1, len(parts)):
                self._implementations.setdefault("__".join(parts[start:]), []).append(name)
        self._macros: dict[str, Code] = {}
        self._open: dict[str, Code] = {}

    def of(self, text: str) -> Code:
        """Look at one model's or test's code."""
        tree = self._parse(text)
        return _UNREADABLE if tree is None else examine(self, self._year_vars, tree, is_macro=False)

    def strings(self, text: str) -> Code:
        """Look at a constant that holds Jinja itself: a hook, say."""
        return self.of(text)

    def blocker_in_naming(self) -> str | None:
        """Return why the year reaches the names of relations, None when it does not."""
        for name in NAMING_MACROS:
            if self.macro(name).uses_year:
                return f"macro {name} reads the year, so names of relations depend on it"
        return None

    def blocker_in_yaml(self, files: Mapping[str, str]) -> str | None:
        """Return which YAML file reads the year inside Jinja (dbt renders YAML while it parses)."""
        for path, text in files.items():
            for expression in _JINJA.findall(text):
                if self._year_vars.intersection(_PLAIN_VAR.findall(expression)):
                    return f"{path} reads the year in {expression.strip()}"
                rest = _STRING.sub(_if_a_name, _PLAIN_VAR.sub("", expression))
                if _ANY_WAY_TO_VARS.search(rest):
                    return f"{path} reads a variable that cannot be told in {expression.strip()}"
        return None

    def macro(self, name: str) -> Code:
        """Return what a macro, with all its implementations for dispatch, does."""
        if name in self._macros:
            return self._macros[name]
        if name in self._open:
            if next(reversed(self._open)) == name:
                return self._open[name]  # itself, or its dispatch: it is looked at until nothing is added
            return Code(uses_year=True, decides=True, blocker="macros call each other in a cycle", vars={ANY_VAR})
        trees = [
            (self._parse(text), text in self._of_dbt)
            for implementation in sorted({name, *self._implementations.get(name, ())})
            for text in self._sources.get(implementation, ())
        ]
        code = self._open[name] = Code()
        before: tuple[int, ...] = ()
        while before != (before := code.size()):
            for tree, of_dbt in trees:
                code.add(_UNREADABLE if tree is None else self._macro(tree, of_dbt=of_dbt))
        self._macros[name] = self._open.pop(name)
        return code

    def _macro(self, tree: nodes.Template, *, of_dbt: bool) -> Code:
        return examine(self, self._year_vars, tree, is_macro=True, of_dbt=of_dbt)

    def implementations(self, names: Iterable[str]) -> set[str]:
        """Return these macros' names and those of all their implementations for dispatch."""
        return {implementation for name in names for implementation in (name, *self._implementations.get(name, ()))}

    def known(self, name: str) -> bool:
        """Tell whether a macro of that name exists in any package."""
        return name in self._sources or name in self._implementations

    def names(self) -> set[str]:
        """Return the names of all macros."""
        return set(self._sources)

    def _parse(self, text: str) -> nodes.Template | None:
        try:
            return self.environment.parse(text)
        except TemplateSyntaxError:
            return None


def _if_a_name(string: re.Match[str]) -> str:
    """Keep a string that may name something, as in ``context['var']``, and drop what is text."""
    return string["text"] if string["text"].isidentifier() else ""


_UNREADABLE = Code(uses_year=True, blocker="the template cannot be read", vars={ANY_VAR}, reads={UNKNOWN})
