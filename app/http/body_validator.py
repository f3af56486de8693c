"""Validate the body of a request. The items of a bulk request are validated one by one (contract, section 9.3).

In the document, `x-errors-per-item: true` on a list of the body means that an invalid item is not an error of the
request. The handler gets an InvalidItemError in its place.
"""

import asyncio
from typing import Any

from app.http.schema_validator import SchemaValidator
from app.schemas.errors import ErrorDetail, InvalidItemError
from app.spec import Document

PER_ITEM = "x-errors-per-item"
MAX_ITEM_DETAILS = 20  # of one item; a request has up to 1,000 of them


class BodyValidator:
    """The compiled schema of a body, and those of the items that it validates one by one."""

    def __init__(self, schema: Document) -> None:
        """Compile a dereferenced schema."""
        properties: Document = schema.get("properties", {})
        lists = {name: member for name, member in properties.items() if member.get(PER_ITEM)}
        self._items = {name: SchemaValidator(member["items"], noun="The item") for name, member in lists.items()}
        any_items = {name: {**member, "items": {}} for name, member in lists.items()}
        self._validator = SchemaValidator({**schema, "properties": {**properties, **any_items}} if lists else schema)

    async def validate(self, body: Any) -> tuple[Any, list[ErrorDetail]]:
        """Return the body for the handler, and its errors. Whatever may take long runs in a thread."""
        if not self._validator.is_valid(body):  # explaining many errors takes time
            return body, await asyncio.to_thread(self._validator.errors, body)
        given = {name: body[name] for name in self._items if name in body}
        checked = {name: await asyncio.to_thread(self._check, name, items) for name, items in given.items()}
        return {**body, **checked} if checked else body, []

    def _check(self, name: str, items: list[Any]) -> list[Any]:
        """Return the items, with an InvalidItemError in the place of each invalid one."""
        validator = self._items[name]
        return [
            item if validator.is_valid(item) else InvalidItemError(item, validator.errors(item)[:MAX_ITEM_DETAILS])
            for item in items
        ]
