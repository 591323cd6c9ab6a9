"""Experiments with their epochs, exposures and alarms; answers say what experiments count; feedback as a full event."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from service.tables import UtcDateTime

revision = "0004"
down_revision = "0003"

_NEW = ("experiments", "experiment_epochs", "exposures", "experiment_alarms", "model_fingerprints")


def _of_answers() -> list[sa.Column[Any]]:
    return [
        sa.Column("variant_digest", sa.String(16)),
        sa.Column("arm", sa.String(60)),
        sa.Column("epoch", sa.Integer),
        sa.Column("stage", sa.String(16)),
        sa.Column("unit", sa.String(80)),
        sa.Column("propensity", sa.Float),
        sa.Column("sentences", sa.Integer),
        sa.Column("unsupported", sa.Integer),
        sa.Column("first_token_s", sa.Float),
        sa.Column("total_s", sa.Float),
        sa.Column("cost", sa.Float),
        sa.Column("failures", sa.Integer),
    ]


def _of_events() -> list[sa.Column[Any]]:
    # Events that are there already are thumbs of people who read an answer.
    return [
        sa.Column("conversation_id", sa.String(64)),
        sa.Column("actor", sa.String(64), nullable=False, server_default=""),
        sa.Column("actor_kind", sa.String(16), nullable=False, server_default="end_user"),
        sa.Column("reasons", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("comment", sa.Text),
        sa.Column("correction", sa.Text),
        sa.Column("target", sa.String(80), nullable=False, server_default="answer"),
        sa.Column("supersedes", sa.String(36)),
        sa.Column("observed_at", UtcDateTime()),
        sa.Column("source", sa.String(16), nullable=False, server_default="api"),
        sa.Column("consent", sa.String(16), nullable=False, server_default="none"),
        sa.Column("suspect", sa.String(64)),
    ]


def upgrade() -> None:
    """Create the tables, and add the columns."""
    _create_experiments()
    for column in _of_answers():
        op.add_column("answers", column)
    op.create_index("answers_of_experiment", "answers", ["experiment", "created_at"])
    with op.batch_alter_table("feedback") as table:
        for column in _of_events():
            table.add_column(column)
    op.execute("update feedback set observed_at = received_at")
    with op.batch_alter_table("feedback") as table:
        table.alter_column("observed_at", nullable=False)
    op.create_index("feedback_received", "feedback", ["received_at"])
    slot = ["answer_id", "actor", "kind", "target", "observed_at", "event_id"]
    op.create_index("feedback_slot", "feedback", slot)
    op.create_index("ix_feedback_conversation_id", "feedback", ["conversation_id"])


def _create_experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("declared", sa.JSON, nullable=False),
        sa.Column("digest", sa.String(16), nullable=False),
        sa.Column("variants", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(16), nullable=False),
    )
    op.create_table(
        "experiment_epochs",
        sa.Column("experiment", sa.String(100), primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("coverage", sa.Float, nullable=False),
        sa.Column("weights", sa.JSON, nullable=False),
        sa.Column("begins_at", UtcDateTime(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "exposures",
        sa.Column("experiment", sa.String(100), primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("unit", sa.String(80), primary_key=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("arm", sa.String(60), nullable=False),
        sa.Column("variant", sa.String(100), nullable=False),
        sa.Column("variant_digest", sa.String(16), nullable=False),
        sa.Column("propensity", sa.Float, nullable=False),
        sa.Column("answer_id", sa.String(36), nullable=False),
        sa.Column("caller", sa.String(16), nullable=False),
    )
    op.create_table(
        "experiment_alarms",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("experiment", sa.String(100), nullable=False, index=True),
        sa.Column("arm", sa.String(60)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "model_fingerprints",
        sa.Column("model", sa.String(300), primary_key=True),
        sa.Column("prompts", sa.String(16), primary_key=True),
        sa.Column("fingerprint", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
    )


def downgrade() -> None:
    """Drop them, and remove the columns."""
    op.drop_index("ix_feedback_conversation_id", "feedback")
    op.drop_index("feedback_slot", "feedback")
    op.drop_index("feedback_received", "feedback")
    with op.batch_alter_table("feedback") as table:
        for column in _of_events():
            table.drop_column(column.name)
    op.drop_index("answers_of_experiment", "answers")
    with op.batch_alter_table("answers") as table:
        for column in _of_answers():
            table.drop_column(column.name)
    for table_name in _NEW:
        op.drop_table(table_name)
