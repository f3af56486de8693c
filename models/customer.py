"""Customers and their price overrides (contract, section 6)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money, Rate
from models.folding import searchable
from models.price_breaks import PriceBreak, PriceBreaks


class CustomerStatus(StrEnum):
    """The status of a customer. A blocked customer cannot place orders."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


STATUSES = ", ".join(f"'{status}'" for status in CustomerStatus)


def _search_text(context: DefaultExecutionContext) -> str:
    values = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return searchable(*(values.get(column) for column in Customer.searched))


class Customer(Base):
    """A business that orders. Its email address is unique in the company and stored in lower case."""

    __tablename__ = "customers"
    searched = ("email", "name")
    __table_args__ = (
        UniqueConstraint("company_id", "email"),
        UniqueConstraint("company_id", "id"),  # referenced by other tables
        CheckConstraint(f"status IN ({STATUSES})", name="status"),
        CheckConstraint("credit_limit >= 0", name="credit_limit"),
        CheckConstraint("tax_rate_override >= 0", name="tax_rate_override"),
        Index(None, "company_id", "created_at", "id"),
        Index(None, "company_id", "status", "created_at", "id"),
        Index(None, "company_id", "updated_at", "created_at", "id"),
        Index(
            "uq_customers_company_id_external_id",
            "company_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
            sqlite_where=text("external_id IS NOT NULL"),
        ),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    email: Mapped[str] = mapped_column(String(254))
    external_id: Mapped[str | None] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(100))
    status: Mapped[str] = mapped_column(String(20), default=CustomerStatus.ACTIVE)
    notes: Mapped[str | None] = mapped_column(String(2000))
    credit_limit: Mapped[Decimal | None] = mapped_column(Money)
    tax_rate_override: Mapped[Decimal | None] = mapped_column(Rate)
    email_verified: Mapped[bool] = mapped_column(Boolean, default=False)
    search_text: Mapped[str] = mapped_column(Text, default=_search_text)
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class PriceOverride(Base):
    """The price of one product for one customer, which replaces the catalogue price."""

    __tablename__ = "price_overrides"
    __table_args__ = (
        UniqueConstraint("company_id", "customer_id", "product_id"),
        ForeignKeyConstraint(["company_id", "customer_id"], ["customers.company_id", "customers.id"]),
        ForeignKeyConstraint(["company_id", "product_id"], ["products.company_id", "products.id"]),
        CheckConstraint("price >= 0", name="price"),
        Index("ix_price_overrides_customer", "company_id", "customer_id", "created_at", "product_id"),
        Index(None, "company_id", "product_id"),  # for the deletion of a product
    )

    company_id: Mapped[str] = mapped_column(Id)
    customer_id: Mapped[str] = mapped_column(Id)
    product_id: Mapped[str] = mapped_column(Id)
    price: Mapped[Decimal] = mapped_column(Money)
    price_breaks: Mapped[tuple[PriceBreak, ...]] = mapped_column(PriceBreaks, nullable=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime | None] = mapped_column(Instant)  # null: never updated, or by an earlier version
