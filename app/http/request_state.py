"""What the edge knows of one request; made by the outermost middleware, completed on the way in.

It travels in the ASGI scope and in the WSGI environ under `KEY`.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Scope

from app.context import CallingKey
from app.spec import Operation

KEY = "distribu.call"
BODY_FAULT = "distribu.body_fault"  # in the scope's `state`: the fault that the parser found in the body

Headers = list[tuple[bytes, bytes]]


@dataclass(kw_only=True, slots=True)
class Call:
    """One request: its id, then what routing, authentication and validation found out."""

    request_id: str
    server: tuple[str, int]  # the address and port at which its connection arrived
    address: str | None = None
    started: float = field(default_factory=time.perf_counter)
    operation: Operation | None = None
    key: CallingKey | None = None
    query: dict[str, list[str]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)
    headers: Headers = field(default_factory=list)  # to add to whatever the answer is


def call_of(scope: Scope) -> Call:
    """Return the call of this ASGI scope."""
    call: Call = scope[KEY]
    return call
