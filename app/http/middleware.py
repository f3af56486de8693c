"""What every middleware of this server shares."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send


class HttpMiddleware(ABC):
    """An ASGI middleware for HTTP requests; lifespan events are forwarded unchanged."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._wrapped = app
        self.app = app.handle if isinstance(app, HttpMiddleware) else app  # handles HTTP requests only

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle an HTTP request; forward everything else."""
        handle = self.handle if scope["type"] == "http" else self._wrapped
        return handle(scope, receive, send)

    @abstractmethod
    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request. To forward it, return `self.app(scope, receive, send)`.

        A middleware that neither waits nor changes what is sent is not a coroutine, which would cost time.
        """
