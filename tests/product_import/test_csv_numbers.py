"""Numbers as spreadsheets write them (contract, section 11)."""

from decimal import Decimal

import pytest

from tests.product_import.conftest import prices, read, rejected_prices, rejection


class TestDecimalMark:
    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ("8.5", "8.50"),
            ("8,50", "8.50"),
            ("1,234.50", "1234.50"),
            ("1.234,50", "1234.50"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("1234,5", "1234.50"),
            ("12345,00", "12345"),
            ("1 234,50", "1234.50"),
            ("1\u00a0234", "1234"),
            ("1\u202f234\u202f567,00", "1234567"),
            ("1'234.50", "1234.50"),
            ("1\u2019234.50", "1234.50"),
            ("0,500", "0.50"),
            ("1234.500", "1234.50"),
            ("1,234.500", "1234.50"),
        ],
    )
    def test_is_certain_when_a_number_can_be_read_in_one_way_only(self, cell: str, expected: str) -> None:
        assert prices(cell) == [Decimal(expected)]

    @pytest.mark.parametrize(("cell", "point", "comma"), [("1.234", "1.234", "1234"), ("12,500", "12500", "12.500")])
    def test_is_asked_for_when_no_number_shows_it(self, cell: str, point: str, comma: str) -> None:
        assert rejected_prices("7", cell, "8") == (
            3,
            f"price '{cell}' is {point} (--decimal point) or {comma} (--decimal comma); add the correct option",
        )

    def test_is_given_by_the_option(self) -> None:
        assert prices("1.234", "2.500", decimal=",") == [1234, 2500]
        assert prices("1,234", "2,500", decimal=".") == [1234, 2500]
        assert prices("12,500", decimal=",") == [Decimal("12.50")]

    def test_is_given_by_other_numbers(self) -> None:
        assert prices("1.234", "8,50") == [1234, Decimal("8.50")]
        assert prices("8.50", "1,234") == [Decimal("8.50"), 1234]

    @pytest.mark.parametrize(("cell", "other"), [("1.234", "8.50"), ("1.230", "8.5"), ("12,000", "8,50")])
    def test_is_asked_for_when_a_number_would_have_three_decimal_places(self, cell: str, other: str) -> None:
        assert f"price '{cell}' is " in rejected_prices(other, cell)[1]
        assert f"price '{cell}' is " in rejected_prices(cell, other)[1]
        assert prices("12.500", "8.50", decimal=".") == [Decimal("12.50"), Decimal("8.50")]

    def test_is_detected_in_the_stock_too(self) -> None:
        rows, _ = read("sku;name;price;stock\nA;B;1.234;10,0\n")

        assert rows == [{"sku": "A", "name": "B", "price": Decimal(1234), "stock": 10}]

    def test_applies_to_the_stock_too(self) -> None:
        assert rejection("sku;name;price;stock\nA;B;7;10.000\n")[1].startswith(
            "stock '10.000' is 10.000 (--decimal point)"
        )
        assert read("sku;name;price;stock\nA;B;7,50;10.000\n")[0][0]["stock"] == 10_000
        assert "stock '10.000' is 10.000 (--decimal point)" in rejection("sku;name;price;stock\nA;B;7.50;10.000\n")[1]
        assert read("sku;name;price;stock\nA;B;7.50;10.000\n", decimal=".")[0][0]["stock"] == 10

    def test_is_the_same_in_the_whole_file(self) -> None:
        line, reason = rejected_prices("8,50", "7", "8.50")

        assert line == 4
        assert reason.startswith("price '8.50' on line 4 and price '8,50' on line 2 have different decimal marks.")
        _, errors = read("sku;name;price\nA;B;8,50\nC;D;8.50\n", decimal=",")
        assert errors == [(3, "price '8.50' must be a number like 12,50")]

    def test_is_not_detected_in_text(self) -> None:
        _, errors = read("sku;name;price\nA;B;8.50 each\nC;D;free\n")

        assert [line for line, _ in errors] == [2, 3]


class TestCurrency:
    @pytest.mark.parametrize(
        ("cell", "expected"),
        [("$1,234.50", "1234.50"), ("€ 8,50", "8.50"), ("1.234,50\u00a0€", "1234.50"), ("£5", "5"), ("5 ₽", "5")],
    )
    def test_may_be_before_or_after_the_amount(self, cell: str, expected: str) -> None:
        assert prices(cell) == [Decimal(expected)]

    def test_is_the_same_in_the_whole_file(self) -> None:
        assert rejected_prices("€ 5,00", "3", "$ 5,00") == (
            4,
            "price '$ 5,00' on line 4 and price '€ 5,00' on line 2 have different currency symbols; use one currency",
        )
