"""The options that say how a CSV file was written, for those that do not show it."""

import codecs
from collections.abc import Callable
from typing import Any

import click

from app.product_import import csv_table
from app.product_import.csv_table import DELIMITERS
from app.product_import.product_file import FIELDS

DECIMALS = {"point": ".", "comma": ","}
WINDOWS = tuple(f"windows-{number}" for number in range(1250, 1259))
OTHERS = (
    "iso-8859-1",
    "iso-8859-2",
    "iso-8859-15",
    "cp437",
    "cp850",
    "cp852",
    "macintosh",
    "shift_jis",
    "gb18030",
    "big5",
)
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", *WINDOWS, *OTHERS)


class _Delimiter(click.ParamType[str]):
    name = "delimiter"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a character, or the name of one that a shell would take for itself."""
        character = {name: sign for sign, name in DELIMITERS.items()}.get(value, value).replace("\\t", "\t")
        if len(character) != 1 or character.isalnum() or character in "\"'\r\n\0":
            self.fail(f"'{value}' is not a delimiter: {', '.join(DELIMITERS.values())}, or one sign.", param, ctx)
        return character


class _Decimal(click.ParamType[str]):
    name = "decimal"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the mark between units and cents."""
        mark = DECIMALS.get(value, value)
        if mark not in DECIMALS.values():
            self.fail(f"'{value}' is neither point nor comma.", param, ctx)
        return mark


class _Encoding(click.ParamType[str]):
    name = "encoding"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the name of an encoding that spreadsheets write."""
        try:
            name = codecs.lookup(value).name
        except (LookupError, ValueError):
            name = ""
        if name not in {codecs.lookup(each).name for each in ENCODINGS}:
            self.fail(f"'{value}' is not one of {', '.join(ENCODINGS)}.", param, ctx)
        return name


class _Name(click.ParamType[tuple[str, str]]):
    name = "map"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read 'theirs=ours'."""
        theirs, _, ours = value.rpartition("=")
        known = {csv_table.key(name): name for name in FIELDS}
        if not csv_table.key(theirs) or csv_table.key(ours) not in known:
            self.fail(f"'{value}' is not THEIRS=OURS with one of {', '.join(FIELDS)}.", param, ctx)
        return theirs, known[csv_table.key(ours)]


OPTIONS = (
    click.option("--delimiter", type=_Delimiter(), help="What separates the cells: comma, semicolon, tab, or a sign."),
    click.option("--decimal", type=_Decimal(), metavar="point|comma", help="What separates units from cents."),
    click.option("--encoding", type=_Encoding(), help="How the letters were saved, for example windows-1252."),
    click.option(
        "--map", "names", type=_Name(), multiple=True, metavar="THEIRS=OURS", help="What one of our columns is named."
    ),
    click.option("--strict", is_flag=True, help="Refuse a file with columns that are not known."),
)


def add(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which takes them by the names of `Reading`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
