"""Runs, their steps, states and outputs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "workflow_runs",
        sa.Column("workflow_name", sa.Text, nullable=False),
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("scenario", sa.Text),
        sa.Column("database", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("config_snapshot", sa.JSON, nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False),
        sa.Column("outputs", sa.JSON),
        sa.Column("error_message", sa.Text),
        sa.Column("traceback", sa.Text),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("completed_at", MOMENT),
        sa.Column("duration_seconds", sa.Float),
    )
    op.create_index("workflow_runs_by_name", "workflow_runs", ["workflow_name", "started_at"])
    op.create_index("workflow_runs_by_start", "workflow_runs", ["started_at"])
    op.create_table(
        "workflow_steps",
        _run_id(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("year", sa.Integer),
        sa.Column("stage", sa.Text),
        sa.Column("completed_at", MOMENT),
        sa.Column("seconds", sa.Float),
        sa.Column("detail", sa.Text),
        sa.Column("error", sa.Text),
        sa.Column("traceback", sa.Text),
    )
    op.create_table(
        "execution_states",
        _run_id(),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state_data", sa.JSON, nullable=False),
        sa.Column("node_id", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "workflow_outputs",
        _run_id(),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("value", sa.JSON),
        sa.Column("type", sa.String(32), nullable=False),
    )


def _run_id() -> sa.Column[str]:
    parent = sa.ForeignKey("workflow_runs.id", ondelete="CASCADE")
    return sa.Column("run_id", sa.String(36), parent, primary_key=True)
