"""What a CSV file of products may look like, rule by rule (contract, sections 4 and 11)."""

import contextlib
import csv
import io
import tracemalloc
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.product_import.csv_table import Reading
from app.product_import.csv_text import CHUNK, SHOWN
from app.product_import.product_file import FIELDS, ProductFile, RejectedFileError

HEADER = "sku,name,description,category,unit,price,stock,isActive"
GOOD = {"sku": "W-1", "name": "Widget", "price": "8.50"}


def opened(content: str | bytes, **given: Any) -> ProductFile:
    data = content.encode() if isinstance(content, str) else content
    return ProductFile(io.BytesIO(data), Reading(**given))


def read(content: str | bytes, **given: Any) -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    """Return the good rows of a file, and the line and rule of each error."""
    product_file = opened(content, **given)
    records = list(product_file.records())
    return records, [(each.line, each.error) for each in product_file.errors]


def refusal(content: str | bytes, **given: Any) -> tuple[int, str]:
    """Return the line and the reason for which a file is refused as a whole."""
    with pytest.raises(RejectedFileError) as caught:
        opened(content, **given)
    (error,) = caught.value.errors
    return error.line, error.error


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
    (column,) = cells
    shown = f" '{cells[column]}'" if len(cells[column]) <= SHOWN else f" '{cells[column][:SHOWN]}…'"
    return rule.removeprefix(column).removeprefix(shown).strip()


def value(column: str, cell: str) -> Any:
    """Return what a cell is read as."""
    (record,), errors = read(row(**{column: cell}))
    assert errors == []
    return record[FIELDS[column]]


class TestHeader:
    def test_columns_may_stand_in_any_order(self) -> None:
        records, errors = read("price, name ,sku\n1,Widget,W-1\n")

        assert (records, errors) == ([{"price": Decimal(1), "name": "Widget", "sku": "W-1"}], [])

    @pytest.mark.parametrize(
        "name", ["isActive", "ISACTIVE", "is_active", "Is Active", " is-active ", "\uff49\uff53Active"]
    )
    def test_names_may_be_written_in_any_way(self, name: str) -> None:
        records, _ = read(f"SKU,Name,pRICE,{name}\nA,B,1,no\n")

        assert records == [{"sku": "A", "name": "B", "price": 1, "is_active": False}]

    def test_other_names_are_mapped(self) -> None:
        records, _ = read("Art.-Nr.;Name;Preis = netto\nA;B;1\n", names={"art.-nr.": "sku", "Preis = netto": "price"})

        assert records == [{"sku": "A", "name": "B", "price": 1}]

    def test_columns_that_are_not_known_are_named_and_left_out(self) -> None:
        product_file = opened(",sku,colour,name,price,Gewicht\n1,A,red,B,1,2\n")

        assert list(product_file.records()) == [{"sku": "A", "name": "B", "price": 1}]
        assert product_file.errors == []
        assert product_file.warnings == ["Not imported, because not known: 'column 1', 'colour', 'Gewicht'."]

    def test_columns_that_are_not_known_are_refused_when_told_so(self) -> None:
        line, reason = refusal("sku,name,price,colour\nA,B,1,red\n", strict=True)

        assert line == 1
        assert reason.startswith("these columns are not known: 'colour'. Found, with the delimiter comma: 'sku', ")

    def test_what_is_missing_is_named_with_what_is_there_and_what_to_do(self) -> None:
        assert refusal("\nArtikel;Name;Preis\n") == (
            2,
            (
                "there is no column for sku, price. Found, with the delimiter semicolon: 'Artikel', 'Name', 'Preis'. "
                "Known: sku, name, description, category, unit, price, stock, isActive. Another name is given with "
                "--map THEIRS=OURS, another delimiter with --delimiter"
            ),
        )

    def test_a_name_of_no_column_cannot_be_mapped(self) -> None:
        assert "--map names 'Preis', which is not there" in refusal(row(), names={"Preis": "price"})[1]

    @pytest.mark.parametrize("header", ["sku,name,price,Name", "sku,name,price,title"])
    def test_a_column_may_stand_there_once(self, header: str) -> None:
        assert refusal(header + "\n", names={"price": "price"} | ({"title": "name"} if "title" in header else {}))[
            1
        ].startswith("there are 2 columns for name.")

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "sep=;\n"])
    def test_an_empty_file_is_refused(self, content: str) -> None:
        assert refusal(content) == (1, "the file is empty; its first line must name the columns")

    def test_a_long_name_is_cut(self) -> None:
        assert f"'{'x' * 100}…'" in refusal("x" * 5000)[1]


