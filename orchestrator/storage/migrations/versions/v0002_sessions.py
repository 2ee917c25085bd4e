"""The process of a run, what it goes on from, and the versions it was made with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table and two columns; earlier runs have no versions."""
    op.add_column("workflow_runs", sa.Column("resumed_from", sa.String(36)))
    op.add_column("workflow_runs", sa.Column("versions", sa.JSON, nullable=False, server_default="{}"))
    op.create_table(
        "session_state",
        sa.Column("run_id", sa.String(36), sa.ForeignKey("workflow_runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("process_started", sa.Text),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )
