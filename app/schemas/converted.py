"""Fields whose values have another form in JSON. The schemas of rows render them (`app/schemas/base.py`)."""

from collections.abc import Callable
from typing import Any

from marshmallow import fields

Field = fields.Field[Any]


class Converted(Field):
    """A field whose values are rendered by `to_json`; null stays null."""

    to_json: Callable[[Any], object]

    def _serialize(self, value: object, attr: str | None, obj: object, **kwargs: object) -> object:
        return None if value is None else type(self).to_json(value)
