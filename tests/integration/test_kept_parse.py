"""A parse that is kept between runs is used as long as nothing that decides it has changed, and no longer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from pathlib import Path

import dbt.mp_context
import pytest

from orchestrator import PipelineOrchestrator, create_orchestrator
from orchestrator.core.errors import DbtProjectError
from orchestrator.core.events import DbtReady, DbtStarted, DbtWarned, Event
from orchestrator.dbt_runner.process.before_import import ThreadLocks
from orchestrator.dbt_runner.process.copies import Copies, pack
from orchestrator.dbt_runner.process.process import DbtProcess
from orchestrator.dbt_runner.process.zygote import VARIABLE
from orchestrator.dbt_runner.project.facts import ProjectFacts
from tests.support.processes import dbt_processes, parent_of, wait_until
from tests.support.workspaces import Workspace

pytestmark = pytest.mark.slow

PACKAGE = "name: local_one\nversion: '1.0'\nprofile: ephemeral\nmodel-paths: [models]\n"
SECOND_OUTPUT = "    other: {type: duckdb, path: \"{{ env_var('ORCHESTRATOR_DATABASE') }}\", schema: other}\n"


def models(workspace: Workspace) -> dict[str, str]:
    """Return where each model is built, by name, as a new dbt process sees it."""
    with workspace.orchestrator() as orchestrator:
        facts = orchestrator.runner.facts()
        assert any(isinstance(event, DbtReady) for event in workspace.events)
        return {node.name: f"{node.schema}.{node.identifier}" for node in facts.models()}


def alias(facts: ProjectFacts) -> str:
    """Return the name of the table of the model that has another in these tests."""
    node = facts.node("model.ephemeral_project.squares")
    assert node is not None
    return node.identifier


def same_time(path: Path, text: str) -> None:
    """Write a file under its old size and time."""
    before = path.stat()
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def parses(workspace: Workspace) -> set[int]:
    """Return the inodes of the kept parses: each is a file of its own."""
    return {path.stat().st_ino for path in (workspace.root / "var" / "dbt").glob("facts-*.msgpack")}


@pytest.fixture
def project(fresh: Callable[[str], Workspace]) -> Workspace:
    """A small project, parsed once."""
    workspace = fresh("ephemeral")
    (workspace.root / "dbt" / "models" / "named.yml").write_text("models: [{name: squares, config: {alias: aaaa}}]\n")
    assert models(workspace)["squares"] == "main.aaaa"
    return workspace


def test_an_unchanged_project_is_not_parsed(project: Workspace) -> None:
    """The kept parse is used as it is; one that was damaged, or whose facts are gone, is made anew."""
    kept = parses(project)
    assert models(project)["squares"] == "main.aaaa"
    assert parses(project) == kept
    (packed,) = (project.root / "var" / "dbt").glob("facts-*.msgpack")
    packed.write_bytes(packed.read_bytes()[:-100])
    assert models(project)["squares"] == "main.aaaa"
    assert parses(project) != kept


def database_of(workspace: Workspace, **options: object) -> Path | None:
    """Return the database of the facts that a quick look has without dbt, or else those that dbt gives."""
    with workspace.orchestrator(**options) as orchestrator:
        return (orchestrator.runner.known_facts() or orchestrator.runner.facts()).database_path


def test_each_database_has_a_parse_of_its_own(project: Workspace) -> None:
    """A parse holds the path of its database, so that of another one is not taken, though it has the same name."""
    files = [project.root / "var" / folder / "same.duckdb" for folder in ("a", "b")]
    assert [database_of(project, database=file) for file in files] == files
    kept = parses(project)
    assert len(kept) == 3
    assert [database_of(project, database=file) for file in files] == files
    assert parses(project) == kept


def test_a_moved_project_is_parsed_anew(project: Workspace) -> None:
    """What was kept moves along with the project, and is of another place; times and contents are as they were."""
    kept = parses(project)
    moved = Workspace(project.root.rename(project.root.with_name("moved")))
    with moved.orchestrator() as orchestrator:
        assert orchestrator.runner.known_facts() is None
        facts = orchestrator.runner.facts()
    assert facts.project_dir == moved.root / "dbt"
    assert facts.database_path is not None and facts.database_path.is_relative_to(moved.root)
    assert len(parses(moved)) == len(kept) + 1
    shutil.rmtree(moved.root)


def test_a_change_under_the_old_time_is_seen(project: Workspace) -> None:
    """Neither our look nor dbt's partial parse, which both go by times, hide an edited YAML file."""
    same_time(project.root / "dbt" / "models" / "named.yml", "models: [{name: squares, config: {alias: bbbb}}]\n")
    assert models(project)["squares"] == "main.bbbb"


def test_a_change_in_a_hidden_folder_is_seen(project: Workspace) -> None:
    """Dbt parses what lies in folders whose name begins with a dot, too."""
    hidden = project.root / "dbt" / "models" / ".draft"
    hidden.mkdir()
    (hidden / "extra.sql").write_text("{{ config(alias='aaaa_extra') }} select 1 as x")
    assert models(project)["extra"] == "main.aaaa_extra"
    (hidden / "extra.sql").write_text("{{ config(alias='bbbb') }} select 1 as x")
    assert models(project)["extra"] == "main.bbbb"


def test_warnings_of_a_kept_parse_are_said_again(project: Workspace) -> None:
    """What dbt warns of when it parses holds as long as the parse does; without colours, wherever it is read."""
    file = project.root / "dbt" / "dbt_project.yml"
    file.write_text(file.read_text() + "\nsnapshots: {nowhere: {+enabled: true}}\n")
    found = []
    for _ in range(2):
        project.events.clear()
        models(project)
        found.append([event.message for event in project.events if isinstance(event, DbtWarned)])
    assert found[0] == found[1]
    assert any("do not apply to any resources" in text for text in found[0])
    assert "\x1b" not in str(found)


def test_a_file_that_hides_others_is_seen(project: Workspace) -> None:
    """A new .dbtignore takes its models away."""
    (project.root / "dbt" / ".dbtignore").write_text("squares.sql\nnamed.yml\n")
    (project.root / "dbt" / "models" / "year_number.sql").write_text("select 1 as yr")
    assert "squares" not in models(project)


