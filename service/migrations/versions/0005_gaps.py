"""Curated answers, and what was decided about gaps."""

import sqlalchemy as sa
from alembic import op

from service.tables import UtcDateTime

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the tables, and the index that hits are counted by."""
    op.create_table(
        "curated_answers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("assistant", sa.String(100), nullable=False, index=True),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("alternatives", sa.JSON, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("sources", sa.JSON, nullable=False),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("valid_from", UtcDateTime()),
        sa.Column("valid_until", UtcDateTime()),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(16), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(16), nullable=False),
        sa.Column("retired_at", UtcDateTime()),
        sa.Column("past_hits", sa.Integer, nullable=False),
    )
    op.create_table(
        "gap_decisions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("assistant", sa.String(100), nullable=False, index=True),
        sa.Column("gap", sa.String(16), nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("askers", sa.Integer, nullable=False),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("curated_id", sa.String(64)),
        sa.Column("passage", sa.Text),
        sa.Column("expected", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(16), nullable=False),
    )
    is_curated = sa.text("reason = 'curated'")
    op.create_index(
        "answers_curated", "answers", ["generator"], sqlite_where=is_curated, postgresql_where=is_curated
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("answers_curated", "answers")
    for table in ("gap_decisions", "curated_answers"):
        op.drop_table(table)
