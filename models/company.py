"""Companies, the tenants. Every other row belongs to one company."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Money, Rate


class Company(Base):
    """A wholesale distributor. `slug` identifies it on the command line."""

    __tablename__ = "companies"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("length(slug) BETWEEN 1 AND 60", name="slug"),
        CheckConstraint("tax_rate >= 0", name="tax_rate"),
        CheckConstraint("shipping >= 0", name="shipping"),
    )

    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    tax_rate: Mapped[Decimal] = mapped_column(Rate, default=Decimal(0))
    shipping: Mapped[Decimal] = mapped_column(Money, default=Decimal(0))
    currency: Mapped[str] = mapped_column(String(3), default="USD", server_default="USD")  # ISO 4217
    credit_note_number: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")  # the last one
    created_at: Mapped[datetime] = mapped_column(Instant)
