"""Exceptions of the domain and of startup. Their messages are for the person who has to act.

    DomainError
      + NotFoundError                404
      + InvalidParameterError        400
        · InvalidCursorError, InvalidTimeError
      + InvalidItemError             app/schemas/errors.py, the 400 of an item
      + PreconditionFailedError      412, app/preconditions.py
      + RefusalError                 422, each class with its code
        · CustomerNotFoundError, CustomerBlockedError, EmailTakenError, StatusTransitionError, RestockWithoutCancelError
        · ProductNotFoundError, ProductInactiveError, InsufficientStockError, OrderTotalError, TooLargeError
        · QuantityNotAllowedError    app/services/quantity_rules.py
        · OrderItemNotFoundError     app/services/order_quantities.py
        · NotShippableError, ShipmentLimitError, NothingToShipError, ShipmentQuantityError    app/services/shipments.py
        · OrderNotFoundError, NotReturnableError, ReturnQuantityError, ReturnTransitionError, ReturnItemNotFoundError,
          ReceiveQuantityError, NothingReceivedError    app/services/return_refusals.py
        · RefundTooHighError, RefundShippingError, AmountBelowShippingError, CreditNoteVoidError
                                     app/services/refunds.py, app/services/credit_notes.py
        · StockChangedError, StockTooLargeError    app/services/adjustments.py
        · SkuTakenError, ExternalIdTakenError    app/services/product_plans.py, app/services/unique_values.py
        · ProductInUseError          app/services/product_deletion.py
        · WebhookLimitError, RotationLimitError    app/services/webhooks.py
        · ScopeTooWideError, ExpiryTooLateError, NetworkTooWideError, RateLimitTooHighError,
          KeyLimitError              app/services/key_grants.py
        · KeyNotActiveError          app/services/key_rotation.py
        · DestinationError, IdempotencyKeyReusedError    app/egress.py, app/http/idempotency.py
        · BulkRefusedError, DuplicateItemError    app/schemas/errors.py, app/services/bulk.py
      + InvalidValueError            the command line only
      + RejectedFileError            app/product_import/product_csv.py, the command line only
    InactiveKeyError                 401
    StartError
    DatabaseUnavailableError         503
      + ConflictError                app/driver_errors.py
      + DatabaseBusyError

To add a refusal: a class with its `code`, message and pointer, an entry in openapi/errors.yaml, an example, the code in
its response, and a request in tests/http/test_errors.py. Status codes and JSON: `app/schemas/errors.py`.
"""

from collections.abc import Iterable
from typing import Any, ClassVar

QUERY, BODY = "/query", ""  # the parents of a pointer to a parameter or member


class DomainError(Exception):
    """A rule of the domain was violated. The message is for the client. Only subclasses are raised."""


class NotFoundError(DomainError):
    """The resource does not exist, or belongs to another company; clients cannot distinguish the two cases."""

    code = "not_found"

    def __init__(self, noun: str, *, pointer: str | None = None) -> None:
        """Initialize with the noun of the message, and the pointer to the name in an item of a bulk request."""
        super().__init__(f"{noun} not found.")
        self.pointer = pointer
        self.missing: tuple[NotFoundError, ...] = (self,)  # all that the same item names and that does not exist


class InvalidValueError(DomainError):
    """A value given on the command line violates a rule. Values sent to the API are validated against the document."""


class InvalidParameterError(DomainError):
    """A parameter is well-formed but has no valid meaning. `pointer` is its location.

    `violations` has everything that is wrong with the same request; this one is the first.
    """

    def __init__(self, parameter: str, message: str, *, parent: str = QUERY) -> None:
        """Initialize with the whole message, and the parent of the parameter: the query or the body."""
        super().__init__(message)
        self.pointer = f"{parent}/{parameter}"
        self.violations: tuple[InvalidParameterError, ...] = (self,)


def reject(violations: Iterable[InvalidParameterError]) -> None:
    """Raise the first of `violations`, with all of them attached. Do nothing if there are none."""
    found = tuple(violations)
    if found:
        found[0].violations = found
        raise found[0]


class InvalidCursorError(InvalidParameterError):
    """The cursor of a list is not an item of it."""

    def __init__(self) -> None:
        """Use the message of the contract (section 3)."""
        super().__init__("cursor", "Invalid cursor.")


class InvalidTimeError(InvalidParameterError):
    """The day or the time of day does not exist."""

    def __init__(self, parameter: str, *, parent: str = QUERY) -> None:
        """Use the message that the document has for an invalid format."""
        super().__init__(parameter, f"{parameter} must be a date or a time in ISO 8601", parent=parent)


