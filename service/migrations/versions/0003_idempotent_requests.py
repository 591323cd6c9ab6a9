"""Replies to requests with an `Idempotency-Key`."""

import sqlalchemy as sa
from alembic import op

from service.tables import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "idempotent_requests",
        sa.Column("caller", sa.String(16), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.Text),
        sa.Column("created_at", UtcDateTime(), nullable=False, index=True),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("idempotent_requests")
