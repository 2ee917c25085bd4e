"""What the year decides of a parse: nothing, expressions that can be worked out for any year, or what cannot be told.

A parse that was made for one year serves another where nothing is untold and each expression has the value that it had.
So one parse serves the first year, and one all later ones, where a project asks no more than which of the two it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from jinja2 import TemplateSyntaxError, nodes

from orchestrator.dbt_runner.analysis.decided import is_constant, value_of, with_values, written
from orchestrator.dbt_runner.analysis.reuse import blocker_in_naming, blocker_in_yaml
from orchestrator.dbt_runner.analysis.template_analysis import TemplateAnalysis
from orchestrator.dbt_runner.analysis.template_record import TemplateRecord
from orchestrator.dbt_runner.project.canonical import canonical
from orchestrator.dbt_runner.project.var_templates import is_template
from orchestrator.dbt_runner.project.var_values import VarValues

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ManifestNode

PROJECT_FILE, PROFILE, SELECTORS = "dbt_project.yml", "profiles.yml", "selectors.yml"
EARLY = (PROJECT_FILE, PROFILE, SELECTORS)  # read before dbt knows what the project says of its variables
TESTS = ("tests", "data_tests")
RUN_HOOKS = ("on-run-start", "on-run-end", "query-comment")
NODE_HOOKS = frozenset({"pre-hook", "post-hook", "pre_hook", "post_hook"})
RENDERED_LATER = (("pre_hook",), ("post_hook",))
"""Hooks in a file of properties that dbt renders when it runs them; others it renders with all else there."""
CONFIGURED = ("models", "seeds", "snapshots", *TESTS)
# What dbt takes out of the entry of a generic test while it parses; all else are arguments, which it renders when it
# compiles the test (dbt.parser.generic_test_builders, TestBuilder).
OF_A_TEST = frozenset(
    ["config", "name", "description", "severity", "tags", "enabled", "where", "limit", "warn_if", "error_if"]
) | frozenset(["fail_calc", "store_failures", "store_failures_as", "meta", "database", "schema", "alias", "test_name"])
Lookup = Callable[[str], object]
Keys = tuple[object, ...]


@dataclass
class YearReach:
    """What the year decides of a part of a project.

    ``blocker`` says why a parse made for one year cannot serve another, ``decided`` are the expressions of the year,
    all else in them worked out, with the values, as JSON, that they had in it.
    """

    blocker: str | None = None
    decided: dict[str, str] = field(default_factory=dict)

    def block(self, reason: str) -> None:
        """Note why no parse serves two years; the first reason counts."""
        self.blocker = self.blocker or reason

    def add(self, texts: Iterable[str], value: Lookup, years: frozenset[str], reason: str) -> None:
        """Note expressions; where one has no value, or a variable in it no plain one, ``reason`` blocks."""
        try:
            self.decided |= {with_values(text, value, years): canonical(value_of(text, value)) for text in texts}
        except (LookupError, ValueError):
            self.block(reason)


@dataclass(frozen=True)
class YearReaches:
    """What the year decides of the whole project, and of what stands in YAML about its tests."""

    project: YearReach
    tests: YearReach


def year_in_code(plain: TemplateRecord, worked_out: TemplateRecord, value: Lookup, years: frozenset[str]) -> YearReach:
    """Return what the year decides of one template; ``worked_out`` is its record by an analysis that works it out."""
    found = YearReach()
    if plain.blocker is not None and worked_out.blocker is not None:
        found.block(plain.blocker)
    elif plain.blocker is not None:
        found.add(worked_out.decided, value, years, plain.blocker)
    return found


def year_in_project(
    manifest: Manifest,
    analysis: TemplateAnalysis,
    worked_out: TemplateAnalysis,
    files: Mapping[str, str],
    hooks: Iterable[ManifestNode],
    values: VarValues,
) -> YearReaches:
    """Work out what the year decides beside single nodes.

    ``files`` are the texts of the YAML files by path, ``hooks`` those of the whole project.
    """
    years = analysis.year_vars
    project, tests = YearReach(), YearReach()
    naming = blocker_in_naming(analysis)
    if naming is not None:
        project.block(naming)
    off = [(f"{name} is disabled, and ", node) for name, listed in sorted(manifest.disabled.items()) for node in listed]
    for said, node in (*off, *((f"hook {hook.name}: ", hook) for hook in hooks)):
        code = getattr(node, "raw_code", "")  # sources and exposures have none
        plain = analysis.of(code)
        if plain.blocker is not None:
            found = year_in_code(plain, worked_out.of(code), lookup(values.known(node.package_name)), years)
            if found.blocker is not None:
                project.block(f"{said}{found.blocker}")
            project.decided |= found.decided
    for name, given in sorted(values.given.items()):
        if is_template(given) and analysis.of(str(given)).uses_year:
            project.block(f"the value of variable {name} is a template that reads the year")
    for path, text in files.items():
        value = lookup(values.given) if Path(path).name in EARLY else _alike(values)
        year_in_file(Path(path), text, worked_out, value, project, tests)
    return YearReaches(project, tests)


def _alike(values: VarValues) -> Lookup:
    """Return what gives the value of a variable where it is the same for the project and all of its packages."""
    known = [values.known(package) for package in values.packages()]

    def value(name: str) -> object:
        found = {canonical(one[name]) if name in one else None for one in known}
        if len(found) > 1:
            raise ValueError(f"{name} has several values")
        return lookup(known[0])(name)

    return value


def lookup(known: Mapping[str, object]) -> Lookup:
    """Return what gives the value of a variable; it raises LookupError where there is none, ValueError for a template.

    A variable that is a template has a value, so that its default, wherever it is read with one, does not count.
    """

    def value(name: str) -> object:
        found = known[name]
        if is_template(found):
            raise ValueError(f"the value of {name} is a template")
        return found

    return value


def year_in_file(
    path: Path, text: str, worked_out: TemplateAnalysis, value: Lookup, project: YearReach, tests: YearReach
) -> None:
    """Add what the year decides in a YAML file: about tests, and about all else."""
    years, named = worked_out.year_vars, {str(path): text}
    whole = blocker_in_yaml(years, named)
    if whole is None:
        return
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        project.block(whole)
        return
    for keys, string in _strings(document, ()):
        reason = blocker_in_yaml(years, {str(path): string})
        if reason is None or not _is_parsed(path, keys):
            continue
        reach = tests if path.name not in EARLY and _is_about_tests(keys) else project
        texts = None if path.name == PROFILE or keys[:1] == ("vars",) else _expressions(string, worked_out)
        if texts is None:
            reach.block(reason)
        else:
            reach.add(texts, value, years, reason)


def _strings(value: object, keys: Keys) -> Iterator[tuple[Keys, str]]:
    """Yield the texts of a document, its keys among them, and where they stand."""
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(key, keys)
            yield from _strings(inner, (*keys, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, (*keys, number))


def _is_parsed(path: Path, keys: Keys) -> bool:
    """Tell whether dbt renders the text at a place of a YAML file while it parses, and keeps what comes out.

    It renders hooks and the arguments of tests when it runs them: these belong to their nodes. See
    ``should_render_keypath`` of ``DbtProjectYamlRenderer`` and ``SchemaYamlRenderer`` in dbt-core.
    """
    if path.name == PROJECT_FILE:
        if keys[:1] and keys[0] in RUN_HOOKS:
            return False
        hooks = {str(key).lstrip("+ ") for key in keys} & NODE_HOOKS
        return not (keys[:1] and keys[0] in CONFIGURED and hooks)
    if path.name in (PROFILE, SELECTORS):
        return True
    entry = keys[2:]
    if entry[:1] == ("config",) and entry[1:2] in RENDERED_LATER:
        return False
    test = _of_test(keys)
    if test is None:
        return True
    if "arguments" in test[:2]:
        return False
    return len(test) < 2 or not OF_A_TEST.isdisjoint(test[:2])


def _of_test(keys: Keys) -> Keys | None:
    """Return where something stands in the entry of a generic test that dbt reads unrendered, None where in none.

    Those of versions of a model are rendered with it, and so are ``tests`` at any other place, as in ``meta``.
    """
    entry = keys[4:] if keys[:1] == ("sources",) and keys[2:3] == ("tables",) else keys[2:]
    if entry[:1] == ("columns",):
        entry = entry[2:]
    return entry[2:] if entry[:1] and entry[0] in TESTS else None


def _is_about_tests(keys: Keys) -> bool:
    """Tell whether something in a file of properties is read by tests alone."""
    return (bool(keys) and keys[0] in TESTS) or _of_test(keys) is not None


def _expressions(text: str, analysis: TemplateAnalysis) -> set[str] | None:
    """Return the expressions that a text prints, None where it holds anything else."""
    try:
        tree = analysis.environment.parse(text)
    except TemplateSyntaxError:
        return None
    found: set[str] = set()
    for node in tree.body:
        for part in node.nodes if isinstance(node, nodes.Output) else [node]:
            if isinstance(part, nodes.TemplateData):
                continue
            wording = written(part, {})
            if wording is None and not is_constant(part):
                return None
            found |= set() if wording is None else {wording}
    return found


def another_value(decided: Iterable[tuple[str, str]], variables: Mapping[str, object]) -> str | None:
    """Return an expression that has another value with these variables than it had; None where there is none."""
    value = lookup(variables)
    for text, before in decided:
        try:
            if canonical(value_of(text, value)) != before:
                return text
        except (LookupError, ValueError):
            return text
    return None
