"""What a cell of a product may hold, and files of many programs (contract, sections 4 and 11)."""

import contextlib
import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.product_import import formulas
from app.product_import.product_csv import RejectedFileError
from tests.product_import.conftest import HEADER, error, opened, prices, read, rejected_prices, value


class TestFile:
    def test_can_be_read_again(self) -> None:
        product_csv = opened("sku,name,price\nA,B,1\nA,B,x\n")

        assert list(product_csv.rows()) == list(product_csv.rows())
        assert len(product_csv.errors) == 2

    def test_every_error_of_every_row_is_reported(self) -> None:
        _, errors = read(f"{HEADER}\n,,,,,,,maybe\nA,B,,,,1,,\nC,D,,,,-1,1.5,\n")

        assert errors == [
            (2, "sku is required"),
            (2, "name is required"),
            (2, "price is required"),
            (2, "isActive 'maybe' must be true or false (or 1 or 0, yes or no)"),
            (4, "price '-1' must be at least 0"),
            (4, "stock '1.5' must be a whole number"),
        ]

    def test_a_sku_may_appear_once(self) -> None:
        _, errors = read("sku,name,price\nA,x,1\nB,x,1\n A ,x,1\nA,x,1\n")

        assert errors == [(4, "sku 'A' is already on line 2"), (5, "sku 'A' is already on line 2")]

    def test_an_external_id_may_appear_once(self) -> None:
        _, errors = read("sku,name,price,externalId\nA,x,1,E\nB,x,1,e\nC,x,1, E\nE,x,1,\nF,x,1,\n")

        assert errors == [(4, "externalId 'E' is already on line 2")]


class TestBarcode:
    @pytest.mark.parametrize("barcode", ["96385074", "036000291452", "4006381333931", "10012345678902"])
    def test_is_a_gtin(self, barcode: str) -> None:
        assert value("barcode", f" {barcode} ") == barcode

    @pytest.mark.parametrize("cell", ["9638507", "9638507400", "400638133393x", "4.00638E+12", "\uff14006381333931"])
    def test_has_8_12_13_or_14_digits(self, cell: str) -> None:
        assert error(barcode=cell) == "must have 8, 12, 13 or 14 digits"

    def test_has_a_check_digit(self) -> None:
        assert error(barcode="4006381333932") == "must end with the check digit 1: 4006381333931"


class TestLowStockThreshold:
    def test_is_a_whole_number_from_0(self) -> None:
        assert (value("lowStockThreshold", "0"), value("lowStockThreshold", "1,000.0")) == (0, 1000)
        assert error(lowStockThreshold="-1") == "must be at least 0"
        assert error(lowStockThreshold="1.5") == "must be a whole number"


class TestImageUrl:
    @pytest.mark.parametrize(
        "url", ["http://a", "HTTPS://images.example:8080/a%20b.jpg?c=d,e#f", "https://xn--tda.example/%C3%A4"]
    )
    def test_is_an_http_or_https_url(self, url: str) -> None:
        assert value("imageUrl", f" {url} ") == url

    @pytest.mark.parametrize(
        "cell",
        [
            "a",
            "ftp://a",
            "javascript:alert(1)",
            "https://",
            "https:///a",
            "//a",
            "https://a b",
            "https://[",
            "http://a/\0",
            "https://ü.example/",
            "https://a/ä",
            "https://a/%",
        ],
    )
    def test_other_texts_are_rejected(self, cell: str) -> None:
        assert error(imageUrl=cell) == "must be an http or https URL, with special characters percent-encoded"

    def test_has_the_maximum_length_of_the_document(self) -> None:
        longest = "https://a/".ljust(2048, "b")

        assert value("imageUrl", longest) == longest
        assert error(imageUrl=longest + "b") == "must be at most 2048 characters"


class TestText:
    @pytest.mark.parametrize(
        ("column", "longest"),
        [("sku", 100), ("name", 200), ("description", 2000), ("category", 100), ("unit", 50), ("externalId", 255)],
    )
    def test_has_the_maximum_length_of_the_document(self, column: str, longest: int) -> None:
        assert value(column, "ä" * longest) == "ä" * longest
        assert error(**{column: "ä" * (longest + 1)}) == f"must be at most {longest} characters"

    def test_is_trimmed_and_normalized(self) -> None:
        assert value("name", "  A\u0308pfel \u00a0") == "Äpfel"

    @pytest.mark.parametrize("column", ["sku", "name", "description", "category", "unit", "externalId"])
    @pytest.mark.parametrize("character", ["\0", "\x1f", "\x7f", "\x85"])
    def test_must_not_contain_control_characters(self, column: str, character: str) -> None:
        assert error(**{column: f"a{character}b"}) == "must not contain control characters"

    @pytest.mark.parametrize("character", ["\n", "\r\n", "\t"])
    def test_only_a_description_may_contain_line_ends_and_tabs(self, character: str) -> None:
        assert value("description", f"a{character}b") == f"a{character}b"
        assert error(name=f"a{character}b") == "must not contain control characters"

    @pytest.mark.parametrize("column", ["sku", "name", "price"])
    def test_sku_name_and_price_are_required_in_every_row(self, column: str) -> None:
        assert error(**{column: "  "}) == "is required"

    @pytest.mark.parametrize("column", ["description", "category", "unit", "stock", "isActive"])
    def test_an_empty_cell_is_none(self, column: str) -> None:
        assert value(column, " ") is None


