"""The outermost middleware: assigns the request id, then counts and logs the response.

The id is the client's `X-Request-Id` when it is 1 to 128 printable characters without spaces (contract, section 3)
and contains no secret.
"""

import logging
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http import metrics
from app.http.client_address import ClientAddresses
from app.http.middleware import HttpMiddleware
from app.http.request_state import STATE_KEY, RequestState
from app.logs import holds_secret
from app.services import keys

LOG = logging.getLogger("distribu.access")
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
MAX_LOGGED_PATH = 200
KEY = re.compile(rf"({keys.PREFIX}[\w-]{{{keys.DISPLAYED_CHARACTERS - len(keys.PREFIX)}}})[\w-]+", re.ASCII)


class AccessMiddleware(HttpMiddleware):
    """Create the RequestState that the next middlewares complete. Record the request when it ends."""

    def __init__(self, app: ASGIApp, *, addresses: ClientAddresses) -> None:
        """Initialize with what finds the address of a client, which later middlewares use too."""
        super().__init__(app)
        self._addresses = addresses

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request with a RequestState in its scope. Add the request id to the response."""
        address = self._addresses.find(scope)
        request_id, server = _request_id(scope), tuple(scope["server"])
        state = RequestState(request_id=request_id, path=scope["path"], server=server, address=address)
        scope[STATE_KEY] = state
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", state.request_id.encode()))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            _record(scope, state, status)


def _request_id(scope: Scope) -> str:
    values = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(values) == 1 and REQUEST_ID.fullmatch(values[0]):
        request_id = bytes(values[0]).decode()
        if not holds_secret(request_id):  # it is stored in the audit log
            return request_id
    return secrets.token_hex(16)


def _record(scope: Scope, state: RequestState, status: int) -> None:
    seconds = time.perf_counter() - state.started
    operation = state.operation.id if state.operation else "none"
    metrics.count_request(operation, status, seconds)
    if LOG.isEnabledFor(logging.INFO):
        fields = {
            "method": scope["method"],
            "path": KEY.sub(r"\1…", scope["path"])[:MAX_LOGGED_PATH],  # a client may send a key instead of its id
            "status": status,
            "ms": round(seconds * 1000, 2),
            "operation": operation,
            "request_id": state.request_id,
            "key": state.key.id if state.key else None,
            "client": state.address,
        }
        LOG.info("request", extra={"fields": fields})
