"""Notes and tags of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables; earlier runs have neither notes nor tags."""
    op.create_table("run_notes", _run_id(), sa.Column("text", sa.Text, nullable=False))
    op.create_table("run_tags", _run_id(), sa.Column("tag", sa.String(64), primary_key=True))
    op.create_index("run_tags_by_tag", "run_tags", ["tag"])


def _run_id() -> sa.Column[str]:
    parent = sa.ForeignKey("workflow_runs.id", ondelete="CASCADE")
    return sa.Column("run_id", sa.String(36), parent, primary_key=True)