def test_the_environment_of_dbt_is_seen(project: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that the profile reads, and one that is read in whatever spelling, makes another parse."""
    profile = project.root / "dbt" / "profiles.yml"
    text = profile.read_text() + SECOND_OUTPUT
    profile.write_text(text.replace("target: dev", "target: \"{{ env_var('DBT_TARGET', 'dev') }}\""))
    (project.root / "dbt" / "models" / "named.yml").write_text(
        "models: [{name: squares, config: {alias: \"{{ env_var ('ALIAS', 'none') }}\"}}]\n"
    )
    assert models(project)["squares"] == "main.none"
    monkeypatch.setenv("ALIAS", "some")
    assert models(project)["squares"] == "main.some"
    monkeypatch.setenv("DBT_TARGET", "other")
    assert models(project)["squares"] == "other.some"


def test_what_is_in_the_way_of_reading_is_no_obstacle(project: Workspace) -> None:
    """A pipe and a link into nowhere among the models neither hang nor fail a parse."""
    os.mkfifo(project.root / "dbt" / "models" / "pipe")
    (project.root / "dbt" / "models" / "lost.txt").symlink_to("/nowhere")
    assert models(project)["squares"] == "main.aaaa"


def test_a_process_that_was_started_ahead_is_used_as_any_other(
    project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one that the next runner takes, and works in the folder and the environment of that moment."""
    (project.root / "dbt" / "models" / "named.yml").write_text(
        "models: [{name: squares, config: {alias: \"{{ env_var('ALIAS', 'none') }}\"}}]\n"
    )
    monkeypatch.delenv(VARIABLE, raising=False)  # a fork would be the child of another process
    DbtProcess.start_ahead()

    def ours() -> list[int]:
        return [pid for pid in dbt_processes(Path.cwd()) if parent_of(pid) == os.getpid()]  # others test beside us

    wait_until(lambda: len(ours()) == 1, "a dbt process is there", 10)  # just begun, it has no command line yet
    (ahead,) = ours()
    monkeypatch.setenv("ALIAS", "late")
    with project.orchestrator() as orchestrator:
        facts = orchestrator.runner.facts()
        assert orchestrator.runner.pid == ahead
        assert dbt_processes(project.root) == [ahead]
        assert [node.identifier for node in facts.models() if node.name == "squares"] == ["late"]
    with project.orchestrator() as orchestrator:
        orchestrator.runner.start()
        assert orchestrator.runner.pid != ahead


def test_a_linked_package_is_seen(project: Workspace, tmp_path: Path) -> None:
    """What lies behind the link that `dbt deps` makes for a local package decides like any other file."""
    package = tmp_path / "local_one"
    (package / "models").mkdir(parents=True)
    (package / "dbt_project.yml").write_text(PACKAGE)
    (package / "models" / "inner.sql").write_text("{{ config(alias='before') }} select 1 as a")
    (project.root / "dbt" / "dbt_packages").mkdir()
    (project.root / "dbt" / "dbt_packages" / "local_one").symlink_to(package)
    (project.root / "dbt" / "packages.yml").write_text(f"packages: [{{local: '{package}'}}]\n")
    assert models(project)["inner"] == "main.before"
    (package / "models" / "inner.sql").write_text("{{ config(alias='afterwards') }} select 1 as a")
    assert models(project)["inner"] == "main.afterwards"


def test_a_copied_project_reads_its_own_files(project: Workspace) -> None:
    """What was kept is copied with it, dbt's partial parse too, and names the files of the old folder, still there."""
    seed = Path("dbt", "seeds", "fruit.csv")
    (project.root / seed).parent.mkdir(exist_ok=True)
    (project.root / seed).write_text("name\nold\n")
    with project.orchestrator() as orchestrator:
        orchestrator.runner.seed("fruit")
    copy = Workspace(Path(shutil.copytree(project.root, project.root.with_name("copy"))))
    (copy.root / seed).write_text("name\nnew\n")
    with copy.orchestrator() as orchestrator:
        orchestrator.runner.seed("fruit")
        assert orchestrator.runner.query("select name from fruit") == [("new",)]
    shutil.rmtree(copy.root)


def test_a_look_sees_a_change_under_the_old_time_and_size(project: Workspace) -> None:
    """No dbt is started for a look at what was kept, and the edited file counts all the same."""
    with project.orchestrator() as orchestrator:
        assert orchestrator.runner.known_facts() is not None
    same_time(project.root / "dbt" / "models" / "named.yml", "models: [{name: squares, config: {alias: bbbb}}]\n")
    with project.orchestrator() as orchestrator:
        assert orchestrator.runner.known_facts() is None


def test_a_project_whose_files_were_touched_is_not_parsed(project: Workspace) -> None:
    """A checkout, an archive or the cache of a build gives them other times; then they count by their content."""
    kept = parses(project)
    for path in (project.root / "dbt").rglob("*"):
        os.utime(path)
    with project.orchestrator() as orchestrator:
        assert orchestrator.runner.known_facts() is not None
    assert models(project)["squares"] == "main.aaaa"
    assert parses(project) == kept


def test_all_of_the_environment_counts_where_names_are_computed(
    project: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any variable may be the one that a project reads by a name that is put together."""
    monkeypatch.setenv("ALIAS_DEV", "aaaa")
    (project.root / "dbt" / "models" / "named.yml").write_text(
        "models: [{name: squares, config: {alias: \"{{ env_var('ALIAS_' ~ target.name | upper) }}\"}}]\n"
    )
    assert models(project)["squares"] == "main.aaaa"
    kept = parses(project)
    assert models(project)["squares"] == "main.aaaa"
    assert parses(project) == kept
    with project.orchestrator() as orchestrator:
        orchestrator.runner.facts()
        monkeypatch.setenv("ALIAS_DEV", "bbbb")
        assert alias(orchestrator.runner.current_facts()) == "bbbb"


class Edited(Workspace):
    """A workspace of which a model is edited at the first event of a kind."""

    def edit_at(self, kind: type[Event], alias: str) -> PipelineOrchestrator:
        """Return an orchestrator during whose work the model gets another alias, once."""
        file = self.root / "dbt" / "models" / "named.yml"

        def edit(event: Event) -> None:
            if isinstance(event, kind) and alias not in file.read_text():
                file.write_text(f"models: [{{name: squares, config: {{alias: {alias}}}}}]\n")

        return create_orchestrator(self.config, listeners=[self.events.append, edit])


@pytest.mark.parametrize("kind", [DbtStarted, DbtReady])
def test_an_edit_while_dbt_reads_is_seen(project: Workspace, kind: type[Event]) -> None:
    """What dbt read before, or while, a file was edited does not serve whoever asks afterwards."""
    with Edited(project.root).edit_at(kind, "edited") as orchestrator:
        orchestrator.runner.start()
        assert alias(orchestrator.runner.facts()) == "edited"
        assert orchestrator.runner.known_facts() is not None


def test_an_edit_before_anybody_asked_is_seen(project: Workspace) -> None:
    """A process that was started, and has read the project, is replaced where the project is another by then."""
    with project.orchestrator() as orchestrator:
        orchestrator.runner.start()
        wait_until(lambda: bool(dbt_processes(project.root)), "dbt works for the project")
        (project.root / "dbt" / "models" / "named.yml").write_text("models: []\n")
        assert alias(orchestrator.runner.facts()) == "squares"
        assert orchestrator.runner.run("squares").nodes[0].name == "squares"


def test_files_that_never_rest_are_refused(project: Workspace) -> None:
    """Where something writes to the project each time dbt reads it, that is said instead of a result."""
    file = project.root / "dbt" / "models" / "named.yml"

    def edit(event: Event) -> None:
        if isinstance(event, DbtReady):
            file.write_text(file.read_text() + "\n")

    with create_orchestrator(project.config, listeners=[edit]) as orchestrator:
        with pytest.raises(DbtProjectError, match="changed each time while dbt read them"):
            orchestrator.runner.facts()
        assert orchestrator.runner.pid is None


def test_whoever_asks_for_a_parse_imports_nothing_of_dbt(project: Workspace) -> None:
    """What the dbt process found out comes in types of ours alone; dbt's would bring half a second of imports along."""
    shutil.rmtree(project.root / "var" / "dbt")
    program = (
        "import sys\n"
        "from orchestrator import create_orchestrator\n"
        f"with create_orchestrator({str(project.config)!r}) as orchestrator:\n"
        "    print(len(orchestrator.runner.facts().nodes), sorted({'dbt', 'dbt_common'} & {*sys.modules}))\n"
    )
    out, err = project.python(program).communicate(timeout=120)
    assert out.split(maxsplit=1)[1:] == ["[]\n"], (out, err)


@pytest.mark.parametrize("name", ["replay", "ephemeral", "reservoir"])
def test_every_copy_of_a_parse_is_the_same(
    fresh: Callable[[str], Workspace], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that come from a pickle are what unpacking the parse gives, object by object, and share nothing."""
    monkeypatch.setattr(dbt.mp_context, "_MP_CONTEXT", ThreadLocks())
    [packed] = (fresh(name).root / "var" / "dbt").glob("facts-*.msgpack")
    copies = Copies(packed.read_bytes())
    plain, second, third, fourth = (copies.another() for _ in range(4))
    assert copies._pickled is not None
    for copy in (second, third, fourth):
        assert _held(copy) == _held(plain)
    assert pack(fourth) == pack(plain)
    third.nodes.clear()
    next(iter(fourth.macros.values())).macro_sql = "changed"
    assert _held(copies.another()) == _held(plain)


def _held(value: object) -> object:
    """Return what an object holds, with the types of all of it, in its order."""
    if isinstance(value, dict):
        return type(value), [(_held(key), _held(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return type(value), [_held(item) for item in value]
    if isinstance(value, (str, bytes, int, float, type(None), datetime, Enum)):
        return type(value), value
    held = getattr(value, "__dict__", None)
    assert held is not None or type(value).__name__ == "lock", type(value)
    return type(value), None if held is None else sorted((name, _held(item)) for name, item in held.items())
