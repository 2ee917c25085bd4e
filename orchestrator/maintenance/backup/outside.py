"""What a backup does not bring back: files that external models wrote outside of the databases."""

from __future__ import annotations

import logging
from pathlib import Path

from orchestrator.core.errors import OrchestratorError
from orchestrator.database.duckdb_file import DuckDBReader
from orchestrator.database.names import SchemaName
from orchestrator.ledger.reading import read_built_tables
from orchestrator.ledger.written_files import writers_recorded
from orchestrator.maintenance.backup.restore import Restored
from orchestrator.maintenance.backup.workspace import DUCKDB

logger = logging.getLogger(__name__)


def files_not_restored(done: Restored, root: Path, ledger_schema: str) -> tuple[str, ...]:
    """Return the names of the models that wrote files, as the ledgers of the restored databases say."""
    metadata = done.backup.metadata
    records = () if metadata is None else metadata.databases
    found: set[str] = set()
    for record in records:
        if record.kind != DUCKDB or record.path is None or record.name not in done.databases:
            continue
        try:
            with DuckDBReader(root / record.path) as reader:
                built = read_built_tables(reader, SchemaName("", ledger_schema))
        except OrchestratorError as error:
            logger.warning("The ledger of %s could not be read: %s", record.name, error)
            continue
        found.update(name for row in built.values() for name in writers_recorded(row.code))
    return tuple(sorted(found))
