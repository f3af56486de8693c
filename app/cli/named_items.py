"""Items of an order or a return, as commands name them: by the SKU of the product, or by the id of the item."""

from collections.abc import Iterable, Mapping

from app.errors import InvalidValueError
from app.schemas import repeated_items

Skus = Mapping[str, str | None]  # by the id of the item


def ids(owner: str, skus: Skus, names: Iterable[str], *, member: str) -> list[str]:
    """Return the ids of the items of an `owner`, such as 'order', in the order of their names.

    Raises InvalidValueError if a name is unknown or ambiguous, and InvalidParameterError, with the name of the `member`
    that has the ids in requests, if two names are of the same item.
    """
    found = [_id(owner, skus, name) for name in names]
    repeated_items.check(member, found)
    return found


def _id(owner: str, skus: Skus, name: str) -> str:
    found = [item_id for item_id, sku in skus.items() if name in {item_id, sku}]
    if not found:
        raise InvalidValueError(f"The {owner} has no item '{name}'. Name one by its SKU or its id.")
    if len(found) > 1:
        raise InvalidValueError(f"The {owner} has several items '{name}'. Name one by its id: {', '.join(found)}.")
    return found[0]
