"""The calling API key and its company as JSON (contract, section 9.6)."""

from dataclasses import dataclass
from datetime import datetime

from limits import RateLimitItem

from app.context import CallingKey
from app.queries.rows import Row
from app.schemas.base import Json, row_schema, timestamp


class CallerCompanyRow(Row):
    """The company of the calling key."""

    id: str
    name: str
    slug: str
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CallerIdentity:
    """The calling key and its company, and the time and version of the server."""

    company: CallerCompanyRow
    key: CallingKey
    server_time: datetime
    version: str


CALLER_COMPANY = row_schema(CallerCompanyRow)


def caller_identity(identity: CallerIdentity) -> Json:
    """Return the identity of a caller as JSON."""
    return {
        "company": CALLER_COMPANY.render(identity.company),
        "key": caller_key(identity.key),
        "serverTime": timestamp(identity.server_time),
        "version": identity.version,
    }


def caller_key(key: CallingKey) -> Json:
    """Return the calling key as JSON."""
    return {
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": sorted(key.scopes),
        "expiresAt": None if key.expires_at is None else timestamp(key.expires_at),
        "rateLimit": caller_rate_limit(key.rate_limit),
    }


def caller_rate_limit(rate_limit: RateLimitItem) -> Json:
    """Return a rate limit as JSON, with the numbers of the `RateLimit-Policy` header."""
    return {"limit": rate_limit.amount, "windowSeconds": rate_limit.get_expiry()}
