"""The delimiter, the columns and the rows of a CSV table (contract, section 11)."""

from decimal import Decimal

import pytest

from tests.product_import.conftest import file_with, opened, read, rejection


class TestHeader:
    def test_columns_may_be_in_any_order(self) -> None:
        rows, errors = read("price, name ,sku\n1,Widget,W-1\n")

        assert (rows, errors) == ([{"price": Decimal(1), "name": "Widget", "sku": "W-1"}], [])

    @pytest.mark.parametrize(
        "name", ["isActive", "ISACTIVE", "is_active", "Is Active", " is-active ", "\uff49\uff53Active"]
    )
    def test_names_match_without_case_spaces_and_hyphens(self, name: str) -> None:
        rows, _ = read(f"SKU,Name,pRICE,{name}\nA,B,1,no\n")

        assert rows == [{"sku": "A", "name": "B", "price": 1, "is_active": False}]

    def test_other_names_are_mapped(self) -> None:
        rows, _ = read("Art.-Nr.;Name;Preis = netto\nA;B;1\n", names={"art.-nr.": "sku", "Preis = netto": "price"})

        assert rows == [{"sku": "A", "name": "B", "price": 1}]

    def test_unknown_columns_are_ignored_with_a_warning(self) -> None:
        product_csv = opened(",sku,colour,name,price,Gewicht\n1,A,red,B,1,2\n")

        assert list(product_csv.rows()) == [{"sku": "A", "name": "B", "price": 1}]
        assert product_csv.errors == []
        assert product_csv.warnings == ["Unknown columns were not imported: 'column 1', 'colour', 'Gewicht'."]

    def test_unknown_columns_are_rejected_when_strict(self) -> None:
        line, reason = rejection("sku,name,price,colour\nA,B,1,red\n", strict=True)

        assert line == 1
        assert reason.startswith("unknown columns: 'colour'. Found, with the delimiter comma: 'sku', ")

    def test_a_missing_column_is_reported_with_the_columns_found_and_what_to_do(self) -> None:
        assert rejection("\nArtikel;Name;Preis\n") == (
            2,
            (
                "there is no column for sku, price. Found, with the delimiter semicolon: 'Artikel', 'Name', 'Preis'. "
                "Known: sku, name, description, category, unit, price, stock, isActive, externalId, barcode, "
                "lowStockThreshold, imageUrl, priceBreaks, minOrderQuantity, orderMultiple, maxOrderQuantity. "
                "To use another name, "
                "add --map THEIRS=OURS; to use another delimiter, add --delimiter"
            ),
        )

    def test_a_column_that_is_not_in_the_file_cannot_be_mapped(self) -> None:
        assert "--map names 'Preis', but there is no such column" in rejection(file_with(), names={"Preis": "price"})[1]

    @pytest.mark.parametrize("header", ["sku,name,price,Name", "sku,name,price,title"])
    def test_a_repeated_column_is_rejected(self, header: str) -> None:
        assert rejection(header + "\n", names={"price": "price"} | ({"title": "name"} if "title" in header else {}))[
            1
        ].startswith("there are 2 columns for name.")

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", "sep=;\n"])
    def test_an_empty_file_is_rejected(self, content: str) -> None:
        assert rejection(content) == (1, "the file is empty; its first line must name the columns")

    def test_a_long_name_is_shortened(self) -> None:
        assert f"'{'x' * 100}…'" in rejection("x" * 5000)[1]


class TestDelimiter:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_is_detected(self, delimiter: str) -> None:
        rows, _ = read('sku,"name",price\nA,"B, b; b|b",1\n'.replace(",", delimiter).replace(f"B{delimiter}", "B,"))

        assert rows == [{"sku": "A", "name": "B, b; b|b", "price": 1}]

    def test_is_detected_when_another_one_is_more_frequent(self) -> None:
        rows, _ = read("sku;name;price;a,b,c,d,e,f\nA;B;1;\n")

        assert rows == [{"sku": "A", "name": "B", "price": 1}]

    @pytest.mark.parametrize("instruction", ["sep=^", "SEP=^", '"sep=^"'])
    def test_is_given_by_the_separator_line_of_excel(self, instruction: str) -> None:
        rows, errors = read(f"{instruction}\r\nsku^name^price\r\nA^B^x\r\nC^D^1\r\n")

        assert rows == [{"sku": "C", "name": "D", "price": 1}]
        assert errors == [(3, "price 'x' must be a number like 12.50")]

    def test_is_given_by_the_option(self) -> None:
        assert "delimiter '~'" in rejection("sku~name\n", delimiter="~")[1]
        assert read("sku~name~price\nA~B~1\n", delimiter="~")[0] == [{"sku": "A", "name": "B", "price": 1}]


