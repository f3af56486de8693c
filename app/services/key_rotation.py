"""Rotation of API keys: a new key replaces one, which remains valid for a grace period (contract, section 9.6).

Not in this module: what a key may grant to another one (`app/services/key_grants.py`).
"""

from datetime import datetime, timedelta

from app.context import Context
from app.errors import BODY, NotFoundError, RefusalError, refuse
from app.schemas.api_keys import ApiKeyRotate, ApiKeyRow
from app.schemas.base import timestamp
from app.services import audit, key_grants, keys
from models import ApiKey, KeyStatus

MAX_GRACE_SECONDS = 604_800  # a week


class KeyNotActiveError(RefusalError):
    """A key that is revoked or has expired cannot be rotated."""

    code = "key_not_active"

    def __init__(self, status: KeyStatus) -> None:
        """Initialize with the current status."""
        super().__init__(f"The API key is {status}. Only an active key can be rotated.", currentStatus=status)


def rotate(ctx: Context, key_id: str, rotation: ApiKeyRotate) -> tuple[ApiKeyRow, str]:
    """Replace a key at the request of another one, or of itself. Return the new key and its plaintext.

    Raises NotFoundError, InactiveKeyError, KeyNotActiveError, and the refusals of `app/services/key_grants.py` if the
    calling key could not create such a key.
    """
    ctx, locked = key_grants.lock_with_caller(ctx, key_id)
    if key_id not in locked:
        raise NotFoundError("API key")
    caller, old = locked[key_grants.calling_key_id(ctx)], locked[key_id]
    _check_active(ctx, old)
    if old is not caller:
        refuse(_excesses(ctx, caller, old))
    new, plaintext = replace(ctx, old, rotation)
    return keys.get(ctx, new.id), plaintext


def replace(ctx: Context, old: ApiKey, rotation: ApiKeyRotate) -> tuple[ApiKey, str]:
    """Replace a key, which is locked. Return the new one and its plaintext. Raises KeyNotActiveError.

    The new key expires when the old one would have. In a second rotation, that is the end of the grace period: a key
    that is being replaced cannot extend its life.
    """
    _check_active(ctx, old)
    new, plaintext = keys.generate(
        ctx,
        name=old.name,
        scopes=old.scopes,
        rate_limit=old.rate_limit,
        allowed_networks=old.allowed_networks,
        expires_at=old.expires_at,
    )
    before = _replacement(old)
    end_of_grace = ctx.now + timedelta(seconds=rotation.grace_seconds)
    old.expires_at = min(old.expires_at or end_of_grace, end_of_grace)
    old.replaced_by = new.id
    keys.note_change(ctx.session, old)
    changed = audit.changes(before, _replacement(old))
    details = {"name": old.name, "prefix": old.prefix, "scopes": old.scopes, "graceSeconds": rotation.grace_seconds}
    audit.record(ctx, "api_key.rotated", "api_key", old.id, {**details, **changed})
    return new, plaintext


def _excesses(ctx: Context, caller: ApiKey, old: ApiKey) -> list[RefusalError]:
    """Return the reasons why the calling key could not create such a key."""
    refusals = [*key_grants.excesses(caller, old), *key_grants.excess_rate_limit(ctx, caller, old)]
    for refusal in refusals:
        refusal.pointer = BODY  # the body does not have these properties
    return refusals


def _check_active(ctx: Context, key: ApiKey) -> None:
    status = key.status(ctx.now)
    if status is not KeyStatus.ACTIVE:
        raise KeyNotActiveError(status)


def _replacement(key: ApiKey) -> audit.Details:
    """Return what a rotation changes of the old key, as JSON."""
    expires_at: datetime | None = key.expires_at
    return {"expiresAt": expires_at and timestamp(expires_at), "replacedBy": key.replaced_by}
