"""`distribu audit`: the JSON that scripts rely on (contract, section 11)."""

import getpass
import re

import pytest

from app.db import Database
from app.schemas.audit import AUDIT_ENTRY
from app.services import audit
from tests.cli.conftest import Command, entries
from tests.support import factories
from tests.support.factories import Tenant
from tests.support.sealed_log import seal_all

MEMBERS = ["action", "actorType", "actorId", "entityType", "entityId", "requestId", "createdAt", "metadata"]


class TestList:
    def test_prints_entries_newest_first(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--shipping", "1")
        distribu("company", "update", shop.slug, "--shipping", "2")

        newest, second, *_ = listed = entries(distribu, shop.slug)

        assert all(set(MEMBERS) <= entry.keys() for entry in listed)
        assert newest["metadata"] == {"before": {"shipping": 1.0}, "after": {"shipping": 2.0}}
        assert second["metadata"] == {"before": {"shipping": 0.0}, "after": {"shipping": 1.0}}
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", newest["createdAt"])
        assert newest["requestId"] != second["requestId"]
        assert {entry["action"] for entry in listed} == {"company.created", "api_key.created", "company.updated"}

    def test_json_equals_that_of_the_api(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        with fresh_database.transaction() as session:
            page = audit.page(factories.context(session, shop.company_id))

        assert entries(distribu, shop.slug) == [AUDIT_ENTRY.render(entry) for entry in page.rows]

    def test_the_default_limit_is_50(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        with fresh_database.transaction(write=True) as session:
            ctx = factories.context(session, shop.company_id)
            for number in range(110):
                audit.record(ctx, "test.done", "test", str(number))

        def count(*options: str) -> int:
            return len(distribu("audit", "list", "--company", shop.slug, "--json", *options).json)

        assert (count(), count("--limit", "55"), count("--limit", "0")) == (50, 55, 112)

    def test_the_table_is_limited_and_a_message_says_so(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("audit", "list", "--company", shop.slug, "--limit", "1")

        assert shop.key_id in outcome.out
        assert "company.created" not in outcome.out
        assert outcome.err == "There are more than 1. Use --limit 0 to list all.\n"

    def test_entries_of_another_company_are_not_listed(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)

        assert other.key_id not in str(entries(distribu, shop.slug))

    def test_filters_entries(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--shipping", "1")
        updated, key_created, created = entries(distribu, shop.slug)

        def found(*options: str) -> list[str]:
            listed = distribu("audit", "list", "--company", shop.slug, "--json", *options).json
            return [entry["action"] for entry in listed]

        both = ["company.updated", "company.created"]
        assert found("--actor-id", getpass.getuser()) == ["company.updated"]
        assert found("--actor-type", "SYSTEM") == ["company.created"]
        assert found("--action", " company.created ") == ["company.created"]
        assert found("--entity-type", "company") == both
        assert found("--entity-id", shop.key_id) == ["api_key.created"]
        assert found("--entity-id", shop.company_id, "--action", "company.updated") == ["company.updated"]
        assert found("--request-id", updated["requestId"]) == ["company.updated"]
        assert found("--since", updated["createdAt"]) == ["company.updated"]
        assert found("--until", created["createdAt"])[-1] == "company.created"
        assert found("--until", key_created["createdAt"])[0] != "company.updated"

    def test_a_date_as_the_end_includes_the_whole_day(self, distribu: Command, shop: Tenant) -> None:
        newest = entries(distribu, shop.slug)[0]
        day = newest["createdAt"][:10]

        def found(*options: str) -> list[str]:
            listed = distribu("audit", "list", "--company", shop.slug, "--json", *options).json
            return [entry["id"] for entry in listed]

        assert newest["id"] in found("--until", day)
        assert newest["id"] not in found("--until", f"{day}T00:00:00")
        assert found("--until", "2026-04-30") == []

    def test_a_company_without_matching_changes_has_a_message(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("audit", "list", "--company", shop.slug, "--action", "order.placed")

        assert (outcome.code, outcome.out, outcome.err) == (0, "", "No changes found.\n")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--actor-type", "ROBOT"), "'ROBOT' is not one of 'API_KEY', 'USER', 'SYSTEM'"),
            (("--since", "soon"), "'soon' is not an ISO 8601 time like 2027-04-16"),
            (("--until", "2026-02-30"), "'2026-02-30' is not an ISO 8601 time"),
        ],
    )
    def test_an_invalid_filter_is_rejected(
        self, distribu: Command, shop: Tenant, options: tuple[str, ...], message: str
    ) -> None:
        assert message in distribu("audit", "list", "--company", shop.slug, *options).error


class TestSeal:
    def test_all_members_are_null_before_the_first_seal(self, distribu: Command, shop: Tenant) -> None:
        seal = distribu("audit", "seal", "--company", shop.slug, "--json").json

        assert seal == {"seal": None, "entryId": None, "entries": None, "sealedAt": None}

    def test_prints_the_last_seal(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        seal_all(fresh_database)

        seal = distribu("audit", "seal", "--company", shop.slug, "--json").json
        table = distribu("audit", "seal", "--company", shop.slug).out

        assert (len(seal["seal"]), seal["entries"]) == (64, 2)
        assert all(str(value) in table for value in seal.values())

    def test_an_unknown_company_is_an_error(self, distribu: Command, shop: Tenant) -> None:
        outcome = distribu("audit", "seal", "--company", "unknown")

        assert (outcome.code, outcome.error) == (1, "Company 'unknown' not found.")