class TestDelimiter:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_is_found(self, delimiter: str) -> None:
        records, _ = read('sku,"name",price\nA,"B, b; b|b",1\n'.replace(",", delimiter).replace(f"B{delimiter}", "B,"))

        assert records == [{"sku": "A", "name": "B, b; b|b", "price": 1}]

    def test_is_found_where_another_one_stands_more_often(self) -> None:
        records, _ = read("sku;name;price;a,b,c,d,e,f\nA;B;1;\n")

        assert records == [{"sku": "A", "name": "B", "price": 1}]

    @pytest.mark.parametrize("instruction", ["sep=^", "SEP=^", '"sep=^"'])
    def test_is_what_an_instruction_for_excel_says(self, instruction: str) -> None:
        records, errors = read(f"{instruction}\r\nsku^name^price\r\nA^B^x\r\nC^D^1\r\n")

        assert records == [{"sku": "C", "name": "D", "price": 1}]
        assert errors == [(3, "price 'x' must be a number like 12.50")]

    def test_is_what_the_option_says(self) -> None:
        assert "delimiter '~'" in refusal("sku~name\n", delimiter="~")[1]
        assert read("sku~name~price\nA~B~1\n", delimiter="~")[0] == [{"sku": "A", "name": "B", "price": 1}]


class TestEncoding:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_is_found(self, encoding: str) -> None:
        assert read(row(name="Äpfel 苹果").encode(encoding))[0][0]["name"] == "Äpfel 苹果"

    def test_is_found_whatever_the_order_of_its_bytes(self) -> None:
        content = ("\ufeff" + row(name="Äpfel")).encode("utf-16-be")

        assert read(content)[0][0]["name"] == "Äpfel"

    def test_is_not_guessed_but_shown(self) -> None:
        content = "sku,name,price\nA,B,1\nB,Äpfel für 2 €,1\n".encode("cp1252")

        assert refusal(content) == (
            3,
            (
                "the text is not UTF-8; as windows-1252 it says 'B,Äpfel für 2 €,1'. Add --encoding windows-1252 if "
                "that is right; else save the file as UTF-8"
            ),
        )
        assert [each["name"] for each in read(content, encoding="cp1252")[0]] == ["B", "Äpfel für 2 €"]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_names_the_line_of_what_it_cannot_read_far_down(self, end: str) -> None:
        rows = "".join(f"S-{number},Item,1{end}" for number in range(100_000))

        line, reason = refusal(f"sku,name,price{end}{rows}".encode() + b"X,\xc4pfel,1")

        assert line == 100_002
        assert "'X,Äpfel,1'" in reason

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_without_a_mark_is_named(self, encoding: str) -> None:
        content = row(name="Äpfel").encode(encoding)

        assert f"add --encoding {encoding}" in refusal(content)[1]
        assert read(content, encoding=encoding)[0][0]["name"] == "Äpfel"

    def test_that_is_marked_is_not_another_one(self) -> None:
        content = row().encode("utf-8-sig")

        assert refusal(content, encoding="cp1252") == (1, "the file is marked as utf-8; leave out --encoding cp1252")
        assert read(content, encoding="utf-8") == read(row())

    @pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
    def test_that_is_wrong_is_said(self, encoding: str) -> None:
        content = row(name="\u0141\u0141\u0141").encode(encoding, "replace") + b"\x81"

        assert "was the file cut off?" in refusal(content, encoding=encoding)[1]

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml", "an Excel workbook (.xlsx)"),
            (
                b"PK\x03\x04\x14\0\0\x08\0\0mimetypeapplication/vnd.oasis.opendocument.spreadsheet",
                "an OpenDocument spreadsheet (.ods)",
            ),
            (b"PK\x03\x04\x14\0\0\0\0\0products.csv", "a ZIP archive"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an Excel workbook (.xls)"),
            (b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
            (b"\x1f\x8b\x08\0\0", "compressed with gzip"),
            (b"\n<html><table><tr><td>sku", "HTML or XML"),
        ],
    )
    def test_another_kind_of_file_is_one_line(self, content: bytes, kind: str) -> None:
        assert refusal(content) == (1, f"the file is {kind}, whatever its name; save it as CSV and import that")


