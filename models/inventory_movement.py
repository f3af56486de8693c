"""The ledger of stock: every change of a product's stock is one row that never changes (contract, section 9.3).

The database rejects changes to a row, and writes one itself for a change of stock that is not recorded: see revision
0009.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant

MAX_STOCK = 10**12  # far above every real stock; the sum of a million products still has 64 bits


class MovementReason(StrEnum):
    """Why stock changed. The first twelve are for adjustments, the others are set by the server only."""

    RECEIVED = "RECEIVED"
    RETURNED = "RETURNED"
    DAMAGED = "DAMAGED"
    LOST = "LOST"
    STOLEN = "STOLEN"
    EXPIRED = "EXPIRED"
    SAMPLE = "SAMPLE"
    INTERNAL_USE = "INTERNAL_USE"
    VENDOR_RETURN = "VENDOR_RETURN"
    COUNT = "COUNT"
    CORRECTION = "CORRECTION"
    OTHER = "OTHER"
    SALE = "SALE"
    CANCELLATION = "CANCELLATION"
    RETURN = "RETURN"
    IMPORT = "IMPORT"
    OPENING = "OPENING"


INCREASING_REASONS = frozenset({MovementReason.RECEIVED, MovementReason.RETURNED})
DECREASING_REASONS = frozenset(
    {
        MovementReason.DAMAGED,
        MovementReason.LOST,
        MovementReason.STOLEN,
        MovementReason.EXPIRED,
        MovementReason.SAMPLE,
        MovementReason.INTERNAL_USE,
        MovementReason.VENDOR_RETURN,
    }
)
COUNT_REASONS = frozenset({MovementReason.COUNT, MovementReason.CORRECTION})
SERVER_REASONS = frozenset(
    {
        MovementReason.SALE,
        MovementReason.CANCELLATION,
        MovementReason.RETURN,
        MovementReason.IMPORT,
        MovementReason.OPENING,
    }
)
OPENING_SEQUENCE = 0


class InventoryMovement(Base):
    """A movement. `sequence` numbers those of a product without gaps, starting with the opening row, which is 0.

    There is no foreign key: the opening row of a deleted product stays, and a data-only restore loads movements first.
    """

    __tablename__ = "inventory_movements"
    __table_args__ = (
        CheckConstraint("stock_after = stock_before + delta", name="delta"),
        CheckConstraint("stock_before >= 0 AND stock_after >= 0", name="stock"),
        CheckConstraint("actor_type IN ('API_KEY', 'USER', 'SYSTEM')", name="actor_type"),
        Index(None, "company_id", "created_at", "id"),
        Index(None, "company_id", "product_id", "created_at", "id"),
        Index(None, "company_id", "reason", "created_at", "id"),
        Index(
            "ix_inventory_movements_order",
            "company_id",
            "order_id",
            "created_at",
            "id",
            postgresql_where=text("order_id IS NOT NULL"),
            sqlite_where=text("order_id IS NOT NULL"),
        ),
        Index(
            "ix_inventory_movements_reference",
            "company_id",
            "reference",
            "created_at",
            "id",
            postgresql_where=text("reference IS NOT NULL"),
            sqlite_where=text("reference IS NOT NULL"),
        ),
        Index(
            "uq_inventory_movements_opening",
            "company_id",
            "product_id",
            unique=True,
            postgresql_where=text("sequence = 0"),
            sqlite_where=text("sequence = 0"),
        ),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    product_id: Mapped[str] = mapped_column(Id)
    sequence: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(20))
    delta: Mapped[int] = mapped_column(BigInteger)
    stock_before: Mapped[int] = mapped_column(BigInteger)
    stock_after: Mapped[int] = mapped_column(BigInteger)
    reference: Mapped[str | None] = mapped_column(String(255))
    note: Mapped[str | None] = mapped_column(String(500))
    order_id: Mapped[str | None] = mapped_column(Id)
    return_id: Mapped[str | None] = mapped_column(Id)
    actor_type: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(100))
    request_id: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(Instant)
