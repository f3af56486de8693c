"""What a path that needs no key responds to GET."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.types import Scope

from app.http.request_state import Headers

# The default of what is not a page: a browser that shows it loads nothing from another host.
SELF_ONLY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"


class Response(NamedTuple):
    """The response to GET. One without a media type has no content."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    policy: str = SELF_ONLY

    def head(self) -> Headers:
        """Return the headers of the response, which those to HEAD are too."""
        content = [
            (b"content-type", self.media_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
        ]
        common = [(b"content-security-policy", self.policy.encode()), (b"x-content-type-options", b"nosniff")]
        return [*(content if self.media_type else []), *common, *self.headers]


Source = Callable[[Scope], Awaitable[Response]]
