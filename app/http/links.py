"""The header Link of a list (RFC 8288): the request for its next page, beside the cursor in the body."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

CURSOR = "cursor"


def to_next_page(path: str, query: Mapping[str, Sequence[str]], result: Any) -> dict[str, str]:
    """Return the header for a page that another one follows, nothing for anything else."""
    pagination = result.get("pagination") if isinstance(result, dict) else None
    if not pagination or pagination["nextCursor"] is None:
        return {}
    others = [(name, value) for name, values in query.items() for value in values if name != CURSOR]
    target = f"{quote(path)}?{urlencode([*others, (CURSOR, pagination['nextCursor'])], quote_via=quote)}"
    return {"Link": f'<{target}>; rel="next"'}