class TestRows:
    def test_empty_rows_and_columns_are_ignored(self) -> None:
        rows, errors = read(" ;;\n;;;;;\nsku;name;price;;\nA;B;1;;\nC;D;2\nE;F;3; ; ;\n;;;;\n;;\n\n")

        assert errors == []
        assert [row["sku"] for row in rows] == ["A", "C", "E"]

    def test_quoted_cells_hold_commas_quotes_and_newlines(self) -> None:
        (row,), errors = read('sku,name,price,description\n"A,1","The ""best""",1,"two\nlines"\n')

        assert errors == []
        assert row == {"sku": "A,1", "name": 'The "best"', "price": Decimal(1), "description": "two\nlines"}

    def test_an_error_has_the_line_on_which_its_row_starts(self) -> None:
        _, errors = read('sku,name,price,description\n\nA,B,1,"one\ntwo\nthree"\nC,D,x,\n')

        assert errors == [(6, "price 'x' must be a number like 12.50")]

    def test_cells_beyond_the_last_column_are_an_error(self) -> None:
        _, errors = read("sku,name,price,\nA,Nail 2,5,3.00\nB,Nail 2,5,3.00,1\n")

        assert errors == [
            (2, "there are 4 cells, but the header names 3 columns"),
            (3, "there are 5 cells, but the header names 3 columns"),
        ]

    def test_missing_cells_at_the_end_of_a_row_are_empty(self) -> None:
        rows, errors = read("sku;name;price;stock\nA;B;1\nC;D\n")

        assert rows == [{"sku": "A", "name": "B", "price": 1, "stock": None}]
        assert errors == [(3, "price is required")]

    @pytest.mark.parametrize("row", ["A,Nail,8,50", "A,Nail,8,50,3,"])
    def test_missing_cells_are_an_error_where_a_decimal_comma_may_have_split_a_cell(self, row: str) -> None:
        header = "sku,name,price,stock,description"
        cells = row.count(",") + 1

        assert read(f"{header}\n{row}\n")[1] == [(2, f"there are {cells} cells, but the header names 5 columns")]
        assert read(f"{header}\n{row}\n", decimal=",")[0] == []
        assert len(read(f"{header}\n{row}\nB,Nut,8.50,1,\n")[0]) == 2
        assert len(read(f'{header}\n{row}\nB,Nut,"8,50",1,\n')[0]) == 2

    def test_a_file_that_ends_within_a_row_is_rejected(self) -> None:
        _, errors = read("sku,name,price,stock\nA,B,1,2\nC,D,8")

        assert errors == [
            (3, "the file ends within this row: there are 3 cells, but the header names 4 columns"),
        ]

    def test_text_after_a_closing_quote_is_an_error_of_that_row_only(self) -> None:
        rows, errors = read('sku,name,price\nA,"x"y,1\nB,z,2\n')

        assert [line for line, _ in errors] == [2]
        assert [row["sku"] for row in rows] == ["B"]

    def test_an_unclosed_quote_is_reported_where_it_opens(self) -> None:
        _, errors = read('sku,name,price\nA,x,1\nB,"x,1\nC,x,1\n')

        assert errors == [(3, "a quotation mark opens a cell here and is never closed")]

    def test_an_endless_cell_is_not_read_into_memory(self) -> None:
        _, errors = read("sku,name,price\nA,x,1\nB," + "x" * 200_000 + ",1\n")

        assert errors == [(3, "a cell is too long; is a closing quotation mark missing?")]