class TestFile:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_lines_end_with_lf_crlf_or_cr(self, end: str) -> None:
        records, errors = read(end.join(["sku,name,price", "A,B,1", "", "C,D,2", "E,F,x"]))

        assert [each["sku"] for each in records] == ["A", "C"]
        assert errors == [(5, "price 'x' must be a number like 12.50")]

    def test_empty_rows_and_columns_mean_nothing(self) -> None:
        records, errors = read(" ;;\n;;;;;\nsku;name;price;;\nA;B;1;;\nC;D;2\nE;F;3; ; ;\n;;;;\n;;\n\n")

        assert errors == []
        assert [each["sku"] for each in records] == ["A", "C", "E"]

    def test_memory_does_not_grow_with_the_rows(self) -> None:
        content = b"sku,name,price\n" + b"".join(b"S-%06d,Item,%d.25\n" % (each, each) for each in range(40_000))

        tracemalloc.start()
        try:
            assert sum(1 for _ in opened(content).records()) == 40_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 3 * CHUNK + len(content)  # the stream of this test holds the whole content

    def test_is_read_from_where_it_stands(self) -> None:
        stream = io.BytesIO(b"Our price list\nsku,name,price\nA,B,1\n")
        stream.readline()

        assert list(ProductFile(stream).records()) == [{"sku": "A", "name": "B", "price": 1}]

    def test_that_is_changed_meanwhile_is_an_error(self) -> None:
        stream = io.BytesIO(b"sku,name,price\nA,B,1\n")
        product_file = ProductFile(stream)
        stream.seek(0, io.SEEK_END)
        stream.write(b"C,\xc4pfel,1\n")

        list(product_file.records())

        assert [each.error for each in product_file.errors] == ["the file was changed while it was read"]

    def test_can_be_read_again(self) -> None:
        product_file = opened("sku,name,price\nA,B,1\nA,B,x\n")

        assert list(product_file.records()) == list(product_file.records())
        assert len(product_file.errors) == 2

    def test_quoted_cells_hold_commas_quotes_and_newlines(self) -> None:
        (record,), errors = read('sku,name,price,description\n"A,1","The ""best""",1,"two\nlines"\n')

        assert errors == []
        assert record == {"sku": "A,1", "name": 'The "best"', "price": Decimal(1), "description": "two\nlines"}

    def test_an_error_names_the_line_on_which_its_row_starts(self) -> None:
        _, errors = read('sku,name,price,description\n\nA,B,1,"one\ntwo\nthree"\nC,D,x,\n')

        assert errors == [(6, "price 'x' must be a number like 12.50")]

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

    def test_cells_beyond_the_last_column_are_an_error(self) -> None:
        _, errors = read("sku,name,price,\nA,Nail 2,5,3.00\nB,Nail 2,5,3.00,1\n")

        assert errors == [
            (2, "there are 4 cells, but the header names 3 columns"),
            (3, "there are 5 cells, but the header names 3 columns"),
        ]

    def test_cells_that_are_left_out_at_the_end_are_empty(self) -> None:
        records, errors = read("sku;name;price;stock\nA;B;1\nC;D\n")

        assert records == [{"sku": "A", "name": "B", "price": 1, "stock": None}]
        assert errors == [(3, "price is required")]

    @pytest.mark.parametrize("row", ["A,Nail,8,50", "A,Nail,8,50,3,"])
    def test_cells_are_not_left_out_where_a_decimal_comma_may_have_split_one(self, row: str) -> None:
        header = "sku,name,price,stock,description"
        cells = row.count(",") + 1

        assert read(f"{header}\n{row}\n")[1] == [(2, f"there are {cells} cells, but the header names 5 columns")]
        assert read(f"{header}\n{row}\n", decimal=",")[0] == []
        assert len(read(f"{header}\n{row}\nB,Nut,8.50,1,\n")[0]) == 2
        assert len(read(f'{header}\n{row}\nB,Nut,"8,50",1,\n')[0]) == 2

    def test_a_file_that_ends_within_a_row_is_refused(self) -> None:
        _, errors = read("sku,name,price,stock\nA,B,1,2\nC,D,8")

        assert errors == [
            (3, "the file ends within this row: there are 3 cells, but the header names 4 columns"),
        ]

    def test_a_sku_may_appear_once(self) -> None:
        _, errors = read("sku,name,price\nA,x,1\nB,x,1\n A ,x,1\nA,x,1\n")

        assert errors == [(4, "sku 'A' is already on line 2"), (5, "sku 'A' is already on line 2")]

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

        assert errors == [(2, "the line is longer than 1000000 characters; the rest was not read")]


