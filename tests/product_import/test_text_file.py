"""The encoding and the lines of a file (contract, section 11)."""

import io
import tracemalloc

import pytest

from app.product_import.product_csv import ProductCsv
from app.product_import.text_file import CHUNK_BYTES
from tests.product_import.conftest import file_with, opened, read, rejection


class TestEncoding:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
    def test_is_detected(self, encoding: str) -> None:
        assert read(file_with(name="Äpfel 苹果").encode(encoding))[0][0]["name"] == "Äpfel 苹果"

    def test_is_detected_in_either_byte_order(self) -> None:
        content = ("\ufeff" + file_with(name="Äpfel")).encode("utf-16-be")

        assert read(content)[0][0]["name"] == "Äpfel"

    def test_is_not_guessed_but_suggested(self) -> None:
        content = "sku,name,price\nA,B,1\nB,Äpfel für 2 €,1\n".encode("cp1252")

        assert rejection(content) == (
            3,
            (
                "the text is not UTF-8; as windows-1252 it reads 'B,Äpfel für 2 €,1'. If that is correct, add "
                "--encoding windows-1252; otherwise save the file as UTF-8"
            ),
        )
        assert [row["name"] for row in read(content, encoding="cp1252")[0]] == ["B", "Äpfel für 2 €"]

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_an_undecodable_byte_far_down_is_reported_with_its_line(self, end: str) -> None:
        rows = "".join(f"S-{number},Item,1{end}" for number in range(100_000))

        line, reason = rejection(f"sku,name,price{end}{rows}".encode() + b"X,\xc4pfel,1")

        assert line == 100_002
        assert "'X,Äpfel,1'" in reason

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf_16_without_a_byte_order_mark_is_suggested(self, encoding: str) -> None:
        content = file_with(name="Äpfel").encode(encoding)

        assert f"add --encoding {encoding}" in rejection(content)[1]
        assert read(content, encoding=encoding)[0][0]["name"] == "Äpfel"

    def test_a_byte_order_mark_contradicts_the_option(self) -> None:
        content = file_with().encode("utf-8-sig")

        assert rejection(content, encoding="cp1252") == (
            1,
            "the file has the byte order mark of utf-8; remove --encoding cp1252",
        )
        assert read(content, encoding="utf-8") == read(file_with())

    @pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
    def test_a_wrong_encoding_is_reported(self, encoding: str) -> None:
        content = file_with(name="\u0141\u0141\u0141").encode(encoding, "replace") + b"\x81"

        assert "the file may be truncated" in rejection(content, encoding=encoding)[1]

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
    def test_another_format_is_rejected_in_one_line(self, content: bytes, kind: str) -> None:
        assert rejection(content) == (1, f"the file is {kind}, despite its name; save it as CSV and import that file")


class TestLines:
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_lines_end_with_lf_crlf_or_cr(self, end: str) -> None:
        rows, errors = read(end.join(["sku,name,price", "A,B,1", "", "C,D,2", "E,F,x"]))

        assert [row["sku"] for row in rows] == ["A", "C"]
        assert errors == [(5, "price 'x' must be a number like 12.50")]

    def test_memory_does_not_grow_with_the_rows(self) -> None:
        content = b"sku,name,price\n" + b"".join(b"S-%06d,Item,%d.25\n" % (number, number) for number in range(40_000))

        tracemalloc.start()
        try:
            assert sum(1 for _ in opened(content).rows()) == 40_000
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 3 * CHUNK_BYTES + len(content)  # the stream of this test holds the whole content

    def test_a_stream_is_read_from_its_position(self) -> None:
        stream = io.BytesIO(b"Our price list\nsku,name,price\nA,B,1\n")
        stream.readline()

        assert list(ProductCsv(stream).rows()) == [{"sku": "A", "name": "B", "price": 1}]

    def test_a_file_that_changes_while_it_is_read_is_an_error(self) -> None:
        stream = io.BytesIO(b"sku,name,price\nA,B,1\n")
        product_csv = ProductCsv(stream)
        stream.seek(0, io.SEEK_END)
        stream.write(b"C,\xc4pfel,1\n")

        list(product_csv.rows())

        assert [error.error for error in product_csv.errors] == ["the file changed while it was being read"]

    def test_an_endless_line_is_not_read_into_memory(self) -> None:
        _, errors = read("sku,name,price\nA," + "," * 2_000_000)

        assert errors == [(2, "the line is longer than 1000000 characters; the rest of the file was not read")]
