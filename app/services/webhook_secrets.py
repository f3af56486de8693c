"""The secrets of a webhook: make them, and say which of them sign (contract, sections 8.2 and 9.5).

The newest earlier secret and its end stand in columns of their own, those before it in a list. An earlier version of
this code knows the former alone: where it ended that secret, none of those before it counts either.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

MAX_EARLIER = 3
SECRET_BYTES = 24


@dataclass(frozen=True, slots=True)
class Earlier:
    """A secret that was replaced and signs until `ends_at`."""

    secret: str
    ends_at: datetime


def generate() -> str:
    """Return a new secret. It is the same key under both schemes: without what base64 and base64url differ in."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        if "-" not in text and "_" not in text:
            return "whsec_" + text


def earlier(webhook: Row[Any], now: datetime) -> list[Earlier]:
    """Return the secrets that were replaced and still sign, newest first."""
    if webhook.previous_secret is None:
        return []
    newest = Earlier(webhook.previous_secret, webhook.secret_rotation_grace_expires_at)
    older = [Earlier(secret, datetime.fromisoformat(ends_at)) for secret, ends_at in webhook.older_secrets or ()]
    return [each for each in (newest, *older) if each.ends_at > now]


def signing(webhook: Row[Any], now: datetime) -> list[str]:
    """Return the secrets that sign, newest first."""
    return [webhook.secret, *(each.secret for each in earlier(webhook, now))]


def stored(kept: Sequence[Earlier]) -> dict[str, Any]:
    """Return the columns that keep earlier secrets, newest first."""
    newest, older = kept[:1], kept[1:]
    return {
        "previous_secret": newest[0].secret if newest else None,
        "secret_rotation_grace_expires_at": newest[0].ends_at if newest else None,
        "older_secrets": [(each.secret, each.ends_at.isoformat()) for each in older] or None,
        "older_secrets_expire_at": max((each.ends_at for each in older), default=None),
    }
