"""Sweeps, and which runs are members of one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and two columns; earlier runs are members of no sweep."""
    op.add_column("workflow_runs", sa.Column("sweep", sa.Text))
    op.add_column("workflow_runs", sa.Column("member", sa.Text))
    op.create_index("workflow_runs_by_sweep", "workflow_runs", ["sweep", "started_at"])
    op.create_table(
        "sweeps",
        sa.Column("workflow_name", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True)),
        sa.Column("duration_seconds", sa.Float),
    )
