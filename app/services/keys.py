"""API keys: create, find, list, get, revoke (contract, sections 1 and 9.6). The plaintext is returned only once.

Keys to be changed are ORM objects and not typed rows: one is changed at a time, and `ApiKey.status` is derived in
Python. Not in this module: what a key may grant to another one (`app/services/key_grants.py`).
"""

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, select, update
from sqlalchemy.orm import Session

from app import clock
from app.context import Context
from app.errors import InvalidValueError, NotFoundError
from app.queries import rows, tenant
from app.queries.listing import Listing, Page
from app.queries.rows import Statement
from app.schemas.api_keys import ApiKeyRow, api_key_tag
from app.schemas.base import timestamp
from app.services import audit
from models import ApiKey, KeyStatus, Scope, new_id
from models.base import table

TABLE = table(ApiKey)
PREFIX = "dk_"
DISPLAYED_CHARACTERS = 12  # stored of a key, and shown in lists
MAX_NETWORKS = 20  # of a key
CHANGED = "changed_keys"  # in the `info` of a session: the digests of the keys that its transaction changed


def is_not_expired(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Return the condition that a key has not expired at `now`."""
    return TABLE.c.expires_at.is_(None) | (TABLE.c.expires_at > now)


IS_NOT_REVOKED = TABLE.c.revoked_at.is_(None)
ACTIVE_AT, EXPIRED_AT = (bindparam(name, type_=TABLE.c.expires_at.type) for name in ("active_at", "expired_at"))
LISTING = Listing(
    ApiKeyRow,
    TABLE,
    filters={
        "active_at": IS_NOT_REVOKED & is_not_expired(ACTIVE_AT),
        "expired_at": IS_NOT_REVOKED & (TABLE.c.expires_at <= EXPIRED_AT),
        "revoked": TABLE.c.revoked_at.is_not(None),
    },
)
STATUS_FILTERS = {KeyStatus.ACTIVE: "active_at", KeyStatus.EXPIRED: "expired_at", KeyStatus.REVOKED: "revoked"}
SELECT_BY_DIGEST = select(ApiKey).where(ApiKey.digest == bindparam("digest"))
SELECT_ONE = Statement(ApiKeyRow, tenant.select(*rows.columns(ApiKeyRow, TABLE)).where(TABLE.c.id == bindparam("id")))


def digest(plaintext: str) -> bytes:
    """Return the SHA-256 of a key, which is stored. A key has 256 random bits, so it needs no salt."""
    return hashlib.sha256(plaintext.encode("utf-8", "surrogatepass")).digest()


def create(
    ctx: Context,
    *,
    name: str,
    scopes: Sequence[Scope],
    expires_at: datetime | None = None,
    rate_limit: str | None = None,
    allowed_networks: Sequence[str] = (),
) -> tuple[ApiKey, str]:
    """Create a key for the company. Return its record and its plaintext, which is not available again.

    `allowed_networks` are in CIDR notation; without one, every address may use the key. Raises InvalidValueError if the
    name is empty or too long, if there is no scope, if there are too many networks, or if the expiry is in the past.
    """
    if not 1 <= len(name) <= 100:
        raise InvalidValueError("name must be between 1 and 100 characters.")
    if not scopes:
        raise InvalidValueError("At least one scope is required.")
    if len(allowed_networks) > MAX_NETWORKS:
        raise InvalidValueError(f"A key can have at most {MAX_NETWORKS} networks, not {len(allowed_networks)}.")
    if expires_at is not None and expires_at <= ctx.now:
        raise InvalidValueError("The expiry must be in the future.")
    key, plaintext = generate(
        ctx,
        name=name,
        scopes=sorted(set(scopes)),
        rate_limit=rate_limit,
        allowed_networks=list(dict.fromkeys(allowed_networks)),
        expires_at=expires_at,
    )
    audit.record(ctx, "api_key.created", "api_key", key.id, details(key))
    return key, plaintext


def generate(ctx: Context, **fields: object) -> tuple[ApiKey, str]:
    """Add a key with these columns to the transaction. Return its record and its plaintext."""
    plaintext = PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    key = ApiKey(
        id=new_id(ctx.now),
        company_id=ctx.company_id,
        prefix=plaintext[:DISPLAYED_CHARACTERS],
        digest=digest(plaintext),
        created_at=ctx.now,
        created_by=ctx.actor.id,
        **fields,
    )
    ctx.session.add(key)
    return key, plaintext


def find(session: Session, key_digest: bytes) -> ApiKey | None:
    """Return the key with this digest, regardless of its status: timing must not reveal whether a key is revoked."""
    return session.scalars(SELECT_BY_DIGEST, {"digest": key_digest}).one_or_none()


def page(ctx: Context, *, limit: int = 50, cursor: str | None = None, status: str | None = None) -> Page[ApiKeyRow]:
    """Return a page of keys, newest first, that have `status` now."""
    filters = {} if status is None else {STATUS_FILTERS[KeyStatus(status)]: ctx.now}
    return LISTING.page(ctx, limit=limit, cursor=cursor, **filters)


def get(ctx: Context, key_id: str) -> ApiKeyRow:
    """Return one key, regardless of its status. Raises NotFoundError if the company has no such key."""
    key = SELECT_ONE.one_or_none(ctx.session, tenant.params(ctx, id=key_id))
    if key is None:
        raise NotFoundError("API key")
    return key


def after_lock(ctx: Context) -> Context:
    """Return the context with the current time, for a decision about a key that has just been locked.

    A request that waited for the lock began before the change that it waited for, at which the key may have ended.
    """
    return replace(ctx, now=max(ctx.now, clock.current_time(ctx.session)))


def list_all(ctx: Context) -> Sequence[ApiKey]:
    """Return every key of the company, including revoked and expired keys, newest first."""
    statement = select(ApiKey).where(tenant.where(TABLE)).order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
    return ctx.session.scalars(statement, tenant.params(ctx)).all()


def set_rate_limit(ctx: Context, key: ApiKey, rate_limit: str | None) -> None:
    """Set the rate limit of a key, which is locked; None is the default of the server.

    A change to the same limit is not recorded.
    """
    if key.rate_limit != rate_limit:
        details = audit.changes({"rateLimit": key.rate_limit}, {"rateLimit": rate_limit})
        audit.record(ctx, "api_key.updated", "api_key", key.id, details)
        key.rate_limit = rate_limit


def revoke(ctx: Context, key: ApiKey) -> None:
    """Revoke a key of the company, which is locked. If it is revoked already, nothing is changed or recorded.

    Raises PreconditionFailedError.
    """
    ctx.precondition.check(key, lambda key: api_key_tag(key, ctx.now))
    if key.revoked_at is None:
        ctx = after_lock(ctx)
        key.revoked_at = ctx.now
        note_change(ctx.session, key)
        audit.record(ctx, "api_key.revoked", "api_key", key.id, details(key))


def note_change(session: Session, key: ApiKey) -> None:
    """Note that a transaction changes a key, so that the process stops using what it has in memory of it."""
    session.info.setdefault(CHANGED, set()).add(key.digest)


def changed_digests(session: Session) -> frozenset[bytes]:
    """Return the digests of the keys that a transaction has changed."""
    return frozenset(session.info.get(CHANGED, ()))


def identified(session: Session, identifier: str, company_id: str | None) -> ApiKey:
    """Return the key with this id or 12-character prefix, locked until the transaction ends.

    It may belong to any company unless one is given. Raises NotFoundError if there is no such key, and
    InvalidValueError if several keys have the prefix.
    """
    statement = select(ApiKey).where((ApiKey.id == identifier) | (ApiKey.prefix == identifier))
    if company_id is not None:
        statement = statement.where(ApiKey.company_id == company_id)
    matches = session.scalars(statement.with_for_update(key_share=True)).all()
    if not matches:
        raise NotFoundError("Key")
    if len(matches) > 1:
        raise InvalidValueError(f"{identifier} matches {len(matches)} keys. Use the id, or specify the company.")
    return matches[0]


def details(key: ApiKey) -> audit.Details:
    """Return what the audit log records of a key, never its plaintext."""
    limited = {
        "expiresAt": key.expires_at and timestamp(key.expires_at),
        "allowedNetworks": key.allowed_networks,
    }
    return {
        "name": key.name,
        "prefix": key.prefix,
        "scopes": list(key.scopes),
        **{name: value for name, value in limited.items() if value},
    }


def record_use(session: Session, used: dict[str, datetime]) -> None:
    """Store when keys were last used: `used` maps the id of a key to the time of its last successful request."""
    at = bindparam("at", type_=ApiKey.last_used_at.type)
    is_later = ApiKey.last_used_at.is_(None) | (ApiKey.last_used_at < at)  # than what another process has written
    statement = update(ApiKey).where(ApiKey.id == bindparam("key_id"), is_later).values(last_used_at=at)
    session.connection().execute(statement, [{"key_id": key_id, "at": at} for key_id, at in sorted(used.items())])
