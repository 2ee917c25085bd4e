"""What stands in the place of functions of dbt gives what those give."""

from __future__ import annotations

import inspect
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agate.data_types import DataType
from agate.data_types import date as agate_date
from agate.data_types import date_time as agate_date_time
from agate.exceptions import CastError
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.events.types import SQLQuery
from dbt.artifacts.resources import SnapshotConfig
from dbt.clients.jinja import MacroGenerator, MacroStack
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.context.manifest import ManifestContext
from dbt.contracts.graph.nodes import Macro, ModelNode, ParsedNode, SourceDefinition
from dbt.contracts.graph.unparsed import UnparsedModelUpdate
from dbt.contracts.project import Project
from dbt.events.types import ConcurrencyLine, MainReportVersion
from dbt.parser import manifest as manifest_parser
from dbt.parser.macros import MacroParser
from dbt.plugins.manager import PluginManager
from dbt.tracking import track_behavior_change_warn
from dbt_common.behavior_flags import Behavior, BehaviorFlagRendered
from dbt_common.clients import jinja
from dbt_common.events import base_types
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager
from dbt_common.events.types import Note
from dbt_common.exceptions import CompilationError, UndefinedMacroError
from dbt_common.exceptions import base as exceptions
from mashumaro.jsonschema import build_json_schema
from mashumaro.jsonschema import schema as json_schema

from dbt import flags
from orchestrator.dbt_runner.adapter import shortcuts
from orchestrator.dbt_runner.adapter.shortcuts import Listener
from orchestrator.dbt_runner.adapter.template_shortcuts import kept_templates
from orchestrator.dbt_runner.project.parse_inputs import versions

REPLACED = (
    (EventManager, "fire_event"),
    (base_types, "ParseDict"),
    (BehaviorFlagRendered, "_default_source"),
    (flags, "get_flag_obj"),
    (MacroGenerator, "__init__"),
    (MacroNamespace, "__getitem__"),
    (MacroNamespaceBuilder, "build_namespace"),
    (ManifestContext, "to_dict"),
    (exceptions, "env_secrets"),
    (json_schema, "_default"),
    (ParsedNode, "write_node"),
    (PluginManager, "get_prefixed_modules"),
    (jinja.MacroFuzzEnvironment, "compile"),
    (MacroParser, "parse_unparsed_macros"),
    (manifest_parser, "statically_extract_macro_calls"),
    (agate_date, "parsedatetime"),
    (agate_date_time, "parsedatetime"),
)


@pytest.fixture
def dbts_own() -> Iterator[dict[str, Callable[..., object]]]:
    """Take the shortcuts for one test; give dbt's own functions."""
    kept = [(place, name, inspect.getattr_static(place, name)) for place, name in REPLACED]
    shortcuts.take_shortcuts()
    yield {name: getattr(function, "__func__", function) for _, name, function in kept}
    for place, name, function in kept:
        setattr(place, name, function)


def test_they_were_read_for_the_dbt_that_is_installed(dbts_own: dict[str, Callable[..., object]]) -> None:
    """The functions of another version are to be compared with ours first; until ``READ`` names it, none is taken."""
    assert shortcuts.READ.items() <= versions().items()
    for place, name in REPLACED:
        function = inspect.getattr_static(place, name)
        assert getattr(function, "__func__", function) is not dbts_own[name]


def test_another_dbt_does_all_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """No function is replaced in a version that nobody read."""
    before = [inspect.getattr_static(place, name) for place, name in REPLACED]
    monkeypatch.setitem(shortcuts.READ, "dbt-core", "1.11.0")
    shortcuts.take_shortcuts()
    assert [inspect.getattr_static(place, name) for place, name in REPLACED] == before


EVENTS: dict[str, tuple[BaseEvent, EventLevel | None, bool]] = {
    "a name that is wanted": (SQLQuery(conn_name="a", sql="select 1"), None, True),
    "a name that nobody wants": (MainReportVersion(version="1", log_version=3), None, False),
    "a name of others": (ConcurrencyLine(num_threads=1, target_name="dev", node_count=1), None, False),
    "a warning by its level": (Note(msg="careful"), EventLevel.WARN, True),
    "an error by its level": (Note(msg="broken"), EventLevel.ERROR, True),
    "a note": (Note(msg="nothing"), None, False),
}


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_wanted_is_heard(name: str, dbts_own: dict[str, Callable[..., object]]) -> None:
    """A listener hears of what it wants all that dbt says, and whoever is no listener hears everything."""
    event, level, wanted = EVENTS[name]
    manager = EventManager()
    heard: list[EventMsg] = []
    all_heard: list[EventMsg] = []
    manager.callbacks = [Listener(frozenset({"SQLQuery"}), heard.append), track_behavior_change_warn]
    manager.fire_event(event, level)
    assert len(heard) == wanted
    manager.add_callback(all_heard.append)
    manager.fire_event(event, level)
    dbts_own["fire_event"](manager, event, level)
    assert [_told(one) for one in all_heard[:1]] == [_told(one) for one in all_heard[1:]]


