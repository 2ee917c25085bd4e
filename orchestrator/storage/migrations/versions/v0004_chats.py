"""Conversations in which configurations are made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables; there were no conversations before."""
    op.create_table(
        "chat_sessions",
        sa.Column("session_id", sa.String(36), primary_key=True),
        sa.Column("user_identifier", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("generated_config", sa.JSON),
        sa.Column("status", sa.String(32), nullable=False, server_default="in_progress"),
    )
    op.create_index("chat_sessions_by_user", "chat_sessions", ["user_identifier", "updated_at"])
    parent = sa.ForeignKey("chat_sessions.session_id", ondelete="CASCADE")
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("session_id", sa.String(36), parent, nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("metadata", sa.JSON, nullable=False),
        sa.CheckConstraint("role in ('user', 'assistant')", name="chat_messages_role"),
    )
    op.create_index("chat_messages_by_session", "chat_messages", ["session_id", "id"])