class TestText:
    @pytest.mark.parametrize(
        ("column", "longest"), [("sku", 100), ("name", 200), ("description", 2000), ("category", 100), ("unit", 50)]
    )
    def test_has_the_greatest_length_of_the_document(self, column: str, longest: int) -> None:
        assert value(column, "ä" * longest) == "ä" * longest
        assert error(**{column: "ä" * (longest + 1)}) == f"must be at most {longest} characters"

    def test_is_trimmed_and_composed(self) -> None:
        assert value("name", "  A\u0308pfel \u00a0") == "Äpfel"

    @pytest.mark.parametrize("column", ["sku", "name", "description", "category", "unit"])
    @pytest.mark.parametrize("character", ["\0", "\x1f", "\x7f", "\x85"])
    def test_holds_no_control_characters(self, column: str, character: str) -> None:
        assert error(**{column: f"a{character}b"}) == "must not contain control characters"

    @pytest.mark.parametrize("character", ["\n", "\r\n", "\t"])
    def test_only_a_description_has_lines_and_tabs(self, character: str) -> None:
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
    def test_is_written_in_plain_digits(self, cell: str) -> None:
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
    def test_keeps_within_the_bounds_of_the_document(self, cell: str, rule: str) -> None:
        assert error(price=cell) == rule


def prices(*cells: str, **given: Any) -> list[Decimal]:
    """Return what the prices of one file are read as."""
    lines = (f"S-{number};Item;{cell}" for number, cell in enumerate(cells))
    records, errors = read("\n".join(["sku;name;price", *lines]), **given)
    assert errors == []
    return [each["price"] for each in records]


