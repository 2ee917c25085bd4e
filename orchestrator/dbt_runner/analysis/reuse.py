"""Proof that one parse of a dbt project serves several years, or the reason why it does not.

dbt fixes refs, sources and configs while it parses; only bodies are rendered again for every command. A parse
made for one year may therefore serve another only if the year variable reaches neither a config value, nor an
alias, nor the choice of a ``ref`` or ``source``. Of a model or test that is told by its record
(:class:`~orchestrator.dbt_runner.analysis.template_record.TemplateRecord.blocker`); here are the names of relations and
the YAML files. Whatever cannot be followed counts as a blocker, and the project is then parsed anew for that year.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

from orchestrator.dbt_runner.analysis.marks import ANY_VAR
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis

NAMING_MACROS = ("generate_alias_name", "generate_schema_name", "generate_database_name")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PLAIN_VAR = re.compile(r"""\b(?:env_)?var\(\s*(?:\\?["']|'')([^"'\\]*)(?:\\?["']|'')\s*(?=[,)])""")
_VAR = re.compile(_PLAIN_VAR.pattern.replace("(?:env_)?", ""))
_STRING = re.compile(r"""(?P<open>"|')(?P<text>[^\\]*?)(?P=open)""")
_ANY_WAY_TO_VARS = re.compile(
    r"\b(?:var|vars|context|builtins|invocation_args_dict)\b|\bflags\b(?!\.(?!VARS)[A-Z_]+\b)"
)


def blocker_in_naming(analysis: TemplateAnalysis) -> str | None:
    """Return why the year reaches the names of relations, None when it does not."""
    for name in NAMING_MACROS:
        if analysis.macro(name).uses_year:
            return f"macro {name} reads the year, so names of relations depend on it"
    return None


def blocker_in_yaml(year_vars: Set[str], files: Mapping[str, str]) -> str | None:
    """Return which YAML file reads the year inside Jinja (dbt renders YAML while it parses)."""
    for path, text in files.items():
        for expression in _JINJA.findall(text):
            if year_vars & set(_PLAIN_VAR.findall(expression)):
                return f"{path} reads the year in {expression.strip()}"
            rest = _STRING.sub(_if_a_name, _PLAIN_VAR.sub("", expression))
            if _ANY_WAY_TO_VARS.search(rest):
                return f"{path} reads a variable that cannot be told in {expression.strip()}"
    return None


def vars_in_yaml(files: Mapping[str, str]) -> set[str]:
    """Return the names of variables that the Jinja of YAML files reads, ``*`` among them where one cannot be told."""
    found: set[str] = set()
    for text in files.values():
        for expression in _JINJA.findall(text):
            found.update(_VAR.findall(expression))
            if _ANY_WAY_TO_VARS.search(_STRING.sub(_if_a_name, _PLAIN_VAR.sub("", expression))):
                found.add(ANY_VAR)
    return found


def _if_a_name(string: re.Match[str]) -> str:
    """Keep a string that may name something, as in ``context['var']``, and drop what is text."""
    return string["text"] if string["text"].isidentifier() else ""
