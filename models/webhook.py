"""Webhooks, and every attempt to deliver an event to one of them (contract, section 8).

Not in this module: when a delivery is claimed and sent (`app/delivery/queue.py`).
"""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant

WAITING = text("due_at IS NOT NULL")


class Webhook(Base):
    """A URL to which the events of a company are delivered.

    The secret before the last rotation is valid until `secret_rotation_grace_expires_at`. `older_secrets` has the
    secrets before that with their expiries, the latest of which is `older_secrets_expire_at`. `failing_since` is when
    the first failure after the last success was recorded.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        UniqueConstraint("company_id", "id"),  # referenced by deliveries
        CheckConstraint("length(secret) = 38", name="secret"),
        Index(None, "company_id", "created_at", "id"),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    url: Mapped[str] = mapped_column(String(2048))
    events: Mapped[list[str]] = mapped_column(JSON)
    description: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    secret: Mapped[str] = mapped_column(String(38))
    previous_secret: Mapped[str | None] = mapped_column(String(38))
    secret_rotation_grace_expires_at: Mapped[datetime | None] = mapped_column(Instant)
    older_secrets: Mapped[list[tuple[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    older_secrets_expire_at: Mapped[datetime | None] = mapped_column(Instant)
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    failing_since: Mapped[datetime | None] = mapped_column(Instant)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)  # it may have too many deliveries to delete together
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class Delivery(Base):
    """One attempt to deliver one event to one webhook: pending or ended.

    `due_at` is the time from which a worker may claim the delivery; it is null once the attempt has ended. `claims`
    counts how often it was claimed: only the worker with the last claim may record the outcome. `next_attempt_at` is
    for API clients: the planned time of this attempt or, after its failure, of the next one.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["company_id", "webhook_id"], ["webhooks.company_id", "webhooks.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(["event_id"], ["events.id"], ondelete="CASCADE"),
        CheckConstraint("attempt >= 1", name="attempt"),
        CheckConstraint("(due_at IS NULL) = (success IS NOT NULL)", name="over"),
        Index(None, "company_id", "webhook_id", "created_at", "id"),
        Index("ix_deliveries_waiting", "webhook_id", "due_at", "id", postgresql_where=WAITING, sqlite_where=WAITING),
        Index(
            "ix_deliveries_failed",
            "webhook_id",
            "created_at",
            "id",
            postgresql_where=text("NOT success"),
            sqlite_where=text("success = 0"),
        ),
        Index(None, "event_id", "webhook_id"),
    )

    company_id: Mapped[str] = mapped_column(Id)
    webhook_id: Mapped[str] = mapped_column(Id)
    event_id: Mapped[str] = mapped_column(Id)
    event: Mapped[str] = mapped_column(String(40))
    attempt: Mapped[int] = mapped_column(SmallInteger)
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    claims: Mapped[int] = mapped_column(Integer, default=0)
    success: Mapped[bool | None] = mapped_column(Boolean)
    status_code: Mapped[int | None] = mapped_column(SmallInteger)
    response_body: Mapped[str | None] = mapped_column(String(2000))
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    attempted_at: Mapped[datetime | None] = mapped_column(Instant)
    next_attempt_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class AttemptCount(Base):
    """How many attempts of all companies had the outcome `id`. Deliveries expire, so they cannot be counted."""

    __tablename__ = "attempt_counts"

    number: Mapped[int] = mapped_column(BigInteger)
