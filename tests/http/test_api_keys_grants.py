"""A key never makes one with more than it has, neither by creating nor by rotating one (contract, section 9.6)."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from app.context import now
from app.db import Database
from app.schemas.base import timestamp
from models import Scope
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.key_company import KeyCompany

SOON = now() + timedelta(hours=1)
ENDS = [None, SOON, SOON + timedelta(milliseconds=1), SOON + timedelta(days=1)]
NETWORKS: list[list[str]] = [
    [],
    ["127.0.0.0/8"],
    ["127.0.0.0/9", "127.128.0.0/9"],
    ["127.0.0.0/9"],
    ["127.0.0.0/8", "::1/128"],
    ["0.0.0.0/0", "::/0"],
]
COVERED = {  # by the caller's networks: which ones, of those above, it may grant
    0: {0, 1, 2, 3, 4, 5},
    1: {1, 2, 3},
    2: {1, 2, 3},
    3: {3},
    4: {1, 2, 3, 4},
    5: {1, 2, 3, 4, 5},
}


# From the lowest to the highest. The keys without a limit have the default of the server, 60/minute.
RATE_LIMITS: list[tuple[str | None, int]] = [
    ("3599/hour", 0),
    ("60/minute", 1),
    ("3600/hour", 1),
    (None, 1),
    ("61/minute", 2),
    ("2/second", 3),
]


@pytest.fixture
def company(anonymous: Client, tenant: Tenant, database: Database) -> KeyCompany:
    return KeyCompany(anonymous, tenant, database)


def outcomes(company: KeyCompany, caller: str, target: str, **fields: Any) -> list[str]:
    """Return the results of creating a key, and of rotating another one like it."""
    responses = [company.create(caller, **fields), company.rotate(target, caller, 604_800)]
    return ["created" if found.status_code == 201 else refusals(found)[0]["code"] for found in responses]


def test_a_key_never_makes_one_with_another_scope(company: KeyCompany) -> None:
    targets = {scope: company.key(scope)[0] for scope in Scope}
    for own in Scope:
        _, caller = company.key(*{Scope.KEYS_WRITE, own})
        for scope in Scope:
            expected = "created" if scope in {Scope.KEYS_WRITE, own} else "scope_too_wide"

            assert outcomes(company, caller, targets[scope], scopes=[scope]) == [expected] * 2, (own, scope)


def test_a_key_never_makes_one_that_outlives_it(company: KeyCompany) -> None:
    def is_within(end: datetime | None, limit: datetime | None) -> bool:
        return limit is None or (end is not None and end <= limit)

    for own, end in product(ENDS, ENDS):
        _, caller = company.key(expires_at=own)
        target, _ = company.key(expires_at=end)
        expected = "created" if is_within(end, own) else "expiry_too_late"

        found = outcomes(company, caller, target, expiresAt=end and timestamp(end))

        assert found == [expected] * 2, (own, end)


def test_a_key_never_makes_one_that_is_open_to_more_networks(company: KeyCompany) -> None:
    for own, other in product(range(len(NETWORKS)), range(len(NETWORKS))):
        _, caller = company.key(Scope.KEYS_WRITE, Scope.PRODUCTS_READ, allowed_networks=NETWORKS[own])
        target, _ = company.key(Scope.PRODUCTS_READ, allowed_networks=NETWORKS[other])
        expected = "created" if other in COVERED[own] else "network_too_wide"

        found = outcomes(company, caller, target, allowedNetworks=NETWORKS[other])

        assert found == [expected] * 2, (NETWORKS[own], NETWORKS[other])
        for key_id in [key["id"] for key in company.send("GET", "/api-keys?status=Active").json()["data"]]:
            if key_id != company.tenant.key_id:  # a company has at most 100
                company.send("DELETE", f"/api-keys/{key_id}")


def test_a_key_never_rotates_another_one_with_a_higher_rate_limit(company: KeyCompany) -> None:
    for (own, rank), (other, other_rank) in product(RATE_LIMITS, RATE_LIMITS):
        _, caller = company.key(rate_limit=own)
        target, _ = company.key(rate_limit=other)

        response = company.rotate(target, caller)

        if other_rank <= rank:
            assert company.get(company.data(response)["id"])["rateLimit"] == company.get(target)["rateLimit"]
        else:
            assert [detail["code"] for detail in refusals(response)] == ["rate_limit_too_high"], (own, other)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ("1/day", {"limit": 1, "windowSeconds": 86_400}),
        ("59/minute", {"limit": 59, "windowSeconds": 60}),
        ("60/minute", None),
        ("61/minute", None),
        (None, None),
    ],
)
def test_a_key_creates_none_with_a_higher_rate_limit(company: KeyCompany, own: str | None, expected: object) -> None:
    _, caller = company.key(rate_limit=own)

    assert company.data(company.create(caller))["rateLimit"] == expected


def test_a_key_rotates_itself_whatever_its_rate_limit(company: KeyCompany) -> None:
    for rate_limit, _ in RATE_LIMITS:
        key_id, key = company.key(rate_limit=rate_limit)

        assert company.data(company.rotate(key_id, key))["rateLimit"] == company.get(key_id)["rateLimit"]


def test_the_keys_that_a_key_makes_make_no_more_either(company: KeyCompany) -> None:
    _, caller = company.key(Scope.KEYS_WRITE, Scope.ORDERS_READ, expires_at=SOON, allowed_networks=["127.0.0.0/8"])
    limits = {"expiresAt": timestamp(SOON), "allowedNetworks": ["127.0.0.0/8"]}
    for _ in range(3):
        made = company.data(company.create(caller, scopes=["keys:write", "orders:read"], **limits))
        rotated = company.data(company.rotate(made["id"], made["key"]))
        caller = rotated["key"]

        assert rotated["scopes"] == ["keys:write", "orders:read"]
        assert {name: rotated[name] for name in limits} == limits
        codes = [detail["code"] for detail in refusals(company.create(caller, scopes=["orders:write"]))]
        assert codes == ["scope_too_wide", "expiry_too_late", "network_too_wide"]


@pytest.mark.parametrize(
    ("scopes", "limits", "code"),
    [
        ([Scope.KEYS_WRITE], {}, "scope_too_wide"),
        ([], {"expires_at": SOON}, "expiry_too_late"),
        ([], {"allowed_networks": ["127.0.0.0/8"]}, "network_too_wide"),
        ([], {"rate_limit": "60/minute"}, "rate_limit_too_high"),
    ],
)
def test_a_refusal_that_depends_on_the_caller_is_not_stored(
    company: KeyCompany, scopes: list[Scope], limits: dict[str, Any], code: str
) -> None:
    _, caller = company.key(*scopes, **limits)
    target, _ = company.key()
    path = f"/api-keys/{target}/rotate" if code == "rate_limit_too_high" else "/api-keys"
    body = {} if code == "rate_limit_too_high" else {"name": "ERP", "scopes": ["orders:read"]}
    options: dict[str, Any] = {"json": body, "headers": {"Idempotency-Key": "one"}}

    refused, made, repeated = (company.send("POST", path, key, **options) for key in (caller, None, None))

    assert [detail["code"] for detail in refusals(refused)] == [code]
    assert (made.status_code, "idempotency-replayed" in made.headers) == (201, False)
    assert company.data(repeated) == {**company.data(made), "key": None}
