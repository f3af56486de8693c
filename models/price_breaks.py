"""Price breaks: unit prices for larger quantities, of a product or a price override (contract, section 9.4)."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import JSON, Dialect
from sqlalchemy.types import TypeDecorator

MAX_PRICE_BREAKS = 20


class PriceBreak(NamedTuple):
    """The price of every unit, if an order has at least this quantity of the product."""

    min_quantity: int
    price: Decimal


def to_json(breaks: Sequence[PriceBreak]) -> list[list[object]]:
    """Return price breaks as they are stored."""
    return [[entry.min_quantity, str(entry.price)] for entry in breaks]


def from_json(value: Sequence[tuple[int, str]]) -> tuple[PriceBreak, ...]:
    """Return stored price breaks."""
    return tuple(PriceBreak(quantity, Decimal(price)) for quantity, price in value)


class PriceBreaks(TypeDecorator[tuple[PriceBreak, ...]]):
    """Price breaks as JSON, with the smallest quantity first: `[[10, "8.00"], [50, "7.50"]]`. Null for none.

    Prices are text, because a number in JSON may be read as a binary float.
    """

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: Sequence[PriceBreak] | None, dialect: Dialect) -> list[list[object]] | None:  # noqa: ARG002 - the library's signature
        """Return the JSON value."""
        return to_json(value) if value else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], tuple[PriceBreak, ...]] | None:
        """Return a function that reads a value. Null, which most rows have, takes one call instead of three."""
        read = super().result_processor(dialect, coltype)
        assert read is not None  # JSON has one
        return lambda value: () if value is None else read(value)  # type: ignore[return-value]

    def process_result_value(self, value: list[tuple[int, str]] | None, dialect: Dialect) -> tuple[PriceBreak, ...]:  # noqa: ARG002 - the library's signature
        """Return the price breaks, an empty tuple for none."""
        return from_json(value) if value else ()
