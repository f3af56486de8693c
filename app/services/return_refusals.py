"""Why a return cannot be created, decided on or received (contract, section 9.7)."""

from app.errors import RefusalError


class OrderNotFoundError(RefusalError):
    """A return names an order that the company does not have."""

    code = "order_not_found"
    pointer = "/orderId"

    def __init__(self) -> None:
        """Use the message of the contract (section 9.7)."""
        super().__init__("Order not found.")


class NotReturnableError(RefusalError):
    """Only shipped and delivered orders can be returned."""

    code = "order_not_returnable"
    pointer = "/orderId"

    def __init__(self, current: str) -> None:
        """Initialize with the status of the order."""
        super().__init__(f"Order cannot be returned while {current}.", currentStatus=current)


class ReturnQuantityError(RefusalError):
    """A return contains more of an item than is left to return."""

    code = "return_quantity_exceeded"

    def __init__(self, pointer: str, name: str, left: int) -> None:
        """Initialize with the pointer to the quantity, the name of the product, and the quantity that is left."""
        super().__init__(f"Only {left} of {name} can still be returned.", pointer=pointer, left=left)


class ReturnTransitionError(RefusalError):
    """The status of a return cannot change to the requested one."""

    code = "invalid_return_transition"

    def __init__(self, current: str, requested: str, *, pointer: str = "") -> None:
        """Initialize with both statuses, and the pointer to the requested one if the body contains it."""
        message = f"Cannot change return status from {current} to {requested}."
        super().__init__(message, pointer=pointer, currentStatus=current)


class ReturnItemNotFoundError(RefusalError):
    """A receipt names an item that the return does not have."""

    code = "return_item_not_found"

    def __init__(self, pointer: str) -> None:
        """Initialize with the pointer to the id of the item."""
        super().__init__("Return item not found.", pointer=pointer)


class ReceiveQuantityError(RefusalError):
    """More of an item is received than was returned, or more goes back to stock than is received."""

    code = "receive_quantity_exceeded"

    def __init__(self, pointer: str, name: str, verb: str, left: int) -> None:
        """Initialize with the pointer to the quantity, the name of the product, what cannot be done, and the limit."""
        super().__init__(f"Only {left} of {name} can be {verb}.", pointer=pointer, left=left)


class NothingReceivedError(RefusalError):
    """A receipt contains no unit of any item."""

    code = "nothing_received"
    pointer = "/items"

    def __init__(self) -> None:
        """Set the message, which says what to do instead."""
        super().__init__("Nothing was received. Reject the return instead.")
