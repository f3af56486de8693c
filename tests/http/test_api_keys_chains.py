"""A key that was replaced is rotated again: the new key replaces the newest active one (contract, section 9.6)."""

from datetime import timedelta

import pytest

from app.context import now
from app.db import Database
from app.schemas.base import timestamp
from app.schemas.times import parse_time
from app.services.key_grants import MAX_ACTIVE_KEYS
from models import Scope
from tests.support.client import Client, refusals
from tests.support.factories import Tenant
from tests.support.key_company import KeyCompany

HOUR = timedelta(hours=1)


@pytest.fixture
def company(anonymous: Client, tenant: Tenant, database: Database) -> KeyCompany:
    return KeyCompany(anonymous, tenant, database)


def test_a_client_that_lost_the_response_gets_a_lasting_key(company: KeyCompany) -> None:
    key_id, key = company.key()
    lost = company.data(company.rotate(key_id, key, 3600))
    before = company.get(key_id)

    new = company.data(company.rotate(key_id, key, 604_800))

    again = {**company.get(key_id), "lastUsedAt": before["lastUsedAt"]}  # it is written in the background
    assert again == before  # a second rotation does not extend the grace period
    assert (before["replacedBy"], new["expiresAt"], new["replacedBy"]) == (lost["id"], None, None)
    replaced = company.get(lost["id"])
    assert (replaced["replacedBy"], replaced["status"]) == (new["id"], "Active")
    assert parse_time(replaced["expiresAt"]) == parse_time(new["createdAt"]) + timedelta(days=7)
    assert [company.send("GET", "/me", caller).status_code for caller in (key, lost["key"], new["key"])] == [200] * 3


def test_the_new_key_has_the_original_end(company: KeyCompany) -> None:
    end = now() + 2 * HOUR
    key_id, key = company.key(expires_at=end, rate_limit="7/minute", allowed_networks=["127.0.0.0/8"])

    made = [company.data(company.rotate(key_id, key, 3600)) for _ in range(3)]

    assert [new["expiresAt"] for new in made] == [timestamp(end)] * 3
    assert [new["allowedNetworks"] for new in made] == [["127.0.0.0/8"]] * 3
    assert [new["rateLimit"] for new in made] == [{"limit": 7, "windowSeconds": 60}] * 3


@pytest.mark.parametrize("caller", ["the key", "the newest key", "another key"])
def test_any_number_of_rotations_leaves_one_lasting_key(company: KeyCompany, caller: str) -> None:
    key_id, key = company.key()
    newest = key
    made = []
    for _ in range(5):
        sender = {"the key": key, "the newest key": newest, "another key": company.tenant.key}[caller]
        made.append(company.data(company.rotate(key_id, sender)))
        newest = made[-1]["key"]

    records = [company.get(identifier) for identifier in (key_id, *(new["id"] for new in made))]
    assert [record["replacedBy"] for record in records] == [*(new["id"] for new in made), None]
    assert [record["expiresAt"] is None for record in records] == [False] * 5 + [True]


def test_no_number_of_rotations_exceeds_the_limit_of_keys(company: KeyCompany) -> None:
    for _ in range(MAX_ACTIVE_KEYS - 2):
        company.key()
    *_, new = (company.data(company.rotate(company.tenant.key_id)) for _ in range(3))

    assert [company.create(new["key"]).status_code for _ in range(2)] == [201, 422]


def test_the_grace_period_of_both_keys_can_be_shortened(company: KeyCompany) -> None:
    key_id, key = company.key()
    lost = company.data(company.rotate(key_id, key, 3600))

    new = company.data(company.rotate(key_id, key, 60))

    ends = [parse_time(company.get(ended)["expiresAt"]) for ended in (key_id, lost["id"])]
    assert ends == [parse_time(new["createdAt"]) + timedelta(minutes=1)] * 2


