"""The outermost middleware: gives the request its id, and counts and logs the answer.

The id is the caller's `X-Request-Id` when it is 1 to 128 printable characters without spaces (contract, section 3).
"""

import logging
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http import metrics
from app.http.request_state import KEY, Call

LOG = logging.getLogger("distribu.access")
REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class AccessMiddleware:
    """Make the Call that everything further in fills, and account for it at the end."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on with a Call in the scope; add its id to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        call = Call(
            request_id=_request_id(scope), address=(scope.get("client") or (None,))[0], server=tuple(scope["server"])
        )
        scope[KEY] = call
        status = 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"].append((b"x-request-id", call.request_id.encode()))
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            _account(scope, call, status)


def _request_id(scope: Scope) -> str:
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and REQUEST_ID.fullmatch(given[0]):
        return bytes(given[0]).decode()
    return secrets.token_hex(16)


def _account(scope: Scope, call: Call, status: int) -> None:
    seconds = time.perf_counter() - call.started
    operation = call.operation.id if call.operation else "none"
    metrics.answered(operation, status, seconds)
    if LOG.isEnabledFor(logging.INFO):
        fields = {
            "method": scope["method"],
            "path": scope["path"][:200],
            "status": status,
            "ms": round(seconds * 1000, 2),
            "operation": operation,
            "request_id": call.request_id,
            "key": call.key.id if call.key else None,
            "client": call.address,
        }
        LOG.info("request", extra={"fields": fields})
