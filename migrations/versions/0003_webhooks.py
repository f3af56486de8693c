"""Webhooks and their deliveries; events store the id of the request that caused them."""

import sqlalchemy as sa
from alembic import op

from migrations.column_types import Id, Instant

revision = "0003"
down_revision = "0002"

IS_PENDING = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Create the tables of delivery."""
    op.add_column("events", sa.Column("request_id", sa.String(128)))
    op.create_index("ix_events_company_id_type_created_at_id", "events", ["company_id", "type", "created_at", "id"])
    _webhooks()
    _deliveries()


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("url", sa.String(2048), nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("secret", sa.String(38), nullable=False),
        sa.Column("previous_secret", sa.String(38)),
        sa.Column("secret_rotation_grace_expires_at", Instant),
        sa.Column("event_sequence", sa.BigInteger, nullable=False),
        sa.Column("failing_since", Instant),
        sa.Column("deleted_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name="fk_webhooks_company_id"),
        sa.UniqueConstraint("company_id", "id", name="uq_webhooks_company_id_id"),
        sa.CheckConstraint("length(secret) = 38", name=op.f("ck_webhooks_secret")),
    )
    op.create_index("ix_webhooks_company_id_created_at_id", "webhooks", ["company_id", "created_at", "id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Id, nullable=False),
        sa.Column("company_id", Id, nullable=False),
        sa.Column("webhook_id", Id, nullable=False),
        sa.Column("event_id", Id, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("attempt", sa.SmallInteger, nullable=False),
        sa.Column("due_at", Instant),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("success", sa.Boolean),
        sa.Column("status_code", sa.SmallInteger),
        sa.Column("response_body", sa.String(2000)),
        sa.Column("duration_ms", sa.Integer),
        sa.Column("attempted_at", Instant),
        sa.Column("next_attempt_at", Instant),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["company_id", "webhook_id"],
            ["webhooks.company_id", "webhooks.id"],
            name="fk_deliveries_company_id_webhook_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_deliveries_event_id", ondelete="CASCADE"),
        sa.CheckConstraint("attempt >= 1", name=op.f("ck_deliveries_attempt")),
        sa.CheckConstraint("(due_at IS NULL) = (success IS NOT NULL)", name=op.f("ck_deliveries_over")),
    )
    columns = ["company_id", "webhook_id", "created_at", "id"]
    op.create_index("ix_deliveries_company_id_webhook_id_created_at_id", "deliveries", columns)
    op.create_index("ix_deliveries_event_id_webhook_id", "deliveries", ["event_id", "webhook_id"])
    columns = ["webhook_id", "due_at", "id"]
    op.create_index(
        "ix_deliveries_waiting", "deliveries", columns, postgresql_where=IS_PENDING, sqlite_where=IS_PENDING
    )
    op.create_index(
        "ix_deliveries_failed",
        "deliveries",
        ["webhook_id", "created_at", "id"],
        postgresql_where=sa.text("NOT success"),
        sqlite_where=sa.text("success = 0"),
    )
