"""The tenant: every other row belongs to one company."""

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base


class Company(Base):
    """A wholesale distributor. `slug` is how the command line names it."""

    __tablename__ = "companies"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("length(slug) BETWEEN 1 AND 60", name="slug"),
    )

    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(60), unique=True)
