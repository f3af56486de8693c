"""What a command prints: the result on stdout as a table or as JSON, everything else on stderr."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console

from app.cli import tables

C1 = re.compile(r"[\x7f-\x9f]")  # controls that JSON leaves as they are and a terminal may obey

Record = Mapping[str, Any]


def note(message: str) -> None:
    """Tell the person at the terminal something that is not the result."""
    click.echo(_printable(message), err=True)


def error(message: str) -> None:
    """Tell in one line why the command failed."""
    note("Error: " + " ".join(message.split()))


def document(content: Any) -> None:
    """Print one JSON document, in UTF-8 whatever the terminal speaks (RFC 8259, section 8.1)."""
    text(C1.sub(_escape, json.dumps(content, ensure_ascii=False, indent=2)))


def text(content: str) -> None:
    """Print a text as it is, in UTF-8."""
    sys.stdout.buffer.write(content.rstrip("\n").encode() + b"\n")
    sys.stdout.buffer.flush()  # in order with what rich and stderr say


def records(rows: Sequence[Record], *, as_json: bool, columns: Sequence[str], empty: str) -> None:
    """Print rows as a JSON list, or as a table of some of their members. Says `empty` when there are none."""
    if not rows:
        note(empty)
    if as_json:
        document(rows)
    elif rows:
        _print(rows, columns)


def listing(found: Sequence[Record], limit: int, *, as_json: bool, columns: Sequence[str], empty: str) -> None:
    """Print the first `limit` of the rows found, all for 0, and say when there are more."""
    is_cut = 0 < limit < len(found)
    records(found[:limit] if is_cut else found, as_json=as_json, columns=columns, empty=empty)
    if is_cut:
        note(f"There are more than these {limit}. Use --limit 0 to list all.")


def record(row: Record, *, as_json: bool) -> None:
    """Print one row as a JSON object, or as a table of its members: below each other where there is no room."""
    if as_json:
        document(row)
    elif tables.fits(tables.output_console(), [_cells(row)]):
        _print([row], list(row))
    else:
        details(row)


def details(row: Record) -> None:
    """Print a name and a value on each line, numbers under each other."""
    tables.print_members(tables.output_console(), _cells(row), are_numbers=_is_number(row.values()))


def terminal() -> Console:
    """Return the console of messages for people; it knows whether anybody is looking."""
    return Console(stderr=True, highlight=False)


def _print(rows: Sequence[Record], columns: Sequence[str]) -> None:
    numbers = {name for name in columns if _is_number(row[name] for row in rows)}
    cells = [_cells({name: row[name] for name in columns}) for row in rows]
    hidden = tables.print_rows(tables.output_console(), cells, numbers)
    if hidden:
        names = ", ".join(tables.heading(name) for name in hidden)
        note(f"Not shown for lack of room: {names}. Use a wider terminal or --json.")


def _cells(row: Record) -> dict[str, str]:
    return {name: cell(value) for name, value in row.items()}


def _is_number(values: Iterable[Any]) -> bool:
    """Tell whether all values that are there are numbers."""
    return {type(value) for value in values} - {type(None)} in ({int}, {float}, {int, float})


def cell(value: Any) -> str:
    """Return a value as a table shows it."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return _amount(value)
        case list():
            return _printable(" ".join(value))
    return _printable(str(value))


def _escape(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _amount(value: float) -> str:
    """Show at least two decimals, and the up to six of a rate."""
    short = f"{value:.2f}"
    return short if float(short) == value else f"{value:.6f}".rstrip("0")


def _printable(content: str) -> str:
    """Keep the control characters of other people's texts away from the terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) == "Cc" else each for each in content)
