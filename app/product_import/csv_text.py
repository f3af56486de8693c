"""The text of a file: what kind of file it is, its encoding, its lines.

Only what is certain is decided here: a byte order mark, or text that is UTF-8 from the first byte to the last. Any
other encoding has to be named, because nearly every byte is a letter in each of them.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from typing import IO

LINE_LENGTH = 1_000_000  # characters, far beyond any row that could pass
CHUNK = 1 << 18
SHOWN = 100  # characters of a cell that an error repeats
AROUND = 20  # bytes on each side of one that cannot be read

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like the mark of UTF-16, so it is compared first
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
KINDS = {
    b"PK\x03\x04": "a ZIP archive",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Excel workbook (.xls)",
    b"%PDF-": "a PDF document",
    b"\x1f\x8b": "compressed with gzip",
    b"{\\rtf": "a Rich Text document",
    b"<": "HTML or XML",
}
ARCHIVES = {b"opendocument.spreadsheet": "an OpenDocument spreadsheet (.ods)", b".xml": "an Excel workbook (.xlsx)"}


class UnreadableError(Exception):
    """The file as a whole cannot be read; `line` is where that shows."""

    def __init__(self, line: int, error: str) -> None:
        """Take the line and what to do about it."""
        super().__init__(error)
        self.line = line


def shown(value: str) -> str:
    """Return a value as errors repeat it: in quotation marks, and not all of a long one."""
    return f"'{value[:SHOWN]}…'" if len(value) > SHOWN else f"'{value}'"


class Text:
    """A seekable file as text. Memory does not grow with the file."""

    def __init__(self, stream: IO[bytes], encoding: str | None) -> None:
        """Find the encoding, unless one is given. Raises UnreadableError when the file is not text in it."""
        self._stream = stream
        self._start = stream.tell()
        self.is_terminated = True
        head = stream.read(CHUNK)
        _refuse_other_kinds(head)
        self._encoding = _encoding(head, encoding)
        self._check()

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends, from where the stream stood; `is_terminated`: the latest has one."""
        self._stream.seek(self._start)
        text = io.TextIOWrapper(self._stream, self._encoding, newline="")
        try:
            while line := text.readline(LINE_LENGTH):
                if len(line) == LINE_LENGTH:
                    raise csv.Error(f"the line is longer than {LINE_LENGTH} characters; the rest was not read")
                self.is_terminated = line.endswith(("\n", "\r"))
                yield line
        except UnicodeDecodeError:
            raise csv.Error("the file was changed while it was read") from None
        finally:
            text.detach()

    def _check(self) -> None:
        decoder = codecs.getincrementaldecoder(self._encoding)()
        line, text = 1, ""
        self._stream.seek(self._start)
        chunk = b"-"
        try:
            while chunk:
                chunk = self._stream.read(CHUNK)
                before, text = text, decoder.decode(chunk, final=not chunk)
                line += _ends(text, before)
        except UnicodeDecodeError as error:
            rest = error.object[: error.start].decode(self._encoding, "replace")
            raise _undecodable(error, line + _ends(rest, text), self._encoding) from None


def _ends(text: str, before: str) -> int:
    """Count the ends of lines in a text; an LF that belongs to a CR at the end of the text before it is none."""
    return text.count("\n") + text.count("\r") - (before[-1:] + text).count("\r\n")


def _refuse_other_kinds(head: bytes) -> None:
    kind = next((name for magic, name in KINDS.items() if head.lstrip().startswith(magic)), None)
    if head.startswith(b"PK"):
        kind = next((name for mark, name in ARCHIVES.items() if mark in head), kind)
    if kind:
        raise UnreadableError(1, f"the file is {kind}, whatever its name; save it as CSV and import that")


def _encoding(head: bytes, wanted: str | None) -> str:
    marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    if marked and wanted and not wanted.startswith(marked.removesuffix("-sig")):
        raise UnreadableError(1, f"the file is marked as {marked.removesuffix('-sig')}; leave out --encoding {wanted}")
    if not marked and not wanted and b"\0" in head[:2]:
        guessed = "utf-16-be" if head.startswith(b"\0") else "utf-16-le"
        raise UnreadableError(1, f"the text looks like {guessed} without a byte order mark; add --encoding {guessed}")
    return marked or wanted or "utf-8"


def _undecodable(error: UnicodeDecodeError, line: int, encoding: str) -> UnreadableError:
    """Say where the text stops being text, and show the place as the likeliest other encoding reads it."""
    before, after = error.object[: error.start], error.object[error.start :]
    if encoding not in {"utf-8", "utf-8-sig"}:
        return UnreadableError(line, f"the text is not {encoding} from here on; was the file cut off?")
    place = re.split(rb"[\r\n]", before)[-1][-AROUND:] + re.split(rb"[\r\n]", after)[0][:AROUND]
    said = shown(place.decode("windows-1252", "replace"))
    return UnreadableError(
        line,
        f"the text is not UTF-8; as windows-1252 it says {said}. Add --encoding windows-1252 if that is right; "
        "else save the file as UTF-8",
    )
