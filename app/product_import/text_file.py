"""The text of a file: reject other formats, detect the encoding, split lines.

Only what is certain is detected: a byte order mark, or text that is UTF-8 from the first byte to the last. Any other
encoding must be specified, because nearly every byte is a letter in each of them.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO

MAX_LINE = 1_000_000  # characters, far beyond the longest valid row
CHUNK_BYTES = 1 << 18
MAX_QUOTED = 100  # characters of a cell that an error quotes
CONTEXT_BYTES = 20  # quoted on each side of a byte that cannot be decoded

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # starts with the mark of UTF-16, so it is compared first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MAGIC_NUMBERS = {
    b"PK\x03\x04": "a ZIP archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel workbook (.xls)",
    b"%PDF-": "a PDF document",
    b"\x1f\x8b": "compressed with gzip",
    b"{\\rtf": "a Rich Text document",
    b"<": "HTML or XML",
}
ZIP_FORMATS = {b"opendocument.spreadsheet": "an OpenDocument spreadsheet (.ods)", b".xml": "an Excel workbook (.xlsx)"}


class UnreadableFileError(Exception):
    """The file as a whole cannot be read. `line` is the line of the error."""

    def __init__(self, line: int, error: str) -> None:
        """Initialize with the line, and a message that says what to do."""
        super().__init__(error)
        self.line = line


def quoted(value: str) -> str:
    """Return a value in quotation marks, shortened if it is long, for an error message."""
    return f"'{value[:MAX_QUOTED]}…'" if len(value) > MAX_QUOTED else f"'{value}'"


class TextFile:
    """A seekable file as text. Memory use does not grow with the file."""

    def __init__(self, stream: IO[bytes], encoding: str | None) -> None:
        """Detect the encoding unless it is given. Raises UnreadableFileError if the file is not text in it."""
        self._stream = stream
        self._start = stream.seek(0, io.SEEK_CUR)
        self.is_terminated = True
        head = stream.read(CHUNK_BYTES)
        _reject_other_formats(head)
        self._encoding = _detect_encoding(head, encoding)
        self._check()

    def lines(self) -> Iterator[str]:
        """Yield the lines with their line endings, starting at the initial position of the stream.

        Sets `is_terminated` to whether the last line yielded has a line ending.
        """
        self._stream.seek(self._start)
        text = io.TextIOWrapper(self._stream, self._encoding, newline="")
        try:
            while line := text.readline(MAX_LINE):
                if len(line) == MAX_LINE:
                    raise csv.Error(f"the line is longer than {MAX_LINE} characters; the rest of the file was not read")
                self.is_terminated = line.endswith(("\n", "\r"))
                yield line
        except UnicodeDecodeError:
            raise csv.Error("the file changed while it was being read") from None
        finally:
            text.detach()

    def _check(self) -> None:
        decoder = codecs.getincrementaldecoder(self._encoding)()
        line, text = 1, ""
        self._stream.seek(self._start)
        chunk = b"-"
        try:
            while chunk:
                chunk = self._stream.read(CHUNK_BYTES)
                previous, text = text, decoder.decode(chunk, final=not chunk)
                line += _count_line_ends(text, previous)
        except UnicodeDecodeError as error:
            rest = error.object[: error.start].decode(self._encoding, "replace")
            raise _undecodable(error, line + _count_line_ends(rest, text), self._encoding) from None


def _count_line_ends(text: str, previous: str) -> int:
    """Count the line endings in a text. An LF at its start does not count after a CR at the end of `previous`."""
    return text.count("\n") + text.count("\r") - (previous[-1:] + text).count("\r\n")


def _reject_other_formats(head: bytes) -> None:
    kind = next((name for magic, name in MAGIC_NUMBERS.items() if head.lstrip().startswith(magic)), None)
    if head.startswith(b"PK"):
        kind = next((name for mark, name in ZIP_FORMATS.items() if mark in head), kind)
    if kind:
        raise UnreadableFileError(1, f"the file is {kind}, despite its name; save it as CSV and import that file")


def _detect_encoding(head: bytes, given: str | None) -> str:
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if head.startswith(mark)), None)
    if marked and given and not given.startswith(marked.removesuffix("-sig")):
        name = marked.removesuffix("-sig")
        raise UnreadableFileError(1, f"the file has the byte order mark of {name}; remove --encoding {given}")
    if not marked and not given and b"\0" in head[:2]:
        likely = "utf-16-be" if head.startswith(b"\0") else "utf-16-le"
        raise UnreadableFileError(1, f"the text looks like {likely} without a byte order mark; add --encoding {likely}")
    return marked or given or "utf-8"


def _undecodable(error: UnicodeDecodeError, line: int, encoding: str) -> UnreadableFileError:
    """Name the line that cannot be decoded, and quote it as decoded with the most likely other encoding."""
    before, after = error.object[: error.start], error.object[error.start :]
    if encoding not in {"utf-8", "utf-8-sig"}:
        return UnreadableFileError(line, f"the text is not {encoding} from this line on; the file may be truncated")
    excerpt = re.split(rb"[\r\n]", before)[-1][-CONTEXT_BYTES:] + re.split(rb"[\r\n]", after)[0][:CONTEXT_BYTES]
    text = quoted(excerpt.decode("windows-1252", "replace"))
    return UnreadableFileError(
        line,
        f"the text is not UTF-8; as windows-1252 it reads {text}. If that is correct, add --encoding windows-1252; "
        "otherwise save the file as UTF-8",
    )
