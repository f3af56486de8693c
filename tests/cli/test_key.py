"""`distribu key`: the JSON that scripts rely on (contract, section 11), and that no plaintext comes back."""

import getpass
import re
from datetime import UTC, datetime, timedelta

import pytest

from app.db import Database
from app.services import keys
from models import Scope
from tests.cli.conftest import Command, dump, entries, listed
from tests.support import factories
from tests.support.factories import Tenant

TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
LISTED = [
    *("id", "name", "prefix", "scopes", "lastUsedAt", "createdAt", "createdBy", "expiresAt", "status"),
    *("rateLimit", "allowedNetworks"),
]


def create(shop: Tenant, *more: str) -> list[str]:
    return ["key", "create", "--company", shop.slug, "--name", "Till", "--scope", "products:read", *more]


class TestCreate:
    def test_json_has_the_record_and_a_working_key(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        created = distribu(*create(shop, "--scope", "orders:read", "--json")).json

        assert list(created) == ["id", "name", "prefix", "scopes", "expiresAt", "key"]
        assert created["name"] == "Till"
        assert created["scopes"] == ["orders:read", "products:read"]
        assert created["expiresAt"] is None
        assert re.fullmatch(r"dk_[A-Za-z0-9_-]{43}", created["key"])
        assert created["prefix"] == created["key"][:12]
        with fresh_database.transaction() as session:
            found = keys.find(session, keys.digest(created["key"]))
        assert found is not None
        assert (found.id, found.company_id) == (created["id"], shop.company_id)

    def test_prints_the_key_once_with_a_message(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu(*create(shop))

        assert re.fullmatch(r"dk_[A-Za-z0-9_-]{43}\n", outcome.out)
        assert "This is the only time the key is shown." in outcome.err
        assert outcome.out.strip() not in outcome.err

    def test_the_plaintext_is_not_stored(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        plaintext = distribu(*create(shop)).out.strip()

        assert plaintext not in str(dump(fresh_database))
        assert plaintext not in distribu("key", "list", "--company", shop.slug, "--json").out

    def test_all_grants_every_scope(self, distribu: Command, shop: Tenant) -> None:
        assert distribu(*create(shop, "--scope", "all", "--json")).json["scopes"] == sorted(Scope)

    def test_a_key_can_have_an_expiry(self, distribu: Command, shop: Tenant) -> None:
        created = distribu(*create(shop, "--expires", "2100-04-16T14:22:00+02:00", "--json")).json

        assert created["expiresAt"] == "2100-04-16T12:22:00.000Z"

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            (("--expires", "tomorrow"), "'tomorrow' is not an ISO 8601 time like"),
            (("--rate-limit", "fast"), "'fast' is not a number of requests per period, like 600/minute."),
            (("--scope", "products:eat"), "'products:eat' is not one of 'products:read'"),
            (("--network", "192.0.2.1/24"), "'192.0.2.1/24' must not have host bits: use 192.0.2.0/24."),
            (("--network", "192.0.2.1"), "'192.0.2.1' must be a network in CIDR notation, such as"),
        ],
        ids=["expires", "rate-limit", "scope", "network", "address"],
    )
    def test_an_invalid_option_is_rejected(self, bare: Command, option: tuple[str, ...], message: str) -> None:
        outcome = bare("key", "create", "--company", "acme", "--name", "Till", "--scope", "all", *option)

        assert message in outcome.error
        assert outcome.code == 2

    def test_an_expiry_in_the_past_is_rejected(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu(*create(shop, "--expires", "2020-01-01"))

        assert outcome.error == "The expiry must be in the future."
        assert outcome.code == 1

    def test_a_key_can_have_its_own_rate_limit(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        plaintext = distribu(*create(shop, "--rate-limit", "600/minute")).out.strip()

        with fresh_database.transaction() as session:
            found = keys.find(session, keys.digest(plaintext))
        assert found is not None
        assert found.rate_limit == "600 per 1 minute"

    def test_a_key_can_have_up_to_20_networks(self, distribu: Command, shop: Tenant) -> None:
        networks = [f"192.0.2.{number}/32" for number in range(19)] + ["2001:db8::/32"]
        options = [word for network in networks for word in ("--network", network)]

        created = distribu(*create(shop, *options, "--json")).json
        refused = distribu(*create(shop, *options, "--network", "10.0.0.0/8"))

        newest, oldest = listed(distribu, "key", shop.slug)
        assert (newest["id"], newest["allowedNetworks"]) == (created["id"], networks)
        assert oldest["allowedNetworks"] == []
        assert refused.error == "A key can have at most 20 networks, not 21."

    @pytest.mark.parametrize("name", ["", "x" * 101])
    def test_an_invalid_name_is_rejected(self, distribu: Command, shop: Tenant, name: str) -> None:
        outcome = distribu("key", "create", "--company", shop.slug, "--name", name, "--scope", "all")

        assert outcome.error == "name must be between 1 and 100 characters."

    def test_an_unknown_company_is_rejected(self, distribu: Command) -> None:
        outcome = distribu("key", "create", "--company", "unknown", "--name", "A", "--scope", "all")

        assert outcome.error == "Company 'unknown' not found."
        assert outcome.code == 1

    def test_the_audit_entry_does_not_have_the_key(self, distribu: Command, shop: Tenant) -> None:
        created = distribu(*create(shop, "--json")).json

        entry = entries(distribu, shop.slug)[0]
        assert (entry["action"], entry["entityType"], entry["entityId"]) == (
            "api_key.created",
            "api_key",
            created["id"],
        )
        assert (entry["actorType"], entry["actorId"]) == ("USER", getpass.getuser())
        assert entry["metadata"] == {name: created[name] for name in ("name", "prefix", "scopes")}
        assert created["key"] not in str(entry)


class TestList:
    def test_prints_keys_newest_first(self, distribu: Command, shop: Tenant) -> None:
        created = distribu(*create(shop, "--expires", "2100-01-01", "--json")).json

        newest, oldest = distribu("key", "list", "--company", shop.slug, "--json").json

        assert list(newest) == LISTED
        assert newest["id"] == created["id"]
        assert newest["createdBy"] == getpass.getuser()
        assert TIME.fullmatch(newest["createdAt"])
        assert newest["expiresAt"] == "2100-01-01T00:00:00.000Z"
        assert (newest["lastUsedAt"], newest["status"]) == (None, "Active")
        assert oldest["id"] == shop.key_id

    def test_revoked_and_expired_keys_are_listed(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        past = datetime.now(UTC) - timedelta(days=1)
        expired, _ = factories.api_key(fresh_database, shop.company_id, expires_at=past, last_used_at=past)
        revoked, _ = factories.api_key(fresh_database, shop.company_id, revoked_at=past)

        rows = {key["id"]: key for key in distribu("key", "list", "--company", shop.slug, "--json").json}

        assert rows[expired]["status"] == "Expired"
        assert TIME.fullmatch(rows[expired]["lastUsedAt"])
        assert rows[revoked]["status"] == "Revoked"

    def test_keys_of_another_company_are_not_listed(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)

        outcome = distribu("key", "list", "--company", shop.slug)

        assert shop.key_id in outcome.out
        assert other.key_id not in outcome.out


class TestUpdate:
    def test_changes_the_rate_limit(self, distribu: Command, shop: Tenant) -> None:
        updated = distribu("key", "update", shop.key_id, "--rate-limit", "600/minute", "--json").json

        assert list(updated) == ["id", "name", "prefix", "rateLimit"]
        assert (updated["id"], updated["rateLimit"]) == (shop.key_id, "600/minute")
        (listed,) = distribu("key", "list", "--company", shop.slug, "--json").json
        assert listed["rateLimit"] == "600/minute"
        assert "600/minute" in distribu("key", "list", "--company", shop.slug).out

    def test_default_removes_the_limit_of_the_key(self, distribu: Command, shop: Tenant) -> None:
        distribu("key", "update", shop.key_id, "--rate-limit", "5/second")

        assert distribu("key", "update", shop.key_id, "--rate-limit", "default", "--json").json["rateLimit"] is None
        assert "default" in distribu("key", "list", "--company", shop.slug).out

    def test_is_audited_only_when_something_changed(self, distribu: Command, shop: Tenant) -> None:
        for _ in range(2):
            assert distribu("key", "update", shop.key_id, "--rate-limit", "600/minute").code == 0

        entries = distribu("audit", "list", "--company", shop.slug, "--json").json
        (entry,) = [entry for entry in entries if entry["action"] == "api_key.updated"]
        assert entry["entityId"] == shop.key_id
        assert entry["metadata"]["before"] == {"rateLimit": factories.UNLIMITED}
        assert entry["metadata"]["after"] == {"rateLimit": "600 per 1 minute"}

    @pytest.mark.parametrize("limit", ["many", "0/minute", "60/minute;1/second", ""])
    def test_an_invalid_limit_is_rejected(self, bare: Command, limit: str) -> None:
        outcome = bare("key", "update", "dk_123456789", "--rate-limit", limit)

        assert "is not a number of requests per period, like 600/minute." in outcome.error
        assert outcome.code == 2

    def test_a_key_of_another_company_is_not_found(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)
        command = ("key", "update", other.key_id, "--company", shop.slug, "--rate-limit", "1/minute")

        assert distribu(*command).error == "Key not found."


class TestShow:
    @pytest.mark.parametrize("by", ["prefix", "id"])
    def test_prints_the_record(self, distribu: Command, shop: Tenant, by: str) -> None:
        created = distribu(*create(shop, "--expires", "2100-01-01", "--network", "10.0.0.0/8", "--json")).json
        (listed, _) = distribu("key", "list", "--company", shop.slug, "--json").json

        shown = distribu("key", "show", created[by], "--json").json

        assert shown == {**listed, "revokedAt": None, "replacedBy": None}
        assert created["key"] not in distribu("key", "show", created[by]).out

    def test_a_revoked_and_a_replaced_key_are_shown(self, distribu: Command, shop: Tenant) -> None:
        revoked = distribu(*create(shop, "--json")).json["id"]
        distribu("key", "revoke", revoked)
        new = distribu("key", "rotate", shop.key_id, "--json").json["id"]

        shown = [distribu("key", "show", key_id, "--json").json for key_id in (revoked, shop.key_id)]

        assert TIME.fullmatch(shown[0]["revokedAt"])
        assert (shown[0]["status"], shown[1]["replacedBy"]) == ("Revoked", new)

    def test_an_unknown_key_and_one_of_another_company_are_not_found(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)

        assert distribu("key", "show", "dk_123456789").error == "Key not found."
        assert distribu("key", "show", other.key_id, "--company", shop.slug).error == "Key not found."


class TestRotate:
    def test_json_has_the_record_and_a_working_key(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        options = ("--expires", "2100-01-01", "--rate-limit", "600/minute", "--network", "10.0.0.0/8")
        old = distribu(*create(shop, *options, "--json")).json

        new = distribu("key", "rotate", old["prefix"], "--grace-seconds", "60", "--json").json

        assert list(new) == ["id", "name", "prefix", "scopes", "expiresAt", "key"]
        assert new["id"] != old["id"]
        assert new["prefix"] == new["key"][:12]
        shown = [distribu("key", "show", key["id"], "--json").json for key in (new, old)]
        same = ("name", "scopes", "rateLimit", "allowedNetworks")
        assert [shown[0][name] for name in same] == [shown[1][name] for name in same]
        assert (shown[0]["expiresAt"], shown[1]["replacedBy"]) == (old["expiresAt"], new["id"])
        end = datetime.fromisoformat(shown[0]["createdAt"]) + timedelta(seconds=60)
        assert datetime.fromisoformat(shown[1]["expiresAt"]) == end
        with fresh_database.transaction() as session:
            found = keys.find(session, keys.digest(new["key"]))
        assert found is not None
        assert found.id == new["id"]

    def test_prints_the_key_once_with_a_message(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("key", "rotate", shop.key_id)

        assert re.fullmatch(r"dk_[A-Za-z0-9_-]{43}\n", outcome.out)
        assert outcome.err.startswith(f"Replaced the API key {shop.key[:12]}….")
        assert outcome.out.strip() not in outcome.err

    def test_is_audited_as_a_change_of_the_old_key(self, distribu: Command, shop: Tenant) -> None:
        new = distribu("key", "rotate", shop.key_id, "--grace-seconds", "0", "--json").json

        entry = entries(distribu, shop.slug)[0]
        assert (entry["action"], entry["entityId"], entry["actorId"]) == (
            "api_key.rotated",
            shop.key_id,
            getpass.getuser(),
        )
        assert entry["metadata"]["after"]["replacedBy"] == new["id"]
        assert new["key"] not in str(entry)

    def test_a_key_that_is_not_active_is_refused(self, distribu: Command, shop: Tenant) -> None:
        distribu("key", "revoke", shop.key_id)

        outcome = distribu("key", "rotate", shop.key_id)

        assert outcome.error == "The API key is Revoked. Only an active key can be rotated."
        assert outcome.code == 1

    @pytest.mark.parametrize("seconds", ["-1", "604801", "soon"])
    def test_an_invalid_grace_period_is_rejected(self, bare: Command, seconds: str) -> None:
        assert bare("key", "rotate", "dk_123456789", "--grace-seconds", seconds).code == 2

    def test_an_unknown_key_and_one_of_another_company_are_not_found(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)

        assert distribu("key", "rotate", "dk_123456789").error == "Key not found."
        assert distribu("key", "rotate", other.key_id, "--company", shop.slug).error == "Key not found."


class TestRevoke:
    @pytest.mark.parametrize("by", ["prefix", "id"])
    def test_prints_the_revoked_key(self, distribu: Command, shop: Tenant, by: str) -> None:
        created = distribu(*create(shop, "--json")).json

        revoked = distribu("key", "revoke", created[by], "--json").json

        expected = {"id": created["id"], "name": "Till", "prefix": created["prefix"], "status": "Revoked"}
        assert revoked == expected
        assert list(revoked) == list(expected)

    def test_a_second_revocation_changes_nothing(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        distribu("key", "revoke", shop.key_id)
        before = dump(fresh_database)

        assert distribu("key", "revoke", shop.key_id, "--json").json["status"] == "Revoked"
        assert dump(fresh_database) == before

    def test_is_audited_only_when_something_changed(self, distribu: Command, shop: Tenant) -> None:
        created = distribu(*create(shop, "--json")).json
        distribu("key", "revoke", created["prefix"])
        distribu("key", "revoke", created["prefix"])

        revocations = [entry for entry in entries(distribu, shop.slug) if entry["action"] == "api_key.revoked"]
        (entry,) = revocations
        assert (entry["entityType"], entry["entityId"]) == ("api_key", created["id"])
        assert (entry["actorType"], entry["actorId"]) == ("USER", getpass.getuser())
        assert entry["metadata"] == {name: created[name] for name in ("name", "prefix", "scopes")}

    def test_an_unknown_key_is_not_found(self, distribu: Command) -> None:
        outcome = distribu("key", "revoke", "dk_123456789")

        assert outcome.error == "Key not found."
        assert outcome.code == 1

    def test_a_key_of_another_company_is_not_found(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)

        assert distribu("key", "revoke", other.key_id, "--company", shop.slug).error == "Key not found."

    def test_a_prefix_of_several_keys_needs_the_company(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)
        factories.api_key(fresh_database, shop.company_id, prefix="dk_same00000")
        key_id, _ = factories.api_key(fresh_database, other.company_id, prefix="dk_same00000")

        assert "matches 2 keys" in distribu("key", "revoke", "dk_same00000").error
        assert distribu("key", "revoke", "dk_same00000", "--company", other.slug, "--json").json["id"] == key_id
