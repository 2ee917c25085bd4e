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

# A module may import from lower floors and from its own room, never upwards or sideways.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("exceptions",),
    ("events",),
    ("timing", "masking", "processes", "wording", "database_names"),
    ("config_loading",),
    ("config_errors", "lock_note"),
    ("config_layers",),
    ("config", "locking", "listeners"),
    ("pipeline.hooks",),
    ("pipeline.hook_loading",),
    ("dbt_runner", "storage"),
    ("pipeline.ledger",),
    ("pipeline.ledger_writer",),
    ("self_healing",),
    ("pipeline", "wiring"),
    ("pipeline_orchestrator",),
    ("maintenance",),
    ("factory",),
    ("__init__",),
    ("cli", "ui"),
    ("__main__",),
)
WATCHERS = {
    "listeners": {"events", "exceptions", "timing", "wording", "listeners"},
    "storage": {"events", "exceptions", "timing", "config", "masking", "processes", "storage"},
}
PRINTERS = ("cli", "__main__", "listeners.progress")
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
    """Return the room in FLOORS that a module belongs to, the most exact one."""
    rooms = [name for floor in FLOORS for name in floor]
    found = [name for name in rooms if module == name or module.startswith(f"{name}.")]
    assert found, f"orchestrator.{module} stands on no floor; give it a place in FLOORS"
    return max(found, key=len)


def floor(module: str) -> int:
    """Return the number of the floor a module stands on, counted from the ground."""
    return next(number for number, names in enumerate(FLOORS) if room(module) in names)


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


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_imports_point_downwards(path: Path) -> None:
    """No module knows anything above it or beside it; listeners and storage know little but events."""
    module = dotted_name(path)
    wrong = []
    for line, name in imported(ast.parse(path.read_text())):
        target = own(name)
        if target is None or room(target) == room(module):
            continue
        watcher = WATCHERS.get(room(module))
        if floor(target) >= floor(module) or (watcher is not None and room(target) not in watcher):
            wrong.append(f"{path}:{line} imports {name}")
    assert wrong == []


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every call."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def says(module: str, names: tuple[str, ...]) -> bool:
    """Tell whether a module is one of the named rooms or inside one."""
    return any(module == name or module.startswith(f"{name}.") for name in names)


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    """A library neither prints, writes to the terminal, exits nor changes the working folder."""
    if says(dotted_name(path), PRINTERS):
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
    if dotted_name(path) == "dbt_runner.worker":
        wrong = [entry for entry in wrong if not entry.endswith(" os.chdir")]
    assert wrong == []


@pytest.mark.parametrize("path", modules(), ids=dotted_name)
def test_only_timing_reads_clocks(path: Path) -> None:
    """Whoever needs the time asks timing.py, so that a test can hold the clock in one place."""
    if dotted_name(path) == "timing":
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
    assert own("orchestrator.events.Event") == "events"
    assert {name for _, name in calls(tree)} == {"print", "datetime.now"}
    assert floor("exceptions") < floor("pipeline.hooks") < floor("pipeline.workflow") < floor("cli.simulate")


def test_importing_the_package_is_light() -> None:
    """``import orchestrator`` in a new process brings none of the slow libraries along."""
    code = f"import orchestrator, sys; print(sorted({HEAVY!r} & set(sys.modules)))"
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
