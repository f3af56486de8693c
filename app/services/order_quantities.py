"""The items of an order that a shipment or a return contains: no more of each than is left (contract, section 9.7)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from app.errors import RefusalError
from app.services import orders


class NamedItem(Protocol):
    """An item of a request, which names an item of the order."""

    @property
    def order_item_id(self) -> str:
        """The id of the item of the order."""

    @property
    def quantity(self) -> int:
        """How many units of it the request contains."""


class OrderItemNotFoundError(RefusalError):
    """A request names an item that the order does not have."""

    code = "order_item_not_found"

    def __init__(self, pointer: str) -> None:
        """Initialize with the pointer to the id of the item."""
        super().__init__("Order item not found.", pointer=pointer)


def refusals(
    named: Sequence[NamedItem],
    items: orders.Items,
    left: Mapping[str, int],
    exceeded: Callable[[str, str, int], RefusalError],
) -> Iterator[RefusalError]:
    """Yield the refusals of the items that a request names, in its order.

    `left` has the quantity that is left of each of the items of the order, by its id. `exceeded` makes the refusal of a
    higher one from the pointer to it, the name of the product, and the quantity that is left.
    """
    names = {item.id: item.product_name for item in items}
    for position, item in enumerate(named):
        pointer = f"/items/{position}"
        if item.order_item_id not in names:
            yield OrderItemNotFoundError(f"{pointer}/orderItemId")
        elif item.quantity > left[item.order_item_id]:
            yield exceeded(f"{pointer}/quantity", names[item.order_item_id], left[item.order_item_id])
