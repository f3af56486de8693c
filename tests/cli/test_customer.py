"""`distribu customer`."""

from datetime import UTC, datetime
from decimal import Decimal

from app.db import Database
from app.schemas.customers import CUSTOMER
from app.services import customers
from tests.cli.conftest import Command, listed
from tests.support import factories
from tests.support.factories import Tenant

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class TestList:
    def test_json_equals_that_of_the_api(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        customer_id = factories.customer(fresh_database, shop.company_id, tax_rate_override=Decimal("0.05"))

        (only,) = listed(distribu, "customer", shop.slug)

        with fresh_database.transaction() as session:
            row = customers.get(factories.context(session, shop.company_id), customer_id)
        assert only == CUSTOMER.render(row)
        assert list(only) == list(CUSTOMER.render(row))

    def test_filters_customers(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        older = factories.customer(
            fresh_database, shop.company_id, name="Äpfel & Co", external_id="E-1", created_at=LONG_AGO
        )
        newer = factories.customer(fresh_database, shop.company_id, status="BLOCKED", email="newer@example.com")

        def ids(*options: str) -> list[str]:
            return [customer["id"] for customer in listed(distribu, "customer", shop.slug, *options)]

        assert ids() == [newer, older]
        assert ids("--status", "ACTIVE") == [older]
        assert ids("--status", "BLOCKED") == [newer]
        assert ids("--search", "ÄPF") == [older]
        assert ids("--email", "NEWER@example.com") == [newer]
        assert ids("--external-id", "E-1") == [older]
        assert ids("--external-id", "e-1") == []
        assert ids("--limit", "1") == [newer]

    def test_limit_0_lists_all_customers(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        made = {factories.customer(fresh_database, shop.company_id) for _ in range(102)}

        assert {customer["id"] for customer in listed(distribu, "customer", shop.slug, "--limit", "0")} == made
        assert len(listed(distribu, "customer", shop.slug)) == 50

    def test_the_table_is_limited_and_a_message_says_so(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        factories.customer(fresh_database, shop.company_id, name="Older", created_at=LONG_AGO)
        factories.customer(fresh_database, shop.company_id, name="Evil \x1b[31m name", credit_limit=Decimal(9))

        outcome = distribu("customer", "list", "--company", shop.slug, "--limit", "1")

        assert "Older" not in outcome.out
        assert "9.00" in outcome.out
        assert "\x1b" not in outcome.out
        assert outcome.err == "There are more than 1. Use --limit 0 to list all.\n"

    def test_customers_of_another_company_are_not_listed(
        self, distribu: Command, shop: Tenant, fresh_database: Database
    ) -> None:
        other = factories.tenant(fresh_database)
        factories.customer(fresh_database, other.company_id)

        assert listed(distribu, "customer", shop.slug) == []

    def test_json_escapes_control_characters(self, distribu: Command, shop: Tenant, fresh_database: Database) -> None:
        factories.customer(fresh_database, shop.company_id, name="Evil \x1b[31m \x7f \x9b31m")

        outcome = distribu("customer", "list", "--company", shop.slug, "--json")

        assert "Evil \\u001b[31m \\u007f \\u009b31m" in outcome.out
        assert outcome.json[0]["name"] == "Evil \x1b[31m \x7f \x9b31m"
