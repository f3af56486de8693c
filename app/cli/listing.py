"""Lists that the services hand out in pages: as many pages as it takes, and not one more."""

from collections.abc import Callable, Iterator
from itertools import islice

from app.schemas.base import Json

Page = tuple[list[Json], str | None]  # rows, and the cursor of the next page


def rows(fetch: Callable[[str | None], Page], limit: int) -> list[Json]:
    """Return one row more than `limit` when there is one, so that the caller can tell; all of them for 0."""
    return list(islice(_all(fetch), limit + 1 if limit else None))


def _all(fetch: Callable[[str | None], Page]) -> Iterator[Json]:
    cursor = None
    while True:
        page, cursor = fetch(cursor)
        yield from page
        if cursor is None:
            return
