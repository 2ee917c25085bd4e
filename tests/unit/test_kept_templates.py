"""What is kept of templates gives what dbt finds in them, and a file that is not whole gives nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbt.clients.jinja_static import statically_extract_macro_calls
from dbt.contracts.graph.nodes import Macro
from dbt.contracts.graph.unparsed import UnparsedMacro
from dbt.include.duckdb import PACKAGE_PATH as DUCKDB
from dbt.include.global_project import PACKAGE_PATH as GLOBAL
from dbt.node_types import NodeType
from dbt.parser.macros import MacroParser
from dbt_common.clients import jinja

from orchestrator.dbt_runner.adapter import template_shortcuts
from orchestrator.dbt_runner.adapter.kept_templates import PREFIX, KeptTemplates, path_for

FILES = [path for package in (GLOBAL, DUCKDB) for path in sorted((Path(package) / "macros").rglob("*.sql"))]
TEXTS = [path.read_text() for path in FILES]
CONTEXT: dict[str, object] = {"return": print, "log": print, "run_query": print}
CALLS = {
    "a macro of a package": "{{ utils.star(x) }}{{ utils.star(y) }}",
    "a macro and what is no macro": "{{ ref('a') }}{{ own(1) }}{{ return(own(2)) }}{{ source('a', 'b') }}",
    "a method of a value": "{{ x.append(1) }}{{ x['f'](2) }}{{ (f or g)(3) }}{{ 'a'.join(b) }}",
    "what is filtered": "{{ (x | upper)(1) }}",
    "a dispatch": "{{ adapter.dispatch('one')(own(1)) }}{{ adapter.quote('x') }}",
    "a dispatch with its namespace": "{{ adapter.dispatch('one', 'utils')() }}",
    "a dispatch by keywords": "{{ adapter.dispatch(macro_name='one', macro_namespace='utils')() }}",
    "a dispatch with a keyword": "{{ adapter.dispatch('one', macro_namespace='utils')() }}",
    "a dispatch with packages": "{{ adapter.dispatch('one', ['a', 'b'])() }}",
    "a dispatch among others": "{{ own() }}{{ adapter.dispatch('one')() }}{{ one() }}{{ own() }}",
}
REFUSED = {
    "a dispatch of what a name is": "{{ adapter.dispatch(name)() }}",
    "a dispatch of what is put together": "{{ adapter.dispatch(macro_name='a' ~ 'b')() }}",
    "a namespace that a name is": "{{ adapter.dispatch('one', macro_namespace=name)() }}",
    "no template": "{% if %}",
}


class Wrapper:
    """Finds the macro that a dispatch calls."""

    def dispatch(self, name: str, macro_namespace: str | None = None) -> SimpleNamespace:
        """Name it by what was asked for."""
        return SimpleNamespace(macro=SimpleNamespace(package_name=macro_namespace or "dbt", name=f"default__{name}"))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeptTemplates:
    """Let this test have templates of its own."""
    made = KeptTemplates(tmp_path / f"{PREFIX}of-this-test.bin")
    monkeypatch.setattr(template_shortcuts, "kept_templates", lambda: made)
    return made


@pytest.fixture
def parser() -> MacroParser:
    """Make a parser of macros of dbt's own package."""
    made: MacroParser = MacroParser(SimpleNamespace(project_name="dbt"), None)
    return made


def _file(text: str) -> UnparsedMacro:
    return UnparsedMacro(
        path="macros/one.sql",
        original_file_path="macros/one.sql",
        package_name="dbt",
        raw_code=text,
        resource_type=NodeType.Macro,
        language="sql",
    )


def _facts(macros: Iterator[Macro]) -> list[dict[str, object]]:
    return [{**vars(macro), "created_at": None} for macro in macros]


def test_the_macros_of_dbts_own_files(kept: KeptTemplates, parser: MacroParser) -> None:
    """Read for the first time, for the second, and by whoever finds what was kept: the same macros."""
    assert len(TEXTS) > 100
    theirs = [_facts(template_shortcuts._parse_in_full(parser, _file(text))) for text in TEXTS]
    assert [_facts(template_shortcuts._parse_macros(parser, _file(text))) for text in TEXTS] == theirs
    assert kept.files.keys() == set(TEXTS)
    packed, kept.files = kept.packed(), {}
    kept.take(packed)
    assert [_facts(template_shortcuts._parse_macros(parser, _file(text))) for text in TEXTS] == theirs
    assert any(macro["supported_languages"] for found in theirs for macro in found)


