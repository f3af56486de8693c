"""The headers of a delivery, signed in two schemes with the same secrets (contract, sections 8.2 and 9.5).

`X-Webhook-Signature` is the published scheme: HMAC-SHA256 of the body, keyed with the secret as text. It has room for
the newest secret, and `X-Webhook-Signature-Previous` for the one before it. `webhook-signature` is the scheme of
Standard Webhooks 1.0.0: HMAC-SHA256 of id, timestamp and body, keyed with the bytes of the secret, for each secret.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence

from app.services import webhook_secrets

USER_AGENT = "Distribu-Webhooks/1"


def headers(*, message_id: str, event: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of one attempt at `timestamp` (Unix seconds), signed with each secret, newest first."""
    content = f"{message_id}.{timestamp}.".encode() + body
    newest, *earlier = secrets
    result = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Webhook-Event": event,
        "X-Webhook-Signature": _published_signature(newest, body),
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_standard_signature(secret, content) for secret in secrets),
    }
    if earlier:
        result["X-Webhook-Signature-Previous"] = _published_signature(earlier[0], body)
    return result


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Return True if the Standard Webhooks headers of a delivery contain a signature with `secret`.

    `headers` finds them by their lower-case names.
    """
    content = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
    expected = _standard_signature(secret, content).encode()
    given = headers.get("webhook-signature", "").encode().split()
    return any(hmac.compare_digest(signature, expected) for signature in given)


def _published_signature(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


def _standard_signature(secret: str, content: bytes) -> str:
    digest = hmac.digest(webhook_secrets.decode(secret), content, "sha256")
    return "v1," + base64.b64encode(digest).decode()
