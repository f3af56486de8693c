"""Convert between domain types and JSON, with marshmallow. What the document validates is not validated again.

`row_schema` makes the schema of a row type (`app/queries/rows.py`), which renders its rows. A `DraftSchema` loads a
request body into a dataclass.

marshmallow's own `dump` passes every field through layers that flat rows do not need; `RowSchema.render` takes values
by their position in the row, and is eight times as fast. The fields are those of the row type, in the same order, and a
`Statement` has checked that its columns are too. A test checks that `render` and `dump` return the same.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields as dataclass_fields
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, EnumType, auto
from functools import partial
from types import NoneType, UnionType
from typing import Any, Final, Generic, TypeVar, get_args, get_origin, get_type_hints

import marshmallow
from marshmallow import fields

from app.errors import BODY, InvalidParameterError
from app.queries.rows import Rows
from app.schemas.converted import ColumnRenderer, Converted, Field, numbers_of_driver, reader, times_of_driver
from app.schemas.price_breaks import PriceBreakList
from app.schemas.tags import entity_tag
from models import PriceBreak

Json = dict[str, Any]
StatusResponse = tuple[Json, int, dict[str, str]]  # body, status, headers


class NotGiven(Enum):
    """The value of a draft's field that is absent from the body. Null is a different value."""

    NOT_GIVEN = auto()


NOT_GIVEN: Final = NotGiven.NOT_GIVEN
EXTERNAL_ID_LENGTH = 255  # characters, of customers and orders


def timestamp(at: datetime) -> str:
    """Return a time in UTC as `2026-04-16T14:22:00.000Z` (contract, introduction)."""
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


class Timestamp(Converted):
    """A time in UTC, to the millisecond."""

    to_json = staticmethod(timestamp)
    shortcut = staticmethod(times_of_driver)


class Day(Converted):
    """A day of the calendar, in UTC."""

    to_json = staticmethod(date.isoformat)


class Amount(Converted):
    """A decimal as a JSON number. All arithmetic is done before a float appears."""

    to_json = staticmethod(float)
    shortcut = staticmethod(numbers_of_driver)

    def _deserialize(self, value: float, attr: str | None, data: object, **kwargs: object) -> Decimal:
        return Decimal(value)


class TrimmedText(fields.String):
    """Text without surrounding whitespace; null if it is empty."""

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str | None:  # type: ignore[override]
        return value.strip() or None


class NormalizedText(fields.String):
    """Text in the normal form NFC, without surrounding whitespace; null if it is empty.

    Loading raises InvalidParameterError if the normal form, which may be longer than the text, is too long.
    """

    def __init__(self, max_length: int, **options: Any) -> None:
        """Initialize with the maximum length of the normal form, in characters."""
        super().__init__(**options)
        self._max_length = max_length

    def _deserialize(self, value: str, attr: str | None, data: object, **kwargs: object) -> str | None:  # type: ignore[override]
        return normalized(str(attr), value, self._max_length, parent=BODY) or None


def normalized(name: str, text: str, max_length: int, *, parent: str) -> str:
    """Return a text as it is stored. Raises InvalidParameterError, for the member or parameter `name`, if too long."""
    stored = stored_code(text)
    if len(stored) > max_length:
        raise InvalidParameterError(name, f"{name} must be at most {max_length} characters", parent=parent)
    return stored


def stored_code(text: str) -> str:
    """Return an sku or external id as it is stored and looked up."""
    return unicodedata.normalize("NFC", text).strip()


def envelope(data: list[Json], next_cursor: str | None, synced_until: datetime | None = None) -> Json:
    """Return the envelope of a list (contract, section 3)."""
    pagination: Json = {"hasMore": next_cursor is not None, "nextCursor": next_cursor}
    if synced_until is not None:
        pagination["syncedUntil"] = timestamp(synced_until)
    return {"data": data, "pagination": pagination}


def tagged(data: Json, tag: str) -> StatusResponse:
    """Return the response 200 with a single resource and its entity tag."""
    return {"data": data}, 200, {"ETag": tag}


class Schema(marshmallow.Schema):
    """A schema whose names are camelCase in JSON and snake_case in Python."""

    def on_bind_field(self, field_name: str, field_obj: Field) -> None:
        """Derive the JSON name of a field from its Python name."""
        first, *rest = field_name.split("_")
        field_obj.data_key = field_obj.data_key or first + "".join(word.capitalize() for word in rest)


RowT = TypeVar("RowT", bound=tuple[object, ...])
DraftT = TypeVar("DraftT")
ValueT = TypeVar("ValueT")


