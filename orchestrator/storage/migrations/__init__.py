"""Changes of shape of the run history, run by Alembic (see :mod:`orchestrator.storage.initialization`)."""
