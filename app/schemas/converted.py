"""Fields whose values have another form in JSON, from a row or straight from the driver (`app/schemas/base.py`)."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import lru_cache
from typing import Any

from marshmallow import fields
from sqlalchemy import Dialect

from app.compiled import Columns, ColumnType, Processor
from models.base import EPOCH, Fixed, Instant

Field = fields.Field[Any]
SECONDS = [f"{second:02}." for second in range(60)]
MILLISECONDS = [f"{millisecond:03}Z" for millisecond in range(1000)]
PADDING = {8: ".000Z", 10: "00Z", 11: "0Z", 12: "Z"}  # by the length of a time: PostgreSQL omits zeros at the end


def no_shortcut(_kind: ColumnType, _dialect: Dialect) -> Processor | None:
    """Return None: a value of the driver is first read as the value of a row."""
    return None


class Converted(Field):
    """A field whose values are rendered by `to_json`; null stays null.

    `shortcut` returns a function from the driver's value of a column to the same JSON, if there is a shorter way.
    """

    to_json: Processor
    shortcut: Callable[[ColumnType, Dialect], Processor | None] = staticmethod(no_shortcut)

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> object:
        return None if value is None else type(self).to_json(value)

    @classmethod
    def from_driver(cls, kind: ColumnType, dialect: Dialect, read: Processor | None) -> Processor:
        """Return the function from a value of the driver to JSON, for a column of this type. `read` reads a value."""
        to_json = cls.to_json
        if found := cls.shortcut(kind, dialect):
            return found
        if read is None:
            return lambda value: None if value is None else to_json(value)
        return lambda value: None if (found := read(value)) is None else to_json(found)


def from_driver(declared: Iterable[Field], columns: Columns) -> list[Processor | None]:
    """Return the function of each column from a value of the driver to JSON, None where they are equal."""
    return [
        field.from_driver(kind, columns.dialect, read) if isinstance(field, Converted) else read
        for field, kind, read in zip(declared, columns.types, columns.readers, strict=False)
    ]


def time_of_driver(kind: ColumnType, dialect: Dialect) -> Processor | None:
    """Return a function that makes no datetime of the driver's milliseconds (SQLite) or text (PostgreSQL)."""
    if not isinstance(kind, Instant):
        return None
    return timestamp_of if kind.is_number(dialect) else timestamp_of_text


def number_of_driver(kind: ColumnType, dialect: Dialect) -> Processor | None:
    """Return a function that makes no Decimal of the driver's units (SQLite) or text (PostgreSQL): it is as exact."""
    if not isinstance(kind, Fixed):
        return None
    if not kind.is_number(dialect):
        return lambda value: None if value is None else float(value)
    unit = 10**kind.scale
    return lambda value: None if value is None else value / unit


def timestamp_of(milliseconds: int | None) -> str | None:
    """Return the time that is this long after 1970, as `timestamp` (`app/schemas/base.py`) does."""
    if milliseconds is None:
        return None
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    return _minute(minutes) + SECONDS[seconds] + MILLISECONDS[rest]


def timestamp_of_text(text: str | None) -> str | None:
    """Return a time in UTC that PostgreSQL wrote, such as `2026-04-16 14:22:00.5+00`, as `timestamp` does."""
    if text is None:
        return None
    time_of_day = text[11:-3][:12]
    return text[:10] + "T" + time_of_day + PADDING[len(time_of_day)]


@lru_cache(4096)
def _minute(minutes: int) -> str:
    return (EPOCH + timedelta(minutes=minutes)).isoformat()[:17]
