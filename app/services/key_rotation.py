"""Rotation of API keys: a new key replaces one, which remains valid for a grace period (contract, section 9.6).

The keys that replaced each other are a chain, of which at most the newest key is not in its grace period. A client that
lost the response to a rotation rotates again with the old key: the new key then replaces the newest active key of the
chain, which is the one that was lost.

Not in this module: what a key may grant to another one (`app/services/key_grants.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, literal, select

from app.context import Context
from app.errors import BODY, NotFoundError, RefusalError, refuse
from app.queries import tenant
from app.schemas.api_keys import ApiKeyRotate, ApiKeyRow
from app.schemas.base import timestamp
from app.services import audit, key_grants, keys
from app.services.key_grants import NOW
from app.services.keys import TABLE
from models import ApiKey, KeyStatus

MAX_GRACE_SECONDS = 604_800  # a week
COLUMNS = TABLE.c.id, TABLE.c.replaced_by, TABLE.c.revoked_at, TABLE.c.expires_at
FIRST = tenant.select(*COLUMNS, literal(0).label("number")).where(TABLE.c.id == bindparam("id"))
CHAIN = FIRST.cte("chain", recursive=True)
CHAIN = CHAIN.union_all(
    select(*COLUMNS, CHAIN.c.number + 1).where(tenant.where(TABLE), TABLE.c.id == CHAIN.c.replaced_by)
)
SELECT_NEWEST = (
    select(CHAIN.c.id)
    .where(CHAIN.c.revoked_at.is_(None), CHAIN.c.expires_at.is_(None) | (CHAIN.c.expires_at > NOW))
    .order_by(CHAIN.c.number.desc())
    .limit(1)
)


class KeyNotActiveError(RefusalError):
    """A key that is revoked or has expired cannot be rotated."""

    code = "key_not_active"

    def __init__(self, status: KeyStatus) -> None:
        """Initialize with the current status."""
        super().__init__(f"The API key is {status}. Only an active key can be rotated.", currentStatus=status)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rotated:
    """The keys of a rotation, which are locked. `named` and `newest` are the same key if it has no active successor.

    `caller` is None on the command line.
    """

    named: ApiKey  # in the request
    newest: ApiKey  # active one of its chain, which is replaced
    caller: ApiKey | None


def rotate(ctx: Context, key_id: str, rotation: ApiKeyRotate) -> tuple[ApiKeyRow, str]:
    """Replace a key at the request of another one, or of itself. Return the new key and its plaintext.

    Raises NotFoundError, InactiveKeyError, KeyNotActiveError, and the refusals of `app/services/key_grants.py` if the
    calling key could not create such a key.
    """
    ctx, rotated = _lock(ctx, key_id)
    if rotated.caller is not None and rotated.caller is not rotated.named:
        refuse(_excesses(ctx, rotated.caller, rotated.newest))
    new, plaintext = _replace(ctx, rotated, rotation)
    return keys.get(ctx, new.id), plaintext


def replace(ctx: Context, key_id: str, rotation: ApiKeyRotate) -> tuple[ApiKey, str]:
    """Replace a key on the command line. Return the new one and its plaintext.

    Raises NotFoundError and KeyNotActiveError.
    """
    ctx, rotated = _lock(ctx, key_id)
    return _replace(ctx, rotated, rotation)


def _lock(ctx: Context, key_id: str) -> tuple[Context, Rotated]:
    """Lock a key, the newest active key of its chain, and the calling key, until the transaction ends.

    Return the context with the time at which they were locked, and the keys. They are locked in the order of their ids,
    so the newest one is found first; if another rotation replaces it before it is locked, all are locked again.
    """
    locked: dict[str, ApiKey] = {}
    while (newest_id := _newest_id(ctx, key_id)) not in locked:
        ctx, locked = key_grants.lock_with_caller(ctx, key_id, newest_id)
        if key_id not in locked:
            raise NotFoundError("API key")
        _check_active(ctx, locked[key_id])
    caller = None if ctx.key is None else locked[ctx.key.id]
    return ctx, Rotated(named=locked[key_id], newest=locked[newest_id], caller=caller)


def _newest_id(ctx: Context, key_id: str) -> str:
    """Return the id of the newest active key in the chain of a key, or of the key itself."""
    found: str | None = ctx.session.scalar(SELECT_NEWEST, tenant.params(ctx, id=key_id, now=ctx.now))
    return found or key_id


def _replace(ctx: Context, rotated: Rotated, rotation: ApiKeyRotate) -> tuple[ApiKey, str]:
    """Create the key that takes the place of the newest one, and end the grace period of both keys.

    The new key expires when the replaced one would have.
    """
    newest = rotated.newest
    new, plaintext = keys.generate(
        ctx,
        name=newest.name,
        scopes=newest.scopes,
        rate_limit=newest.rate_limit,
        allowed_networks=newest.allowed_networks,
        expires_at=newest.expires_at,
    )
    before = _replacement(newest)
    _limit(ctx, newest, rotation)
    newest.replaced_by = new.id
    changed = audit.changes(before, _replacement(newest))
    details = {name: getattr(newest, name) for name in ("name", "prefix", "scopes")}
    details["graceSeconds"] = rotation.grace_seconds
    if rotated.named is not newest:
        details["requestedKey"] = rotated.named.id
        _limit_named(ctx, rotated.named, rotation)
    audit.record(ctx, "api_key.rotated", "api_key", newest.id, {**details, **changed})
    return new, plaintext


def _limit_named(ctx: Context, named: ApiKey, rotation: ApiKeyRotate) -> None:
    """End the grace period of a key that had been replaced before, and record it if that is earlier."""
    before = _expiry(named)
    _limit(ctx, named, rotation)
    if before != _expiry(named):
        audit.record(ctx, "api_key.updated", "api_key", named.id, audit.changes(before, _expiry(named)))


def _limit(ctx: Context, key: ApiKey, rotation: ApiKeyRotate) -> None:
    """Let a key expire at the end of the grace period, unless it expires earlier."""
    end_of_grace = ctx.now + timedelta(seconds=rotation.grace_seconds)
    key.expires_at = min(key.expires_at or end_of_grace, end_of_grace)
    keys.note_change(ctx.session, key)


def _excesses(ctx: Context, caller: ApiKey, replaced: ApiKey) -> list[RefusalError]:
    """Return the reasons why the calling key could not create such a key."""
    refusals = [*key_grants.excesses(caller, replaced), *key_grants.excess_rate_limit(ctx, caller, replaced)]
    for refusal in refusals:
        refusal.pointer = BODY  # the body does not have these properties
    return refusals


def _check_active(ctx: Context, key: ApiKey) -> None:
    status = key.status(ctx.now)
    if status is not KeyStatus.ACTIVE:
        raise KeyNotActiveError(status)


def _replacement(key: ApiKey) -> audit.Details:
    """Return what a rotation changes of the replaced key, as JSON."""
    return {**_expiry(key), "replacedBy": key.replaced_by}


def _expiry(key: ApiKey) -> audit.Details:
    expires_at: datetime | None = key.expires_at
    return {"expiresAt": expires_at and timestamp(expires_at)}
