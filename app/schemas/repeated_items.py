"""Items of a request of which each names something else, such as the items of an order (contract, section 9.7)."""

from collections.abc import Iterable, Iterator, Sequence

from app.errors import BODY, InvalidParameterError, reject


def check(member: str, ids: Sequence[str]) -> None:
    """Raise InvalidParameterError for each item whose `member` is an id that an earlier item has."""
    reject(_violations(member, ids))


def _violations(member: str, ids: Iterable[str]) -> Iterator[InvalidParameterError]:
    positions: dict[str, int] = {}
    for position, item_id in enumerate(ids):
        first = positions.setdefault(item_id, position)
        if first != position:
            message = f"{member} is the same as in /items/{first}: send one item with the sum of the quantities"
            yield InvalidParameterError(f"items/{position}/{member}", message, parent=BODY)
