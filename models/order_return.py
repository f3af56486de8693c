"""Returns: items of an order that a customer sends back, and the statuses that may follow a status.

The rules are in section 9.7 of the contract. Not in this module: what is paid back (`models/refund.py`).
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money


class ReturnStatus(StrEnum):
    """The status of a return."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RECEIVED = "RECEIVED"
    REFUNDED = "REFUNDED"


class ReturnReason(StrEnum):
    """Why an item is returned."""

    DAMAGED = "DAMAGED"
    WRONG_ITEM = "WRONG_ITEM"
    NOT_AS_DESCRIBED = "NOT_AS_DESCRIBED"
    EXPIRED = "EXPIRED"
    OVER_ORDERED = "OVER_ORDERED"
    OTHER = "OTHER"


NEXT_RETURN_STATUSES: dict[ReturnStatus, frozenset[ReturnStatus]] = {
    ReturnStatus.REQUESTED: frozenset({ReturnStatus.APPROVED, ReturnStatus.REJECTED}),
    ReturnStatus.APPROVED: frozenset({ReturnStatus.RECEIVED, ReturnStatus.REJECTED}),
    ReturnStatus.REJECTED: frozenset(),
    ReturnStatus.RECEIVED: frozenset({ReturnStatus.REFUNDED}),
    ReturnStatus.REFUNDED: frozenset(),
}
RECEIVED_STATUSES = (ReturnStatus.RECEIVED, ReturnStatus.REFUNDED)  # of returns that have received quantities
STATUSES = ", ".join(f"'{status}'" for status in ReturnStatus)
HAS_EXTERNAL_ID = text("external_id IS NOT NULL")


class Return(Base):
    """A return. `refunded_amount` is the sum of its refunds that are not void."""

    __tablename__ = "returns"
    __table_args__ = (
        UniqueConstraint("company_id", "id"),  # referenced by items and refunds
        ForeignKeyConstraint(["company_id", "order_id"], ["orders.company_id", "orders.id"]),
        ForeignKeyConstraint(["company_id", "customer_id"], ["customers.company_id", "customers.id"]),
        CheckConstraint(f"status IN ({STATUSES})", name="status"),
        CheckConstraint("refunded_amount >= 0", name="refunded_amount"),
        Index(None, "company_id", "created_at", "id"),
        Index(None, "company_id", "status", "created_at", "id"),
        Index(None, "company_id", "order_id", "created_at", "id"),
        Index(None, "company_id", "customer_id", "created_at", "id"),
        Index(None, "company_id", "updated_at", "created_at", "id"),
        Index(
            "uq_returns_company_id_external_id",
            "company_id",
            "external_id",
            unique=True,
            postgresql_where=HAS_EXTERNAL_ID,
            sqlite_where=HAS_EXTERNAL_ID,
        ),
    )

    company_id: Mapped[str] = mapped_column(Id)
    order_id: Mapped[str] = mapped_column(Id)
    customer_id: Mapped[str | None] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(20), default=ReturnStatus.REQUESTED)
    refunded_amount: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    method: Mapped[str | None] = mapped_column(String(20))  # of the last refund
    reference: Mapped[str | None] = mapped_column(String(255))  # of the last refund
    notes: Mapped[str | None] = mapped_column(String(2000))
    external_id: Mapped[str | None] = mapped_column(String(255))
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    requested_at: Mapped[datetime] = mapped_column(Instant)
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    received_at: Mapped[datetime | None] = mapped_column(Instant)
    refunded_at: Mapped[datetime | None] = mapped_column(Instant)
    rejected_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class ReturnItem(Base):
    """An item of a return. The received and restocked quantities are null until the return is received."""

    __tablename__ = "return_items"
    __table_args__ = (
        UniqueConstraint("return_id", "order_item_id"),
        ForeignKeyConstraint(["company_id", "return_id"], ["returns.company_id", "returns.id"]),
        ForeignKeyConstraint(["order_item_id"], ["order_items.id"]),
        CheckConstraint("quantity >= 1", name="quantity"),
        CheckConstraint("received_quantity BETWEEN 0 AND quantity", name="received_quantity"),
        CheckConstraint("restocked_quantity BETWEEN 0 AND received_quantity", name="restocked_quantity"),
    )

    company_id: Mapped[str] = mapped_column(Id)
    return_id: Mapped[str] = mapped_column(Id)
    order_item_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    quantity: Mapped[int] = mapped_column(Integer)
    received_quantity: Mapped[int | None] = mapped_column(Integer)
    restocked_quantity: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str | None] = mapped_column(String(20))
