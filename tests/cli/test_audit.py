"""`distribu audit`: the JSON that scripts rely on (contract, section 11)."""

import re

from app.db import Database
from app.services import audit
from tests.cli.conftest import Command, entries
from tests.support import factories
from tests.support.factories import Tenant

MEMBERS = ["action", "actorType", "actorId", "entityType", "entityId", "requestId", "createdAt", "metadata"]


class TestList:
    def test_prints_entries_newest_first(self, distribu: Command, shop: Tenant) -> None:
        distribu("company", "update", shop.slug, "--shipping", "1")
        distribu("company", "update", shop.slug, "--shipping", "2")

        newest, second, *_ = listed = entries(distribu, shop.slug)

        assert all(list(entry) == MEMBERS for entry in listed)
        assert newest["metadata"] == {"before": {"shipping": 1.0}, "after": {"shipping": 2.0}}
        assert second["metadata"] == {"before": {"shipping": 0.0}, "after": {"shipping": 1.0}}
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", newest["createdAt"])
        assert newest["requestId"] != second["requestId"]
        assert {entry["action"] for entry in listed} == {"company.created", "api_key.created", "company.updated"}

    def test_the_default_limit_is_50(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        with fresh_database.transaction(write=True) as session:
            ctx = factories.context(session, shop.company_id)
            for number in range(60):
                audit.record(ctx, "test.done", "test", str(number))

        def count(*options: str) -> int:
            return len(distribu("audit", "list", "--company", shop.slug, "--json", *options).json)

        assert (count(), count("--limit", "55"), count("--limit", "0")) == (50, 55, 62)

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
