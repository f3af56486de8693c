"""Responses that are stored for duplicate requests (contract, section 9.1)."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, LargeBinary, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant


class StoredResponse(Base):
    """The response to the first request with a key; it commits together with the effect of that request."""

    __tablename__ = "stored_answers"
    __table_args__ = (UniqueConstraint("company_id", "operation", "key"),)

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    operation: Mapped[str] = mapped_column(String(60))
    key: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]] = mapped_column(JSON)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
