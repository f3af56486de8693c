"""`distribu report`: the reports of the API as tables, CSV, JSON and a chart."""

import csv
import io
import resource
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app.cli import plot
from app.context import now
from app.db import Database
from app.schemas.reports import ReportRange, SalesByDay, SalesReport, SalesTotals
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.factories import Tenant

SVG = "{http://www.w3.org/2000/svg}"
MARCH = ("--from", "2026-03-01", "--to", "2026-03-03T23:59:59.999Z")


def sales_report(*daily: tuple[str, float], first: str = "2026-01-01", last: str = "2026-12-31") -> SalesReport:
    """Return a report with these days and their revenue."""
    start, end = (datetime.combine(date.fromisoformat(day), time(), UTC) for day in (first, last))
    return SalesReport(
        range=ReportRange(start=start, end=end + timedelta(days=1, milliseconds=-1), preset="custom", label="2026"),
        totals=SalesTotals(len(daily), Decimal(1), Decimal(1), Decimal(0), Decimal(1)),
        daily=[SalesByDay(date.fromisoformat(day), 1, Decimal(str(revenue))) for day, revenue in daily],
        by_status=[],
    )


def texts(report: SalesReport, company: str = "A") -> list[str]:
    return [str(element.text) for element in ET.fromstring(plot.svg(report, company)).iter(f"{SVG}text")]


def bars(report: SalesReport) -> list[ET.Element]:
    return [
        element for element in ET.fromstring(plot.svg(report, "A")).iter(f"{SVG}rect") if element.get("class") == "bar"
    ]


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
    def test_a_date_as_the_end_includes_that_day(self, distribu: Command, sold: Tenant) -> None:
        data = distribu(
            "report", "sales", "--company", sold.slug, "--from", "2026-03-01", "--to", "2026-03-03", "--json"
        ).json

        assert data["range"]["to"] == "2026-03-03T23:59:59.999Z"
        assert [day["orderCount"] for day in data["daily"]] == [1, 0, 1]

    def test_prints_totals_statuses_and_days(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "sales", "--company", sold.slug, *MARCH).out

        assert out.startswith("1 March 2026 to 3 March 2026  (2026-03-01T00:00:00.000Z to 2026-03-03T23:59:59.999Z)\n")
        lines = [line.split() for line in out.splitlines()]
        assert ["Revenue", "1240.00"] in lines
        assert ["CANCELLED", "1", "39.90"] in lines
        assert ["2026-03-02", "0", "0.00"] in lines

    def test_json_equals_that_of_the_api(self, distribu: Command, sold: Tenant) -> None:
        report = distribu("report", "sales", "--company", sold.slug, *MARCH, "--json").json

        assert list(report) == ["range", "totals", "daily", "byStatus"]
        assert report["totals"] == {
            "orderCount": 2,
            "revenue": 1240.0,
            "averageOrderValue": 620.0,
            "refunded": 0.0,
            "netRevenue": 1240.0,
        }

    def test_csv_has_the_days(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "sales", "--company", sold.slug, *MARCH, "--csv").out

        assert out.splitlines() == [
            '"date","orderCount","revenue"',
            '"2026-03-01",1,1200.10',
            '"2026-03-02",0,0.00',
            '"2026-03-03",1,39.90',
        ]

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
    def test_invalid_options_are_rejected(
        self, distribu: Command, sold: Tenant, options: tuple[str, ...], words: str
    ) -> None:
        assert words in distribu("report", "sales", "--company", sold.slug, *options).error


