"""Tables that fit the terminal. Not in this module: JSON, messages and streams (`app/cli/output.py`).

Words of up to MAX_WORD characters are never broken, so that an id, a time or an address can be copied. Text wraps
between words. If that is not enough, columns are dropped from the right.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

MAX_WORD = 40  # characters: an id has 25, a time 24, most email addresses fewer than 40
UNLIMITED = 10_000  # characters in a line, for a file or a pipe
IDENTITY = "id"  # the column that is never dropped: other commands take it as an argument
ABBREVIATIONS = {"id": "ID", "po": "PO", "sku": "SKU", "url": "URL"}

Cells = Mapping[str, str]


def output_console() -> Console:
    """Return the console of standard output: as wide as the terminal, or of UNLIMITED width for a file or a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def print_rows(console: Console, rows: Sequence[Cells], numbers: set[str]) -> list[str]:
    """Print a table with a column for each member of the rows, and return the columns that had no room.

    Columns in `numbers` are aligned to the right.
    """
    shown, hidden = list(rows[0]), list[str]()
    while len(shown) > 1 and _least_width(console, rows, shown) > console.width:
        dropped = next(name for name in reversed(shown) if name != IDENTITY)
        shown.remove(dropped)
        hidden.insert(0, dropped)
    console.print(_table(rows, shown, numbers, _widths(console, rows, shown)))
    return hidden


def print_members(console: Console, members: Mapping[str, str], *, are_numbers: bool) -> None:
    """Print one member per line. Align the values to the right if `are_numbers`."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right" if are_numbers else "left", overflow="fold")
    for name, value in members.items():
        table.add_row(heading(name), Text(value))
    console.print(table)


def fits(console: Console, rows: Sequence[Cells]) -> bool:
    """Return True if a table of these rows fits the console with all its columns."""
    return _least_width(console, rows, list(rows[0])) <= console.width


def heading(name: str) -> str:
    """Return 'Last used at' for 'lastUsedAt', and 'Customer ID' for 'customerId'."""
    words = re.sub("([A-Z])", r" \1", name).lower().split()
    text = " ".join(ABBREVIATIONS.get(word, word) for word in words)
    return text[0].upper() + text[1:]


def _table(rows: Sequence[Cells], names: Sequence[str], numbers: Iterable[str], widths: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in zip(names, widths, strict=True):
        table.add_column(heading(name), justify="right" if name in numbers else "left", overflow="fold", width=width)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in names))
    return table


def _widths(console: Console, rows: Sequence[Cells], names: Sequence[str]) -> list[int]:
    """Give each column the width of its longest word, and share the rest among the columns that need more."""
    widths = [_longest_word(rows, name) for name in names]
    wanted = [max(cell_len(text) for text in _column(rows, name)) for name in names]
    spare = max(0, console.width - _borders(console, len(names)) - sum(widths))
    by_need = sorted(range(len(names)), key=lambda number: wanted[number] - widths[number])
    for position, number in enumerate(by_need):
        more = min(max(0, wanted[number] - widths[number]), spare // (len(names) - position))
        widths[number] += more
        spare -= more
    return widths


def _least_width(console: Console, rows: Sequence[Cells], names: Sequence[str]) -> int:
    return _borders(console, len(names)) + sum(_longest_word(rows, name) for name in names)


def _borders(console: Console, count: int) -> int:
    """Return the width of the lines and margins around `count` columns."""
    names = [str(number) for number in range(count)]
    return console.measure(_table([], names, (), [1] * count)).maximum - count


def _longest_word(rows: Sequence[Cells], name: str) -> int:
    words = (word for text in _column(rows, name) for word in text.split())
    return max(min(cell_len(word), MAX_WORD) for word in words)


def _column(rows: Sequence[Cells], name: str) -> Iterable[str]:
    return (heading(name), *(row[name] for row in rows))
