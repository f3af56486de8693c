"""The headers of a delivery, signed in two schemes that share one secret (contract, section 8.2).

`X-Webhook-Signature` is the published scheme: HMAC-SHA256 of the body, keyed with the secret as it is written.
`webhook-signature` is that of Standard Webhooks 1.0.0: of id, time and body, keyed with the bytes that it encodes.
"""

import base64
import hmac

PREFIX = "whsec_"
USER_AGENT = "Distribu-Webhooks/1"


def headers(
    *, message_id: str, event: str, timestamp: int, body: bytes, secret: str, previous_secret: str | None = None
) -> dict[str, str]:
    """Return the headers of one attempt at `timestamp` (Unix seconds). A previous secret signs beside the secret."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    secrets = [secret] if previous_secret is None else [secret, previous_secret]
    result = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-Webhook-Event": event,
        "X-Webhook-Signature": _plain(secret, body),
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_standard(each, signed) for each in secrets),
    }
    if previous_secret is not None:
        result["X-Webhook-Signature-Previous"] = _plain(previous_secret, body)
    return result


def _plain(secret: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


def _standard(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
