"""Reports over HTTP (contract, section 7); that their figures add up is in tests/services/test_reports.py."""

from datetime import UTC, datetime

import pytest

from app.db import Database
from models import Scope
from tests.support import factories
from tests.support.client import Client, Contract
from tests.support.factories import Tenant
from tests.support.servers import Server


@pytest.fixture
def order(client: Client, database: Database, tenant: Tenant) -> str:
    """Place an order of 17.00; return the customer."""
    customer = factories.customer(database, tenant.company_id, name="Acme")
    product = factories.product(database, tenant.company_id, stock=42)
    client.post("/orders", json=factories.draft(customer, (product, 2))).raise_for_status()
    return customer


class TestSales:
    def test_counts_what_was_ordered_today(self, client: Client, order: str) -> None:
        data = client.get("/reports/sales", params={"preset": "today"}).json()["data"]

        today = datetime.now(UTC).date().isoformat()
        assert data["range"]["from"] == f"{today}T00:00:00.000Z"
        assert data["range"]["to"] == f"{today}T23:59:59.999Z"
        assert data["totals"] == {"orderCount": 1, "revenue": 17.0, "averageOrderValue": 17.0}
        assert data["daily"] == [{"date": today, "orderCount": 1, "revenue": 17.0}]
        assert [each["status"] for each in data["byStatus"]] == [
            "SUBMITTED",
            "CONFIRMED",
            "SHIPPED",
            "DELIVERED",
            "CANCELLED",
        ]

    def test_a_company_with_nothing_gets_zeros(self, client: Client) -> None:
        for preset in ("today", "week", "month", "quarter", "year", "all"):
            data = client.get("/reports/sales", params={"preset": preset}).json()["data"]
            assert data["totals"] == {"orderCount": 0, "revenue": 0.0, "averageOrderValue": 0.0}
            assert data["range"]["preset"] == preset
        assert client.get("/reports/sales").json()["data"]["range"]["preset"] == "month"

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ({"preset": "decade"}, "preset must be one of today, week, month, quarter, year, all"),
            ({"from": "soon"}, "from must be a date or a time in ISO 8601"),
            ({"to": "2026-02-30"}, "to must be a date or a time in ISO 8601"),
            ({"from": "2026-04-02", "to": "2026-04-01"}, "from must not be after to"),
        ],
    )
    def test_refuses_a_range_that_is_none(self, client: Client, query: dict[str, str], message: str) -> None:
        answer = client.get("/reports/sales", params=query)

        assert (answer.status_code, answer.json()["error"]) == (400, message)

    def test_the_longest_range_lists_days_with_orders_only(self, client: Client, order: str) -> None:
        data = client.get("/reports/sales", params={"from": "0001-01-01", "to": "9999-12-31"}).json()["data"]

        assert data["range"]["preset"] == "custom"
        assert len(data["daily"]) == 1


class TestCustomers:
    def test_names_who_ordered(self, client: Client, order: str) -> None:
        data = client.get("/reports/customers", params={"limit": 0}).json()["data"]

        nothing = {"orderCount": 0, "revenue": 0.0}
        assert data["totals"] == {"customerCount": 1, "orderCount": 1, "revenue": 17.0, "unassigned": nothing}
        (only,) = data["customers"]
        assert (only["customerId"], only["name"], only["averageOrderValue"]) == (order, "Acme", 17.0)


class TestInventory:
    def test_values_what_is_in_stock(self, client: Client, order: str) -> None:
        data = client.get("/reports/inventory").json()["data"]

        assert data["totals"]["unitCount"] == 40
        assert data["products"][0]["value"] == data["totals"]["value"] == 340.0

    def test_only_the_whole_limit_counts(self, client: Client) -> None:
        assert client.get("/reports/inventory", params={"limit": "1.5"}).status_code == 400
        assert client.get("/reports/inventory", params={"limit": "-1"}).status_code == 200


def test_reports_have_a_scope_of_their_own(
    server: Server, database: Database, tenant: Tenant, contract: Contract
) -> None:
    _, reading = factories.api_key(database, tenant.company_id, scopes=[Scope.ORDERS_READ])
    _, reporting = factories.api_key(database, tenant.company_id, scopes=[Scope.REPORTS_READ])

    with Client(server.url, reading, contract) as reader, Client(server.url, reporting, contract) as reporter:
        for name in ("sales", "customers", "inventory"):
            assert reader.get(f"/reports/{name}").status_code == 403
            assert reporter.get(f"/reports/{name}").status_code == 200
