"""What a CSV file of products may look like, rule by rule (contract, sections 4 and 11)."""

import contextlib
import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.sheets import FIELDS, RejectedFileError, Sheet

HEADER = "sku,name,description,category,unit,price,stock,isActive"
GOOD = {"sku": "W-1", "name": "Widget", "price": "8.50"}


def read(content: str | bytes) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """Return the good rows of a file, and the line and rule of each error."""
    data = content.encode() if isinstance(content, str) else content
    sheet = Sheet(io.BytesIO(data))
    records = list(sheet.records())
    return records, [(each.line, each.error) for each in sheet.errors]


def row(**cells: str) -> str:
    """Return a file with one row, good but for what is given."""
    values = GOOD | cells
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(values)
    writer.writerow(values.values())
    return text.getvalue()


def error(**cells: str) -> str:
    """Return the one error of a row that is good but for what is given."""
    records, errors = read(row(**cells))
    assert records == []
    ((line, rule),) = errors
    assert line == 2
    return rule


def value(column: str, cell: str) -> Any:
    """Return what a cell is read as."""
    (record,), errors = read(row(**{column: cell}))
    assert errors == []
    return record[FIELDS[column]]


class TestHeader:
    def refusal(self, header: str | bytes) -> list[str]:
        with pytest.raises(RejectedFileError) as caught:
            read(header)
        assert {each.line for each in caught.value.errors} == {1}
        return [each.error for each in caught.value.errors]

    def test_columns_may_stand_in_any_order(self) -> None:
        records, errors = read("price, name ,sku\n1,Widget,W-1\n")

        assert (records, errors) == ([{"price": Decimal(1), "name": "Widget", "sku": "W-1"}], [])

    def test_an_unknown_column_is_named_with_the_known_ones(self) -> None:
        (fault,) = self.refusal(HEADER + ",colour\n")

        assert fault.startswith("'colour' is not a known column. Known are: sku, name, description, ")

    def test_semicolons_are_recognised_as_the_wrong_separator(self) -> None:
        assert "separated by commas" in self.refusal("sku;name;price\n")[0]

    def test_a_column_may_stand_there_once(self) -> None:
        assert self.refusal("sku,name,price,name\n") == ["the column 'name' is there 2 times"]

    def test_sku_name_and_price_must_be_there(self) -> None:
        assert self.refusal("description\n") == [f"the column '{each}' is missing" for each in ("sku", "name", "price")]

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
    def test_an_empty_file_is_refused(self, content: str) -> None:
        assert self.refusal(content) == ["the file is empty; its first line must name the columns"]

    def test_another_encoding_is_refused(self) -> None:
        assert self.refusal((HEADER + "\n").encode("utf-16"))


class TestFile:
    def test_a_byte_order_mark_is_skipped(self) -> None:
        assert read("\ufeff" + row()) == read(row())

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_lines_end_with_lf_or_crlf(self, end: str) -> None:
        assert len(read(end.join(["sku,name,price", "A,B,1", "", "C,D,2"]))[0]) == 2

    def test_lines_that_end_with_cr_alone_are_refused(self) -> None:
        with pytest.raises(RejectedFileError) as caught:
            read("sku,name,price\rA,B,1\r")

        assert caught.value.errors[0].error == "lines must end with LF or CRLF, not with CR alone"

    def test_quoted_cells_hold_commas_quotes_and_newlines(self) -> None:
        (record,), errors = read('sku,name,price,description\n"A,1","The ""best""",1,"two\nlines"\n')

        assert errors == []
        assert record == {"sku": "A,1", "name": 'The "best"', "price": Decimal(1), "description": "two\nlines"}

    def test_an_error_names_the_line_on_which_its_row_starts(self) -> None:
        _, errors = read('sku,name,price,description\n\nA,B,1,"one\ntwo\nthree"\nC,D,x,\n')

        assert errors == [(6, "price must be a number like 12.50")]

    def test_every_error_of_every_row_is_reported(self) -> None:
        _, errors = read(f"{HEADER}\n,,,,,,,maybe\nA,B,,,,1,,\nC,D,,,,-1,1.5,\n")

        assert errors == [
            (2, "sku is required"),
            (2, "name is required"),
            (2, "price is required"),
            (2, "isActive must be true or false (or 1 or 0, yes or no)"),
            (4, "price must be at least 0"),
            (4, "stock must be a whole number"),
        ]

    def test_a_row_needs_as_many_cells_as_there_are_columns(self) -> None:
        _, errors = read("sku,name,price\nA,B\nA,B,1,2\n")

        assert errors == [
            (2, "there are 2 cells, but the header names 3 columns"),
            (3, "there are 4 cells, but the header names 3 columns"),
        ]

    def test_a_sku_may_appear_once(self) -> None:
        _, errors = read("sku,name,price\nA,x,1\nB,x,1\n A ,x,1\nA,x,1\n")

        assert errors == [(4, "sku 'A' is already on line 2"), (5, "sku 'A' is already on line 2")]

    def test_bytes_that_are_not_utf8_are_an_error_of_their_row_only(self) -> None:
        records, errors = read(b"sku,name,price\nA,\xc4pfel,1\nB,Birnen,2\n")

        assert errors == [(2, "the text is not UTF-8; save the file in that encoding")]
        assert [each["sku"] for each in records] == ["B"]

    def test_text_after_a_closing_quote_is_an_error_of_its_row_only(self) -> None:
        records, errors = read('sku,name,price\nA,"x"y,1\nB,z,2\n')

        assert [line for line, _ in errors] == [2]
        assert [each["sku"] for each in records] == ["B"]

    def test_a_quote_that_is_never_closed_is_named_where_it_opens(self) -> None:
        _, errors = read('sku,name,price\nA,x,1\nB,"x,1\nC,x,1\n')

        assert errors == [(3, "a quotation mark opens a cell here and is never closed")]

    def test_a_cell_without_end_is_not_read_into_memory(self) -> None:
        _, errors = read("sku,name,price\nA,x,1\nB," + "x" * 200_000 + ",1\n")

        assert errors == [(3, "a cell is too long; is a closing quotation mark missing?")]

    def test_a_line_without_end_is_not_read_into_memory(self) -> None:
        _, errors = read("sku,name,price\nA," + "," * 2_000_000)

        assert errors == [(2, "the line is longer than 1000000 bytes; the rest of the file was not read")]


