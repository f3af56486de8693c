"""An import of products while it runs, and the changes that it has found but not yet made (contract, section 11).

Not here: what happens when (`app/product_import/importer.py`).
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, CheckConstraint, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money


class ImportState(StrEnum):
    """How far an import is. Once it is APPLYING, all of it will be applied, by whichever process."""

    STAGING = "STAGING"
    APPLYING = "APPLYING"
    DONE = "DONE"


class ProductImport(Base):
    """An import that runs: at most one of a company. When its lease has ended, the process that ran it is gone.

    `claims` is the fence: only the process that claimed an import last may go on with it. Rows up to `applied_to`
    are applied; the three numbers count what that did.
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
    """One product to be created or changed: what its row gives, and all of it as it will be.

    The id becomes that of the audit entry, whose details are ready too. They hold as long as the product has the
    stock and the `updated_at` that were seen.
    """

    __tablename__ = "product_import_rows"
    __table_args__ = (UniqueConstraint("import_id", "place"),)

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    import_id: Mapped[str] = mapped_column(Id, ForeignKey("product_imports.id"))
    place: Mapped[str] = mapped_column(Id)  # the order in which they are applied
    product_id: Mapped[str] = mapped_column(Id)
    is_new: Mapped[bool] = mapped_column(Boolean)
    seen_stock: Mapped[int | None] = mapped_column(BigInteger)
    seen_updated_at: Mapped[datetime | None] = mapped_column(Instant)
    given: Mapped[dict[str, Any]] = mapped_column(JSON)
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    sku: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(String(2000))
    category: Mapped[str | None] = mapped_column(String(100))
    unit: Mapped[str] = mapped_column(String(50))
    price: Mapped[Decimal] = mapped_column(Money)
    stock: Mapped[int] = mapped_column(BigInteger)
    is_active: Mapped[bool] = mapped_column(Boolean)
    search_text: Mapped[str] = mapped_column(Text)
