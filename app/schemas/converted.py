"""Fields whose values have another form in JSON, from a row or straight from the driver (`app/schemas/base.py`)."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

from marshmallow import fields
from sqlalchemy import Dialect

from app.compiled import Columns, ColumnType, Processor, Values
from models.base import EPOCH, Fixed, Instant

Field = fields.Field[Any]
ColumnProcessor = Callable[[Iterable[Any]], Iterable[Any]]  # converts all values of a column
SECONDS = [f"{second:02}." for second in range(60)]
MILLISECONDS = [f"{millisecond:03}Z" for millisecond in range(1000)]
PADDING = {8: ".000Z", 10: "00Z", 11: "0Z", 12: "Z"}  # by the length of a time: PostgreSQL omits zeros at the end


def no_shortcut(_kind: ColumnType, _dialect: Dialect) -> ColumnProcessor | None:
    """Return None: values of the driver are first read as the values of rows."""
    return None


class Converted(Field):
    """A field whose values are rendered by `to_json`; null stays null.

    `shortcut` returns a function from the driver's values of a column to the same JSON, if there is a shorter way.
    """

    to_json: Processor
    shortcut: Callable[[ColumnType, Dialect], ColumnProcessor | None] = staticmethod(no_shortcut)

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> object:
        return None if value is None else type(self).to_json(value)

    @classmethod
    def from_driver(cls, kind: ColumnType, dialect: Dialect, read: Processor | None) -> ColumnProcessor:
        """Return the function from the driver's values to JSON, for a column of this type. `read` reads a value."""
        to_json = cls.to_json
        if found := cls.shortcut(kind, dialect):
            return found
        if read is None:
            return lambda values: [None if value is None else to_json(value) for value in values]
        return lambda values: [None if value is None else to_json(value) for value in map(read, values)]


class ColumnRenderer:
    """Renders the values of the driver, column by column: that takes fewer calls than row by row."""

    def __init__(self, declared: Iterable[Field]) -> None:
        """Initialize with the fields of a row, in the order of its columns."""
        self._fields = list(declared)
        self._blank: dict[str, Any] = {str(field.data_key): None for field in self._fields}
        self._processors: dict[Columns, list[ColumnProcessor | None]] = {}

    def objects(self, values: Values, columns: Columns) -> list[dict[str, Any]]:
        """Return the JSON objects of rows. Their keys are copied at once, and then the values are set."""
        processors = self._processors.get(columns)
        if processors is None:
            processors = self._processors[columns] = self._from_driver(columns)
        found = [self._blank.copy() for _ in values]
        for key, processor, column in zip(self._blank, processors, zip(*values, strict=True), strict=False):
            for body, value in zip(found, column if processor is None else processor(column), strict=False):
                body[key] = value
        return found

    def _from_driver(self, columns: Columns) -> list[ColumnProcessor | None]:
        """Return the function of each column from the driver's values to JSON, None where they are equal."""
        return [
            field.from_driver(kind, columns.dialect, read)
            if isinstance(field, Converted)
            else read and partial(map, read)
            for field, kind, read in zip(self._fields, columns.types, columns.readers, strict=False)
        ]


def times_of_driver(kind: ColumnType, dialect: Dialect) -> ColumnProcessor | None:
    """Return a function that makes no datetime of the driver's milliseconds (SQLite) or text (PostgreSQL)."""
    if not isinstance(kind, Instant):
        return None
    return timestamps if kind.is_number(dialect) else timestamps_of_texts


def numbers_of_driver(kind: ColumnType, dialect: Dialect) -> ColumnProcessor | None:
    """Return a function that makes no Decimal of the driver's units (SQLite) or text (PostgreSQL): it is as exact."""
    if not isinstance(kind, Fixed):
        return None
    if not kind.is_number(dialect):
        return lambda values: [None if value is None else float(value) for value in values]
    unit = 10**kind.scale
    return lambda values: [None if value is None else value / unit for value in values]


def timestamps(milliseconds: Iterable[int | None]) -> list[str | None]:
    """Return the times that are this long after 1970, as `timestamp` (`app/schemas/base.py`) does."""
    return [
        None if at is None else f"{_minute(at // 60_000)}{SECONDS[at // 1000 % 60]}{MILLISECONDS[at % 1000]}"
        for at in milliseconds
    ]


def timestamps_of_texts(texts: Iterable[str | None]) -> list[str | None]:
    """Return times in UTC that PostgreSQL wrote, such as `2026-04-16 14:22:00.5+00`, as `timestamp` does."""
    return [None if text is None else f"{text[:10]}T{(time := text[11:-3][:12])}{PADDING[len(time)]}" for text in texts]


@lru_cache(4096)
def _minute(minutes: int) -> str:
    return (EPOCH + timedelta(minutes=minutes)).isoformat()[:17]


def reader(field: Field) -> Processor:
    """Return the function from a valid value of a body to that of a draft, as marshmallow's `load` would convert it."""
    if type(field) is fields.Nested:
        load = field.schema.load
        return lambda value: None if value is None else load(value)
    if type(field) is fields.List:
        read = reader(field.inner)
        return lambda values: None if values is None else [read(value) for value in values]
    if type(field) is fields.String:
        return lambda text: text
    return lambda value: field.deserialize(value, field.data_key)