class TestPrice:
    @pytest.mark.parametrize("cell", ["0", "8.5", "8.50", "007.10", "9999999999.99"])
    def test_is_a_decimal_with_at_most_two_places(self, cell: str) -> None:
        assert value("price", cell) == Decimal(cell)

    @pytest.mark.parametrize(
        "cell",
        [
            *(
                "1e3",
                "1.23E+05",
                "NaN",
                "Infinity",
                "0x10",
                "\N{FULLWIDTH DIGIT ONE}",
                "+1",
                "1_000",
                ".5",
                "5.",
                "1.2.3",
            ),
            "1,23,456.00",
            "12 34.50",
            "1'234,567.00",
            "50¢",
            "5 TSD",
            "8.50 EUR",
            "8.50 zł",
            "$5$",
            "(5.00)",
            "-",
        ],
    )
    def test_is_rejected_when_it_is_no_plain_number(self, cell: str) -> None:
        assert error(price=cell) == "must be a number like 12.50"

    @pytest.mark.parametrize(
        ("cell", "rule"),
        [
            ("1234.567", "must have at most two decimal places"),
            ("0.505", "must have at most two decimal places"),
            ("-0.01", "must be at least 0"),
            ("10000000000.00", "must be at most 9999999999.99"),
            ("9" * 5000, "must be at most 9999999999.99"),
        ],
    )
    def test_is_within_the_bounds_of_the_document(self, cell: str, rule: str) -> None:
        assert error(price=cell) == rule


class TestStock:
    @pytest.mark.parametrize("cell", ["0", "42", "1000000000000"])
    def test_is_a_whole_number(self, cell: str) -> None:
        assert value("stock", cell) == int(cell)

    @pytest.mark.parametrize("cell", ["10.0", "10,0", "10.00", "10,0000", "010"])
    def test_may_have_decimal_places_that_are_zero(self, cell: str) -> None:
        (row,), _ = read(f"sku;name;price;stock\nA;B;1;{cell}\n")

        assert row["stock"] == 10
        assert type(row["stock"]) is int

    @pytest.mark.parametrize(
        ("cell", "rule"),
        [
            ("1.5", "must be a whole number"),
            ("$1", "must be a whole number"),
            ("many", "must be a whole number"),
            ("-1", "must be at least 0"),
            ("1000000000001", "must be at most 1000000000000"),
            ("9" * 5000, "must be at most 1000000000000"),
        ],
    )
    def test_is_within_the_bounds_of_the_document(self, cell: str, rule: str) -> None:
        assert error(stock=cell) == rule


class TestIsActive:
    @pytest.mark.parametrize("cell", ["true", "TRUE", "1", "yes", "Yes", "WAHR", "VRAI"])
    def test_is_true(self, cell: str) -> None:
        assert value("isActive", cell) is True

    @pytest.mark.parametrize("cell", ["false", "False", "0", "no", "NO", "FALSCH", "FAŁSZ"])
    def test_is_false(self, cell: str) -> None:
        assert value("isActive", cell) is False

    @pytest.mark.parametrize("cell", ["maybe", "2", "ja", "t"])
    def test_is_nothing_else(self, cell: str) -> None:
        assert error(isActive=cell) == "must be true or false (or 1 or 0, yes or no)"


