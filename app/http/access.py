"""The outermost middleware: assigns the request id, then counts and logs the response, and notes the use of the key.

The id is the client's `X-Request-Id` when it is 1 to 128 printable characters without spaces (contract, section 3)
and contains no secret.
"""

import logging
import os
import re
import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http import metrics
from app.http.client_address import ClientAddresses
from app.http.key_usage import KeyUsage
from app.http.middleware import HttpMiddleware
from app.http.request_state import STATE_KEY, RequestHeaders, RequestState
from app.logs import holds_secret
from app.services import keys

LOG = logging.getLogger("distribu.access")
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
MAX_LOGGED_PATH = 200
KEY = re.compile(rf"({keys.PREFIX}[\w-]{{{keys.DISPLAYED_CHARACTERS - len(keys.PREFIX)}}})[\w-]+", re.ASCII)


class AccessMiddleware(HttpMiddleware):
    """Create the RequestState that the next middlewares complete. Record the request when it ends."""

    def __init__(self, app: ASGIApp, *, addresses: ClientAddresses, usage: KeyUsage | None = None) -> None:
        """Initialize with what finds the address of a client, which later middlewares use too.

        `usage` notes the keys of successful requests.
        """
        super().__init__(app)
        self._addresses = addresses
        self._usage = usage

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request with a RequestState in its scope. Add the request id to the response."""
        received = RequestHeaders(scope["headers"])
        state = scope[STATE_KEY] = RequestState(
            request_id=_request_id(received),
            path=scope["path"],
            received=received,
            server=tuple(scope["server"]),
            address=self._addresses.find(scope),
        )

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                state.status = message["status"]
                message["headers"].append((b"x-request-id", state.request_id.encode()))
            return send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            _record(scope, state)
            if self._usage is not None and state.key is not None and 0 < state.status < 400:
                self._usage.note(state.key.id)


def _request_id(received: RequestHeaders) -> str:
    values = received.all(b"x-request-id")
    if len(values) == 1 and REQUEST_ID.fullmatch(values[0]):
        request_id = bytes(values[0]).decode()
        if not holds_secret(request_id):  # it is stored in the audit log
            return request_id
    return os.urandom(16).hex()


def _record(scope: Scope, state: RequestState) -> None:
    seconds = time.perf_counter() - state.started
    operation = state.operation.id if state.operation else "none"
    metrics.count_request(operation, state.status, seconds)
    if LOG.isEnabledFor(logging.INFO):
        path = scope["path"]
        fields = {
            "method": scope["method"],
            "path": (KEY.sub(r"\1…", path) if keys.PREFIX in path else path)[:MAX_LOGGED_PATH],  # sent instead of an id
            "status": state.status,
            "ms": round(seconds * 1000, 2),
            "operation": operation,
            "request_id": state.request_id,
            "key": state.key.id if state.key else None,
            "client": state.address,
        }
        LOG.info("request", extra={"fields": fields})
