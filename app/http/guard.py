"""Reject malformed HTTP before Connexion sees it: a request that passes is unambiguous.

Connexion and Flask disagree with each other, or fail, on non-canonical paths, repeated headers and queries that cannot
be decoded (docs/decisions/0002). Bodies are read after authentication (`body.py`).
"""

import re
from collections import Counter
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from app.address import BASE_PATH
from app.http.errors import malformed_request, not_found
from app.http.middleware import HttpMiddleware
from app.http.request_state import Headers, state_of

INDEXES = frozenset({"/", BASE_PATH + "/"})  # no other path ends with a slash
MAX_SEGMENT = 200
MAX_PATH = 2_000
MAX_QUERY = 8_000  # RFC 9110, section 4.1 recommends accepting URLs of 8,000 bytes
MAX_PARAMETERS = 50
MAX_HEADERS_BYTES = 32_000  # in total; nginx accepts four lines of 8 KiB
SINGLE_HEADERS = frozenset({b"content-type", b"content-length", b"host", b"idempotency-key"})
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ENCODED_DOT_OR_SLASH = re.compile(rb"%(?:2[ef]|5c)", re.IGNORECASE)


class GuardMiddleware(HttpMiddleware):
    """Check path, query and headers. Store the decoded query in the RequestState."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request. Raises ApiError: 404 for a non-canonical path, 400 for anything else."""
        _check_path(scope)
        scope["headers"] = _checked_headers(scope)
        state_of(scope).query = _query(scope)
        await self.app(scope, receive, send)


def _check_path(scope: Scope) -> None:
    """Raise 404 instead of redirecting or guessing: a resource has only one path."""
    path: str = scope["path"]
    segments = [] if path in INDEXES else path.split("/")[1:]
    if (
        not path.startswith("/")
        or len(path) > MAX_PATH
        or any(segment in {"", ".", ".."} or len(segment) > MAX_SEGMENT for segment in segments)
        or CONTROL.search(path)
        or ENCODED_DOT_OR_SLASH.search(scope.get("raw_path") or b"")
    ):
        raise not_found()


def _checked_headers(scope: Scope) -> Headers:
    """Drop names with an underscore, which WSGI cannot distinguish from a hyphen."""
    headers = [(name, value) for name, value in scope["headers"] if b"_" not in name]
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS_BYTES:
        raise malformed_request(f"The headers are longer than {MAX_HEADERS_BYTES} bytes in total.")
    counts = Counter(name for name, _ in headers)
    for name in SINGLE_HEADERS & counts.keys():
        if counts[name] > 1:
            raise malformed_request(f"The {name.decode().title()} header must be given only once.")
    if b"host" not in counts and scope["http_version"] == "1.1":
        raise malformed_request("The Host header is missing.")
    return headers


def _query(scope: Scope) -> dict[str, list[str]]:
    raw: bytes = scope["query_string"]
    if not raw:
        return {}
    if len(raw) > MAX_QUERY:
        raise malformed_request(f"The query is longer than {MAX_QUERY} bytes.")
    try:
        query = parse_qs(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise malformed_request("The query is not valid percent-encoded UTF-8.") from None
    except ValueError:
        raise malformed_request(f"The query has more than {MAX_PARAMETERS} parameters.") from None
    for name, values in query.items():
        if CONTROL.search(name) or any("\x00" in value for value in values):
            raise malformed_request("The query contains a control character.")
    return query


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the value of a header that cannot be repeated, None when it is absent."""
    headers: Headers = scope["headers"]
    return next((value for key, value in headers if key == name), None)
