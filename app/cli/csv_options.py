"""The options that describe a CSV file for an import, if its content is ambiguous."""

import codecs
from collections.abc import Callable, Collection

import click

from app.product_import import csv_table
from app.product_import.csv_table import DELIMITERS

DECIMALS = {"point": ".", "comma": ","}
WINDOWS_ENCODINGS = tuple(f"windows-{number}" for number in range(1250, 1259))
OTHER_ENCODINGS = (
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
ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", *WINDOWS_ENCODINGS, *OTHER_ENCODINGS)


class _Delimiter(click.ParamType[str]):
    name = "delimiter"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a character, or the name of a character that a shell would interpret."""
        character = {name: sign for sign, name in DELIMITERS.items()}.get(value, value).replace("\\t", "\t")
        if len(character) != 1 or character.isalnum() or character in "\"'\r\n\0":
            self.fail(f"'{value}' is not one of {', '.join(DELIMITERS.values())}, or one other character.", param, ctx)
        return character


class _Decimal(click.ParamType[str]):
    name = "decimal"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the decimal mark or its name."""
        mark = DECIMALS.get(value, value)
        if mark not in DECIMALS.values():
            self.fail(f"'{value}' is not one of {', '.join(DECIMALS)}.", param, ctx)
        return mark


class _Encoding(click.ParamType[str]):
    name = "encoding"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the name of an encoding that spreadsheet programs write."""
        try:
            name = codecs.lookup(value).name
        except (LookupError, ValueError):
            name = ""
        if name not in {codecs.lookup(encoding).name for encoding in ENCODINGS}:
            self.fail(f"'{value}' is not one of {', '.join(ENCODINGS)}.", param, ctx)
        return name


class _ColumnMapping(click.ParamType[tuple[str, str]]):
    name = "map"

    def __init__(self, columns: Collection[str]) -> None:
        self._known = {csv_table.normalize_name(name): name for name in columns}

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read the name of a column in the file, and the name of our column, joined by an equals sign."""
        theirs, _, ours = value.rpartition("=")
        if not csv_table.normalize_name(theirs) or csv_table.normalize_name(ours) not in self._known:
            self.fail(f"'{value}' is not THEIRS=OURS with one of {', '.join(self._known.values())}.", param, ctx)
        return theirs, self._known[csv_table.normalize_name(ours)]


def add(columns: Collection[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the options to the command that imports a file with these columns."""
    added = (
        click.option(
            "--delimiter",
            type=_Delimiter(),
            show_default="detected",
            help=f"Character between cells: {', '.join(DELIMITERS.values())}, or another one.",
        ),
        click.option(
            "--decimal",
            type=_Decimal(),
            metavar="point|comma",
            show_default="detected",
            help="Decimal mark of numbers.",
        ),
        click.option(
            "--encoding",
            type=_Encoding(),
            show_default="detected",
            help="Encoding of the file, for example windows-1252.",
        ),
        click.option(
            "--map",
            "names",
            type=_ColumnMapping(columns),
            multiple=True,
            metavar="THEIRS=OURS",
            help="Read the column THEIRS as OURS, for example Preis=price. Repeat the option for several columns.",
        ),
        click.option("--strict", is_flag=True, help="Reject a file that has unknown columns."),
    )

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(added):
            command = option(command)
        return command

    return decorate
