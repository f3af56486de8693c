"""Refunds of returns; one that is a credit note has a number (contract, section 9.7)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKeyConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money


class RefundMethod(StrEnum):
    """How a return is refunded."""

    CREDIT_NOTE = "CREDIT_NOTE"
    MANUAL = "MANUAL"


class CreditNoteStatus(StrEnum):
    """The status of a credit note, derived from whether it was voided."""

    ISSUED = "ISSUED"
    VOID = "VOID"


IS_CREDIT_NOTE = text("number IS NOT NULL")
IS_VOID = text("voided_at IS NOT NULL")


class Refund(Base):
    """A refund of a return. Only voiding changes it, once: the two columns with `void` in their names.

    `goods` is the value of the received items; tax is calculated from the goods refunded so far. `subtotal`, `tax` and
    `shipping` are what was paid. `number` counts the credit notes of the company from 1, without gaps; it is null for
    the method MANUAL. `lines` are the items as the credit note shows them.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        UniqueConstraint("company_id", "number"),
        ForeignKeyConstraint(["company_id", "order_id"], ["orders.company_id", "orders.id"]),
        ForeignKeyConstraint(["company_id", "return_id"], ["returns.company_id", "returns.id"]),
        ForeignKeyConstraint(["company_id", "customer_id"], ["customers.company_id", "customers.id"]),
        CheckConstraint("total = subtotal + tax + shipping", name="total"),
        CheckConstraint("goods >= 0 AND subtotal >= 0 AND tax >= 0 AND shipping >= 0", name="amounts"),
        CheckConstraint("(method = 'CREDIT_NOTE') = (number IS NOT NULL)", name="number"),
        CheckConstraint("(voided_at IS NULL) = (void_reason IS NULL)", name="void"),
        CheckConstraint("voided_at IS NULL OR number IS NOT NULL", name="voidable"),
        Index(None, "company_id", "order_id", "refunded_at", "id"),
        Index(None, "company_id", "return_id", "refunded_at", "id"),
        Index(None, "company_id", "refunded_at", "voided_at", "total"),  # for the sales report
        Index(None, "company_id", "refunded_at", "id", postgresql_where=IS_VOID, sqlite_where=IS_VOID),
        *(
            Index(
                f"ix_refunds_notes_{name}",
                "company_id",
                *columns,
                "refunded_at",
                "id",
                postgresql_where=IS_CREDIT_NOTE,
                sqlite_where=IS_CREDIT_NOTE,
            )
            for name, columns in (("refunded_at", ()), ("customer_id", ("customer_id",)))
        ),
    )

    company_id: Mapped[str] = mapped_column(Id)
    order_id: Mapped[str] = mapped_column(Id)
    return_id: Mapped[str] = mapped_column(Id)
    customer_id: Mapped[str | None] = mapped_column(Id)
    method: Mapped[str] = mapped_column(String(20))
    number: Mapped[int | None] = mapped_column(BigInteger)
    reference: Mapped[str | None] = mapped_column(String(255))
    goods: Mapped[Decimal] = mapped_column(Money)
    subtotal: Mapped[Decimal] = mapped_column(Money)
    tax: Mapped[Decimal] = mapped_column(Money)
    shipping: Mapped[Decimal] = mapped_column(Money)
    total: Mapped[Decimal] = mapped_column(Money)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    refunded_at: Mapped[datetime] = mapped_column(Instant)
    void_reason: Mapped[str | None] = mapped_column(String(500))
    voided_at: Mapped[datetime | None] = mapped_column(Instant)
