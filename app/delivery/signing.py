"""The headers of a delivery, signed in two schemes that share the secrets (contract, sections 8.2 and 9.5).

`X-Webhook-Signature` is the published scheme: HMAC-SHA256 of the body, keyed with the secret as it is written; it has
room for one secret, and `X-Webhook-Signature-Previous` for the one before. `webhook-signature` is that of Standard
Webhooks 1.0.0: of id, time and body, keyed with the bytes that a secret encodes, once for each secret.
"""

import base64
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"
USER_AGENT = "Distribu-Webhooks/1"


def headers(*, message_id: str, event: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers of one attempt at `timestamp` (Unix seconds), signed with each secret, the newest first."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    newest, *earlier = secrets
    result = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Webhook-Event": event,
        "X-Webhook-Signature": _plain(newest, body),
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_standard(each, signed) for each in secrets),
    }
    if earlier:
        result["X-Webhook-Signature-Previous"] = _plain(earlier[0], body)
    return result


def _plain(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


def _standard(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
