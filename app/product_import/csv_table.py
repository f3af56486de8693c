"""The table in a text: its delimiter, its columns, and its rows in the order of these columns.

The delimiter is certain, because the names of the columns are known: it is what stands between them.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from app.product_import.csv_text import Text, UnreadableError, shown

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*', re.IGNORECASE)  # an instruction that Excel obeys

# What Python's csv module says, and what to say to the person who made the file.
SYNTAX = {
    "unexpected end": "a quotation mark opens a cell here and is never closed",
    "expected after": 'something follows a closing quotation mark; a quotation mark inside a cell is written ""',
    "field limit": "a cell is too long; is a closing quotation mark missing?",
}

NO_HEADER = (1, "the file is empty; its first line must name the columns")
MOST = 20  # names that an error repeats

Cells = list[str]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What the person who imports a file says about it; None is for the file to answer."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)  # theirs → ours
    strict: bool = False


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns that the database knows, and those of them that a file must have."""

    known: Sequence[str]
    required: Sequence[str]


class Table:
    """The rows of a CSV text, each with a cell for every column. It can be read any number of times."""

    def __init__(self, text: Text, reading: Reading, columns: Columns) -> None:
        """Find the delimiter and the columns. Raises UnreadableError when they will not do."""
        self._text = text
        self._is_exact = False
        self._known = columns.known
        self._ours = {key(name): name for name in columns.known}
        self._ours |= {key(theirs): ours for theirs, ours in reading.names.items()}
        instruction = SEPARATOR_LINE.fullmatch(next(text.lines(), ""))
        self._skipped = 1 if instruction else 0
        self._delimiter = reading.delimiter or (instruction[1] if instruction else self._found_delimiter())
        self._header_line, self._names = self._header(self._delimiter)
        self._width = len(self._names)
        while not self._names[-1]:
            self._names.pop()
        self.columns = [self._ours.get(key(name)) for name in self._names]
        faults = list(self._faults(reading, columns))
        if faults:
            raise UnreadableError(self._header_line, f"{'; '.join(faults)}. {self._found()}")

    @property
    def ignored(self) -> list[str]:
        """The names of columns that mean nothing here."""
        pairs = enumerate(zip(self._names, self.columns, strict=True), 1)
        return [name or f"column {number}" for number, (name, ours) in pairs if ours is None]

    def check_widths(self, *, decimal_is_certain: bool) -> None:
        """Let rows be shorter than the header only where that cannot hide a decimal mark that split a cell in two.

        In `W-1,Widget,8,50` there may be a price of 8,50 and no stock, or a price of 8 and a stock of 50.
        """
        self._is_exact = self._delimiter in {",", "."} and not decimal_is_certain

    def rows(self) -> Iterator[tuple[int, Cells | str]]:
        """Yield the line on which each row starts, with a cell for each column or with what is wrong."""
        for line, cells in self._records(self._delimiter):
            if isinstance(cells, str):
                yield line, cells
            elif line > self._header_line:
                yield line, self._fitted(cells)

    def _fitted(self, cells: Cells) -> Cells | str:
        """Add or drop empty cells at the end: spreadsheets write more and fewer of them than there are columns."""
        width = len(self.columns)
        if len(cells) == width:
            return cells
        numbers = f"there are {len(cells)} cells, but the header names {width} columns"
        if len(cells) < width and not self._text.is_terminated:
            return f"the file ends within this row: {numbers}"
        if any(map(str.strip, cells[width:])) or (self._is_exact and not width <= len(cells) <= self._width):
            return numbers
        return [*cells[:width], *[""] * (width - len(cells))]

    def _found_delimiter(self) -> str:
        """Return the delimiter that separates most of the names that are known, the comma when none does."""

        def recognised(delimiter: str) -> int:
            _, cells = next(self._records(delimiter), NO_HEADER)
            return 0 if isinstance(cells, str) else len({self._ours.get(key(cell)) for cell in cells} - {None})

        return max(DELIMITERS, key=recognised)

    def _header(self, delimiter: str) -> tuple[int, list[str]]:
        line, cells = next(self._records(delimiter), NO_HEADER)
        if isinstance(cells, str):
            raise UnreadableError(line, cells)
        return line, [cell.strip() for cell in cells]

    def _records(self, delimiter: str) -> Iterator[tuple[int, Cells | str]]:
        """Yield the line on which each record starts, with its cells or with what is wrong; skip empty ones."""
        reader = csv.reader(islice(self._text.lines(), self._skipped, None), delimiter=delimiter, strict=True)
        while True:
            line = reader.line_num + self._skipped + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, _explain(error)
            else:
                if any(map(str.strip, cells)):
                    yield line, cells

    def _faults(self, reading: Reading, columns: Columns) -> Iterator[str]:
        there = {key(name) for name in self._names}
        missing = [name for name in columns.required if name not in self.columns]
        if missing:
            yield f"there is no column for {', '.join(missing)}"
        for theirs in reading.names:
            if key(theirs) not in there:
                yield f"--map names {shown(theirs)}, which is not there"
        for ours in columns.known:
            if (count := self.columns.count(ours)) > 1:
                yield f"there are {count} columns for {ours}"
        if reading.strict and self.ignored:
            yield f"these columns are not known: {listed(self.ignored)}"

    def _found(self) -> str:
        delimiter = DELIMITERS.get(self._delimiter, shown(self._delimiter))
        return (
            f"Found, with the delimiter {delimiter}: {listed(self._names)}. Known: {', '.join(self._known)}. "
            "Another name is given with --map THEIRS=OURS, another delimiter with --delimiter"
        )


def listed(values: Sequence[str]) -> str:
    """Return names as a message lists them."""
    return ", ".join(map(shown, values[:MOST])) + (f" and {len(values) - MOST} more" if len(values) > MOST else "")


def key(name: str) -> str:
    """Return what two spellings of a name share: not the case, not spaces, underscores and hyphens."""
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name)).casefold()


def _explain(error: csv.Error) -> str:
    said = str(error)
    return next((meaning for words, meaning in SYNTAX.items() if words in said), said)
