"""The table in a text: its delimiter, its columns, and its rows with their cells in the order of the columns.

The delimiter is detected reliably, because the names of the columns are known: it is the character between them.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from app.product_import.text_file import TextFile, UnreadableFileError, quoted

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)  # Excel reads the delimiter from it

# Messages of Python's csv module, and our messages to the person who made the file.
SYNTAX_ERRORS = {
    "unexpected end": "a quotation mark opens a cell here and is never closed",
    "expected after": 'something follows a closing quotation mark; a quotation mark inside a cell is written ""',
    "field limit": "a cell is too long; is a closing quotation mark missing?",
}

NO_HEADER = (1, "the file is empty; its first line must name the columns")
MAX_LISTED = 20  # names that an error lists

Cells = list[str]


@dataclass(frozen=True, kw_only=True)
class CsvOptions:
    """The format of the file, as specified by the caller. None means that it is detected."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)  # from the name of a column in the file to our name
    strict: bool = False


class CsvTable:
    """The rows of a CSV text, each with a cell for every column. It can be read any number of times."""

    def __init__(self, text: TextFile, options: CsvOptions, *, known: Sequence[str], required: Sequence[str]) -> None:
        """Detect the delimiter and read the header. Raises UnreadableFileError when columns are missing or unclear."""
        self._text = text
        self._requires_all_cells = False
        self._known = known
        self._our_names = {normalize_name(name): name for name in known}
        self._our_names |= {normalize_name(theirs): ours for theirs, ours in options.names.items()}
        separator_line = SEPARATOR_LINE.fullmatch(next(text.lines(), ""))
        self._skipped_lines = 1 if separator_line else 0
        named = separator_line[1] if separator_line else None
        self._delimiter = options.delimiter or named or self._detect_delimiter()
        self._header_line, self._names = self._header(self._delimiter)
        self._width = len(self._names)
        while not self._names[-1]:
            self._names.pop()
        self.columns = [self._our_names.get(normalize_name(name)) for name in self._names]
        errors = list(self._header_errors(options, required))
        if errors:
            raise UnreadableFileError(self._header_line, f"{'; '.join(errors)}. {self._describe()}")

    @property
    def ignored(self) -> list[str]:
        """The names of unknown columns."""
        pairs = enumerate(zip(self._names, self.columns, strict=True), 1)
        return [name or f"column {number}" for number, (name, ours) in pairs if ours is None]

    def set_decimal_mark_certainty(self, *, is_certain: bool) -> None:
        """Accept rows that are shorter than the header only if no decimal mark can have split a cell.

        `W-1,Widget,8,50` may have a price of 8,50 and no stock, or a price of 8 and a stock of 50.
        """
        self._requires_all_cells = self._delimiter in {",", "."} and not is_certain

    def rows(self) -> Iterator[tuple[int, Cells | str]]:
        """Yield the line on which each row starts, with a cell for each column or with an error."""
        for line, cells in self._records(self._delimiter):
            if isinstance(cells, str):
                yield line, cells
            elif line > self._header_line:
                yield line, self._fit_to_header(cells)

    def _fit_to_header(self, cells: Cells) -> Cells | str:
        """Add or drop empty cells at the end: spreadsheets write more or fewer of them than there are columns."""
        width = len(self.columns)
        if len(cells) == width:
            return cells
        mismatch = f"there are {len(cells)} cells, but the header names {width} columns"
        if len(cells) < width and not self._text.is_terminated:
            return f"the file ends within this row: {mismatch}"
        if any(map(str.strip, cells[width:])) or (self._requires_all_cells and not width <= len(cells) <= self._width):
            return mismatch
        return [*cells[:width], *[""] * (width - len(cells))]

    def _detect_delimiter(self) -> str:
        """Return the delimiter that separates the most known names, or the comma if none does."""

        def count_known_names(delimiter: str) -> int:
            _, cells = next(self._records(delimiter), NO_HEADER)
            return (
                0
                if isinstance(cells, str)
                else len({self._our_names.get(normalize_name(cell)) for cell in cells} - {None})
            )

        return max(DELIMITERS, key=count_known_names)

    def _header(self, delimiter: str) -> tuple[int, list[str]]:
        line, cells = next(self._records(delimiter), NO_HEADER)
        if isinstance(cells, str):
            raise UnreadableFileError(line, cells)
        return line, [cell.strip() for cell in cells]

    def _records(self, delimiter: str) -> Iterator[tuple[int, Cells | str]]:
        """Yield the line on which each record starts, with its cells or with an error. Skip empty records."""
        reader = csv.reader(islice(self._text.lines(), self._skipped_lines, None), delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + self._skipped_lines + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, _explain(error)
            else:
                if any(map(str.strip, cells)):
                    yield line, cells

    def _header_errors(self, options: CsvOptions, required: Sequence[str]) -> Iterator[str]:
        present = {normalize_name(name) for name in self._names}
        missing = [name for name in required if name not in self.columns]
        if missing:
            yield f"there is no column for {', '.join(missing)}"
        for theirs in options.names:
            if normalize_name(theirs) not in present:
                yield f"--map names {quoted(theirs)}, but there is no such column"
        for ours in self._known:
            if (count := self.columns.count(ours)) > 1:
                yield f"there are {count} columns for {ours}"
        if options.strict and self.ignored:
            yield f"unknown columns: {quoted_list(self.ignored)}"

    def _describe(self) -> str:
        delimiter = DELIMITERS.get(self._delimiter, quoted(self._delimiter))
        return (
            f"Found, with the delimiter {delimiter}: {quoted_list(self._names)}. Known: {', '.join(self._known)}. "
            "To use another name, add --map THEIRS=OURS; to use another delimiter, add --delimiter"
        )


def quoted_list(values: Sequence[str]) -> str:
    """Return names in quotation marks, for a message."""
    more = f" and {len(values) - MAX_LISTED} more" if len(values) > MAX_LISTED else ""
    return ", ".join(map(quoted, values[:MAX_LISTED])) + more


def normalize_name(name: str) -> str:
    """Return the name of a column in lower case, without spaces, underscores and hyphens."""
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name)).casefold()


def _explain(error: csv.Error) -> str:
    message = str(error)
    return next((meaning for words, meaning in SYNTAX_ERRORS.items() if words in message), message)
