"""The secrets of a webhook: generate them, and decide which of them are valid (contract, sections 8.2 and 9.5).

The newest earlier secret and its expiry are in separate columns; the secrets before it are in a list. An earlier
version of this code knows only the columns: if it has cleared them, the secrets in the list are not valid either.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.queries.rows import Row

PREFIX = "whsec_"
SECRET_BYTES = 24  # the minimum of Standard Webhooks
MAX_EARLIER = 3


class WebhookSecretsRow(Row):
    """Every secret of a webhook, as stored."""

    secret: str
    previous_secret: str | None
    secret_rotation_grace_expires_at: datetime | None
    older_secrets: Sequence[tuple[str, str]] | None  # with its expiry


@dataclass(frozen=True, slots=True)
class EarlierSecret:
    """A secret that was replaced and is valid until `expires_at`."""

    value: str
    expires_at: datetime


def generate() -> str:
    """Return a new secret. It has neither `-` nor `_`, so base64 and base64url decode it to the same key."""
    while True:
        text = base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
        if "-" not in text and "_" not in text:
            return PREFIX + text


def decode(secret: str) -> bytes:
    """Return the key that a secret encodes. Raises ValueError."""
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def earlier(webhook: WebhookSecretsRow, now: datetime) -> list[EarlierSecret]:
    """Return the secrets that were replaced and are still valid, newest first."""
    if webhook.previous_secret is None or webhook.secret_rotation_grace_expires_at is None:
        return []
    newest = EarlierSecret(webhook.previous_secret, webhook.secret_rotation_grace_expires_at)
    older = [EarlierSecret(value, datetime.fromisoformat(expires)) for value, expires in webhook.older_secrets or ()]
    return [secret for secret in (newest, *older) if secret.expires_at > now]


def valid(webhook: WebhookSecretsRow, now: datetime) -> list[str]:
    """Return the valid secrets, newest first."""
    return [webhook.secret, *(secret.value for secret in earlier(webhook, now))]


def columns(kept: Sequence[EarlierSecret]) -> dict[str, object]:
    """Return the values of the columns that store earlier secrets, given newest first."""
    newest, older = kept[:1], kept[1:]
    return {
        "previous_secret": newest[0].value if newest else None,
        "secret_rotation_grace_expires_at": newest[0].expires_at if newest else None,
        "older_secrets": [(secret.value, secret.expires_at.isoformat()) for secret in older] or None,
        "older_secrets_expire_at": max((secret.expires_at for secret in older), default=None),
    }