def refused_prices(*cells: str, **given: Any) -> tuple[int, str]:
    lines = (f"S-{number};Item;{cell}" for number, cell in enumerate(cells))
    return refusal("\n".join(["sku;name;price", *lines]), **given)


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
    def test_is_certain_where_a_cell_can_be_read_in_one_way_only(self, cell: str, expected: str) -> None:
        assert prices(cell) == [Decimal(expected)]

    @pytest.mark.parametrize(("cell", "point", "comma"), [("1.234", "1.234", "1234"), ("12,500", "12500", "12.500")])
    def test_is_asked_for_where_nothing_tells(self, cell: str, point: str, comma: str) -> None:
        assert refused_prices("7", cell, "8") == (
            3,
            f"price '{cell}' is {point} (--decimal point) or {comma} (--decimal comma); add the option that is right",
        )

    def test_is_that_of_the_option(self) -> None:
        assert prices("1.234", "2.500", decimal=",") == [1234, 2500]
        assert prices("1,234", "2,500", decimal=".") == [1234, 2500]
        assert prices("12,500", decimal=",") == [Decimal("12.50")]

    def test_is_that_of_the_other_cells(self) -> None:
        assert prices("1.234", "8,50") == [1234, Decimal("8.50")]
        assert prices("8.50", "1,234") == [Decimal("8.50"), 1234]

    @pytest.mark.parametrize(("cell", "other"), [("1.234", "8.50"), ("1.230", "8.5"), ("12,000", "8,50")])
    def test_that_gives_three_decimal_places_is_asked_for(self, cell: str, other: str) -> None:
        assert f"price '{cell}' is " in refused_prices(other, cell)[1]
        assert f"price '{cell}' is " in refused_prices(cell, other)[1]
        assert prices("12.500", "8.50", decimal=".") == [Decimal("12.50"), Decimal("8.50")]

    def test_may_show_in_the_stock(self) -> None:
        records, _ = read("sku;name;price;stock\nA;B;1.234;10,0\n")

        assert records == [{"sku": "A", "name": "B", "price": Decimal(1234), "stock": 10}]

    def test_holds_for_the_stock_too(self) -> None:
        assert refusal("sku;name;price;stock\nA;B;7;10.000\n")[1].startswith(
            "stock '10.000' is 10.000 (--decimal point)"
        )
        assert read("sku;name;price;stock\nA;B;7,50;10.000\n")[0][0]["stock"] == 10_000
        assert "stock '10.000' is 10.000 (--decimal point)" in refusal("sku;name;price;stock\nA;B;7.50;10.000\n")[1]
        assert read("sku;name;price;stock\nA;B;7.50;10.000\n", decimal=".")[0][0]["stock"] == 10

    def test_is_one_in_a_file(self) -> None:
        line, reason = refused_prices("8,50", "7", "8.50")

        assert line == 4
        assert reason.startswith("price '8.50' on line 4 and price '8,50' on line 2 have different decimal marks.")
        _, errors = read("sku;name;price\nA;B;8,50\nC;D;8.50\n", decimal=",")
        assert errors == [(3, "price '8.50' must be a number like 12,50")]

    def test_is_not_told_by_a_number_that_is_none(self) -> None:
        _, errors = read("sku;name;price\nA;B;8.50 each\nC;D;free\n")

        assert [line for line, _ in errors] == [2, 3]


class TestCurrency:
    @pytest.mark.parametrize(
        ("cell", "expected"),
        [("$1,234.50", "1234.50"), ("€ 8,50", "8.50"), ("1.234,50\u00a0€", "1234.50"), ("£5", "5"), ("5 ₽", "5")],
    )
    def test_stands_before_or_after_the_amount(self, cell: str, expected: str) -> None:
        assert prices(cell) == [Decimal(expected)]

    def test_is_one_in_a_file(self) -> None:
        assert refused_prices("€ 5,00", "3", "$ 5,00") == (
            4,
            "price '$ 5,00' on line 4 and price '€ 5,00' on line 2 have different currency signs; import one currency",
        )


class TestStock:
    @pytest.mark.parametrize("cell", ["0", "42", "9007199254740991"])
    def test_is_a_whole_number(self, cell: str) -> None:
        assert value("stock", cell) == int(cell)

    @pytest.mark.parametrize("cell", ["10.0", "10,0", "10.00", "10,0000", "010"])
    def test_may_have_decimal_places_that_are_zero(self, cell: str) -> None:
        (record,), _ = read(f"sku;name;price;stock\nA;B;1;{cell}\n")

        assert record["stock"] == 10
        assert type(record["stock"]) is int

    @pytest.mark.parametrize(
        ("cell", "rule"),
        [
            ("1.5", "must be a whole number"),
            ("$1", "must be a whole number"),
            ("many", "must be a whole number"),
            ("-1", "must be at least 0"),
            ("9007199254740992", "must be at most 9007199254740991"),
            ("9" * 5000, "must be at most 9007199254740991"),
        ],
    )
    def test_keeps_within_the_bounds_of_the_document(self, cell: str, rule: str) -> None:
        assert error(stock=cell) == rule


