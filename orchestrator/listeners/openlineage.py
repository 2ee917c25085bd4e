"""Tell an OpenLineage receiver of a run: of itself, its stages and their nodes, with what each reads and writes.

https://openlineage.io/docs/spec/object-model: a run, stage or node is a job, and its run has the parent that it
belongs to.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from orchestrator.config.listeners import OpenLineageSettings
from orchestrator.core.datasets import Dataset, DatasetsOf, NodeDatasets
from orchestrator.core.events import Event, RunStarted
from orchestrator.core.permissions import make_folder, touch
from orchestrator.listeners.work import Begun, Ended, Work, WorkTree

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
    from openlineage.client.facet_v2 import DatasetFacet, JobFacet, RunFacet
    from openlineage.client.transport.transport import Transport

PRODUCER = "https://pypi.org/project/dbt-year-orchestrator"
LANGUAGE = "SQL"
TOLD = ("run", "stage", "node")
STATES = {"completed": "COMPLETE", "failed": "FAIL", "skipped": "ABORT", "aborted": "ABORT"}


class OpenLineageSink:
    """Makes OpenLineage events of one run and sends each by itself; ``file`` is the absolute path of the settings'."""

    def __init__(self, settings: OpenLineageSettings, file: Path | None, datasets_of: DatasetsOf) -> None:
        self._transport = _transport(settings, file)
        self._namespace = settings.namespace
        self._datasets_of = datasets_of
        self._tree = WorkTree()
        self._started: RunStarted | None = None

    def messages(self, event: Event) -> Iterable[RunEvent]:
        """Return the events that begin and end runs, stages and nodes; years are told as nominal times of these."""
        if isinstance(event, RunStarted):
            self._started = event
        for change in self._tree.take(event):
            if change.work.kind in TOLD:
                yield self._message(change)

    def send(self, message: RunEvent) -> None:
        """Send one event."""
        self._transport.emit(message)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close(0)

    def _message(self, change: Begun | Ended) -> RunEvent:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

        work = change.work
        state, at = ("START", work.began_at) if isinstance(change, Begun) else (STATES[change.status], change.at)
        found = self._datasets_of(work.unique_id) if work.unique_id is not None else NodeDatasets()
        return RunEvent(
            eventType=RunState(state),
            eventTime=_time(at),
            run=Run(self._run_id(work), self._run_facets(change)),
            job=Job(self._namespace, self._job_name(work), _job_facets(work)),
            inputs=[_input(one) for one in found.inputs],
            outputs=[_output(one) for one in found.outputs],
            producer=PRODUCER,
        )

    def _run_id(self, work: Work) -> str:
        """Return the id of a run; those of stages and nodes follow from it, so that telling twice adds nothing."""
        assert self._started is not None
        try:
            whole = uuid.UUID(self._started.run_id)
        except ValueError:
            whole = uuid.uuid5(uuid.NAMESPACE_URL, self._started.run_id)
        return str(uuid.uuid5(whole, work.key) if work.key else whole)

    def _job_name(self, work: Work) -> str:
        """Return what is the same each time: ``project.scenario``, then the stage, or the node's unique id."""
        assert self._started is not None
        project = PurePath(str(self._started.config.get("root", ""))).name or "simulation"
        inner = work.unique_id or work.stage
        return ".".join(part for part in (project, self._started.scenario, inner) if part)

    def _run_facets(self, change: Begun | Ended) -> dict[str, RunFacet]:
        from openlineage.client.facet_v2 import error_message_run, nominal_time_run, parent_run, processing_engine_run

        assert self._started is not None
        work = change.work
        facets: dict[str, RunFacet] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                str(self._started.versions.get("dbt-core", "unknown")), "dbt", producer=PRODUCER
            )
        }
        if work.above is not None:
            facets["parent"] = parent_run.ParentRunFacet(
                parent_run.Run(self._run_id(_told_above(work))),
                parent_run.Job(self._namespace, self._job_name(_told_above(work))),
                producer=PRODUCER,
            )
        if work.year is not None:
            facets["nominalTime"] = nominal_time_run.NominalTimeRunFacet(
                f"{work.year:04}-01-01T00:00:00Z", f"{work.year:04}-12-31T23:59:59Z", producer=PRODUCER
            )
        if isinstance(change, Ended) and change.status in ("failed", "aborted") and change.error is not None:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(change.error, LANGUAGE, producer=PRODUCER)
        return facets


def _told_above(work: Work) -> Work:
    above = work.above
    while above is not None and above.kind not in TOLD:
        above = above.above
    return above or work


def _transport(settings: OpenLineageSettings, file: Path | None) -> Transport:
    """Make the way that events take; the environment and files of OpenLineage's own are not read."""
    if file is not None:
        from openlineage.client.transport.file import FileConfig, FileTransport

        make_folder(file.parent)
        touch(file)
        return FileTransport(FileConfig(str(file), append=True))
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

    key = settings.api_key
    return HttpTransport(
        HttpConfig(
            url=settings.url or "",
            endpoint=settings.endpoint,
            timeout=settings.timeout_seconds,
            auth=TokenProvider({}) if key is None else ApiKeyTokenProvider({"api_key": key}),
            retry={"total": 0},
        )
    )


def _job_facets(work: Work) -> dict[str, JobFacet]:
    from openlineage.client.facet_v2 import job_type_job

    kind = (work.resource_type or work.kind).upper()
    return {"jobType": job_type_job.JobTypeJobFacet("BATCH", "DBT", kind, producer=PRODUCER)}


def _input(dataset: Dataset) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(dataset.namespace, dataset.name, facets=_dataset_facets(dataset))


def _output(dataset: Dataset) -> OutputDataset:
    from openlineage.client.event_v2 import OutputDataset

    return OutputDataset(dataset.namespace, dataset.name, facets=_dataset_facets(dataset))


def _dataset_facets(dataset: Dataset) -> dict[str, DatasetFacet]:
    from openlineage.client.facet_v2 import schema_dataset

    if not dataset.columns:
        return {}
    fields = [schema_dataset.SchemaDatasetFacetFields(name, kind) for name, kind in dataset.columns]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)}


def _time(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
