"""What the edge knows about a request. The outermost middleware creates it, the next ones complete it.

It travels in the ASGI scope and in the WSGI environ under `STATE_KEY`.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from app.context import CallingKey
from app.spec import Operation

STATE_KEY = "distribu.request_state"
BODY_ERROR = "distribu.body_error"  # in the `state` of the scope: the error that the parser found in the body

Headers = list[tuple[bytes, bytes]]


@dataclass(kw_only=True, slots=True)
class RequestState:
    """The id of a request, then what routing, authentication and validation found."""

    request_id: str
    path: str
    server: tuple[str, int]  # the address and port on which its connection arrived
    address: str | None = None
    started: float = field(default_factory=time.perf_counter)
    operation: Operation | None = None
    key: CallingKey | None = None
    query: dict[str, list[str]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    headers: Headers = field(default_factory=list)  # added to every response

    def set_quota(self, headers: Headers) -> None:
        """Replace the `RateLimit` headers of the response."""
        self.headers = [header for header in self.headers if not header[0].startswith(b"ratelimit")] + headers


def state_of(scope: Scope) -> RequestState:
    """Return the state of the request of an ASGI scope."""
    state: RequestState = scope[STATE_KEY]
    return state
