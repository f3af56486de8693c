"""What the edge knows about a request. The outermost middleware creates it, the next ones complete it.

It travels in the ASGI scope and in the WSGI environ under `STATE_KEY`.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from app.commit_group import CommitGroup
from app.context import CallingKey
from app.spec import Operation

STATE_KEY = "distribu.request_state"
BODY_ERROR = "distribu.body_error"  # in the `state` of the scope: the error that the parser found in the body

Headers = list[tuple[bytes, bytes]]


class RequestHeaders:
    """The headers of a request. Their names are in lower case."""

    __slots__ = ("_first_values", "lines")

    def __init__(self, lines: Headers) -> None:
        """Initialize with one line for each header, or several lines for one that is repeated."""
        self.lines = lines
        self._first_values = dict(reversed(lines))

    @property
    def names(self) -> Iterable[bytes]:
        """The names, without repetition."""
        return self._first_values.keys()

    @property
    def has_repeated(self) -> bool:
        """Whether a header is repeated."""
        return len(self._first_values) < len(self.lines)

    def first(self, name: bytes) -> bytes | None:
        """Return the value of a header that cannot be repeated, None when it is absent."""
        return self._first_values.get(name)

    def all(self, name: bytes) -> list[bytes]:
        """Return the values of all lines of a header."""
        if name not in self._first_values:
            return []
        return [value for key, value in self.lines if key == name] if self.has_repeated else [self._first_values[name]]


@dataclass(kw_only=True, slots=True)
class RequestState:
    """The id of a request, then what routing, authentication and validation found."""

    request_id: str
    path: str
    received: RequestHeaders
    server: tuple[str, int]  # the address and port on which its connection arrived
    address: str | None = None
    started: float = field(default_factory=time.perf_counter)
    operation: Operation | None = None
    key: CallingKey | None = None
    query: dict[str, list[str]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    headers: Headers = field(default_factory=list)  # added to every response: the quota of the key
    status: int = 0  # of the response, when it has begun
    group: CommitGroup | None = None  # of the writes to SQLite that are committed together
    is_on_loop: bool = False  # while the event loop itself runs the operation, which then may not wait


def state_of(scope: Scope) -> RequestState:
    """Return the state of the request of an ASGI scope."""
    state: RequestState = scope[STATE_KEY]
    return state
