"""Quantity rules of a product that contradict each other, so that no write may set them (contract, section 9.4).

Not in this module: the quantities that an order may have.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

NAMES = {
    "min_order_quantity": "minOrderQuantity",
    "order_multiple": "orderMultiple",
    "max_order_quantity": "maxOrderQuantity",
}  # in JSON and CSV, by column


class Contradiction(NamedTuple):
    """Two rules that contradict each other: their columns, and a message with their values."""

    columns: tuple[str, str]
    message: str


def find(fields: Mapping[str, object]) -> Iterator[Contradiction]:
    """Yield the contradictions between the rules of a product. `fields` has all of them, None for no such rule."""
    minimum, multiple, maximum = (cast("int | None", fields[column]) for column in NAMES)
    if minimum is not None and maximum is not None and minimum > maximum:
        yield _contradiction("min_order_quantity", "must be at most", "max_order_quantity", fields)
    for column, quantity in (("min_order_quantity", minimum), ("max_order_quantity", maximum)):
        if quantity is not None and multiple is not None and quantity % multiple:
            yield _contradiction(column, "must be a multiple of", "order_multiple", fields)


def _contradiction(column: str, rule: str, other: str, fields: Mapping[str, object]) -> Contradiction:
    message = f"{NAMES[column]} ({fields[column]}) {rule} {NAMES[other]} ({fields[other]})"
    return Contradiction((column, other), message)
