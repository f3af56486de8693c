"""Lists that the services return in pages: fetch as many pages as needed, and no more."""

from collections.abc import Callable, Iterator
from itertools import islice

from app.schemas.base import Json

Page = tuple[list[Json], str | None]  # rows, and the cursor for the next page


def rows(fetch: Callable[[str | None], Page], limit: int) -> list[Json]:
    """Return up to `limit` rows and one more, which shows that there are more, or all rows if `limit` is 0."""
    return list(islice(_all(fetch), limit + 1 if limit else None))


def _all(fetch: Callable[[str | None], Page]) -> Iterator[Json]:
    cursor = None
    while True:
        page, cursor = fetch(cursor)
        yield from page
        if cursor is None:
            return
