"""Tables for people, as wide as the terminal. Not here: JSON, messages and streams (`app/cli/output.py`).

No word of up to MAX_WORD characters is ever broken, so that an id, a time or an address can be copied. Free text wraps
between words; when that is not enough, the columns at the right are left out.
"""

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

MAX_WORD = 40  # characters; an id has 25, a time 24, most email addresses fewer than 40
UNLIMITED = 10_000  # characters of a line that no terminal will fold
IDENTITY = "id"  # the column that is never left out: it is what other commands ask for

Cells = Mapping[str, str]


def output_console() -> Console:
    """Return the console of standard output: as wide as the terminal, or unlimited in a file or a pipe."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def print_rows(console: Console, rows: Sequence[Cells], numbers: set[str]) -> list[str]:
    """Print a table with a heading for each member of the rows; return the columns that had no room.

    Members in `numbers` are aligned to the right.
    """
    shown, hidden = list(rows[0]), list[str]()
    while len(shown) > 1 and _least_width(console, rows, shown) > console.width:
        dropped = next(name for name in reversed(shown) if name != IDENTITY)
        shown.remove(dropped)
        hidden.insert(0, dropped)
    console.print(_table(rows, shown, numbers, _widths(console, rows, shown)))
    return hidden


def print_members(console: Console, members: Mapping[str, str], *, are_numbers: bool) -> None:
    """Print a name and a value on each line, numbers under each other."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(justify="right" if are_numbers else "left", overflow="fold")
    for name, value in members.items():
        table.add_row(heading(name), Text(value))
    console.print(table)


def fits(console: Console, rows: Sequence[Cells]) -> bool:
    """Whether the table of these rows fits the console with all its columns."""
    return _least_width(console, rows, list(rows[0])) <= console.width


def heading(name: str) -> str:
    """Return 'Last used at' for 'lastUsedAt'."""
    words = "".join(" " + letter.lower() if letter.isupper() else letter for letter in name)
    return words[0].upper() + words[1:]


def _table(rows: Sequence[Cells], names: Sequence[str], numbers: Iterable[str], widths: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width in zip(names, widths, strict=True):
        table.add_column(heading(name), justify="right" if name in numbers else "left", overflow="fold", width=width)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in names))
    return table


def _widths(console: Console, rows: Sequence[Cells], names: Sequence[str]) -> list[int]:
    """Give each column what its longest word needs, and share out what is left among those that want more."""
    widths = [_longest_word(rows, name) for name in names]
    wanted = [max(cell_len(each) for each in _column(rows, name)) for name in names]
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
    """Return how wide the lines and margins between so many columns are."""
    names = [str(number) for number in range(count)]
    return console.measure(_table([], names, (), [1] * count)).maximum - count


def _longest_word(rows: Sequence[Cells], name: str) -> int:
    words = (word for each in _column(rows, name) for word in each.split())
    return max(min(cell_len(word), MAX_WORD) for word in words)


def _column(rows: Sequence[Cells], name: str) -> Iterable[str]:
    return (heading(name), *(row[name] for row in rows))
