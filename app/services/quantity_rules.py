"""The quantities in which a product can be ordered (contract, section 9.4).

The rules apply to the sum of the quantities that an order has of a product. Each of them may be absent. No write of a
product may set rules that contradict each other.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from app.errors import RefusalError

JSON_NAMES = {
    "min_order_quantity": "minOrderQuantity",
    "order_multiple": "orderMultiple",
    "max_order_quantity": "maxOrderQuantity",
}  # of the rules, by column; a CSV file has the same names


class QuantityRules(NamedTuple):
    """The minimum, the multiple and the maximum of the quantity of a product in an order; None for no such rule."""

    minimum: int | None
    multiple: int | None
    maximum: int | None

    def allow(self, quantity: int) -> bool:
        """Return whether a quantity follows every rule."""
        return (
            (self.multiple is None or quantity % self.multiple == 0)
            and (self.minimum is None or quantity >= self.minimum)
            and (self.maximum is None or quantity <= self.maximum)
        )

    def next_below(self, quantity: int) -> int | None:
        """Return the largest quantity that is allowed and smaller, None if there is none."""
        candidate = quantity - 1 if self.maximum is None else min(quantity - 1, self.maximum)
        candidate -= candidate % self._step
        return candidate if candidate >= self._lowest else None

    def next_above(self, quantity: int) -> int | None:
        """Return the smallest quantity that is allowed and larger, None if there is none."""
        candidate = max(quantity - quantity % self._step + self._step, self._lowest)
        return candidate if self.maximum is None or candidate <= self.maximum else None

    def __str__(self) -> str:
        """Return the rules as the end of a sentence: `in multiples of 12, from 24, up to 240`."""
        parts = {"in multiples of": self.multiple, "from": self.minimum, "up to": self.maximum}
        return ", ".join(f"{words} {value}" for words, value in parts.items() if value is not None)

    @property
    def _step(self) -> int:
        return self.multiple or 1

    @property
    def _lowest(self) -> int:
        """The smallest multiple that is at least the minimum."""
        return max(-(-(self.minimum or 1) // self._step), 1) * self._step


class Contradiction(NamedTuple):
    """Two rules that contradict each other: their columns, and a message with their values."""

    columns: tuple[str, str]
    message: str


class QuantityNotAllowedError(RefusalError):
    """An order has a quantity of a product, in all items together, that the rules of the product do not allow."""

    code = "quantity_not_allowed"

    def __init__(self, pointer: str, name: str, rules: QuantityRules, quantity: int) -> None:
        """Initialize with the pointer to the (first) quantity, the name of the product, its rules and the sum."""
        super().__init__(
            f"{name} can be ordered {rules}.",
            pointer=pointer,
            nextBelow=rules.next_below(quantity),
            nextAbove=rules.next_above(quantity),
        )


def contradictions(fields: Mapping[str, object]) -> Iterator[Contradiction]:
    """Yield the contradictions between the rules of a product. `fields` has all of them, None for no such rule."""
    minimum, multiple, maximum = (cast("int | None", fields[column]) for column in JSON_NAMES)
    if minimum is not None and maximum is not None and minimum > maximum:
        yield _contradiction("min_order_quantity", "must be at most", "max_order_quantity", fields)
    for column, quantity in (("min_order_quantity", minimum), ("max_order_quantity", maximum)):
        if quantity is not None and multiple is not None and quantity % multiple:
            yield _contradiction(column, "must be a multiple of", "order_multiple", fields)


def _contradiction(column: str, rule: str, other: str, fields: Mapping[str, object]) -> Contradiction:
    message = f"{JSON_NAMES[column]} ({fields[column]}) {rule} {JSON_NAMES[other]} ({fields[other]})"
    return Contradiction((column, other), message)
