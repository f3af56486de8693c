"""What a command prints: its result on standard output, as a table or JSON, and messages on standard error."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import click
from rich.console import Console

from app.cli import tables

C1 = re.compile(r"[\x7f-\x9f]")  # control characters that JSON does not escape and a terminal may obey

Record = Mapping[str, object]  # a JSON object


def note(message: str) -> None:
    """Print a message that is not part of the result."""
    click.echo(_printable(message), err=True)


def warning(message: str) -> None:
    """Print a message about something that may be wrong."""
    note(f"Warning: {message}")


def error(message: str) -> None:
    """Print in one line why the command failed."""
    note("Error: " + " ".join(message.split()))


def document(content: Record | Sequence[Record]) -> None:
    """Print one JSON document, in UTF-8 regardless of the encoding of the terminal (RFC 8259, section 8.1)."""
    text(C1.sub(_escape, json.dumps(content, ensure_ascii=False, indent=2)))


def line(content: Record) -> None:
    """Print a JSON object as one line of a stream (JSON Lines)."""
    text(C1.sub(_escape, json.dumps(content, ensure_ascii=False, separators=(",", ":"))))


def text(content: str) -> None:
    """Print text unchanged, in UTF-8."""
    sys.stdout.buffer.write(content.rstrip("\n").encode() + b"\n")
    sys.stdout.buffer.flush()  # keep the order with rich and standard error


def records(rows: Sequence[Record], *, as_json: bool, columns: Sequence[str], empty: str) -> None:
    """Print rows as a JSON list or as a table of `columns`. Print the message `empty` if there are none."""
    if not rows:
        note(empty)
    if as_json:
        document(rows)
    elif rows:
        _print(rows, columns)


def listing(found: Sequence[Record], limit: int, *, as_json: bool, columns: Sequence[str], empty: str) -> None:
    """Print the first `limit` rows, or all rows if it is 0, and a message if there are more."""
    is_cut = 0 < limit < len(found)
    records(found[:limit] if is_cut else found, as_json=as_json, columns=columns, empty=empty)
    if is_cut:
        note(f"There are more than {limit}. Use --limit 0 to list all.")


def record(row: Record, *, as_json: bool) -> None:
    """Print one row as a JSON object or as a table, which is vertical if the terminal is too narrow."""
    if as_json:
        document(row)
    elif tables.fits(tables.output_console(), [_cells(row)]):
        _print([row], list(row))
    else:
        details(row)


def details(row: Record) -> None:
    """Print one member per line."""
    tables.print_members(tables.output_console(), _cells(row), are_numbers=_is_number(row.values()))


def joined(parts: Iterable[str | None]) -> str:
    """Return the parts that are not empty as one text."""
    return ", ".join(part for part in parts if part)


def terminal() -> Console:
    """Return the console for messages. It knows whether standard error is a terminal."""
    return Console(stderr=True, highlight=False)


def _print(rows: Sequence[Record], columns: Sequence[str]) -> None:
    numbers = {name for name in columns if _is_number(row[name] for row in rows)}
    cells = [_cells({name: row[name] for name in columns}) for row in rows]
    hidden = tables.print_rows(tables.output_console(), cells, numbers)
    if hidden:
        names = ", ".join(tables.heading(name) for name in hidden)
        note(f"The terminal is too narrow for these columns: {names}. Use a wider terminal or --json.")


def _cells(row: Record) -> dict[str, str]:
    return {name: cell(value) for name, value in row.items()}


def _is_number(values: Iterable[object]) -> bool:
    """Return True if all values that are not None are numbers."""
    return {type(value) for value in values} - {type(None)} in ({int}, {float}, {int, float})


def cell(value: object) -> str:
    """Return the text of a value in a table."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return _amount(value)
        case list():
            has_objects = any(isinstance(item, dict) for item in value)
            return (";" if has_objects else " ").join(map(cell, value))
        case dict():  # a price break, as --price-breaks takes it: 10=8.00;50=7.50
            return "=".join(map(cell, value.values()))
    return _printable(str(value))


def _escape(character: re.Match[str]) -> str:
    return f"\\u{ord(character[0]):04x}"


def _amount(value: float) -> str:
    """Return a number with two decimals, or with up to six if it has more, as a rate may."""
    short = f"{value:.2f}"
    return short if float(short) == value else f"{value:.6f}".rstrip("0")


def _printable(content: str) -> str:
    """Replace control characters, which a terminal would obey: other people wrote the text."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) == "Cc" else letter for letter in content
    )
