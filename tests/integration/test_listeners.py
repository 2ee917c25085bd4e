"""Listeners that tell other programs, each with its real library and a receiver on this machine."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import create_orchestrator
from orchestrator.config.simulation import SimulationConfig
from orchestrator.core.clocks import stopwatch
from orchestrator.core.datasets import Dataset, DatasetsOf, NodeDatasets, no_datasets
from orchestrator.core.errors import ConfigurationError, MissingExtraError
from orchestrator.core.events import Event, RunFinished, StepFinished
from orchestrator.core.masking import masked
from orchestrator.listeners.background import MOST_WAITING, BackgroundListener
from orchestrator.listeners.configured import configured_listeners
from tests.support.receivers import deaf, nobody, receiving
from tests.support.workspaces import Workspace
from tests.unit.test_work_tree import RUN, at, begin, story

Listener = Callable[[Event], None]
WARNING = "orchestrator.listeners.background"


def lakes(unique_id: str) -> NodeDatasets:
    """Know of one node what it reads and writes."""
    if unique_id != "model.lakes.inflow":
        return NodeDatasets()
    rain = Dataset("duckdb:///lakes.duckdb", "lakes.main.rain")
    inflow = Dataset("duckdb:///lakes.duckdb", "lakes.main.inflow", (("lake", "varchar"), ("volume", None)))
    return NodeDatasets((rain,), (inflow,))


def listener(settings: dict[str, object], tmp_path: Path, known: DatasetsOf = no_datasets) -> Listener:
    """Make the one listener of a section ``listeners``; a busy machine makes it slow, and nothing is lost."""
    ((name, given),) = settings.items()
    assert isinstance(given, dict)
    patient = {name: {"timeout_seconds": 60.0, **given}}
    config = SimulationConfig.from_mapping({"dbt": {"project_dir": "."}, "listeners": patient}, root=tmp_path)
    (found,) = configured_listeners(config, lambda namespace: known)
    return found


def tell(watcher: Listener, events: list[Event]) -> float:
    """Tell a listener events, and return how many seconds it kept us."""
    elapsed = stopwatch()
    for event in events:
        watcher(event)
    return elapsed()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged, by anybody."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def lineage(requests: list[tuple[str, dict[str, str], bytes]]) -> list[dict[str, Any]]:
    """Read OpenLineage events."""
    return [json.loads(body) for _, _, body in requests]


# OpenLineage


def test_openlineage_gets_run_stage_and_nodes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each begins and ends once, with its parent; a node has the relations that it reads and writes."""
    with receiving() as receiver:
        settings = {"url": receiver.url, "namespace": "planning", "api_key": "key-of-the-catalog"}
        tell(listener({"openlineage": settings}, tmp_path, lakes), story())
    assert warnings(caplog) == []
    events = lineage(receiver.requests)
    assert {(path, headers["Authorization"]) for path, headers, _ in receiver.requests} == {
        ("/api/v1/lineage", "Bearer key-of-the-catalog")
    }
    told = [(event["eventType"], event["job"]["name"].removeprefix("my lakes.baseline")) for event in events]
    assert told == [
        ("START", ""),
        ("START", ".model.lakes.shore"),
        ("COMPLETE", ".model.lakes.shore"),
        ("START", ".flows"),
        ("START", ".model.lakes.inflow"),
        ("START", ".model.lakes.outflow"),
        ("COMPLETE", ".model.lakes.outflow"),
        ("COMPLETE", ".model.lakes.inflow"),
        ("COMPLETE", ".flows"),
        ("COMPLETE", ""),
    ]
    assert {event["job"]["namespace"] for event in events} == {"planning"}
    run, inflow, stage = events[0], events[7], events[8]
    assert run["run"]["runId"] == RUN and "parent" not in run["run"]["facets"]
    assert run["eventTime"] == "2026-03-01T12:00:00Z"
    assert stage["run"]["facets"]["parent"]["run"]["runId"] == RUN
    assert inflow["run"]["facets"]["parent"]["run"]["runId"] == stage["run"]["runId"]
    assert inflow["run"]["facets"]["parent"]["job"]["name"] == "my lakes.baseline.flows"
    assert inflow["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2025-01-01T00:00:00Z"
    assert inflow["run"]["facets"]["processing_engine"]["version"] == "1.11.16"
    assert inflow["job"]["facets"]["jobType"]["jobType"] == "MODEL"
    assert [one["name"] for one in inflow["inputs"]] == ["lakes.main.rain"]
    (output,) = inflow["outputs"]
    assert (output["namespace"], output["name"]) == ("duckdb:///lakes.duckdb", "lakes.main.inflow")
    fields = [(field["name"], field.get("type")) for field in output["facets"]["schema"]["fields"]]
    assert fields == [("lake", "varchar"), ("volume", None)]


def test_openlineage_is_told_of_failures(tmp_path: Path) -> None:
    """Node, stage and run fail with the message; what was interrupted is aborted."""
    with receiving() as receiver:
        watcher = listener({"openlineage": {"url": receiver.url}}, tmp_path)
        tell(watcher, story(failing=True))
    failed = [event for event in lineage(receiver.requests) if event["eventType"] == "FAIL"]
    names = [event["job"]["name"].removeprefix("my lakes.baseline") for event in failed]
    assert names == [".model.lakes.inflow", ".flows", ""]
    messages = {event["run"]["facets"]["errorMessage"]["message"] for event in failed}
    assert messages == {"column rain does not exist"}


def test_openlineage_goes_to_a_file_as_well(tmp_path: Path) -> None:
    """A file of the project gets a line for each event; a second run adds to it."""
    watcher = listener({"openlineage": {"file": "var/lineage.jsonl"}}, tmp_path)
    tell(watcher, story())
    tell(watcher, story(run_id="not a uuid"))
    lines = (tmp_path / "var" / "lineage.jsonl").read_text().splitlines()
    assert len(lines) == 20
    assert {json.loads(line)["eventType"] for line in lines} == {"START", "COMPLETE"}


@pytest.mark.parametrize("kind", ["openlineage", "otel", "notifications"])
def test_a_receiver_that_is_gone_is_named_once(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens: the run is not kept, and one warning at its end says so, without a password."""
    url = nobody().replace("//", "//me:s3cr3t-word@")
    settings: dict[str, object] = {"url": url, "timeout_seconds": 3.0}
    if kind == "notifications":
        settings = {"urls": url.replace("http", "json"), "when": ["completed"]}
    seconds = tell(listener({kind: settings}, tmp_path), story())
    assert seconds < 30
    (warning,) = warnings(caplog)
    assert "could not be sent" in warning and "The run itself is not affected." in warning
    assert "s3cr3t-word" not in warning


def test_a_deaf_receiver_costs_a_bounded_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that never answers is waited for once, at the end, and only as long as it is configured."""
    with deaf() as url:
        watcher = listener({"openlineage": {"url": url, "timeout_seconds": 0.5}}, tmp_path)
        *before, end = story()
        assert tell(watcher, before) < 0.5
        assert 1.0 < tell(watcher, [end]) < 10
    (warning,) = warnings(caplog)
    assert "it takes longer than 1.5 seconds" in warning


def test_a_refusing_receiver_is_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What it answers stands in the warning."""
    with receiving(status=403) as receiver:
        tell(listener({"openlineage": {"url": receiver.url}}, tmp_path), story())
    (warning,) = warnings(caplog)
    assert "10 of 10 messages could not be sent" in warning and "403" in warning


# Any of them


class Slow:
    """A sink that takes nothing before it is allowed to."""

    def __init__(self, allowed: threading.Event) -> None:
        self._allowed = allowed

    def messages(self, event: Event) -> list[Event]:
        """Wait before the first one."""
        self._allowed.wait(60)
        return [event]

    def send(self, message: Event) -> None:
        """Drop it."""

    def close(self) -> None:
        """Nothing is open."""


def test_the_queue_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Events that come while too many wait are left out and counted; the end of the run is never left out."""
    gate = threading.Event()
    watcher = BackgroundListener("Test", "nowhere", lambda: Slow(gate), seconds=30)
    watcher(begin())
    for _ in range(MOST_WAITING + 50):
        watcher(
            StepFinished(at=at(1), run_id=RUN, step="s", started_at=at(0), completed_at=at(1), seconds=1, success=True)
        )
    threading.Timer(0.2, gate.set).start()
    watcher(RunFinished(at=at(2), run_id=RUN, status="completed", seconds=2))
    (warning,) = warnings(caplog)
    assert "events came too fast to be sent" in warning


# Notifications


def messages(requests: list[tuple[str, dict[str, str], bytes]]) -> list[tuple[str, str]]:
    """Return kind and text of what Apprise posted as JSON."""
    return [(found["type"], found["message"]) for found in lineage(requests)]


def test_people_are_told_what_they_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A template's places are filled; statuses that nobody asked for are not told, nor is what is outside of runs."""
    healed = StepFinished(
        at=at(2), run_id=RUN, step="verify", started_at=at(1), completed_at=at(2), seconds=1, success=True
    )
    with receiving() as receiver:
        urls = [receiver.url.replace("http", "json")]
        template = "{status}: {scenario} {years}, {seconds} s, {run_id} *{{*"
        settings = {"urls": urls, "when": ["failed", "healed"], "template": template}
        watcher = listener({"notifications": settings}, tmp_path)
        first, *rest = story(failing=True)
        tell(watcher, [healed, first, healed, *rest])
        tell(watcher, story())
    assert warnings(caplog) == []
    assert messages(receiver.requests) == [
        ("info", f"healed: baseline 2025–2026, 2.0 s, {RUN} *{{*"),
        ("failure", f"failed: baseline 2025–2026, 9.0 s, {RUN} *{{*"),
    ]


def test_urls_of_services_are_secrets(tmp_path: Path) -> None:
    """They are in no snapshot of the configuration and in no text that goes through masking."""
    url = "json://hook.example.org/T0K3N/of-ours"
    data = {"dbt": {"project_dir": "."}, "listeners": {"notifications": {"urls": url}, "otel": None}}
    config = SimulationConfig.from_mapping(data, root=tmp_path)
    assert "T0K3N" not in json.dumps(config.snapshot())
    assert masked(f"--set listeners.notifications.urls={url}") == "--set listeners.notifications.urls=***"
    assert config.listeners.notifications is not None and config.listeners.notifications.urls == (url,)


def test_what_is_no_service_is_said_without_its_url(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Apprise knows no such scheme: the number of the URL is told, not the URL, even where nothing was to be sent."""
    settings = {"urls": ["jsun://hook/S3CRET-PATH"], "when": ["failed"]}
    tell(listener({"notifications": settings}, tmp_path), story())
    (warning,) = warnings(caplog)
    assert "Apprise knows no service for number 1" in warning and "S3CRET" not in warning


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"notifications": {"urls": "json://a", "template": "{run.id}"}}, ["template", "{run.id}", "{run_id}"]),
        ({"notifications": {"urls": "json://a", "template": "{status!r}"}}, ["template", "{status}"]),
        ({"notifications": {"urls": "json://a", "template": "{"}}, ["template", "brace"]),
        ({"notifications": {"urls": "sm00th-secret"}}, ["notifications.urls", "Apprise"]),
        ({"notifications": {"urls": []}}, ["notifications.urls", "at least one"]),
        ({"notifications": {"urls": "json://a", "when": ["faild"]}}, ["when[0]", "Did you mean 'failed'?"]),
        ({"openlineage": {}}, ["openlineage.url is missing", "file"]),
        ({"openlineage": {"url": "http://a", "file": "b"}}, ["openlineage.url excludes file"]),
        ({"otel": {"url": "localhost:4318"}}, ["otel.url", "http://"]),
    ],
)
def test_wrong_settings_are_refused(section: dict[str, object], words: list[str], tmp_path: Path) -> None:
    """A wrong listener is a mistake of the configuration; the message names the key and shows no secret."""
    data = {"dbt": {"project_dir": "."}, "listeners": section}
    with pytest.raises(ConfigurationError) as caught:
        SimulationConfig.from_mapping(data, root=tmp_path)
    assert caught.value.exit_code == 2
    for word in words:
        assert word in str(caught.value)
    assert "sm00th" not in str(caught.value)


class Hiding:
    """A finder that comes first and hides one package."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse the package, and leave others to the finders behind."""
        if name == self._name:
            raise ModuleNotFoundError(name=name)


@pytest.mark.parametrize(
    ("name", "settings", "module"),
    [
        ("openlineage", {"url": "http://127.0.0.1:1"}, "openlineage"),
        ("notifications", {"urls": "json://127.0.0.1"}, "apprise"),
        ("otel", {"url": "http://127.0.0.1:1"}, "opentelemetry.exporter.otlp.proto.http"),
    ],
)
def test_a_missing_library_is_named(
    name: str, settings: dict[str, object], module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An orchestrator is not made, and the error says which extra to install."""
    for known in [one for one in sys.modules if one == module or one.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, known)
    monkeypatch.setattr(sys, "meta_path", [Hiding(module), *sys.meta_path])
    with pytest.raises(MissingExtraError) as caught:
        listener({name: settings}, tmp_path)
    assert caught.value.exit_code == 2
    assert f"listeners.{name}" in str(caught.value)
    assert f"pip install 'dbt-year-orchestrator[{name}]'" in str(caught.value)


# Traces


def test_a_trace_has_run_year_stage_and_nodes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The spans form one tree, with the times and the errors of the run."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    with receiving() as receiver:
        settings = {"url": f"{receiver.url}/v1/traces", "headers": {"x-tenant": "tenant-of-ours"}}
        tell(listener({"otel": settings}, tmp_path), story(failing=True))
    assert warnings(caplog) == []
    ((path, headers, body),) = receiver.requests
    assert (path, headers["x-tenant"]) == ("/v1/traces", "tenant-of-ours")
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    spans = [span for scope in resource.scope_spans for span in scope.spans]
    names = {span.span_id: span.name for span in spans}
    assert {span.name: names.get(span.parent_span_id) for span in spans} == {
        "run baseline": None,
        "node shore": "run baseline",
        "year 2025": "run baseline",
        "stage flows": "year 2025",
        "node inflow": "stage flows",
        "node outflow": "stage flows",
    }
    assert len({span.trace_id for span in spans}) == 1
    (inflow,) = [span for span in spans if span.name == "node inflow"]
    assert (inflow.end_time_unix_nano - inflow.start_time_unix_nano) == 2_000_000_000
    assert inflow.status.message == "column rain does not exist"


# With dbt


def test_a_run_with_dbt_tells_all_of_them(fresh: Callable[[str], Workspace]) -> None:
    """A real run of a project is told to all three, with the relations and columns of dbt's own nodes.

    What it leaves below ``var`` is readable to its owner alone, but for the database and its lock.
    """
    workspace = fresh("reservoir")
    with receiving() as receiver:
        overrides = {
            "listeners.openlineage": {"url": receiver.url},
            "listeners.notifications": {"urls": f"{receiver.url}/people".replace("http", "json"), "when": ["healed"]},
            "listeners.otel": {"url": f"{receiver.url}/v1/traces"},
            **{f"listeners.{name}.timeout_seconds": 60.0 for name in ("openlineage", "notifications", "otel")},
        }
        with create_orchestrator(workspace.config, overrides=overrides) as orchestrator:
            result = orchestrator.execute_multi_year_simulation(2000, 2000)
    paths = [path for path, _, _ in receiver.requests]
    assert {"/api/v1/lineage", "/people", "/v1/traces"} == {path.rstrip("/") for path in paths}
    events = lineage([one for one in receiver.requests if one[0] == "/api/v1/lineage"])
    run = [event for event in events if event["run"]["runId"] == result.run_id]
    assert [event["eventType"] for event in run] == ["START", "COMPLETE"]
    (rain,) = [e for e in events if e["job"]["name"].endswith(".seed.reservoir.rain") and e["eventType"] == "COMPLETE"]
    assert rain["outputs"][0]["namespace"] == f"duckdb://{result.database}"
    assert rain["outputs"][0]["name"].endswith(".rain")
    assert rain["outputs"][0]["facets"]["schema"]["fields"]
    inflow = [event for event in events if event["job"]["name"].endswith(".inflow")]
    read = {one["name"].rpartition(".")[2] for event in inflow for one in event["inputs"]}
    assert read == {"lake_shape", "stg_rain"}
    started = [event for event in events if event["eventType"] == "START"]
    assert len(events) == 2 * len(started)
    left = [path for path in (workspace.root / "var").rglob("*") if not path.name.startswith("reservoir.duckdb")]
    assert {"events.jsonl", "orchestrator.db", "dbt"} <= {path.name for path in left}
    assert [path for path in left if path.stat().st_mode & 0o077] == []
