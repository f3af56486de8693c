"""`distribu report`: the same figures as over the API, as a table, CSV, JSON and a picture."""

import csv
import io
import struct
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app.cli import plot
from app.context import now
from app.db import Database
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.factories import Tenant

SVG = "{http://www.w3.org/2000/svg}"
MARCH = ("--from", "2026-03-01", "--to", "2026-03-03T23:59:59.999Z")


@pytest.fixture
def sold(fresh_database: Database, shop: Tenant) -> Tenant:
    """Return a company with two orders in March 2026 and one of today, and two products."""
    company = shop.company_id
    customer = factories.customer(fresh_database, company, name="Grill & <Bar>", email="grill@example.com")
    orders = [
        {"created_at": datetime(2026, 3, 1, tzinfo=UTC), "total": Decimal("1200.10"), "customer_id": customer},
        {"created_at": datetime(2026, 3, 3, 9, tzinfo=UTC), "total": Decimal("39.90"), "status": "CANCELLED"},
        {"created_at": now(), "total": Decimal("7.77"), "customer_id": customer},
    ]
    factories.history(fresh_database, company, orders)
    factories.product(fresh_database, company, name="Rye, whole", sku="R-1", price=Decimal("2.50"), stock=100)
    factories.product(fresh_database, company, name="Yeast", sku=None, category=None, stock=0)
    return shop


class TestSales:
    def test_shows_totals_statuses_and_days(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "sales", "--company", sold.slug, *MARCH).out

        assert out.startswith("1 March 2026 to 3 March 2026  (2026-03-01T00:00:00.000Z to 2026-03-03T23:59:59.999Z)\n")
        lines = [line.split() for line in out.splitlines()]
        assert ["Revenue", "1240.00"] in lines
        assert ["CANCELLED", "1", "39.90"] in lines
        assert ["2026-03-02", "0", "0.00"] in lines

    def test_json_is_what_the_api_answers(self, distribu: Command, sold: Tenant) -> None:
        report = distribu("report", "sales", "--company", sold.slug, *MARCH, "--json").json

        assert list(report) == ["range", "totals", "daily", "byStatus"]
        assert report["totals"] == {"orderCount": 2, "revenue": 1240.0, "averageOrderValue": 620.0}

    def test_csv_lists_the_days(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "sales", "--company", sold.slug, *MARCH, "--csv").out

        assert out == "date,orderCount,revenue\n2026-03-01,1,1200.10\n2026-03-02,0,0.00\n2026-03-03,1,39.90\n"

    def test_a_preset_ends_with_today(self, distribu: Command, sold: Tenant) -> None:
        report = distribu("report", "sales", "--company", sold.slug, "--preset", "today", "--json").json

        assert report["range"]["preset"] == "today"
        assert report["totals"]["revenue"] == 7.77

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--preset", "custom"), "--preset"),
            (("--from", "soon"), "is not an ISO 8601 time"),
            (("--from", "2026-03-02", "--to", "2026-03-01"), "from must not be after to"),
            (("--csv", "--json"), "Choose one of --csv and --json."),
            (("--plot", "picture.gif"), "the name must end in .svg or .png."),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, distribu: Command, sold: Tenant, options: tuple[str, ...], words: str
    ) -> None:
        assert words in distribu("report", "sales", "--company", sold.slug, *options).refusal


