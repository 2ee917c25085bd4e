"""How the rooms hang together: what may import what, who prints, who reads clocks."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "orchestrator"

# A room may import those before it, never one behind it. Some have a door and no furniture yet.
ROOMS = (
    "core",
    "database",
    "config",
    "storage",
    "listeners",
    "dbt_runner",
    "ledger",
    "self_healing",
    "pipeline",
    "maintenance",
    "scenarios",
    "reports",
    "ui",
    "cli",
)
# The modules beside the rooms, by the last room that they may import: they wire, and are what users import.
WIRING = {
    "wiring": "self_healing",
    "factory": "maintenance",
    "sweeping": "scenarios",
    "__init__": "reports",
    "__main__": "cli",
}
# The same inside the one room that has rooms of its own.
INNER_ROOMS = {"dbt_runner": ("analysis", "project", "adapter", "replay", "process")}
# Who only watches knows little but events.
WATCHERS = {
    "storage": ("core", "config", "storage"),
    "listeners": ("core", "config", "listeners"),
    "cli.progress": ("core", "cli"),
    "reports.time_spent": ("core",),
}
PRINTERS = ("cli", "__main__")
LONGEST = 350
LISTS_OF_DEFINITIONS = ("core.events", "core.errors")
CLOCKS = {
    "time": {
        "time",
        "time_ns",
        "monotonic",
        "monotonic_ns",
        "perf_counter",
        "perf_counter_ns",
        "process_time",
        "sleep",
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
HEAVY = {"dbt", "duckdb", "rich", "sqlalchemy"}


def modules() -> list[Path]:
    """Return every source file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def dotted_name(path: Path) -> str:
    """Name a file as a module below the package: ``dbt_runner.runner``; a room's own ``__init__`` is the room."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def room(module: str) -> str:
    """Return the room that a module is in, its own name where it is beside the rooms."""
    return module.split(".")[0]


def floor(module: str) -> float:
    """Return the floor that a module is on; one that wires is just above the last room that it may import."""
    name = room(module)
    if name in WIRING:
        return ROOMS.index(WIRING[name]) + (0.5 if name != "__init__" else 0.75)
    assert name in ROOMS, f"orchestrator.{module} is in no room; give {name} a floor in ROOMS"
    return ROOMS.index(name)


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def own(name: str) -> str | None:
    """Return the module of ours that an imported name is or lives in, None for other packages."""
    if name.split(".")[0] != "orchestrator":
        return None
    parts = name.split(".")[1:]
    while parts:
        path = PACKAGE.joinpath(*parts)
        if path.with_suffix(".py").is_file() or (path / "__init__.py").is_file():
            return ".".join(parts)
        parts.pop()
    return "__init__"


def imports_of_ours(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and module of every import of another module of ours."""
    for line, name in imported(ast.parse(path.read_text())):
        target = own(name)
        if target is not None:
            yield line, target


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_imports_point_downwards(path: Path) -> None:
    """No room knows anything of those above it."""
    module = dotted_name(path)
    above = [f"{path}:{line}: {target}" for line, target in imports_of_ours(path) if floor(target) > floor(module)]
    assert above == []


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_inner_rooms_have_floors_too(path: Path) -> None:
    """A room that has rooms of its own holds nothing else, and imports in it point downwards."""
    outer, *rest = dotted_name(path).split(".")
    inner = INNER_ROOMS.get(outer)
    if inner is None or not rest:
        return
    assert (rest[0] in inner and len(rest) > 1) or path.name == "__init__.py"
    targets = [(line, target.split(".")) for line, target in imports_of_ours(path) if room(target) == outer]
    assert [
        f"{path}:{line}: {'.'.join(parts)}" for line, parts in targets if inner.index(parts[1]) > inner.index(rest[0])
    ] == []


def test_the_inner_rooms_are_there() -> None:
    """The list names folders, and all of them."""
    for outer, inner in INNER_ROOMS.items():
        assert {path.parent.name for path in (PACKAGE / outer).glob("*/__init__.py")} == set(inner)
        assert [path.name for path in (PACKAGE / outer).glob("*.py")] == ["__init__.py"]


def test_watchers_know_little() -> None:
    """Those who only watch a run import events, and nothing that could steer it."""
    for path in modules():
        watcher = next((name for name in WATCHERS if inside(dotted_name(path), (name,))), None)
        if watcher is not None:
            assert [target for _, target in imports_of_ours(path) if not inside(target, WATCHERS[watcher])] == []


def test_no_module_is_long() -> None:
    """A module has one reason to change, and fits into a head; lists of definitions may be longer."""
    lines = {dotted_name(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: count for name, count in lines.items() if count > LONGEST and name not in LISTS_OF_DEFINITIONS} == {}


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def inside(module: str, names: tuple[str, ...]) -> bool:
    """Tell whether a module is one of the named rooms or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    """A library neither prints, writes to the terminal, exits nor changes the working folder."""
    if inside(dotted_name(path), PRINTERS):
        return
    forbidden = {
        "print",
        "exit",
        "quit",
        "sys.exit",
        "sys.stdout.write",
        "sys.stderr.write",
        "os.chdir",
        "input",
    }
    forbidden |= {"logging.basicConfig", "contextlib.chdir"}
    wrong = [f"{path}:{line} {name}" for line, name in calls(ast.parse(path.read_text())) if name in forbidden]
    # The worker is a program of its own, which begins before it is told for which project.
    if dotted_name(path) == "dbt_runner.process.worker":
        wrong = [entry for entry in wrong if not entry.endswith(" os.chdir")]
    assert wrong == []


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_only_one_module_reads_clocks(path: Path) -> None:
    """Whoever needs the time asks core/clocks.py, so that a test can hold the clock in one place."""
    if dotted_name(path) == "core.clocks":
        return
    tree = ast.parse(path.read_text())
    wrong = [f"{path}:{line} imports {name}" for line, name in imported(tree) if name.split(".")[0] == "time"]
    for line, name in calls(tree):
        above, _, last = name.rpartition(".")
        if last in CLOCKS.get(above.rpartition(".")[2], set()):
            wrong.append(f"{path}:{line} calls {name}")
    assert wrong == []


def test_the_rules_can_be_broken() -> None:
    """The readers above see what they are there to see."""
    tree = ast.parse("import time\nprint(datetime.now())\n")
    assert (1, "time") in set(imported(tree))
    assert own("orchestrator.core.events.Event") == "core.events"
    assert {name for _, name in calls(tree)} == {"print", "datetime.now"}
    assert floor("core.errors") < floor("ledger.reading") < floor("pipeline.workflow") < floor("cli.simulate")


def test_importing_the_package_is_light() -> None:
    """``import orchestrator`` in a new process brings none of the slow libraries along."""
    code = f"import orchestrator, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_a_check_needs_neither_dbt_nor_jinja() -> None:
    """The health check reads what the last parse found; libraries that only a parse needs stay unread."""
    code = "import orchestrator.reports.check, sys; print(sorted({'dbt', 'jinja2', 'sqlalchemy'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.strip() == "[]"


def test_every_module_begins_with_a_docstring_and_future_annotations() -> None:
    """Each file says what it is, and its annotations cost nothing."""
    for path in modules():
        text = path.read_text()
        tree = ast.parse(text)
        assert ast.get_docstring(tree), path
        if len(tree.body) > 1:
            assert "from __future__ import annotations" in text, path
