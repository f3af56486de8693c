"""The audit log: who changed what, and when (contract, section 10). The database rejects changes to an entry."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant

FILTERS = ("action", "actor_type", "actor_id", "entity_type", "entity_id", "request_id")  # each has an index


class AuditEntry(Base):
    """An entry: one change. `details` has the values before and after it, if they are relevant."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        CheckConstraint("actor_type IN ('API_KEY', 'USER', 'SYSTEM')", name="actor_type"),
        Index(None, "company_id", "created_at", "id"),
        *(Index(None, "company_id", name, "created_at", "id", postgresql_concurrently=True) for name in FILTERS),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    action: Mapped[str] = mapped_column(String(60))
    actor_type: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[str] = mapped_column(String(100))
    entity_type: Mapped[str] = mapped_column(String(40))
    entity_id: Mapped[str] = mapped_column(String(64))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
    request_id: Mapped[str] = mapped_column(String(128))
    address: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)


class AuditSeal(Base):
    """A link of the hash chain over the audit log of a company: the seal of the entry with the same id.

    `seal` is the SHA-256 of the previous seal and the entry; `number` counts from 1. No foreign key refers to
    the entry, because a seal proves that an entry was removed.
    """

    __tablename__ = "audit_seals"
    __table_args__ = (
        UniqueConstraint("company_id", "number"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("length(seal) = 32", name="seal"),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    number: Mapped[int] = mapped_column(BigInteger)
    seal: Mapped[bytes] = mapped_column(LargeBinary(32))
    sealed_at: Mapped[datetime] = mapped_column(Instant)
