"""The outbox: events, committed together with the changes that they report (contract, section 8.1).

To add an event, see docs/adding-an-event.md.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant


class EventType(StrEnum):
    """Every type of event, in the order of the document. The part before the dot names the entity."""

    ORDER_CREATED = "order.created"
    ORDER_STATUS_CHANGED = "order.status_changed"
    ORDER_SHIPPED = "order.shipped"
    ORDER_CANCELLED = "order.cancelled"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_UPDATED = "customer.updated"
    PRODUCT_CREATED = "product.created"
    PRODUCT_UPDATED = "product.updated"
    PRODUCT_DELETED = "product.deleted"
    PRODUCT_LOW_STOCK = "product.low_stock"
    INVOICE_PAID = "invoice.paid"
    RETURN_CREATED = "return.created"
    RETURN_APPROVED = "return.approved"
    RETURN_REJECTED = "return.rejected"
    RETURN_RECEIVED = "return.received"
    REFUND_PROCESSED = "refund.processed"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    CREDIT_NOTE_VOIDED = "credit_note.voided"
    WEBHOOK_TEST = "webhook.test"  # sent to one webhook on request


SUBSCRIBABLE = [event for event in EventType if event is not EventType.WEBHOOK_TEST]
# Webhooks can subscribe to these; this version does not publish them.
RESERVED = {EventType.INVOICE_PAID}
RETENTION_DAYS = 30


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
