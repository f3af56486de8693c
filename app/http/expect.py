"""`Expect: 100-continue`: an answer that does not wait for the body closes the connection.

The client may now send the body, or leave it out and send another request: the server cannot know which (RFC 9110,
section 10.1.1).
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ExpectMiddleware:
    """Add `Connection: close` to an answer when the client waits to be asked for its body, and was not asked."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; watch requests with the header only."""
        if scope["type"] != "http" or not _expects(scope):
            await self.app(scope, receive, send)
            return
        asked = False

        async def ask() -> Message:
            nonlocal asked
            asked = True
            return await receive()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and not asked:
                message["headers"].append((b"connection", b"close"))
            await send(message)

        await self.app(scope, ask, answer)


def _expects(scope: Scope) -> bool:
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])
