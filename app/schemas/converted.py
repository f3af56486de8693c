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


def time_of_milliseconds(kind: ColumnType, dialect: Dialect) -> Processor | None:
    """Return `timestamp_of`, which makes no datetime, if the driver gives milliseconds."""
    return timestamp_of if isinstance(kind, Instant) and kind.is_number(dialect) else None


def number_of_units(kind: ColumnType, dialect: Dialect) -> Processor | None:
    """Return a function that makes no Decimal of whole numbers, if the driver gives them: it is as exact."""
    if not isinstance(kind, Fixed) or not kind.is_number(dialect):
        return None
    unit = 10**kind.scale
    return lambda value: None if value is None else value / unit


def timestamp_of(milliseconds: int | None) -> str | None:
    """Return the time that is this long after 1970, as `timestamp` (`app/schemas/base.py`) does."""
    if milliseconds is None:
        return None
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    return _minute(minutes) + SECONDS[seconds] + MILLISECONDS[rest]


@lru_cache(4096)
def _minute(minutes: int) -> str:
    return (EPOCH + timedelta(minutes=minutes)).isoformat()[:17]