class TestIsActive:
    @pytest.mark.parametrize("cell", ["true", "TRUE", "1", "yes", "Yes", "WAHR", "VRAI"])
    def test_reads_yes(self, cell: str) -> None:
        assert value("isActive", cell) is True

    @pytest.mark.parametrize("cell", ["false", "False", "0", "no", "NO", "FALSCH", "FAŁSZ"])
    def test_reads_no(self, cell: str) -> None:
        assert value("isActive", cell) is False

    @pytest.mark.parametrize("cell", ["maybe", "2", "ja", "t"])
    def test_reads_nothing_else(self, cell: str) -> None:
        assert error(isActive=cell) == "must be true or false (or 1 or 0, yes or no)"


class TestProperties:
    @given(st.binary(max_size=300))
    def test_no_bytes_make_it_fail_in_another_way(self, content: bytes) -> None:
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
    def test_what_a_csv_writer_writes_is_read_or_reported(self, rows: list[tuple[str, Decimal]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows([("sku", "name", "price"), *((f"S-{n}", *each) for n, each in enumerate(rows))])

        records, errors = read(text.getvalue())

        assert len(records) + len(errors) == len(rows)
        assert [each["price"] for each in records] == [price for name, price in rows if name.strip()]
        assert {rule for _, rule in errors} <= {"name is required"}


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a program writes a table."""

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
        return "".join(marks.get(each, each) for each in f"{value:,.{places}f}")

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
    "Excel, with an instruction": Dialect(delimiter=";", decimal=".", start="sep=;\r\n"),
    "Excel for Mac": Dialect(delimiter=";", decimal=",", encoding="mac-roman", end="\r"),
    "LibreOffice": Dialect(delimiter=",", decimal=".", end="\n", quoting=csv.QUOTE_NONNUMERIC),
    "LibreOffice, German": Dialect(delimiter=",", decimal=",", thousands=".", end="\n", quoting=csv.QUOTE_ALL),
    "Google Sheets": Dialect(delimiter=",", decimal=".", thousands=","),
    "Numbers": Dialect(delimiter=";", decimal=",", thousands="."),
}
# Letters that every one of the encodings has.
LETTERS = (
    st.text("abcXYZ 019äöüßé€£.,;'\"-\t|", min_size=1, max_size=12).map(str.strip).filter(lambda text: "\t" not in text)
)
ROW = st.fixed_dictionaries(
    {
        "name": LETTERS.filter(bool),
        "price": st.decimals(min_value=0, max_value="9999999999.99", places=2),
        "stock": st.integers(0, 9_007_199_254_740_991),
        "is_active": st.booleans(),
    }
)
TABLES = st.lists(ROW, min_size=1, max_size=8).map(
    lambda rows: [{"sku": f"S-{number}", **values} for number, values in enumerate(rows)]
)


class TestDialects:
    @pytest.mark.parametrize("name", DIALECTS)
    @given(rows=TABLES)
    def test_a_table_reads_back_equal(self, name: str, rows: list[dict[str, Any]]) -> None:
        dialect = DIALECTS[name]
        encoding = None if dialect.encoding.startswith("utf") else dialect.encoding

        assert read(dialect.write(rows), encoding=encoding) == (rows, [])

    @pytest.mark.parametrize(("decimal", "thousands"), [(".", ","), (",", ".")])
    @given(stocks=st.lists(st.integers(0, 10_000_000), min_size=1, max_size=5))
    def test_whole_numbers_are_right_or_asked_for(self, decimal: str, thousands: str, stocks: list[int]) -> None:
        dialect = Dialect(delimiter=";", decimal=decimal, thousands=thousands)
        cells = [dialect.number(stock, 0) for stock in stocks]

        assert prices(*cells, decimal=decimal) == stocks
        if any(stock >= 1_000_000 for stock in stocks) or max(stocks) < 1000:
            assert prices(*cells) == stocks
        else:
            assert "add the option that is right" in refused_prices(*cells)[1]

    @given(rows=TABLES, keep=st.integers(0, 400))
    def test_a_file_that_was_cut_off_yields_nothing_else(self, rows: list[dict[str, Any]], keep: int) -> None:
        content = DIALECTS["Excel, German"].write(rows)[:keep]

        with contextlib.suppress(RejectedFileError):
            records, _ = read(content)
            assert records[:-1] == rows[: max(len(records) - 1, 0)]