def test_a_file_that_dbt_warns_of_is_read_each_time(
    kept: KeptTemplates, parser: MacroParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warning comes again."""
    warned: list[object] = []
    monkeypatch.setattr(MacroParser, "_handle_extract_warning", lambda parser, **options: warned.append(options))
    text = "{% endmacro %}{% macro a() %}1{% endmacro %}"
    for count in (1, 2):
        assert [macro.name for macro in template_shortcuts._parse_macros(parser, _file(text))] == ["a"]
        assert len(warned) == count
    assert text not in kept.files


def test_macros_of_others_are_not_written(kept: KeptTemplates) -> None:
    """What a project's macros are stays in this process."""
    parser = MacroParser(SimpleNamespace(project_name="somebodys"), None)
    text = "{% macro a() %}{{ b() }}{% endmacro %}"
    list(template_shortcuts._parse_macros(parser, _file(text)))
    template_shortcuts._macro_calls(text, {}, Wrapper())
    assert text in kept.files
    assert text in kept.calls
    assert b"somebodys" not in kept.packed()
    assert b"endmacro" not in kept.packed()


def test_the_calls_of_dbts_own_macros(kept: KeptTemplates, parser: MacroParser) -> None:
    """Found anew and found again, they are those that dbt finds."""
    macros = [macro.macro_sql for text in TEXTS for macro in template_shortcuts._parse_in_full(parser, _file(text))]
    assert len(macros) > 400
    for _ in range(2):
        for sql in macros:
            theirs = statically_extract_macro_calls(sql, CONTEXT, Wrapper())
            assert template_shortcuts._macro_calls(sql, CONTEXT, Wrapper()) == theirs
    assert kept.calls.keys() == set(macros)


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
@pytest.mark.usefixtures("kept")
def test_the_calls_of_a_macro(text: str) -> None:
    """Found anew and found again, they are those that dbt finds."""
    theirs = statically_extract_macro_calls(text, CONTEXT, Wrapper())
    assert [template_shortcuts._macro_calls(text, CONTEXT, Wrapper()) for _ in range(2)] == [theirs, theirs]


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_dbt_refuses_is_refused_as_dbt_does(text: str, kept: KeptTemplates) -> None:
    """The error is dbt's."""
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever dbt raises
        statically_extract_macro_calls(text, CONTEXT, Wrapper())
    for _ in range(2):
        with pytest.raises(theirs.type, match=None) as ours:
            template_shortcuts._macro_calls(text, CONTEXT, Wrapper())
        assert str(ours.value) == str(theirs.value)
    assert kept.calls == {}


def _filled(path: Path) -> KeptTemplates:
    made = KeptTemplates(path, own={"{{ 1 }}"})
    made.files["{{ 1 }}"] = (("a", "{{ 1 }}", None),)
    made.calls["{{ 1 }}"] = (("b", None, False),)
    made.codes[True]["{{ 1 }}"] = jinja.get_environment(native=True).compile("{{ 1 }}")
    made.codes[False]["{{ 2 }}"] = jinja.get_environment().compile("{{ 2 }}")
    return made


def test_the_next_process_has_what_this_one_saved(tmp_path: Path) -> None:
    """That of other versions goes; where nothing is new, nothing is written."""
    path, old = tmp_path / "cache" / f"{PREFIX}1.bin", tmp_path / "cache" / f"{PREFIX}0.bin"
    saved = _filled(path)
    saved.save()
    old.write_bytes(b"")
    again = KeptTemplates.at(path)
    assert (again.files, again.calls, again.own) == (saved.files, saved.calls, saved.own)
    assert again.codes == {True: saved.codes[True], False: {}}
    path.unlink()
    again.save()
    assert not path.exists()
    again.calls["{{ 3 }}"] = ()
    again.own.add("{{ 3 }}")
    again.save()
    assert KeptTemplates.at(path).calls.keys() == {"{{ 1 }}", "{{ 3 }}"}
    assert not old.exists()


def test_a_file_that_is_not_whole_gives_nothing(tmp_path: Path) -> None:
    """Cut off anywhere, changed anywhere, empty or absent: this process works all out."""
    path = tmp_path / f"{PREFIX}1.bin"
    _filled(path).save()
    whole = path.read_bytes()
    for content in (b"", whole[:20], whole[:-1], whole[:40] + b"\0" + whole[41:], b"\0" * 32 + whole[32:]):
        path.write_bytes(content)
        found = KeptTemplates.at(path)
        assert (found.files, found.calls, found.own) == ({}, {}, set())
    path.unlink()
    assert KeptTemplates.at(path).files == {}


def test_where_nothing_can_be_written_it_does_without(tmp_path: Path) -> None:
    """A file lies where the folder should be."""
    (tmp_path / "cache").write_text("")
    _filled(tmp_path / "cache" / f"{PREFIX}1.bin").save()


def test_versions_have_files_of_their_own() -> None:
    """What jinja2 of another version makes is not taken for that of this one."""
    assert path_for([("Jinja2", "3.1.6")]) != path_for([("Jinja2", "3.1.7")])
    assert path_for([("a", "1"), ("b", "2")]) == path_for([("b", "2"), ("a", "1")])
