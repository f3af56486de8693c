"""The members by which an item of a bulk request names its product or customer (contract, section 9.3)."""

from collections.abc import Sequence

from app.errors import BODY, InvalidParameterError
from app.schemas.base import Json

PRODUCT_NAMES = ("productId", "sku", "productExternalId")
CUSTOMER_NAMES = ("customerId", "email", "customerExternalId")


def check(item: Json, names: Sequence[str]) -> None:
    """Raise InvalidParameterError, with the pointer to a member, unless an item has exactly one of the three names."""
    given = [name for name in names if name in item]
    if not given:
        first, second, third = names
        raise InvalidParameterError(first, f"{first}, {second} or {third} is required", parent=BODY)
    if len(given) > 1:
        message = f"{given[1]} is not allowed together with {given[0]}"
        raise InvalidParameterError(given[1], message, parent=BODY)
