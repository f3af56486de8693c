"""Signatures: both schemes, checked by others' code."""

import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.services.webhooks import new_secret
from app.webhooks.signing import headers

BODY = '{"event":"order.created","data":{"name":"Müller"}}'.encode()


def signed(secret: str, previous: str | None = None) -> dict[str, str]:
    at = int(time.time())
    return headers(
        message_id="c1", event="order.created", timestamp=at, body=BODY, secret=secret, previous_secret=previous
    )


def plain(secret: str) -> str:
    return hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()


def test_ten_thousand_secrets_work_under_both_schemes() -> None:
    secrets = {new_secret() for _ in range(10_000)}

    assert len(secrets) == 10_000
    for secret in secrets:
        made = signed(secret)
        assert len(secret) == 38
        assert Webhook(secret).verify(BODY, made)
        assert made["X-Webhook-Signature"] == plain(secret)


def test_another_secret_or_another_body_does_not_verify() -> None:
    secret = new_secret()

    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, signed(secret))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed(secret))


def test_a_previous_secret_signs_beside_the_new_one() -> None:
    old, new = new_secret(), new_secret()

    made = signed(new, old)

    for secret in (old, new):
        assert Webhook(secret).verify(BODY, made)
    assert (made["X-Webhook-Signature"], made["X-Webhook-Signature-Previous"]) == (plain(new), plain(old))
