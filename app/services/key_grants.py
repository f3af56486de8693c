"""What a calling key may grant to a key that it creates: no more than it has (contract, section 9.6)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from fractions import Fraction

import limits
import sqlalchemy as sa
from limits import RateLimitItem
from sqlalchemy import bindparam, select

from app import networks
from app.context import Context
from app.errors import (
    BODY,
    InactiveKeyError,
    InvalidParameterError,
    NotFoundError,
    RefusalError,
    refuse,
)
from app.queries import tenant
from app.schemas.api_keys import ApiKeyCreate, ApiKeyRow
from app.schemas.base import timestamp
from app.schemas.callers import caller_rate_limit
from app.services import companies, keys
from app.services.keys import TABLE
from models import ApiKey, KeyStatus


class ScopeTooWideError(RefusalError):
    """A key would have a scope that the calling key does not have."""

    code = "scope_too_wide"
    depends_on_caller = True

    def __init__(self, pointer: str, scope: str) -> None:
        """Initialize with the pointer to the scope, and the scope."""
        message = f"The calling key does not have the scope {scope}, so the new key cannot have it."
        super().__init__(message, pointer=pointer)


class ExpiryTooLateError(RefusalError):
    """A key would be valid after the calling key expires."""

    code = "expiry_too_late"
    depends_on_caller = True

    def __init__(self, pointer: str, latest: datetime) -> None:
        """Initialize with the pointer to the expiry, and the time when the calling key expires."""
        at = timestamp(latest)
        message = f"The new key must expire at or before {at}, when the calling key expires."
        super().__init__(message, pointer=pointer, callerExpiresAt=at)


class NetworkTooWideError(RefusalError):
    """A key would be open to an address from which the calling key cannot be used."""

    code = "network_too_wide"
    depends_on_caller = True

    def __init__(self, pointer: str, network: str) -> None:
        """Initialize with the pointer to the network, and the network or `every address`."""
        message = f"The new key must not be open to {network}, which is outside the networks of the calling key."
        super().__init__(message, pointer=pointer)


class RateLimitTooHighError(RefusalError):
    """A key would have a higher rate limit than the calling key."""

    code = "rate_limit_too_high"
    depends_on_caller = True

    def __init__(self, limit: RateLimitItem, maximum: RateLimitItem) -> None:
        """Initialize with the rate limit of the key, and that of the calling key."""
        message = (
            f"The new key would have a rate limit of {_limit_text(limit)}, "
            f"which is higher than that of the calling key, {_limit_text(maximum)}."
        )
        super().__init__(message, callerRateLimit=caller_rate_limit(maximum))


class KeyLimitError(RefusalError):
    """The company has the maximum number of active keys."""

    code = "key_limit_reached"

    def __init__(self, maximum: int) -> None:
        """Initialize with the maximum number."""
        super().__init__(f"API key limit reached. A company can have at most {maximum} active keys. Revoke one first.")


MAX_ACTIVE_KEYS = 100
NOW = bindparam("now", type_=TABLE.c.created_at.type)
# Keys in the grace period of a rotation are not counted: their replacements are.
IS_COUNTED = TABLE.c.revoked_at.is_(None), TABLE.c.replaced_by.is_(None), keys.is_not_expired(NOW)
SELECT_COUNT = select(sa.func.count()).select_from(TABLE).where(tenant.where(TABLE), *IS_COUNTED)
# In the order of the ids, as `keys.record_use` updates them, so that no two transactions wait for each other.
SELECT_FOR_UPDATE = (
    select(ApiKey)
    .where(tenant.where(TABLE), TABLE.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(TABLE.c.id)
    .with_for_update(key_share=True)
)


def create(ctx: Context, draft: ApiKeyCreate) -> tuple[ApiKeyRow, str]:
    """Create a key that has no more than the calling key. Return it and its plaintext.

    Its rate limit is that of the calling key if this is lower than the default of the server, which applies otherwise.

    Raises InvalidParameterError for an expiry in the past, InactiveKeyError, and the refusals of this module.
    """
    companies.lock(ctx)
    ctx, locked = lock_with_caller(ctx)
    caller = locked[calling_key_id(ctx)]
    if draft.expires_at is not None and draft.expires_at <= ctx.now:
        raise InvalidParameterError("expiresAt", "expiresAt must be in the future", parent=BODY)
    refuse([*excesses(caller, draft), *_excess_keys(ctx)])
    key, plaintext = keys.create(
        ctx,
        name=draft.name,
        scopes=draft.scopes,
        expires_at=draft.expires_at,
        rate_limit=_inherited_rate_limit(ctx, caller),
        allowed_networks=draft.allowed_networks,
    )
    return keys.get(ctx, key.id), plaintext


def calling_key_id(ctx: Context) -> str:
    """Return the id of the key that sent the request."""
    assert ctx.key is not None  # only requests have a caller
    return ctx.key.id


def lock_with_caller(ctx: Context, *key_ids: str) -> tuple[Context, dict[str, ApiKey]]:
    """Lock keys of the company, and the calling key if there is one, until the transaction ends.

    Return the context with the time at which they were locked, and those that exist by their ids. Raises
    InactiveKeyError if the calling key has been revoked, or has expired, since this process looked it up.
    """
    caller_ids = [] if ctx.key is None else [ctx.key.id]
    parameters = tenant.params(ctx, ids=[*caller_ids, *key_ids])
    locked = {key.id: key for key in ctx.session.scalars(SELECT_FOR_UPDATE, parameters)}
    ctx = keys.after_lock(ctx)
    if ctx.key is not None and locked[ctx.key.id].status(ctx.now) is not KeyStatus.ACTIVE:
        raise InactiveKeyError
    return ctx, locked


def lock_one(ctx: Context, key_id: str) -> tuple[Context, ApiKey]:
    """Lock a key that the calling key changes, as `lock_with_caller` does. Raises NotFoundError, InactiveKeyError."""
    ctx, locked = lock_with_caller(ctx, key_id)
    if key_id not in locked:
        raise NotFoundError("API key")
    return ctx, locked[key_id]


def excesses(caller: ApiKey, granted: ApiKeyCreate | ApiKey) -> Iterator[RefusalError]:
    """Yield a refusal for each property of a key that exceeds the calling key."""
    scopes = list(granted.scopes)
    for index, scope in enumerate(scopes):
        if scope not in {*caller.scopes, *scopes[:index]}:
            yield ScopeTooWideError(f"/scopes/{index}", scope)
    if caller.expires_at is not None and (granted.expires_at is None or granted.expires_at > caller.expires_at):
        yield ExpiryTooLateError("/expiresAt", caller.expires_at)
    if caller.allowed_networks:
        yield from _excess_networks(caller.allowed_networks, granted.allowed_networks)


def excess_rate_limit(ctx: Context, caller: ApiKey, granted: ApiKey) -> Iterator[RefusalError]:
    """Yield a refusal if the rate limit in force of a key allows more requests per second than that of the caller."""
    limit, maximum = _rate_limit(ctx, granted), _rate_limit(ctx, caller)
    if _per_second(limit) > _per_second(maximum):
        yield RateLimitTooHighError(limit, maximum)


def _rate_limit(ctx: Context, key: ApiKey) -> RateLimitItem:
    """Return the rate limit in force of a key."""
    return limits.parse(key.rate_limit) if key.rate_limit else _default_rate_limit(ctx)


def _default_rate_limit(ctx: Context) -> RateLimitItem:
    assert ctx.key is not None  # only requests have a caller
    return ctx.key.default_rate_limit


def _inherited_rate_limit(ctx: Context, caller: ApiKey) -> str | None:
    """Return the rate limit of the calling key, or None if the default of the server is not higher."""
    is_lower = _per_second(_rate_limit(ctx, caller)) < _per_second(_default_rate_limit(ctx))
    return caller.rate_limit if is_lower else None


def _per_second(limit: RateLimitItem) -> Fraction:
    return Fraction(limit.amount, limit.get_expiry())


def _limit_text(limit: RateLimitItem) -> str:
    return f"{limit.amount} requests in {limit.get_expiry()} s"


def _excess_networks(allowed: Sequence[str], granted: Sequence[str]) -> Iterator[RefusalError]:
    allowed_networks = [networks.parse_cidr(text) for text in allowed]
    if not granted:
        yield NetworkTooWideError("/allowedNetworks", "every address")
    for index, network in enumerate(granted):
        if network not in granted[:index] and not networks.cover(allowed_networks, networks.parse_cidr(network)):
            yield NetworkTooWideError(f"/allowedNetworks/{index}", network)


def _excess_keys(ctx: Context) -> Iterator[RefusalError]:
    if ctx.session.execute(SELECT_COUNT, tenant.params(ctx, now=ctx.now)).scalar_one() >= MAX_ACTIVE_KEYS:
        yield KeyLimitError(MAX_ACTIVE_KEYS)
