"""The `Link` header of a page (RFC 8288): where the next one is, for those who look there (contract, section 3)."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode


def next_page(path: str, query: Mapping[str, Sequence[str]], body: Any) -> dict[str, str]:
    """Return the header for a body that says that more follows, nothing for any other."""
    cursor = body.get("pagination", {}).get("nextCursor")
    if cursor is None:
        return {}
    following = urlencode({**query, "cursor": cursor}, doseq=True, quote_via=quote)
    return {"Link": f'<{path}?{following}>; rel="next"'}
