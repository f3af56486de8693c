"""`distribu report`: the figures of the API, for people and for spreadsheets."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest

from app.context import now
from app.db import Database
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.factories import Tenant

TODAY = datetime.now(UTC).date().isoformat()


@pytest.fixture
def trading(fresh_database: Database, shop: Tenant) -> Tenant:
    """Return a company with three orders of today and a product in stock."""
    customer = factories.customer(fresh_database, shop.company_id, name="=Acme", email="buyer@acme.com")
    factories.orders(fresh_database, shop.company_id, customer, 3)
    factories.product(fresh_database, shop.company_id, name="Widget", stock=4, category=None)
    return shop


class TestSales:
    def test_json_is_what_the_api_answers(self, distribu: Command, trading: Tenant) -> None:
        data = distribu("report", "sales", "--company", trading.slug, "--preset", "all", "--json").json

        assert list(data) == ["range", "totals", "daily", "byStatus"]
        assert data["totals"]["orderCount"] == 3

    def test_the_table_has_days_totals_and_statuses(self, distribu: Command, trading: Tenant) -> None:
        answer = distribu("report", "sales", "--company", trading.slug, "--preset", "all")

        assert "Average order value" in answer.out
        assert "SUBMITTED" in answer.out

    def test_csv_has_a_row_for_each_day(self, distribu: Command, trading: Tenant) -> None:
        first = (now() - timedelta(days=2)).date().isoformat()
        answer = distribu("report", "sales", "--company", trading.slug, "--from", first, "--csv")

        rows = list(csv.DictReader(io.StringIO(answer.out)))
        assert [row["date"] for row in rows][::2] == [first, TODAY]
        assert set(rows[0]) == {"date", "orderCount", "revenue"}

    def test_a_picture_has_a_bar_for_each_day(self, distribu: Command, trading: Tenant) -> None:
        answer = distribu("report", "sales", "--company", trading.slug, "--preset", "week", "--plot")

        assert "Revenue by day, Week of" in answer.out
        assert TODAY in answer.out

    def test_a_picture_of_a_long_time_has_a_bar_for_each_month(self, distribu: Command, trading: Tenant) -> None:
        first = (now() - timedelta(days=200)).date().isoformat()
        answer = distribu("report", "sales", "--company", trading.slug, "--from", first, "--plot")

        assert "Revenue by month" in answer.out
        assert 6 <= sum("█" in line or ".00" in line for line in answer.out.splitlines()) <= 9

    def test_nothing_to_draw_is_said(self, distribu: Command, shop: Tenant) -> None:
        answer = distribu("report", "sales", "--company", shop.slug, "--from", "2000-01-01", "--plot")

        assert (answer.out, "nothing to draw" in answer.err) == ("", True)

    def test_a_range_that_is_none_is_refused(self, distribu: Command, shop: Tenant) -> None:
        answer = distribu("report", "sales", "--company", shop.slug, "--from", "2026-02-01", "--to", "2026-01-01")

        assert answer.refusal == "from must not be after to"


class TestOthers:
    def test_customers_in_csv_are_no_formulas(self, distribu: Command, trading: Tenant) -> None:
        answer = distribu("report", "customers", "--company", trading.slug, "--preset", "all", "--csv")

        (row,) = csv.DictReader(io.StringIO(answer.out))
        assert (row["name"], row["email"], row["orderCount"]) == ("'=Acme", "buyer@acme.com", "3")

    def test_customers_as_a_table(self, distribu: Command, trading: Tenant) -> None:
        answer = distribu("report", "customers", "--company", trading.slug, "--preset", "all")

        assert "buyer@acme.com" in answer.out
        assert "Unassigned revenue" in answer.out

    def test_inventory(self, distribu: Command, trading: Tenant) -> None:
        data = distribu("report", "inventory", "--company", trading.slug, "--json").json
        table = distribu("report", "inventory", "--company", trading.slug, "--limit", "1")

        assert data["totals"]["unitCount"] == 4
        assert "Widget" in table.out

    def test_an_empty_company(self, distribu: Command, shop: Tenant) -> None:
        for name in ("sales", "customers", "inventory"):
            assert distribu("report", name, "--company", shop.slug).code == 0
            assert distribu("report", name, "--company", shop.slug, "--csv").code == 0
