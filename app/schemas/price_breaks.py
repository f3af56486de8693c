"""Price breaks as JSON, in responses and requests (contract, section 9.4)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from sqlalchemy import Dialect

from app.compiled import ColumnType, Processor
from app.errors import BODY, InvalidParameterError
from app.schemas.converted import ColumnProcessor, Converted
from models import CENT, PriceBreak

Json = dict[str, Any]


class OrderViolation(NamedTuple):
    """A price break that is out of order: its position, starting at 0, and the rule with both quantities."""

    position: int
    rule: str


def load(entries: Iterable[Json]) -> tuple[PriceBreak, ...]:
    """Return the price breaks of a body. Raises InvalidParameterError, with the pointer, if they are out of order."""
    breaks = tuple(PriceBreak(entry["minQuantity"], Decimal(entry["price"]).quantize(CENT)) for entry in entries)
    check_order(breaks)
    return breaks


def check_order(breaks: Sequence[PriceBreak]) -> None:
    """Raise InvalidParameterError, with the pointer, unless every `minQuantity` is greater than the one before it."""
    violation = order_violation(breaks)
    if violation is not None:
        pointer = f"priceBreaks/{violation.position}/minQuantity"
        raise InvalidParameterError(pointer, f"priceBreaks {violation.rule}", parent=BODY)


def order_violation(breaks: Sequence[PriceBreak]) -> OrderViolation | None:
    """Return the first price break that is out of order, None if there is none."""
    for position, (previous, current) in enumerate(pairwise(breaks), 1):
        if current.min_quantity <= previous.min_quantity:
            found = f"{current.min_quantity} comes after {previous.min_quantity}"
            return OrderViolation(position, f"must be in ascending order of minQuantity: {found}")
    return None


def render(breaks: Sequence[PriceBreak]) -> list[Json]:
    """Return price breaks as JSON."""
    if not breaks:  # most products have none, and a list has many products
        return []
    return [{"minQuantity": entry.min_quantity, "price": float(entry.price)} for entry in breaks]


class PriceBreakList(Converted):
    """Price breaks. Null means none. Loading raises InvalidParameterError if they are out of order."""

    to_json = staticmethod(render)

    @classmethod
    def from_driver(cls, _kind: ColumnType, _dialect: Dialect, read: Processor | None) -> ColumnProcessor:
        """Return a function that reads nothing for null, which most rows have."""
        assert read is not None  # PriceBreaks has one
        return lambda values: [[] if value is None else render(read(value)) for value in values]

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **options: Any) -> Any:
        """Return the price breaks of a list or null."""
        return super().deserialize([] if value is None else value, attr, data, **options)

    def _deserialize(self, value: list[Json], attr: str | None, data: object, **kwargs: object) -> object:
        return load(value)
