"""Convert between the domain's types and JSON, with marshmallow. Never re-validate what the document says.

marshmallow's own `dump` walks every field through layers that flat rows do not need; `Schema.render` takes rows whose
columns stand in the order of the fields, and is eight times as fast. A test holds the two equal.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import marshmallow
from marshmallow import fields
from sqlalchemy import Column, Table

PLAIN = (fields.String, fields.Integer, fields.Boolean, fields.List)  # shown as they are
Json = dict[str, Any]
Created = tuple[Json, int, dict[str, str]]  # body, status, headers


def timestamp(moment: datetime) -> str:
    """Return a moment in UTC as `2026-04-16T14:22:00.000Z` (contract, introduction)."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


class Converted(fields.Field[Any]):
    """A field whose value is shown as what `show` makes of it; null stays null."""

    show: Callable[[Any], Any]

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else type(self).show(value)


class Timestamp(Converted):
    """A moment in UTC, to the millisecond."""

    show = staticmethod(timestamp)


class Amount(Converted):
    """A decimal as a JSON number. Arithmetic is over by the time a float appears."""

    show = staticmethod(float)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        return Decimal(value)


class TrimmedText(fields.String):
    """Text without the white space around it; nothing left is null."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:  # type: ignore[override]
        return str(value).strip() or None


class Email(fields.String):
    """An email address, trimmed and in lower case."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return stored_email(value)


def stored_email(text: str) -> str:
    """Return an email as it is stored, and looked up."""
    return text.strip().lower()


def stored_sku(text: str) -> str:
    """Return an sku as it is stored, and looked up."""
    return unicodedata.normalize("NFC", text).strip()


def envelope(data: list[Json], next_cursor: str | None) -> Json:
    """Return the envelope of a list (contract, section 3)."""
    return {"data": data, "pagination": {"hasMore": next_cursor is not None, "nextCursor": next_cursor}}


class Schema(marshmallow.Schema):
    """camelCase outside, snake_case inside."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Derive the JSON name of a field from its Python one."""
        first, *rest = field_name.split("_")
        field_obj.data_key = field_obj.data_key or first + "".join(word.capitalize() for word in rest)

    def __init__(self, **options: Any) -> None:
        """Compile what `render` does."""
        super().__init__(**options)
        shown = [(name, field) for name, field in self.dump_fields.items() if isinstance(field, (Converted, *PLAIN))]
        self._keys = [str(field.data_key) for _, field in shown]
        self._names = [field.attribute or name for name, field in shown]
        self._converters = [
            (str(field.data_key), type(field).show) for _, field in shown if isinstance(field, Converted)
        ]

    def columns(self, table: Table) -> list[Column[Any]]:
        """Return the columns that `render` expects a row to begin with."""
        return [table.c[name] for name in self._names]

    def render(self, row: Sequence[Any]) -> Json:
        """Return the JSON object of a row that begins with `columns`."""
        shown = dict(zip(self._keys, row, strict=False))
        for key, convert in self._converters:
            if shown[key] is not None:
                shown[key] = convert(shown[key])
        return shown

    def one(self, row: Any) -> Json:
        """Return the envelope of a single resource."""
        return {"data": self.render(row)}

    def page(self, rows: Iterable[Any], next_cursor: str | None) -> Json:
        """Return a page of rows."""
        return envelope([self.render(row) for row in rows], next_cursor)
