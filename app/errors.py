"""What can go wrong in the domain and at the start, in words for the person who has to act.

    DomainError
      + NotFoundError                404
      + InvalidParameterError        400
        · InvalidCursorError
        · InvalidTimeError
      + RefusalError                 422, each with a code of its own
        · CustomerNotFoundError
        · CustomerBlockedError
        · ProductNotFoundError
        · ProductInactiveError
        · InsufficientStockError
        · OrderTotalError
        · StatusTransitionError
        · RestockWithoutCancelError
        · EmailTakenError
        · WebhookLimitError
        · RotationLimitError
        · DestinationError           app/egress.py
        · IdempotencyKeyReusedError  app/http/idempotency.py
        · TooLargeError
      + InvalidValueError            the command line only
      + RejectedFileError            app/product_import/product_file.py, the command line only
    StartError
    DatabaseUnavailableError         503
      + ConflictError                app/db.py
      + DatabaseBusyError

To add a refusal: a class with its `code`, its message and the pointer to the member that it is about; an entry in
docs/errors.md; an example in the document. Not here: status codes and JSON (`app/http/errors.py`).
"""

from collections.abc import Iterable
from typing import Any, ClassVar

QUERY, BODY = "/query", ""  # what a pointer to a parameter begins with


class DomainError(Exception):
    """A rule of the domain was broken. The message is for the caller. Raised as one of its subclasses only."""


class NotFoundError(DomainError):
    """The thing does not exist, or belongs to another company: callers cannot tell which."""

    code = "not_found"

    def __init__(self, noun: str) -> None:
        """Name what was looked for: 'Product' gives 'Product not found.'."""
        super().__init__(f"{noun} not found.")


class InvalidValueError(DomainError):
    """A value given at the command line breaks a rule. Over the API the document judges values."""


class InvalidParameterError(DomainError):
    """A parameter has the right form, but no meaning. `pointer` leads to it."""

    def __init__(self, parameter: str, message: str, *, parent: str = QUERY) -> None:
        """Take the whole message, and where the parameter stands: in the query or in the body."""
        super().__init__(message)
        self.pointer = f"{parent}/{parameter}"


class InvalidCursorError(InvalidParameterError):
    """A list was asked to go on after something that is not in it."""

    def __init__(self) -> None:
        """Use the contract's wording (section 3)."""
        super().__init__("cursor", "Invalid cursor.")


class InvalidTimeError(InvalidParameterError):
    """There is no such day, or no such time of a day."""

    def __init__(self, parameter: str, *, parent: str = QUERY) -> None:
        """Use the wording that the document has for a wrong form."""
        super().__init__(parameter, f"{parameter} must be a date or a time in ISO 8601", parent=parent)


class RefusalError(DomainError):
    """The request was understood and a rule refuses it.

    `code` names the rule, `pointer` leads to the member of the request that breaks it, `data` holds the facts of the
    message for programs, by their JSON names. `refusals` has every reason to refuse the same request, this one first.
    """

    code: ClassVar[str]
    pointer = BODY

    def __init__(self, message: str, *, pointer: str | None = None, **data: Any) -> None:
        """Take the whole message, and the pointer unless it is always the same."""
        super().__init__(message)
        self.pointer = self.pointer if pointer is None else pointer
        self.data = data
        self.refusals: tuple[RefusalError, ...] = (self,)


def refuse(refusals: Iterable[RefusalError]) -> None:
    """Raise the first of `refusals`, which has all of them; do nothing when there are none."""
    found = tuple(refusals)
    if found:
        found[0].refusals = found
        raise found[0]


class CustomerNotFoundError(RefusalError):
    """An order names a customer that the company does not have."""

    code = "customer_not_found"
    pointer = "/customerId"

    def __init__(self) -> None:
        """Use the contract's wording (section 5)."""
        super().__init__("Customer not found.")


class CustomerBlockedError(RefusalError):
    """A blocked customer places no orders."""

    code = "customer_blocked"
    pointer = "/customerId"

    def __init__(self) -> None:
        """Use the contract's wording (section 5)."""
        super().__init__("Customer is blocked.")


class ProductNotFoundError(RefusalError):
    """A line of an order names a product that the company does not have."""

    code = "product_not_found"

    def __init__(self, line: str) -> None:
        """Take the pointer to the line."""
        super().__init__("Product not found.", pointer=f"{line}/productId")


class ProductInactiveError(RefusalError):
    """A line of an order names a product that is not for sale."""

    code = "product_inactive"

    def __init__(self, line: str, name: str) -> None:
        """Take the pointer to the line and the name of the product."""
        super().__init__(f"{name} is not available.", pointer=f"{line}/productId")


class InsufficientStockError(RefusalError):
    """More of a product was ordered, over all lines, than there is."""

    code = "insufficient_stock"

    def __init__(self, line: str, name: str, available: int) -> None:
        """Take the pointer to the first line of the product, its name, and how many there are."""
        message = f"Not enough stock for {name}. Only {available} available."
        super().__init__(message, pointer=f"{line}/quantity", available=available)


class OrderTotalError(RefusalError):
    """An order costs more than can be stored."""

    code = "order_total_too_large"
    pointer = "/items"

    def __init__(self, most: object) -> None:
        """Take the largest total."""
        super().__init__(f"The total of an order must be at most {most}.")


class StatusTransitionError(RefusalError):
    """The status of an order does not allow the one that was asked for."""

    code = "invalid_status_transition"
    pointer = "/status"

    def __init__(self, current: str, wanted: str) -> None:
        """Take both statuses."""
        super().__init__(f"Cannot change order status from {current} to {wanted}.", currentStatus=current)


class RestockWithoutCancelError(RefusalError):
    """Stock comes back only when an order is cancelled."""

    code = "restock_without_cancel"
    pointer = "/restock"

    def __init__(self) -> None:
        """Name the status that it takes."""
        super().__init__("restock is only possible together with the status CANCELLED.")


class EmailTakenError(RefusalError):
    """Another customer of the company has the email."""

    code = "email_taken"
    pointer = "/email"

    def __init__(self) -> None:
        """Use the contract's wording (section 6)."""
        super().__init__("A customer with this email already exists.")


class WebhookLimitError(RefusalError):
    """The company has as many webhooks as it can have."""

    code = "webhook_limit_reached"

    def __init__(self, most: int) -> None:
        """Take the largest number of webhooks."""
        super().__init__(f"Webhook limit reached. A company can have at most {most}.")


class RotationLimitError(RefusalError):
    """As many earlier secrets of a webhook sign as can."""

    code = "rotation_limit_reached"

    def __init__(self, most: int, next_possible_at: str) -> None:
        """Take how many can sign, and when the first of them ends."""
        super().__init__(
            f"{most} earlier secrets still sign. Rotate after {next_possible_at}, or end them now with graceSeconds 0.",
            nextPossibleAt=next_possible_at,
        )


class TooLargeError(RefusalError):
    """A sum has more than the 64 bits that databases and JSON count with."""

    code = "figures_too_large"

    def __init__(self) -> None:
        """Say so."""
        super().__init__("The figures are too large to be added up.")


class StartError(Exception):
    """The program cannot start. One line that names the cause and what to do next."""


class DatabaseUnavailableError(Exception):
    """The database is away, or busy past its deadline. Trying again later may work."""


class DatabaseBusyError(DatabaseUnavailableError):
    """Another transaction held a lock for so long that this one gave up."""
