"""The header Link of a list (RFC 8288): the URL of its next page, which the body has as a cursor."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

CURSOR_PARAMETER = "cursor"


def to_next_page(path: str, query: Mapping[str, Sequence[str]], result: Any) -> dict[str, str]:
    """Return the header for a page that has a next page. For any other result, return no header."""
    pagination = result.get("pagination") if isinstance(result, dict) else None
    if not pagination or pagination["nextCursor"] is None:
        return {}
    others = [(name, value) for name, values in query.items() for value in values if name != CURSOR_PARAMETER]
    target = f"{quote(path)}?{urlencode([*others, (CURSOR_PARAMETER, pagination['nextCursor'])], quote_via=quote)}"
    return {"Link": f'<{target}>; rel="next"'}