class RefusalError(DomainError):
    """A business rule refuses the request.

    `code` names the rule, `pointer` is the location of the member that violates it, `data` has the values in the
    message, by their JSON names. `refusals` has every reason to refuse the same request; this one is the first.
    """

    code: ClassVar[str]
    depends_on_caller: ClassVar[bool] = False  # another key may make the same request, so it is not stored
    pointer = BODY

    def __init__(self, message: str, *, pointer: str | None = None, **data: Any) -> None:
        """Initialize with the whole message, and the pointer unless it is always the same."""
        super().__init__(message)
        self.pointer = self.pointer if pointer is None else pointer
        self.data = data
        self.refusals: tuple[RefusalError, ...] = (self,)


def refuse(refusals: Iterable[RefusalError]) -> None:
    """Raise the first of `refusals`, with all of them attached. Do nothing if there are none."""
    reasons = tuple(refusals)
    if reasons:
        reasons[0].refusals = reasons
        raise reasons[0]


class CustomerNotFoundError(RefusalError):
    """An order names a customer that the company does not have."""

    code = "customer_not_found"
    pointer = "/customerId"

    def __init__(self) -> None:
        """Use the message of the contract (section 5)."""
        super().__init__("Customer not found.")


class CustomerBlockedError(RefusalError):
    """A blocked customer cannot place orders."""

    code = "customer_blocked"
    pointer = "/customerId"

    def __init__(self) -> None:
        """Use the message of the contract (section 5)."""
        super().__init__("Customer is blocked.")


class ProductNotFoundError(RefusalError):
    """An item of an order names a product that the company does not have."""

    code = "product_not_found"

    def __init__(self, pointer: str) -> None:
        """Initialize with the pointer to the id or sku."""
        super().__init__("Product not found.", pointer=pointer)


class ProductInactiveError(RefusalError):
    """An item of an order names a product that is inactive."""

    code = "product_inactive"

    def __init__(self, pointer: str, name: str) -> None:
        """Initialize with the pointer to the id or sku, and the name of the product."""
        super().__init__(f"{name} is not available.", pointer=pointer)


class InsufficientStockError(RefusalError):
    """An order or an adjustment takes more of a product, in all items together, than is in stock."""

    code = "insufficient_stock"

    def __init__(self, pointer: str, name: str, available: int) -> None:
        """Initialize with the pointer to the (first) quantity of the product, its name, and its stock."""
        message = f"Not enough stock for {name}. Only {available} available."
        super().__init__(message, pointer=pointer, available=available)


class OrderTotalError(RefusalError):
    """The total of an order exceeds the range of its column."""

    code = "order_total_too_large"
    pointer = "/items"

    def __init__(self, maximum: object) -> None:
        """Initialize with the maximum total."""
        super().__init__(f"The total of an order must be at most {maximum}.")


class StatusTransitionError(RefusalError):
    """The status of an order cannot change to the requested one."""

    code = "invalid_status_transition"
    pointer = "/status"

    def __init__(self, current: str, requested: str) -> None:
        """Initialize with both statuses."""
        super().__init__(f"Cannot change order status from {current} to {requested}.", currentStatus=current)


class RestockWithoutCancelError(RefusalError):
    """An order is restocked only when it is cancelled."""

    code = "restock_without_cancel"
    pointer = "/restock"

    def __init__(self) -> None:
        """Set the message, which names the required status."""
        super().__init__("restock is allowed only with the status CANCELLED.")


class EmailTakenError(RefusalError):
    """Another customer of the company has the email."""

    code = "email_taken"
    pointer = "/email"

    def __init__(self) -> None:
        """Use the message of the contract (section 6)."""
        super().__init__("A customer with this email already exists.")


class TooLargeError(RefusalError):
    """A sum exceeds the 64-bit integers of databases and of the document."""

    code = "figures_too_large"

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("The totals are too large to be represented.")


class InactiveKeyError(Exception):
    """The calling key was revoked or has expired since its request was authenticated."""


class StartError(Exception):
    """The program cannot start. The message is one line that names the cause and what to do next."""


class DatabaseUnavailableError(Exception):
    """The database is unavailable, or busy past its deadline. A later attempt may succeed."""


class DatabaseBusyError(DatabaseUnavailableError):
    """Another transaction held a lock for longer than this one waits."""
