"""Shipments: which items of an order left in which quantities, and how (contract, section 9.7)."""

from datetime import datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKeyConstraint, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant


class Shipment(Base):
    """A shipment of an order."""

    __tablename__ = "shipments"
    __table_args__ = (
        UniqueConstraint("company_id", "id"),  # referenced by its items
        ForeignKeyConstraint(["company_id", "order_id"], ["orders.company_id", "orders.id"]),
        Index(None, "company_id", "order_id", "created_at", "id"),
    )

    company_id: Mapped[str] = mapped_column(Id)
    order_id: Mapped[str] = mapped_column(Id)
    carrier: Mapped[str | None] = mapped_column(String(100))
    tracking_numbers: Mapped[list[str]] = mapped_column(JSON)
    tracking_url: Mapped[str | None] = mapped_column(String(2048))
    shipped_at: Mapped[datetime] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class ShipmentItem(Base):
    """The shipped quantity of an item of the order."""

    __tablename__ = "shipment_items"
    __table_args__ = (
        UniqueConstraint("shipment_id", "order_item_id"),
        ForeignKeyConstraint(["company_id", "shipment_id"], ["shipments.company_id", "shipments.id"]),
        ForeignKeyConstraint(["order_item_id"], ["order_items.id"]),
        CheckConstraint("quantity >= 1", name="quantity"),
    )

    company_id: Mapped[str] = mapped_column(Id)
    shipment_id: Mapped[str] = mapped_column(Id)
    order_item_id: Mapped[str] = mapped_column(Id)
    position: Mapped[int] = mapped_column(Integer)
    quantity: Mapped[int] = mapped_column(Integer)
