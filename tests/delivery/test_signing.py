"""Signatures in both schemes, verified by independent implementations."""

import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.delivery.signing import headers, is_genuine
from app.services.webhook_secrets import generate

BODY = '{"event":"order.created","data":{"name":"Müller"}}'.encode()


def signed(*secrets: str) -> dict[str, str]:
    return headers(message_id="c1", event="order.created", timestamp=int(time.time()), body=BODY, secrets=secrets)


def plain(secret: str) -> str:
    return hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()


def test_ten_thousand_secrets_work_in_both_schemes() -> None:
    secrets = {generate() for _ in range(10_000)}

    assert len(secrets) == 10_000
    for secret in secrets:
        made = signed(secret)
        assert len(secret) == 38
        assert Webhook(secret).verify(BODY, made)
        assert made["X-Webhook-Signature"] == plain(secret)


def test_a_wrong_secret_or_a_changed_body_does_not_verify() -> None:
    secret = generate()

    with pytest.raises(WebhookVerificationError):
        Webhook(generate()).verify(BODY, signed(secret))
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed(secret))


def test_a_delivery_is_genuine_for_each_secret_that_signed_it() -> None:
    secrets = [generate() for _ in range(4)]
    made = {name.lower(): value for name, value in signed(*secrets).items()}

    for secret in secrets:
        assert is_genuine(secret, made, BODY)
        assert not is_genuine(secret, made, BODY + b" ")
        assert not is_genuine(secret, {**made, "webhook-id": "c2"}, BODY)
        assert not is_genuine(secret, {**made, "webhook-timestamp": "1"}, BODY)
    assert not is_genuine(generate(), made, BODY)
    for forged in ({}, {**made, "webhook-signature": ""}, {**made, "webhook-signature": "v1,ü v1a v1,"}):
        assert not is_genuine(secrets[0], forged, BODY)


def test_earlier_secrets_sign_in_addition_to_the_newest() -> None:
    newest, previous, oldest = secrets = generate(), generate(), generate()

    made = signed(*secrets)

    for secret in secrets:
        assert Webhook(secret).verify(BODY, made)
    assert len(made["webhook-signature"].split()) == 3
    assert (made["X-Webhook-Signature"], made["X-Webhook-Signature-Previous"]) == (plain(newest), plain(previous))
    assert plain(oldest) not in made.values()