class TestPlot:
    def test_svg_has_a_bar_for_every_day_with_orders(self, distribu: Command, sold: Tenant, tmp_path: Path) -> None:
        outcome = distribu("report", "sales", "--company", sold.slug, *MARCH, "--plot", "march.svg")

        assert (outcome.code, outcome.out, outcome.err) == (0, "", "Saved the chart to march.svg.\n")
        bars = [
            element for element in ET.parse(tmp_path / "march.svg").iter(f"{SVG}rect") if element.get("class") == "bar"
        ]
        assert [bar.findtext(f"{SVG}title") for bar in bars] == ["2026-03-01: 1,200.10", "2026-03-03: 39.90"]
        heights = [float(bar.get("height", "0")) for bar in bars]
        assert heights[0] / heights[1] == pytest.approx(1200.10 / 39.90, rel=0.01)

    def test_png_has_twice_the_size(self, distribu: Command, sold: Tenant, tmp_path: Path) -> None:
        distribu("report", "sales", "--company", sold.slug, "--preset", "all", "--plot", "all.PNG")

        content = (tmp_path / "all.PNG").read_bytes()
        assert content.startswith(b"\x89PNG")
        assert struct.unpack(">II", content[16:24]) == (2400, 1040)

    def test_a_chart_without_orders_says_so(self, distribu: Command, shop: Tenant, tmp_path: Path) -> None:
        distribu("report", "sales", "--company", shop.slug, "--from", "2020-01-01", "--plot", "none.svg")

        texts = [element.text for element in ET.parse(tmp_path / "none.svg").iter(f"{SVG}text")]
        assert "No orders" in texts

    def test_markup_in_a_name_is_escaped(self) -> None:
        assert "A &amp; &lt;b&gt;: revenue by day" in plot.svg(sales_report(), "A & <b>")

    def test_a_long_name_is_shortened(self) -> None:
        title, summary, *_ = texts(sales_report(("2026-03-01", 1.0)), "Long" * 30)

        assert len(title) == plot.NAME_LENGTH + len(": revenue by day")
        assert title.endswith("…: revenue by day")
        assert summary.startswith("2026: 1 order, total 1.00, average 1.00.")

    def test_a_symbolic_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "link.svg").symlink_to("real.svg")

        plot.save(tmp_path / "link.svg", sales_report(), "A")

        assert (tmp_path / "real.svg").read_text().startswith("<svg")
        assert (tmp_path / "link.svg").is_symlink()

    @pytest.mark.parametrize("highest", [0.01, 0.4, 3, 9.99, 10, 1234.5, 99_999_999.0])
    def test_bars_fit_the_scale(self, highest: float) -> None:
        (bar,) = bars(sales_report(("2026-03-01", highest)))

        assert plot.INNER_HEIGHT / 2 <= float(bar.get("height", "0")) <= plot.INNER_HEIGHT

    @pytest.mark.parametrize("highest", [0.01, 1, 4, 9, 11, 13, 24, 101, 12_000_000])
    def test_the_labels_of_the_scale_are_exact(self, highest: float) -> None:
        scale = [
            float(label.removesuffix(" M").replace(",", ""))
            for label in texts(sales_report(("2026-03-01", highest)))[2:8]
        ]

        assert [round(value - scale[1], 6) for value in scale[1:]] == pytest.approx(scale[:5])

    @pytest.mark.parametrize("highest", [0.01, 9_999_999.0, 10_000_001.0, 123_456_789_012.0, 9e12])
    def test_the_labels_of_the_scale_fit(self, highest: float) -> None:
        scale = texts(sales_report(("2026-03-01", highest)))[2 : 3 + plot.GRID_LINES]

        assert scale[0].startswith("0")
        assert max(map(len, scale)) <= len("10,000,000 M")

    def test_the_chart_covers_the_whole_range(self) -> None:
        report = sales_report(("2024-01-01", 1.0), ("2025-12-31", 2.0), first="2024-01-01", last="2027-12-31")
        first, second = (float(bar.get("x", "0")) for bar in bars(report))

        assert first == pytest.approx(plot.LEFT, abs=1)
        assert second == pytest.approx(plot.LEFT + plot.INNER_WIDTH / 2, abs=1)

    def test_csv_and_a_chart_can_be_combined(self, distribu: Command, sold: Tenant, tmp_path: Path) -> None:
        outcome = distribu("report", "sales", "--company", sold.slug, *MARCH, "--csv", "--plot", "march.svg")

        assert outcome.out.startswith('"date","orderCount","revenue"\n')
        assert (tmp_path / "march.svg").exists()

    def test_a_failed_write_keeps_the_old_file(self, tmp_path: Path) -> None:
        file = tmp_path / "kept.svg"
        file.write_text("old")
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)

        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            with pytest.raises(OSError, match=r"too large.*kept\.svg'$"):
                plot.save(file, sales_report(), "A")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        assert file.read_text() == "old"
        assert list(tmp_path.iterdir()) == [file]

    def test_a_file_that_cannot_be_written_is_an_error_in_one_line(self, distribu: Command, sold: Tenant) -> None:
        assert "No such file" in distribu("report", "sales", "--company", sold.slug, "--plot", "no/where.svg").error


class TestCustomers:
    def test_prints_customers_and_unassigned_orders(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "customers", "--company", sold.slug, *MARCH).out

        assert "Grill & <Bar>" in out
        assert ["Unassigned", "revenue", "39.90"] in [line.split() for line in out.splitlines()]

    def test_csv_is_limited(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "customers", "--company", sold.slug, "--preset", "all", "--limit", "1", "--csv").out
        (row,) = csv.DictReader(io.StringIO(out))

        assert (row["name"], row["orderCount"], row["revenue"]) == ("Grill & <Bar>", "2", "1207.87")


class TestInventory:
    def test_prints_totals_and_products(self, distribu: Command, sold: Tenant) -> None:
        out = distribu("report", "inventory", "--company", sold.slug).out

        assert ["Value", "250.00"] in [line.split() for line in out.splitlines()]
        assert "Rye, whole" in out

    def test_null_is_an_empty_cell_in_csv(self, distribu: Command, sold: Tenant) -> None:
        rows = list(csv.DictReader(io.StringIO(distribu("report", "inventory", "--company", sold.slug, "--csv").out)))

        assert [(row["name"], row["sku"], row["value"], row["isLowStock"]) for row in rows] == [
            ("Rye, whole", "R-1", "250.00", "false"),
            ("Yeast", "", "0.00", "true"),
        ]

    @pytest.mark.parametrize("limit", ["0", "1001", "many"])
    def test_an_invalid_limit_is_rejected(self, distribu: Command, sold: Tenant, limit: str) -> None:
        assert "--limit" in distribu("report", "inventory", "--company", sold.slug, "--limit", limit).error
