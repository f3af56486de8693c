"""Validate the body of a request. The items of a bulk request are validated one by one (contract, section 9.3).

In the document, `x-errors-per-item: true` on a list of the body means that an invalid item is not an error of the
request. The handler gets an InvalidItemError in its place.
"""

import asyncio
from collections.abc import Collection
from typing import Any

from app.http.errors import MAX_ITEM_DETAILS
from app.http.schema_validator import SchemaValidator
from app.schemas.errors import ErrorDetail, InvalidItemError
from app.spec import Document

PER_ITEM = "x-errors-per-item"


class BodyValidator:
    """The compiled schema of a body, and those of the items that it validates one by one."""

    def __init__(self, schema: Document) -> None:
        """Compile a dereferenced schema."""
        properties: Document = schema.get("properties", {})
        lists = {name: member for name, member in properties.items() if member.get(PER_ITEM)}
        self._items = {name: SchemaValidator(member["items"], noun="The item") for name, member in lists.items()}
        any_items = {name: {**member, "items": {}} for name, member in lists.items()}
        self._validator = SchemaValidator({**schema, "properties": {**properties, **any_items}} if lists else schema)

    @property
    def item_lists(self) -> Collection[str]:
        """The names of the lists whose items are validated one by one."""
        return self._items.keys()

    async def validate(self, body: Any) -> tuple[Any, list[ErrorDetail]]:
        """Return the body for the handler, and its errors. Whatever may take long runs in a thread."""
        outline = self._without_items(body)
        if not self._validator.is_valid(outline):  # explaining many errors takes time
            return body, await asyncio.to_thread(self._validator.errors, outline)
        given = {name: body[name] for name in self._items if name in body}
        checked = {name: await asyncio.to_thread(self._check, name, items) for name, items in given.items()}
        return {**body, **checked} if checked else body, []

    def _without_items(self, body: Any) -> Any:
        """Return the body with null for each item, which is validated on its own or invalid already."""
        lists = [name for name in self._items if isinstance(body, dict) and isinstance(body.get(name), list)]
        return {**body, **{name: [None] * len(body[name]) for name in lists}} if lists else body

    def _check(self, name: str, items: list[Any]) -> list[Any]:
        """Return the items, with an InvalidItemError in the place of each invalid one."""
        return [_checked(self._items[name], item) for item in items]


def _checked(validator: SchemaValidator, item: Any) -> Any:
    """Return an item, or an InvalidItemError if it is invalid."""
    if isinstance(item, InvalidItemError) or validator.is_valid(item):
        return item
    return InvalidItemError(item, validator.errors(item)[:MAX_ITEM_DETAILS])