def _told(message: EventMsg) -> tuple[object, ...]:
    return message.info.name, message.info.level, message.info.msg, str(message.data)


def test_the_asking_module_is_the_same(dbts_own: dict[str, Callable[..., object]]) -> None:
    """Whoever asks for a flag, it is the module outside of dbt's own for flags."""
    flag = {"name": "one", "default": False, "description": "it is", "docs_url": "none"}
    source = Behavior([flag], {})._flags[0]._behavior_change_event.flag_source
    assert source == shortcuts._asking_module() == dbts_own["_default_source"]() == __name__
    in_no_module = "found = asked()"
    asked: dict[str, object] = {"__name__": "nowhere", "asked": BehaviorFlagRendered._default_source}
    exec(in_no_module, asked)  # noqa: S102 - code without a file
    assert asked["found"] == __name__


def test_flags_are_the_same_for_each_command(
    dbts_own: dict[str, Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each context has an object of its own, with the flags of the command that runs."""
    for which in ("run", "test"):
        monkeypatch.setattr(flags, "GLOBAL_FLAGS", Namespace(WHICH=which, FULL_REFRESH=which == "run", DEBUG=True))
        first = flags.get_flag_obj()
        assert first == dbts_own["get_flag_obj"]()
        first.WHICH = "changed"
        assert which == flags.get_flag_obj().WHICH


def test_secrets_are_the_same(dbts_own: dict[str, Callable[..., object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are set, but not to blanks; none of them is in an error."""
    for name, value in {"ONE": "hush", "TWO": " ", "THREE": "", "_FOUR": "psst"}.items():
        monkeypatch.setenv(f"DBT_ENV_SECRET{name}", value)
    assert exceptions.env_secrets() == dbts_own["env_secrets"]() == ["hush", "psst"]
    assert "hush" not in str(exceptions.CompilationError("it says hush"))


def test_macros_are_looked_up_in_the_same_order(dbts_own: dict[str, Callable[..., object]]) -> None:
    """That of the node's package, of the root, packages by their name, dbt's by its, and dbt's own."""
    made = {name: _macro(name) for name in ("local", "root", "packaged", "own")}
    namespace = MacroNamespace(
        local_namespace={"a": made["local"]},
        global_namespace={"a": made["root"], "b": made["root"]},
        packages={"some": {"a": made["packaged"]}, "b": {}},
        global_project_namespace={"a": made["own"], "b": made["own"], "c": made["own"], "some": made["own"]},
    )
    assert set(namespace) == {"a", "b", "c", "some", "dbt"}
    for key in namespace:
        assert namespace[key] is dbts_own["__getitem__"](namespace, key)
    with pytest.raises(KeyError, match="none"):
        namespace["none"]


def test_macros_are_sorted_into_the_same_namespaces(dbts_own: dict[str, Callable[..., object]]) -> None:
    """Of the node's package, of the root, of packages, and of dbt and its adapters, of which the first one wins."""
    packages = ("p", "root", "dbt", "other", "dbt_duckdb")
    names = {"dbt_duckdb": ("b", "c")}
    macros = {package: {n: _macro(n, package).macro for n in names.get(package, ("a", "b"))} for package in packages}
    for searched in ("p", "root"):
        sorted_by, kept = [], []
        for build in (MacroNamespaceBuilder.build_namespace, dbts_own["build_namespace"]):
            node, stack, context = _macro("node", "p"), MacroStack(), {"x": 1}
            builder = MacroNamespaceBuilder("root", searched, stack, ["dbt_duckdb", "dbt"], node)
            found = build(builder, macros, context)
            assert isinstance(found, MacroNamespace)
            parts = (found.local_namespace, found.global_namespace, found.packages, found.global_project_namespace)
            sorted_by.append([_names(part) for part in parts])
            kept.append([vars(found[name]) for name in ("a", "b", "c")])
            assert all(one["context"] is context and one["stack"] is stack and one["node"] is node for one in kept[-1])
        assert sorted_by[0] == sorted_by[1]
        assert [one["macro"] for one in kept[0]] == [one["macro"] for one in kept[1]]


def test_templates_see_the_same_names(dbts_own: dict[str, Callable[..., object]]) -> None:
    """A macro hides what is no macro; that of the root hides that of dbt, and a package's name is one as well."""

    class Context(ManifestContext):  # type: ignore[misc]  # dbt's have no types
        def __init__(self) -> None:
            self._ctx: dict[str, object] = {}
            self.namespace = MacroNamespace(
                local_namespace={"a": "local"},
                global_namespace={"a": "root", "b": "root", "log": "root"},
                packages={"some": {"a": "packaged"}, "b": {}},
                global_project_namespace={"a": "own", "c": "own", "some": "own"},
            )

    Context._context_members_, Context._context_attrs_ = {}, {}
    ours, theirs = Context().to_dict(), dbts_own["to_dict"](Context())
    assert isinstance(theirs, dict)
    assert ours.keys() == theirs.keys()
    assert all(ours[name] == theirs[name] for name in ("a", "b", "c", "log", "some", "dbt"))
    assert ours["log"] == "root" and ours["dbt"]["c"] == "own" and ours["some"] == {"a": "packaged"}


def _names(part: object) -> object:
    if isinstance(part, dict):
        return [(key, _names(value)) for key, value in part.items()]
    assert isinstance(part, MacroGenerator)
    return part.macro.unique_id


def test_dates_are_read_by_one_set_of_words(dbts_own: dict[str, Callable[..., object]]) -> None:
    """Types of agate share it; what they read is the same."""
    texts = ("2024-02-29", "tomorrow", "12 May 2001", "none", "", "x")
    ours = [agate_date.Date(), agate_date_time.DateTime(), agate_date.Date(date_format="%Y-%m-%d")]
    assert ours[0]._constants is ours[2]._constants
    found = [[_cast(one, text) for text in texts] for one in ours]
    agate_date.parsedatetime = agate_date_time.parsedatetime = dbts_own["parsedatetime"]
    plain = [agate_date.Date(), agate_date_time.DateTime(), agate_date.Date(date_format="%Y-%m-%d")]
    assert plain[0]._constants is not plain[2]._constants
    assert found == [[_cast(one, text) for text in texts] for one in plain]


def _cast(of: DataType, text: str) -> object:
    try:
        return of.cast(text)
    except CastError as error:
        return str(error)


def _macro(name: str, package: str = "p") -> MacroGenerator:
    macro = Macro(
        name=name,
        resource_type="macro",
        package_name=package,
        path="",
        original_file_path="",
        unique_id=f"macro.{package}.{name}",
        macro_sql="",
    )
    return MacroGenerator(macro, {}, stack=None)


def test_a_macro_has_the_same_attributes(dbts_own: dict[str, Callable[..., object]]) -> None:
    """Whatever is given of them, in whichever way."""
    for args, options in (((1,), {}), ((1, {}), {"stack": 3}), ((1, {}, 2, 3), {}), ((1,), {"node": 2})):
        ours, theirs = MacroGenerator(*args, **options), MacroGenerator.__new__(MacroGenerator)
        dbts_own["__init__"](theirs, *args, **options)
        assert vars(ours) == vars(theirs)


def test_json_schemas_have_the_same_defaults(dbts_own: dict[str, Callable[..., object]]) -> None:
    """Every default in the schema of every class of dbt that has one is what mashumaro makes of it."""
    compared: list[object] = []
    differing: list[object] = []

    def both(field_type: object, value: object, config: type) -> object:
        ours = shortcuts._default_in_schema(field_type, value, config)
        theirs = dbts_own["_default"](field_type, value, config)
        compared.append(value)
        if ours != theirs or type(ours) is not type(theirs):
            differing.append((field_type, value, config))
        return theirs

    json_schema._default = both
    for cls in (
        ModelNode,
        SourceDefinition,
        UnparsedModelUpdate,
        Project,
        SnapshotConfig,
        DuckDBCredentials,
    ):
        build_json_schema(cls)
    assert {type(value) for value in compared} >= {bool, int, str, type(None)}
    assert differing == []


@pytest.mark.usefixtures("dbts_own")
def test_a_template_is_made_into_code_once_for_text_and_once_for_values() -> None:
    """The same text renders text in a model and a value of Python in a YAML file; context and node are the caller's."""
    text = "{{ 1 + step }}"
    for step in (1, 2):
        for native, rendered in ((False, str(1 + step)), (True, 1 + step), (False, str(1 + step))):
            template = jinja.get_template(text, {}, native=native)
            assert jinja.render_template(template, {"step": step}) == rendered
    assert all(text in codes for codes in kept_templates().codes.values())
    first, second = (jinja.get_environment(native=False).compile(text) for _ in range(2))
    assert first is second


@pytest.mark.usefixtures("dbts_own")
def test_names_that_are_missing_are_captured_or_refused_as_asked() -> None:
    """Whether a name may be missing is decided where a template is rendered, not where it is made into code."""
    text = "{{ missing_of_this_test(1).more }}"
    for _ in range(2):
        assert jinja.render_template(jinja.get_template(text, {}, capture_macros=True), {}) == ""
        with pytest.raises(UndefinedMacroError):
            jinja.render_template(jinja.get_template(text, {}), {})


@pytest.mark.usefixtures("dbts_own")
def test_a_template_that_is_wrong_is_refused_each_time() -> None:
    """Nothing is kept of it."""
    for _ in range(2):
        with pytest.raises(CompilationError):
            jinja.get_template("{% if %}", {})


def test_plugins_are_those_on_the_search_path(
    dbts_own: dict[str, Callable[..., object]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are looked for once, and again where the path has changed."""
    own = dict(dbts_own["get_prefixed_modules"](PluginManager))  # type: ignore[call-overload]  # a mapping
    assert PluginManager.get_prefixed_modules() == own
    (tmp_path / "dbt_of_a_stranger.py").write_text("plugins = []")
    monkeypatch.syspath_prepend(tmp_path)
    assert PluginManager.get_prefixed_modules().keys() - own.keys() == {"dbt_of_a_stranger"}
    assert PluginManager.get_prefixed_modules() is PluginManager.get_prefixed_modules()
