"""Reject malformed HTTP before Connexion sees it: a request that passes is unambiguous.

Connexion and Flask disagree with each other, or fail, on non-canonical paths, repeated headers and queries that cannot
be decoded (docs/decisions/0002). Bodies are read after authentication (`body.py`).
"""

import re
from collections import Counter
from collections.abc import Awaitable
from itertools import chain
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from app.address import BASE_PATH
from app.http.errors import malformed_request, not_found
from app.http.middleware import HttpMiddleware
from app.http.request_state import RequestHeaders, state_of

INDEXES = frozenset({"/", BASE_PATH + "/"})  # no other path ends with a slash
MAX_SEGMENT = 200
MAX_PATH = 2_000
MAX_QUERY = 8_000  # RFC 9110, section 4.1 recommends accepting URLs of 8,000 bytes
MAX_PARAMETERS = 50
MAX_HEADERS_BYTES = 32_000  # in total; nginx accepts four lines of 8 KiB
SINGLE_HEADERS = frozenset({b"content-type", b"content-length", b"host", b"idempotency-key"})
NOT_CANONICAL = re.compile(
    rf"/(?:\.{{0,2}}(?:/|\Z)|[^/]{{{MAX_SEGMENT + 1}}})"
)  # an empty segment, ., .. or a long one
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
ENCODED_DOT_OR_SLASH = re.compile(rb"%(?:2[ef]|5c)", re.IGNORECASE)


class GuardMiddleware(HttpMiddleware):
    """Check path, query and headers. Store the decoded query in the RequestState."""

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward the request. Raises ApiError: 404 for a non-canonical path, 400 for anything else."""
        state = state_of(scope)
        _check_path(scope)
        state.received = _checked_headers(scope, state.received)
        if scope["query_string"]:
            state.query = _query(scope["query_string"])
        return self.app(scope, receive, send)


def _check_path(scope: Scope) -> None:
    """Raise 404 instead of redirecting or guessing: a resource has only one path."""
    path: str = scope["path"]
    raw_path: bytes = scope.get("raw_path") or b""
    if (
        not path.startswith("/")
        or len(path) > MAX_PATH
        or (path not in INDEXES and NOT_CANONICAL.search(path))
        or CONTROL.search(path)
        or (b"%" in raw_path and ENCODED_DOT_OR_SLASH.search(raw_path))
    ):
        raise not_found()


def _checked_headers(scope: Scope, received: RequestHeaders) -> RequestHeaders:
    """Drop names with an underscore, which WSGI cannot distinguish from a hyphen."""
    if b"_" in b"".join(received.names):
        received = RequestHeaders([(name, value) for name, value in received.lines if b"_" not in name])
    if len(b"".join(chain.from_iterable(received.lines))) > MAX_HEADERS_BYTES:
        raise malformed_request(f"The headers are longer than {MAX_HEADERS_BYTES} bytes in total.")
    if received.has_repeated:
        _check_repeated(received)
    if received.first(b"host") is None and scope["http_version"] == "1.1":
        raise malformed_request("The Host header is missing.")
    return received


def _check_repeated(received: RequestHeaders) -> None:
    counts = Counter(name for name, _ in received.lines)
    for name in SINGLE_HEADERS & counts.keys():
        if counts[name] > 1:
            raise malformed_request(f"The {name.decode().title()} header must be given only once.")


def _query(raw: bytes) -> dict[str, list[str]]:
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
