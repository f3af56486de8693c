"""Orders, their items, and the statuses that may follow a status (contract, section 5)."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money


class OrderStatus(StrEnum):
    """The status of an order, from the first to the last."""

    SUBMITTED = "SUBMITTED"
    CONFIRMED = "CONFIRMED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"


NEXT_STATUSES: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.SUBMITTED: frozenset({OrderStatus.CONFIRMED, OrderStatus.CANCELLED}),
    OrderStatus.CONFIRMED: frozenset({OrderStatus.SHIPPED, OrderStatus.CANCELLED}),
    OrderStatus.SHIPPED: frozenset({OrderStatus.DELIVERED}),
    OrderStatus.DELIVERED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
}
STATUSES = ", ".join(f"'{status}'" for status in OrderStatus)


class Order(Base):
    """An order. Its amounts are frozen when it is placed."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("company_id", "id"),  # referenced by other tables
        ForeignKeyConstraint(["company_id", "customer_id"], ["customers.company_id", "customers.id"]),
        CheckConstraint(f"status IN ({STATUSES})", name="status"),
        CheckConstraint("total = subtotal + tax + shipping", name="total"),
        CheckConstraint("subtotal >= 0 AND tax >= 0 AND shipping >= 0", name="amounts"),
        Index(None, "company_id", "created_at", "id"),
        Index(None, "company_id", "status", "created_at", "id", "total"),  # includes the total, for reports
        Index(None, "company_id", "customer_id", "created_at", "id"),
        Index(None, "company_id", "updated_at", "created_at", "id"),
        Index(None, "company_id", "created_at", "customer_id", "status", "total"),  # for the customers report
        Index(
            None,
            "company_id",
            "po_number",
            "created_at",
            "id",
            postgresql_where=text("po_number IS NOT NULL"),
            sqlite_where=text("po_number IS NOT NULL"),
        ),
        Index(
            "uq_orders_company_id_external_id",
            "company_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
            sqlite_where=text("external_id IS NOT NULL"),
        ),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    customer_id: Mapped[str | None] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(20), default=OrderStatus.SUBMITTED)
    po_number: Mapped[str | None] = mapped_column(String(100))
    external_id: Mapped[str | None] = mapped_column(String(255))
    notes: Mapped[str | None] = mapped_column(String(2000))
    shipping_address: Mapped[dict[str, str | None] | None] = mapped_column(JSON(none_as_null=True))
    subtotal: Mapped[Decimal] = mapped_column(Money)
    tax: Mapped[Decimal] = mapped_column(Money)
    shipping: Mapped[Decimal] = mapped_column(Money)
    total: Mapped[Decimal] = mapped_column(Money)
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    has_movements: Mapped[bool | None] = mapped_column(Boolean)  # null: placed before the ledger existed
    has_shipments: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class OrderItem(Base):
    """An item of an order. Its price is frozen when the order is placed."""

    __tablename__ = "order_items"
    __table_args__ = (
        UniqueConstraint("order_id", "position"),
        ForeignKeyConstraint(["company_id", "order_id"], ["orders.company_id", "orders.id"]),
        ForeignKeyConstraint(["company_id", "product_id"], ["products.company_id", "products.id"]),
        Index("ix_order_items_product", "product_id", postgresql_concurrently=True),  # for the deletion of a product
        CheckConstraint("quantity BETWEEN 1 AND 1000000", name="quantity"),
        CheckConstraint("unit_price >= 0", name="unit_price"),
    )

    company_id: Mapped[str] = mapped_column(Id)
    order_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[str] = mapped_column(Id)
    quantity: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[Decimal] = mapped_column(Money)
