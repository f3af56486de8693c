"""An import of products while it runs, and its changes until they are applied (contract, section 11).

Not in this module: the steps of an import (`app/product_import/importer.py`).
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money
from models.price_breaks import PriceBreak, PriceBreaks


class ImportState(StrEnum):
    """The progress of an import. From APPLYING on, it is always completed, if necessary by another process."""

    STAGING = "STAGING"
    APPLYING = "APPLYING"
    DONE = "DONE"


class ProductImport(Base):
    """A running import, at most one for each company. If its lease has expired, its process was killed.

    `claims` is the fencing token: only the process that claimed the import last may continue it. The rows up to
    `applied_to` are applied; `created`, `updated` and `unchanged` count their results.
    """

    __tablename__ = "product_imports"
    __table_args__ = (
        UniqueConstraint("company_id"),
        CheckConstraint("state IN ('STAGING', 'APPLYING', 'DONE')", name="state"),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    state: Mapped[str] = mapped_column(String(10), default=ImportState.STAGING)
    claims: Mapped[int] = mapped_column(Integer, default=1)
    lease_ends_at: Mapped[datetime] = mapped_column(Instant)
    applied_to: Mapped[str] = mapped_column(Id, default="")
    created: Mapped[int] = mapped_column(Integer, default=0)
    updated: Mapped[int] = mapped_column(Integer, default=0)
    unchanged: Mapped[int] = mapped_column(Integer, default=0)
    actor_type: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(100))
    request_id: Mapped[str] = mapped_column(String(128))


class ProductImportRow(Base):
    """One product to create or update: the fields that the file sets, and all fields after the change.

    The id is also that of the audit entry, the movement and the event. The fields, the details of the audit entry and
    the events are valid while the product has the stock and the `updated_at` of the comparison. Columns that the
    previous version does not write may be null.
    """

    __tablename__ = "product_import_rows"
    __table_args__ = (UniqueConstraint("import_id", "place"),)

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    import_id: Mapped[str] = mapped_column(Id, ForeignKey("product_imports.id"))
    place: Mapped[str] = mapped_column(
        Id
    )  # the position among the rows of the import: the order in which they are applied
    product_id: Mapped[str] = mapped_column(Id)
    is_new: Mapped[bool] = mapped_column(Boolean)
    seen_stock: Mapped[int | None] = mapped_column(BigInteger)
    seen_updated_at: Mapped[datetime | None] = mapped_column(Instant)
    given: Mapped[dict[str, object]] = mapped_column(JSON)
    details: Mapped[dict[str, object]] = mapped_column(JSON)
    event: Mapped[str | None] = mapped_column(Text)  # JSON; the time and the sequence are inserted when it is applied
    low_stock_id: Mapped[str | None] = mapped_column(Id)
    low_stock_event: Mapped[str | None] = mapped_column(Text)
    sku: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(String(2000))
    category: Mapped[str | None] = mapped_column(String(100))
    unit: Mapped[str] = mapped_column(String(50))
    price: Mapped[Decimal] = mapped_column(Money)
    stock: Mapped[int] = mapped_column(BigInteger)
    is_active: Mapped[bool] = mapped_column(Boolean)
    external_id: Mapped[str | None] = mapped_column(String(255))
    barcode: Mapped[str | None] = mapped_column(String(14))
    low_stock_threshold: Mapped[int | None] = mapped_column(BigInteger)
    image_url: Mapped[str | None] = mapped_column(String(2048))
    price_breaks: Mapped[tuple[PriceBreak, ...]] = mapped_column(PriceBreaks, nullable=True)
    min_order_quantity: Mapped[int | None] = mapped_column(BigInteger)
    order_multiple: Mapped[int | None] = mapped_column(BigInteger)
    max_order_quantity: Mapped[int | None] = mapped_column(BigInteger)
    search_text: Mapped[str] = mapped_column(Text)