class TestText:
    @pytest.mark.parametrize(
        ("column", "longest"), [("sku", 100), ("name", 200), ("description", 2000), ("category", 100), ("unit", 50)]
    )
    def test_has_the_greatest_length_of_the_document(self, column: str, longest: int) -> None:
        assert value(column, "ä" * longest) == "ä" * longest
        assert error(**{column: "ä" * (longest + 1)}) == f"{column} must be at most {longest} characters"

    def test_is_trimmed_and_composed(self) -> None:
        assert value("name", "  A\u0308pfel \u00a0") == "Äpfel"

    @pytest.mark.parametrize("column", ["sku", "name", "description", "category", "unit"])
    @pytest.mark.parametrize("character", ["\0", "\x1f", "\x7f", "\x85"])
    def test_holds_no_control_characters(self, column: str, character: str) -> None:
        assert error(**{column: f"a{character}b"}) == f"{column} must not contain control characters"

    @pytest.mark.parametrize("character", ["\n", "\r\n", "\t"])
    def test_only_a_description_has_lines_and_tabs(self, character: str) -> None:
        assert value("description", f"a{character}b") == f"a{character}b"
        assert error(name=f"a{character}b") == "name must not contain control characters"

    @pytest.mark.parametrize("column", ["sku", "name", "price"])
    def test_sku_name_and_price_are_required_in_every_row(self, column: str) -> None:
        assert error(**{column: "  "}) == f"{column} is required"

    @pytest.mark.parametrize("column", ["description", "category", "unit", "stock", "isActive"])
    def test_an_empty_cell_is_none(self, column: str) -> None:
        assert value(column, " ") is None


class TestPrice:
    @pytest.mark.parametrize("cell", ["0", "8.5", "8.50", "007.10", "9999999999.99"])
    def test_is_a_decimal_with_at_most_two_places(self, cell: str) -> None:
        assert value("price", cell) == Decimal(cell)

    @pytest.mark.parametrize(
        "cell", ["1e3", "NaN", "Infinity", "1,50", "$5", "0x10", "\N{FULLWIDTH DIGIT ONE}", "+1", "1_000", ".5", "5."]
    )
    def test_is_written_in_plain_digits(self, cell: str) -> None:
        assert error(price=cell) == "price must be a number like 12.50"

    @pytest.mark.parametrize(
        ("cell", "rule"),
        [
            ("8.505", "price must have at most two decimal places"),
            ("8.500", "price must have at most two decimal places"),
            ("-0.01", "price must be at least 0"),
            ("10000000000.00", "price must be at most 9999999999.99"),
            ("9" * 5000, "price must be at most 9999999999.99"),
        ],
    )
    def test_keeps_within_the_bounds_of_the_document(self, cell: str, rule: str) -> None:
        assert error(price=cell) == rule


class TestStock:
    @pytest.mark.parametrize("cell", ["0", "42", "9007199254740991"])
    def test_is_a_whole_number(self, cell: str) -> None:
        assert value("stock", cell) == int(cell)

    @pytest.mark.parametrize(
        ("cell", "rule"),
        [
            ("1.0", "stock must be a whole number"),
            ("many", "stock must be a whole number"),
            ("-1", "stock must be at least 0"),
            ("9007199254740992", "stock must be at most 9007199254740991"),
            ("9" * 5000, "stock must be at most 9007199254740991"),
        ],
    )
    def test_keeps_within_the_bounds_of_the_document(self, cell: str, rule: str) -> None:
        assert error(stock=cell) == rule


class TestIsActive:
    @pytest.mark.parametrize("cell", ["true", "TRUE", "1", "yes", "Yes"])
    def test_reads_yes(self, cell: str) -> None:
        assert value("isActive", cell) is True

    @pytest.mark.parametrize("cell", ["false", "False", "0", "no", "NO"])
    def test_reads_no(self, cell: str) -> None:
        assert value("isActive", cell) is False

    @pytest.mark.parametrize("cell", ["maybe", "2", "ja", "t"])
    def test_reads_nothing_else(self, cell: str) -> None:
        assert error(isActive=cell) == "isActive must be true or false (or 1 or 0, yes or no)"


class TestProperties:
    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_fail_in_another_way(self, content: bytes) -> None:
        read(HEADER.encode() + b"\n" + content)
        with contextlib.suppress(RejectedFileError):
            read(content)

    @given(
        st.lists(
            st.tuples(
                st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
                st.decimals(min_value=0, max_value="9999999999.99", places=2),
            ),
            max_size=20,
        )
    )
    def test_what_a_csv_writer_writes_is_read_or_reported(self, rows: list[tuple[str, Decimal]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([("sku", "name", "price"), *((f"S-{n}", *each) for n, each in enumerate(rows))])

        records, errors = read(text.getvalue())

        assert len(records) + len(errors) == len(rows)
        assert [each["price"] for each in records] == [price for name, price in rows if name.strip()]
        assert {rule for _, rule in errors} <= {"name is required"}
