"""API keys: they authenticate a client, for one company and with certain scopes (contract, section 1).

Not in this module: how a key is generated, hashed and found (`app/services/keys.py`).
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Id, Instant


class Scope(StrEnum):
    """What a key may do. Write access does not include read access."""

    PRODUCTS_READ = "products:read"
    PRODUCTS_WRITE = "products:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    REPORTS_READ = "reports:read"
    REFUNDS_WRITE = "refunds:write"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    AUDIT_READ = "audit:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"


class KeyStatus(StrEnum):
    """The status of a key, derived from two timestamps and never stored."""

    ACTIVE = "Active"
    REVOKED = "Revoked"
    EXPIRED = "Expired"


class ApiKey(Base):
    """The record of a key. `digest` is the SHA-256 of the plaintext, which is not stored.

    `allowed_networks` are in CIDR notation; without one, every address may use the key. `replaced_by` is the id of the
    key that a rotation created.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 100", name="name"),
        CheckConstraint("length(prefix) = 12", name="prefix"),
        CheckConstraint("length(digest) = 32", name="digest"),
        Index(None, "company_id", "created_at", "id"),
    )

    company_id: Mapped[str] = mapped_column(Id, ForeignKey("companies.id"))
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(12), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    rate_limit: Mapped[str | None] = mapped_column(String(50))
    allowed_networks: Mapped[list[str]] = mapped_column(JSON, default=list, server_default="[]")
    replaced_by: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[str] = mapped_column(String(100))
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)

    def status(self, now: datetime) -> KeyStatus:
        """Return the status at `now`."""
        return key_status(self.revoked_at, self.expires_at, now)


def key_status(revoked_at: datetime | None, expires_at: datetime | None, now: datetime) -> KeyStatus:
    """Return the status of a key at `now`. A revoked key stays revoked after it expires."""
    if revoked_at is not None:
        return KeyStatus.REVOKED
    if expires_at is not None and expires_at <= now:
        return KeyStatus.EXPIRED
    return KeyStatus.ACTIVE