class RowSchema(Schema, Generic[RowT]):
    """Renders rows of one type by position. Made by `row_schema`."""

    version: Sequence[str] = ()  # the columns from which entity tags are made

    def __init__(self, **options: Any) -> None:
        """Prepare `render`."""
        super().__init__(**options)
        self._keys = [str(field.data_key) for field in self.fields.values()]
        self.shape = " ".join(self._keys)
        self._renderer = ColumnRenderer(self.fields.values())
        self._converters = [
            (str(field.data_key), type(field).to_json) for field in self.fields.values() if isinstance(field, Converted)
        ]

    def render(self, row: RowT) -> Json:
        """Return the JSON object of a row, without the columns that a subclass of its type has added."""
        body: Json = dict(zip(self._keys, row, strict=False))
        for key, to_json in self._converters:
            if body[key] is not None:
                body[key] = to_json(body[key])
        return body

    def render_all(self, rows: Iterable[RowT]) -> list[Json]:
        """Return the JSON objects of rows: of `Rows` from the values of the driver, column by column."""
        if not isinstance(rows, Rows):
            return [self.render(row) for row in rows]
        return self._renderer.objects(rows.values, rows.columns)

    def one(self, row: RowT) -> StatusResponse:
        """Return the response 200 with a single resource and its entity tag."""
        return tagged(self.render(row), self.tag(row))

    def tag(self, row: RowT) -> str:
        """Return the entity tag of a row."""
        return self.tag_of([getattr(row, name) for name in self.version])

    def tag_of(self, values: Iterable[object]) -> str:
        """Return the entity tag of a row that has these values in the columns of its version."""
        return entity_tag(self.shape, values)

    def page(self, page_rows: Iterable[RowT], next_cursor: str | None, synced_until: datetime | None = None) -> Json:
        """Return the envelope of a page of rows."""
        return envelope(self.render_all(page_rows), next_cursor, synced_until)


FIELDS: Mapping[object, Callable[[], Field]] = {
    str: fields.String,
    int: fields.Integer,
    bool: fields.Boolean,
    list[str]: partial(fields.List, fields.String),
    list[Json]: partial(fields.List, fields.Dict),
    tuple[PriceBreak, ...]: PriceBreakList,
    Decimal: Amount,
    date: Day,
    datetime: Timestamp,
    Json: fields.Dict,
}


def row_schema(row_type: type[RowT], *, version: Sequence[str] = ("id", "updated_at")) -> RowSchema[RowT]:
    """Make the schema of a row type, with a field for each name in the same order.

    `version` are the columns of which at least one changes when the representation does.
    """
    declared: dict[str, Field] = {}
    for name, hint in get_type_hints(row_type).items():
        (kind,) = {*(get_args(hint) if isinstance(hint, UnionType) else [hint])} - {NoneType}
        declared[name] = FIELDS[str if isinstance(kind, EnumType) else kind]()
    schema: RowSchema[RowT] = RowSchema.from_dict(declared, name=f"{row_type.__name__}Schema")()  # type: ignore[assignment]
    schema.version = version
    return schema


class DraftSchema(Schema, Generic[DraftT]):
    """Loads a request body into a dataclass that has the same fields. Optional fields have their default there."""

    def __init__(self, **options: Any) -> None:
        """Raise TypeError when the dataclass has other fields."""
        super().__init__(**options)
        self._draft_type = _type_argument(type(self), DraftSchema)
        names = {field.name for field in dataclass_fields(self._draft_type)}
        if names != self.load_fields.keys():
            raise TypeError(f"{type(self)} and {self._draft_type} differ in {names ^ self.load_fields.keys()}.")
        self._readers = [(name, str(field.data_key), reader(field)) for name, field in self.load_fields.items()]

    def load(self, data: Json, **_options: Any) -> DraftT:  # type: ignore[override]  # a body is one object
        """Return the draft that a valid body describes."""
        draft: DraftT = self._draft_type(**{name: read(data[key]) for name, key, read in self._readers if key in data})
        return draft


def given(draft: Any) -> dict[str, object]:
    """Return the fields of a draft that are present in the body."""
    values = {field.name: getattr(draft, field.name) for field in dataclass_fields(draft)}
    return {name: value for name, value in values.items() if value is not NOT_GIVEN}


def given_or(value: ValueT | NotGiven, default: ValueT) -> ValueT:
    """Return the value of a draft's field, or `default` if it is absent from the body."""
    return default if isinstance(value, NotGiven) else value


def _type_argument(schema: type, base: type) -> Any:
    """Return `X` for a schema that is declared as a `base[X]`."""
    for declared in schema.__orig_bases__:  # type: ignore[attr-defined]  # every class with a generic base has them
        if get_origin(declared) is base:
            return get_args(declared)[0]
    raise TypeError(f"{schema} does not say what it is a {base} of.")
