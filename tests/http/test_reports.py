"""The reports over HTTP (contract, section 7)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app import spec
from app.context import now
from app.db import Database
from app.http import bridge
from models import Scope
from tests.support import factories, refund_rows
from tests.support.client import Client, Contract, refusals
from tests.support.factories import Tenant
from tests.support.servers import Server

REPORTS = ["sales", "customers", "inventory"]
REPORTS_OF_A_RANGE = ["/reports/sales", "/reports/customers"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def april(database: Database, tenant: Tenant) -> str:
    """Create three orders in April 2026 and one in May; return the id of the customer of three of them."""
    customer = factories.customer(database, tenant.company_id, name="Harbour Grill", email="kitchen@harbour.example")
    orders = [
        {"created_at": at("2026-04-01T00:00:00"), "total": Decimal("1200.10"), "customer_id": customer},
        {"created_at": at("2026-04-01T23:59:59.999"), "total": Decimal("39.90"), "status": "CANCELLED"},
        {"created_at": at("2026-04-03T12:00:00"), "total": Decimal("0.05"), "customer_id": customer},
        {"created_at": at("2026-05-01T00:00:00"), "total": Decimal(9), "customer_id": customer},
    ]
    factories.history(database, tenant.company_id, orders)
    return customer


ORDER_DAYS = [at("2026-04-01"), at("2026-04-01"), at("2026-04-03"), at("2026-05-01")]
APRIL = {"from": "2026-04-01", "to": "2026-04-03T23:59:59.999Z"}


@pytest.mark.usefixtures("april")
class TestSales:
    def test_returns_totals_days_and_statuses(self, client: Client) -> None:
        data = client.get("/reports/sales", params=APRIL).json()["data"]

        assert data == {
            "range": {
                "from": "2026-04-01T00:00:00.000Z",
                "to": "2026-04-03T23:59:59.999Z",
                "preset": "custom",
                "label": "1 April 2026 to 3 April 2026",
            },
            "totals": {
                "orderCount": 3,
                "revenue": 1240.05,
                "averageOrderValue": 413.35,
                "refunded": 0.0,
                "netRevenue": 1240.05,
            },
            "daily": [
                {"date": "2026-04-01", "orderCount": 2, "revenue": 1240.0},
                {"date": "2026-04-02", "orderCount": 0, "revenue": 0.0},
                {"date": "2026-04-03", "orderCount": 1, "revenue": 0.05},
            ],
            "byStatus": [
                {"status": "SUBMITTED", "orderCount": 2, "revenue": 1200.15},
                {"status": "CONFIRMED", "orderCount": 0, "revenue": 0.0},
                {"status": "SHIPPED", "orderCount": 0, "revenue": 0.0},
                {"status": "DELIVERED", "orderCount": 0, "revenue": 0.0},
                {"status": "CANCELLED", "orderCount": 1, "revenue": 39.9},
            ],
        }

    def test_refunds_count_when_they_were_made(self, client: Client, database: Database, tenant: Tenant) -> None:
        before = client.get("/reports/sales", params=APRIL).json()["data"]
        refunds = [
            {"refunded_at": at("2026-04-03T23:59:59.999"), "total": Decimal("40.15")},
            {"refunded_at": at("2026-04-02T12:00:00"), "total": Decimal(2), "voided_at": at("2026-05-01T00:00:00")},
            {"refunded_at": at("2026-04-04T00:00:00"), "total": Decimal(3)},
        ]
        refund_rows.refund_history(database, tenant.company_id, refunds)

        totals = {**before["totals"], "refunded": 40.15, "netRevenue": 1199.9}
        assert client.get("/reports/sales", params=APRIL).json()["data"] == {**before, "totals": totals}

    def test_a_date_means_midnight(self, client: Client) -> None:
        data = client.get("/reports/sales", params={"from": "2026-04-01", "to": "2026-04-03"}).json()["data"]

        assert data["range"]["to"] == "2026-04-03T00:00:00.000Z"
        assert data["totals"]["orderCount"] == 2
        assert [day["date"] for day in data["daily"]] == ["2026-04-01", "2026-04-02"]
        assert data["range"]["label"] == "1 April 2026 to 2 April 2026"

    def test_an_order_at_the_end_of_a_range_is_included(self, client: Client) -> None:
        data = client.get("/reports/sales", params={"from": "2026-04-29", "to": "2026-05-01"}).json()["data"]

        assert data["range"]["label"] == "29 April 2026 to 30 April 2026"
        assert data["totals"]["orderCount"] == sum(day["orderCount"] for day in data["daily"]) == 1
        assert [day["date"] for day in data["daily"]] == ["2026-04-29", "2026-04-30", "2026-05-01"]

    @pytest.mark.parametrize("day", ["0001-01-01", "2026-04-01", "9999-12-31"])
    def test_a_range_that_ends_where_it_starts_is_one_day(self, client: Client, day: str) -> None:
        data = client.get("/reports/sales", params={"from": day, "to": day}).json()["data"]

        assert [entry["date"] for entry in data["daily"]] == [day]

    def test_offsets_and_microseconds_become_utc_milliseconds(self, client: Client) -> None:
        query = {"from": "2026-04-01T02:00:00.000999+02:00", "to": "2026-04-01T00:00:00.000001Z"}
        data = client.get("/reports/sales", params=query).json()["data"]

        assert (data["range"]["from"], data["range"]["to"]) == ("2026-04-01T00:00:00.000Z",) * 2
        assert data["totals"]["orderCount"] == 1

    def test_the_default_preset_is_month(self, client: Client) -> None:
        assert client.get("/reports/sales").json()["data"]["range"]["preset"] == "month"

    @pytest.mark.parametrize("preset", ["today", "week", "month", "quarter", "year", "all"])
    def test_every_preset_includes_a_new_order(
        self, client: Client, database: Database, tenant: Tenant, preset: str
    ) -> None:
        factories.history(database, tenant.company_id, [{"created_at": now(), "total": Decimal("2.50")}])
        data = client.get("/reports/sales", params={"preset": preset}).json()["data"]

        assert data["range"]["preset"] == preset
        assert data["range"]["to"].endswith("T23:59:59.999Z")
        assert data["daily"][-1] == {"date": data["range"]["to"][:10], "orderCount": 1, "revenue": 2.5}
        days = [*ORDER_DAYS, now()]
        assert data["totals"]["orderCount"] == sum(day >= at(data["range"]["from"][:10]) for day in days)

    def test_all_starts_on_the_day_of_the_first_order(self, client: Client) -> None:
        data = client.get("/reports/sales", params={"preset": "all"}).json()["data"]

        assert data["range"]["from"] == "2026-04-01T00:00:00.000Z"
        assert data["range"]["label"] == "All time"


class TestCustomers:
    def test_returns_totals_and_customers(self, client: Client, april: str) -> None:
        data = client.get("/reports/customers", params=APRIL).json()["data"]

        assert data["totals"] == {
            "customerCount": 1,
            "orderCount": 3,
            "revenue": 1240.05,
            "unassigned": {"orderCount": 1, "revenue": 39.9},
        }
        assert data["customers"] == [
            {
                "customerId": april,
                "name": "Harbour Grill",
                "email": "kitchen@harbour.example",
                "orderCount": 2,
                "revenue": 1200.15,
                "averageOrderValue": 600.08,
                "lastOrderAt": "2026-04-03T12:00:00.000Z",
            }
        ]
        assert data["range"]["preset"] == "custom"

    def test_is_empty_without_orders(self, client: Client) -> None:
        data = client.get("/reports/customers", params={"preset": "all"}).json()["data"]

        assert data["customers"] == []
        assert data["totals"]["unassigned"] == {"orderCount": 0, "revenue": 0.0}

    @pytest.mark.parametrize(("limit", "listed"), [("-5", 1), ("0", 1), ("2", 2), ("5000", 3)])
    def test_a_limit_is_clamped_and_does_not_change_the_totals(
        self, client: Client, database: Database, tenant: Tenant, limit: str, listed: int
    ) -> None:
        customers = [factories.customer(database, tenant.company_id) for _ in range(3)]
        orders = [{"created_at": now(), "total": Decimal(10), "customer_id": customer} for customer in customers]
        factories.history(database, tenant.company_id, orders)
        data = client.get("/reports/customers", params={"limit": limit}).json()["data"]

        assert [entry["customerId"] for entry in data["customers"]] == sorted(customers)[:listed]
        assert (data["totals"]["customerCount"], data["totals"]["revenue"]) == (3, 30.0)


class TestInventory:
    def test_returns_totals_categories_and_products(self, client: Client, database: Database, tenant: Tenant) -> None:
        flour = factories.product(database, tenant.company_id, name="Flour", sku="F", category="Baking", stock=10)
        factories.product(database, tenant.company_id, name="Gloves", sku=None, category=None, stock=5, is_active=False)
        factories.product(database, tenant.company_id, name="Yeast", sku="Y", category="Baking", stock=0)
        data = client.get("/reports/inventory", params={"limit": "1"}).json()["data"]

        assert abs(datetime.fromisoformat(data["generatedAt"]) - now()) < timedelta(minutes=1)
        assert data["totals"] == {
            "productCount": 3,
            "unitCount": 15,
            "value": 127.5,
            "lowStockCount": 2,
            "outOfStockCount": 1,
        }
        assert [(entry["category"], entry["value"]) for entry in data["byCategory"]] == [("Baking", 85.0), (None, 42.5)]
        assert data["products"] == [
            {
                "productId": flour,
                "name": "Flour",
                "sku": "F",
                "category": "Baking",
                "stock": 10,
                "price": 8.5,
                "value": 85.0,
                "isLowStock": False,
            }
        ]

    def test_is_empty_without_products(self, client: Client) -> None:
        data = client.get("/reports/inventory").json()["data"]

        assert (data["totals"]["value"], data["byCategory"], data["products"]) == (0.0, [], [])


def test_reports_run_in_separate_threads() -> None:
    tags = {path: operation["tags"] for path, item in spec.document()["paths"].items() for operation in item.values()}

    assert [path for path, tag in tags.items() if tag == [bridge.REPORT_TAG]] == [
        path for path in tags if path.startswith("/reports/")
    ]


class TestErrors:
    def test_totals_beyond_64_bits_are_refused(self, client: Client, database: Database, tenant: Tenant) -> None:
        factories.products(database, tenant.company_id, 1025, stock=2**53 - 1)
        response = client.get("/reports/inventory")

        message = "The totals are too large to be represented."
        assert refusals(response) == [{"pointer": "", "code": "figures_too_large", "message": message}]

    @pytest.mark.parametrize("store", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("path", REPORTS_OF_A_RANGE)
    def test_revenue_beyond_64_bits_is_refused(
        self, client: Client, database: Database, tenant: Tenant, path: str
    ) -> None:
        """Sums of money have no limit on PostgreSQL."""
        order = {"created_at": now(), "total": Decimal("90071992547409.92") * 1000}
        factories.history(database, tenant.company_id, [order] * 2)

        assert [detail["code"] for detail in refusals(client.get(path))] == ["figures_too_large"]

    @pytest.mark.parametrize("path", REPORTS_OF_A_RANGE)
    @pytest.mark.parametrize(
        ("query", "pointer", "message"),
        [
            ({"from": "2026-04-02", "to": "2026-04-01"}, "from", "from must not be after to"),
            ({"to": "1999-01-01"}, "to", "from must not be after to"),
            ({"from": "April"}, "from", "from must be a date or a time in ISO 8601"),
            ({"to": "2026-02-30"}, "to", "to must be a date or a time in ISO 8601"),
            ({"preset": "custom"}, "preset", "preset must be one of today, week, month, quarter, year, all"),
            ({"preset": ""}, "preset", "preset must be one of today, week, month, quarter, year, all"),
        ],
    )
    def test_an_invalid_range_is_a_400(
        self, client: Client, path: str, query: dict[str, str], pointer: str, message: str
    ) -> None:
        response = client.get(path, params=query)

        assert response.status_code == 400
        assert response.json()["error"] == message
        assert response.json()["details"] == [{"pointer": f"/query/{pointer}", "message": message}]

    @pytest.mark.parametrize("path", ["/reports/customers", "/reports/inventory"])
    def test_a_limit_that_is_no_number_is_a_400(self, client: Client, path: str) -> None:
        response = client.get(path, params={"limit": "ten"})

        assert (response.status_code, response.json()["error"]) == (400, "limit must be a whole number")

    @pytest.mark.parametrize("report", REPORTS)
    def test_a_key_without_the_scope_is_a_403(
        self, server: Server, database: Database, tenant: Tenant, contract: Contract, report: str
    ) -> None:
        others = [scope for scope in Scope if scope is not Scope.REPORTS_READ]
        _, token = factories.api_key(database, tenant.company_id, scopes=others)
        with Client(server.url, token, contract) as client:
            response = client.get(f"/reports/{report}")

        assert response.status_code == 403
        assert 'This key lacks the "reports:read" scope.' in response.json()["error"]

    @pytest.mark.parametrize("report", REPORTS)
    def test_another_company_is_not_included(self, client: Client, database: Database, report: str) -> None:
        other = factories.tenant(database)
        customer = factories.customer(database, other.company_id)
        order: dict[str, Any] = {"created_at": now(), "total": Decimal(5), "customer_id": customer}
        factories.history(database, other.company_id, [order])
        factories.product(database, other.company_id, stock=9)
        totals = client.get(f"/reports/{report}").json()["data"]["totals"]

        assert {value for value in totals.values() if not isinstance(value, dict)} == {0}
