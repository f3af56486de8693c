"""Products, their prices and stock (contract, section 4)."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant, Money
from models.folding import searchable
from models.price_breaks import PriceBreak, PriceBreaks


def _search_text(context: DefaultExecutionContext) -> str:
    values = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return searchable(*(values.get(column) for column in Product.searched))


class Product(Base):
    """A product. The database rejects a negative stock."""

    __tablename__ = "products"
    searched = ("name", "sku", "category")
    __table_args__ = (
        UniqueConstraint("company_id", "sku"),
        UniqueConstraint("company_id", "id"),  # referenced by other tables
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("length(unit) BETWEEN 1 AND 50", name="unit"),
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("stock >= 0", name="stock"),
        CheckConstraint("low_stock_threshold >= 0", name="low_stock_threshold"),
        Index(None, "company_id", "created_at", "id"),
        Index(None, "company_id", "category", "created_at", "id"),
        Index(None, "company_id", "is_active", "created_at", "id"),
        Index(None, "company_id", "updated_at", "created_at", "id"),
        Index(
            "uq_products_company_id_external_id",
            "company_id",
            "external_id",
            unique=True,
            postgresql_concurrently=True,
            postgresql_where=text("external_id IS NOT NULL"),
            sqlite_where=text("external_id IS NOT NULL"),
        ),
        Index(
            "ix_products_barcode",
            "company_id",
            "barcode",
            "created_at",
            "id",
            postgresql_concurrently=True,
            postgresql_where=text("barcode IS NOT NULL"),
            sqlite_where=text("barcode IS NOT NULL"),
        ),
        Index(
            "ix_products_low_stock",
            "company_id",
            "created_at",
            "id",
            postgresql_concurrently=True,
            postgresql_where=text("stock <= low_stock_threshold"),
            sqlite_where=text("stock <= low_stock_threshold"),
        ),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    name: Mapped[str] = mapped_column(String(200))
    sku: Mapped[str | None] = mapped_column(String(100))
    external_id: Mapped[str | None] = mapped_column(String(255))
    barcode: Mapped[str | None] = mapped_column(String(14))
    description: Mapped[str | None] = mapped_column(String(2000))
    category: Mapped[str | None] = mapped_column(String(100))
    unit: Mapped[str] = mapped_column(String(50), default="each")
    price: Mapped[Decimal] = mapped_column(Money)
    price_breaks: Mapped[tuple[PriceBreak, ...]] = mapped_column(PriceBreaks, nullable=True, default=())
    min_order_quantity: Mapped[int | None] = mapped_column(BigInteger)
    order_multiple: Mapped[int | None] = mapped_column(BigInteger)
    max_order_quantity: Mapped[int | None] = mapped_column(BigInteger)
    stock: Mapped[int] = mapped_column(BigInteger, default=0)
    movement_sequence: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # of the last movement
    counted_at: Mapped[datetime | None] = mapped_column(Instant)  # when a count last found the recorded stock
    low_stock_threshold: Mapped[int] = mapped_column(BigInteger, default=5)
    image_url: Mapped[str | None] = mapped_column(String(2048))
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)
    search_text: Mapped[str] = mapped_column(Text, default=_search_text)  # folding may make the text longer
    event_sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
