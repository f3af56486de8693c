"""The outbox: events that committed with the change they tell of (contract, section 8.1)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant


class EventType(StrEnum):
    """Everything a webhook can subscribe to."""

    ORDER_CREATED = "order.created"
    ORDER_STATUS_CHANGED = "order.status_changed"
    ORDER_SHIPPED = "order.shipped"
    ORDER_CANCELLED = "order.cancelled"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_UPDATED = "customer.updated"
    PRODUCT_UPDATED = "product.updated"
    PRODUCT_LOW_STOCK = "product.low_stock"
    INVOICE_PAID = "invoice.paid"
    RETURN_CREATED = "return.created"
    RETURN_APPROVED = "return.approved"
    REFUND_PROCESSED = "refund.processed"


TEST_EVENT = "webhook.test"  # sent to one webhook on request; nothing can subscribe to it
KEPT_DAYS = 30


class Event(Base):
    """One event. `payload` is the exact JSON that receivers get; `sequence` grows by one for each entity."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("company_id", "entity_id", "sequence"),
        Index(None, "company_id", "created_at", "id"),
        Index(None, "company_id", "type", "created_at", "id"),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    type: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[str] = mapped_column(Id)
    sequence: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(String(128))  # of the request that caused it
    created_at: Mapped[datetime] = mapped_column(Instant)
