"""Handlers of the probe document, which return their arguments."""

import logging
import threading
import time
from decimal import Decimal
from typing import Any

from app.context import Context
from app.schemas.errors import InvalidItemError, rejection

LOG = logging.getLogger(__name__)
MEETING = threading.Barrier(4)


def create_echo(_ctx: Context, body: Any, **headers: Any) -> Any:
    return {"body": shown(body), "headers": headers}


def list_echoes(_ctx: Context, need: str) -> Any:
    return {"need": need}


def create_batch(_ctx: Context, body: Any) -> Any:
    return {"body": shown(body)}


def get_key(ctx: Context) -> Any:
    assert ctx.key is not None
    return {
        "id": ctx.key.id,
        "name": ctx.key.name,
        "prefix": ctx.key.prefix,
        "scopes": sorted(ctx.key.scopes),
        "expiresAt": ctx.key.expires_at and ctx.key.expires_at.isoformat(),
        "rateLimit": {"limit": ctx.key.rate_limit.amount, "windowSeconds": ctx.key.rate_limit.get_expiry()},
    }


def get_crash(_ctx: Context) -> Any:
    raise RuntimeError("a secret detail: dk_abcdefghijklmnopqrstuvwxyz")


def get_sleep(_ctx: Context) -> Any:
    LOG.warning("asleep")
    time.sleep(1)
    return {}


def get_meet(_ctx: Context) -> Any:
    MEETING.wait(60)
    return {}


def shown(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shown(member) for name, member in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    if isinstance(value, InvalidItemError):
        return rejection(value).content()
    return f"Decimal {value}" if isinstance(value, Decimal) else value