class TestPlot:
    def test_svg_has_a_bar_for_each_day_with_orders(self, distribu: Command, sold: Tenant, tmp_path: Path) -> None:
        outcome = distribu("report", "sales", "--company", sold.slug, *MARCH, "--plot", "march.svg")

        assert (outcome.code, outcome.out, outcome.err) == (0, "", "The picture is in march.svg.\n")
        bars = [each for each in ET.parse(tmp_path / "march.svg").iter(f"{SVG}rect") if each.get("class") == "bar"]
        assert [bar.findtext(f"{SVG}title") for bar in bars] == ["2026-03-01: 1,200.10", "2026-03-03: 39.90"]
        heights = [float(bar.get("height", "0")) for bar in bars]
        assert heights[0] / heights[1] == pytest.approx(1200.10 / 39.90, rel=0.01)

    def test_png_is_a_picture(self, distribu: Command, sold: Tenant, tmp_path: Path) -> None:
        distribu("report", "sales", "--company", sold.slug, "--preset", "all", "--plot", "all.PNG")

        content = (tmp_path / "all.PNG").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert struct.unpack(">II", content[16:24]) == (2400, 1040)

    def test_a_company_without_orders_has_a_picture_too(self, distribu: Command, shop: Tenant, tmp_path: Path) -> None:
        distribu("report", "sales", "--company", shop.slug, "--from", "2020-01-01", "--plot", "none.svg")

        texts = [each.text for each in ET.parse(tmp_path / "none.svg").iter(f"{SVG}text")]
        assert "No orders" in texts

    def test_a_name_that_looks_like_markup_stays_text(self) -> None:
        report = {
            "range": {"label": "2026"},
            "totals": {"orderCount": 0, "revenue": 0.0, "averageOrderValue": 0.0},
            "daily": [],
        }

        assert "A &amp; &lt;b&gt;: revenue by day, 2026" in plot.svg(report, "A & <b>")

    @pytest.mark.parametrize("highest", [0.01, 0.4, 3, 9.99, 10, 1234.5, 99_999_999.0])
    def test_no_bar_is_higher_than_the_scale(self, highest: float) -> None:
        report = {
            "range": {"label": "2026"},
            "totals": {"orderCount": 1, "revenue": highest, "averageOrderValue": highest},
            "daily": [{"date": "2026-03-01", "orderCount": 1, "revenue": highest}],
        }
        (bar,) = (
            each for each in ET.fromstring(plot.svg(report, "A")).iter(f"{SVG}rect") if each.get("class") == "bar"
        )

        assert plot.INNER_HEIGHT / 2 <= float(bar.get("height", "0")) <= plot.INNER_HEIGHT

    def test_a_place_that_cannot_be_written_is_one_line(self, distribu: Command, sold: Tenant) -> None:
        assert "No such file" in distribu("report", "sales", "--company", sold.slug, "--plot", "no/where.svg").refusal


class TestCustomers:
    def test_shows_who_ordered(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "customers", "--company", sold.slug, *MARCH).out

        assert "Grill & <Bar>" in out
        assert ["Unassigned", "revenue", "39.90"] in [line.split() for line in out.splitlines()]

    def test_csv_and_limit(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "customers", "--company", sold.slug, "--preset", "all", "--limit", "1", "--csv").out
        (row,) = csv.DictReader(io.StringIO(out))

        assert (row["name"], row["orderCount"], row["revenue"]) == ("Grill & <Bar>", "2", "1207.87")


class TestInventory:
    def test_shows_what_is_there(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "inventory", "--company", sold.slug).out

        assert ["Value", "250.00"] in [line.split() for line in out.splitlines()]
        assert "Rye, whole" in out

    def test_csv_shows_nothing_for_null(self, distribu: Command, sold: Tenant) -> None:
        rows = list(csv.DictReader(io.StringIO(distribu("report", "inventory", "--company", sold.slug, "--csv").out)))

        assert [(row["name"], row["sku"], row["value"], row["isLowStock"]) for row in rows] == [
            ("Rye, whole", "R-1", "250.00", "false"),
            ("Yeast", "", "0.00", "true"),
        ]

    @pytest.mark.parametrize("limit", ["0", "1001", "many"])
    def test_refuses_a_limit_that_makes_no_sense(self, distribu: Command, sold: Tenant, limit: str) -> None:
        assert "--limit" in distribu("report", "inventory", "--company", sold.slug, "--limit", limit).refusal
