"""Keys, answers and feedback."""

import sqlalchemy as sa
from alembic import op

from service.tables import UtcDateTime

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "api_keys",
        sa.Column("public_id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("secret_sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("conversation_id", sa.String(64), nullable=False, index=True),
        sa.Column("caller", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(64), index=True),
        sa.Column("assistant", sa.String(100), nullable=False),
        sa.Column("variant", sa.String(100), nullable=False),
        sa.Column("experiment", sa.String(100)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("finish_reason", sa.String(32), nullable=False),
        sa.Column("degraded", sa.Boolean, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("citations", sa.JSON, nullable=False),
        sa.Column("verdicts", sa.JSON, nullable=False),
        sa.Column("timings", sa.JSON, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("collection", sa.String(100), nullable=False),
        sa.Column("release_id", sa.String(64), nullable=False),
        sa.Column("release_digest", sa.String(64), nullable=False),
        sa.Column("prompt_digest", sa.String(16), nullable=False),
        sa.Column("generator", sa.String(200), nullable=False),
        sa.Column("adapter", sa.String(200)),
        sa.Column("scope_digest", sa.String(16), nullable=False),
    )
    op.create_index("answers_created", "answers", ["created_at"])
    op.create_table(
        "feedback",
        sa.Column("event_id", sa.String(36), primary_key=True),
        sa.Column("idempotency_key", sa.String(200), unique=True),
        sa.Column("answer_id", sa.String(36), nullable=False, index=True),
        sa.Column("caller", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("value", sa.String(16)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("feedback", "answers", "api_keys"):
        op.drop_table(table)