def test_without_grace_both_keys_are_rejected_at_once(company: KeyCompany) -> None:
    key_id, key = company.key()
    lost = company.data(company.rotate(key_id, key))
    company.data(company.send("GET", "/me", lost["key"]))  # so that it is cached

    new = company.data(company.rotate(key_id, key, 0))

    assert [company.send("GET", "/me", caller).status_code for caller in (key, lost["key"])] == [401, 401]
    assert company.send("GET", "/me", new["key"]).status_code == 200


def test_a_key_that_expired_in_the_chain_is_passed_over(company: KeyCompany) -> None:
    key_id, key = company.key()
    second = company.data(company.rotate(key_id, key))
    third = company.data(company.rotate(second["id"], second["key"], 0))

    new = company.data(company.rotate(key_id, key))

    assert company.get(second["id"])["replacedBy"] == third["id"]
    assert (company.get(third["id"])["replacedBy"], new["expiresAt"]) == (new["id"], None)


def test_if_the_successor_was_revoked_the_new_key_ends_with_the_grace_period(company: KeyCompany) -> None:
    key_id, key = company.key()
    revoked = company.data(company.rotate(key_id, key, 3600))
    end = company.get(key_id)["expiresAt"]
    company.data(company.send("DELETE", f"/api-keys/{revoked['id']}"))

    new = company.data(company.rotate(key_id, key, 604_800))

    old = company.get(key_id)
    assert (new["expiresAt"], old["expiresAt"], old["replacedBy"]) == (end, end, new["id"])
    assert company.get(revoked["id"])["replacedBy"] is None


def test_if_the_newest_key_was_revoked_the_one_before_it_is_replaced(company: KeyCompany) -> None:
    key_id, key = company.key()
    second, third = (company.data(company.rotate(key_id, key, 3600)) for _ in range(2))
    end = company.get(second["id"])["expiresAt"]
    company.data(company.send("DELETE", f"/api-keys/{third['id']}"))

    new = company.data(company.rotate(key_id, key))

    replaced = company.get(second["id"])
    assert (new["expiresAt"], replaced["expiresAt"], replaced["replacedBy"]) == (end, end, new["id"])
    assert company.get(key_id)["replacedBy"] == second["id"]


def test_another_key_must_be_allowed_to_create_the_newest_one(company: KeyCompany) -> None:
    key_id, key = company.key()
    _, caller = company.key(expires_at=now() + 2 * HOUR)  # after the grace period
    newest = company.data(company.rotate(key_id, key, 3600))

    assert [detail["code"] for detail in refusals(company.rotate(key_id, caller))] == ["expiry_too_late"]
    assert company.get(newest["id"])["replacedBy"] is None


def test_the_audit_log_has_an_entry_of_each_key_that_changed(company: KeyCompany) -> None:
    key_id, key = company.key(Scope.KEYS_WRITE)
    lost = company.data(company.rotate(key_id, key, 3600))
    first_end = company.get(key_id)["expiresAt"]

    new = company.data(company.rotate(key_id, key, 60))

    _, entry = company.audited("api_key.rotated")
    replaced = company.get(lost["id"])
    assert entry.entity_id == lost["id"]
    assert entry.details == {
        **{name: replaced[name] for name in ("name", "prefix", "scopes")},
        "graceSeconds": 60,
        "requestedKey": key_id,
        "before": {"expiresAt": None, "replacedBy": None},
        "after": {"expiresAt": replaced["expiresAt"], "replacedBy": new["id"]},
    }
    (entry,) = company.audited("api_key.updated")
    assert (entry.entity_id, entry.details) == (
        key_id,
        {"before": {"expiresAt": first_end}, "after": {"expiresAt": company.get(key_id)["expiresAt"]}},
    )


def test_a_grace_period_that_does_not_change_is_not_audited(company: KeyCompany) -> None:
    key_id, key = company.key()
    for _ in range(2):
        company.data(company.rotate(key_id, key))

    assert company.audited("api_key.updated") == []