class TestProperties:
    @given(st.binary(max_size=300))
    def test_any_bytes_are_read_or_rejected(self, content: bytes) -> None:
        for start in (b"", HEADER.encode() + b"\n"):
            with contextlib.suppress(RejectedFileError):
                read(start + content)

    @given(
        st.lists(
            st.tuples(
                st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
                st.decimals(min_value=0, max_value="9999999999.99", places=2),
            ),
            max_size=20,
        )
    )
    def test_rows_of_a_csv_writer_are_read_or_reported(self, products: list[tuple[str, Decimal]]) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("sku", "name", "price"))
        writer.writerows((f"S-{number}", *product) for number, product in enumerate(products))

        rows, errors = read(text.getvalue())

        assert len(rows) + len(errors) == len(products)
        assert [row["price"] for row in rows] == [price for name, price in products if name.strip()]
        assert {rule for _, rule in errors} <= {"name is required"}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a spreadsheet program writes a table."""

    delimiter: str
    decimal: str
    thousands: str = ""
    encoding: str = "utf-8"
    start: str = ""
    end: str = "\r\n"
    quoting: Literal[0, 1, 2, 3] = csv.QUOTE_MINIMAL
    price: str = "{}"
    truth: tuple[str, str] = ("FALSE", "TRUE")
    padding: int = 0

    def number(self, value: Decimal | int, places: int) -> str:
        marks = {",": self.thousands, ".": self.decimal}
        return "".join(marks.get(character, character) for character in f"{value:,.{places}f}")

    def row(self, values: dict[str, Any]) -> list[str]:
        cells = [values["sku"], values["name"], self.price.format(self.number(values["price"], 2))]
        return [*cells, self.number(values["stock"], 0), self.truth[values["is_active"]], *[""] * self.padding]

    def write(self, rows: Iterable[dict[str, Any]]) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator=self.end, quoting=self.quoting)
        writer.writerow(["SKU", "Name", "Price", "Stock", "Is active", *[""] * self.padding])
        writer.writerows(map(self.row, rows))
        writer.writerow([""] * (5 + self.padding))
        return (self.start + text.getvalue()).encode(self.encoding)


DIALECTS = {
    "Excel, English": Dialect(delimiter=",", decimal=".", encoding="utf-8-sig"),
    "Excel, English, formatted": Dialect(delimiter=",", decimal=".", thousands=",", price="${}", padding=2),
    "Excel, German": Dialect(delimiter=";", decimal=",", encoding="utf-8-sig", truth=("FALSCH", "WAHR")),
    "Excel, German, formatted": Dialect(delimiter=";", decimal=",", thousands=".", price="{} €"),
    "Excel, Swiss": Dialect(delimiter=";", decimal=".", thousands="\u2019"),
    "Excel, French": Dialect(delimiter=";", decimal=",", thousands="\u202f", truth=("FAUX", "VRAI")),
    "Excel, ANSI": Dialect(delimiter=";", decimal=",", thousands=".", encoding="cp1252"),
    "Excel, Unicode text": Dialect(delimiter="\t", decimal=",", encoding="utf-16"),
    "Excel, with a separator line": Dialect(delimiter=";", decimal=".", start="sep=;\r\n"),
    "Excel for Mac": Dialect(delimiter=";", decimal=",", encoding="mac-roman", end="\r"),
    "LibreOffice": Dialect(delimiter=",", decimal=".", end="\n", quoting=csv.QUOTE_NONNUMERIC),
    "LibreOffice, German": Dialect(delimiter=",", decimal=",", thousands=".", end="\n", quoting=csv.QUOTE_ALL),
    "Google Sheets": Dialect(delimiter=",", decimal=".", thousands=","),
    "Numbers": Dialect(delimiter=";", decimal=",", thousands="."),
}


# Letters that all the encodings have. A program that reads `'-5` from a keyboard writes `-5`: it writes the apostrophe
# only if a file that it has opened marks a formula.
LETTERS = (
    st.text("abcXYZ 019äöüßé€£.,;'\"-\t|", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: "\t" not in text and formulas.unescape(text) == text)
)
ROW = st.fixed_dictionaries(
    {
        "name": LETTERS.filter(bool),
        "price": st.decimals(min_value=0, max_value="9999999999.99", places=2),
        "stock": st.integers(0, 1_000_000_000_000),
        "is_active": st.booleans(),
    }
)
TABLES = st.lists(ROW, min_size=1, max_size=8).map(
    lambda rows: [{"sku": f"S-{number}", **values} for number, values in enumerate(rows)]
)


class TestDialects:
    @pytest.mark.parametrize("name", DIALECTS)
    @given(rows=TABLES)
    def test_a_table_is_read_as_it_was_written(self, name: str, rows: list[dict[str, Any]]) -> None:
        dialect = DIALECTS[name]
        encoding = None if dialect.encoding.startswith("utf") else dialect.encoding

        assert read(dialect.write(rows), encoding=encoding) == (rows, [])

    @pytest.mark.parametrize(("decimal", "thousands"), [(".", ","), (",", ".")])
    @given(stocks=st.lists(st.integers(0, 10_000_000), min_size=1, max_size=5))
    def test_whole_numbers_are_read_right_or_rejected(self, decimal: str, thousands: str, stocks: list[int]) -> None:
        dialect = Dialect(delimiter=";", decimal=decimal, thousands=thousands)
        cells = [dialect.number(stock, 0) for stock in stocks]

        assert prices(*cells, decimal=decimal) == stocks
        if any(stock >= 1_000_000 for stock in stocks) or max(stocks) < 1000:
            assert prices(*cells) == stocks
        else:
            assert "add the correct option" in rejected_prices(*cells)[1]

    @given(written=TABLES, keep=st.integers(0, 400))
    def test_a_truncated_file_yields_only_rows_that_were_written(
        self, written: list[dict[str, Any]], keep: int
    ) -> None:
        content = DIALECTS["Excel, German"].write(written)[:keep]

        with contextlib.suppress(RejectedFileError):
            rows, _ = read(content)
            assert rows[:-1] == written[: max(len(rows) - 1, 0)]
