"""`Expect: 100-continue`: a response that does not wait for the body closes the connection.

The client may send the body now, or leave it out and send another request; the server cannot know which (RFC 9110,
section 10.1.1).
"""

from collections.abc import Awaitable

from starlette.types import Message, Receive, Scope, Send

from app.http.middleware import HttpMiddleware
from app.http.request_state import state_of


class ExpectMiddleware(HttpMiddleware):
    """Add `Connection: close` to a response when the client waits for `100 Continue` and did not receive it."""

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward the request. Only requests with the header are tracked."""
        values = state_of(scope).received.all(b"expect")
        is_expecting = any(value.lower() == b"100-continue" for value in values)
        return self._track(scope, receive, send) if is_expecting else self.app(scope, receive, send)

    async def _track(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_continued = False

        async def receive_body() -> Message:  # the first call makes uvicorn send 100 Continue
            nonlocal is_continued
            is_continued = True
            return await receive()

        async def send_response(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_continued:
                message["headers"].append((b"connection", b"close"))
            await send(message)

        await self.app(scope, receive_body, send_response)
