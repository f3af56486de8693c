"""405 and OPTIONS with every method of a path, and 404 for unknown paths.

Connexion's router has one operation per route, so its own `Allow` lists only one method.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import starlette.exceptions
from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.errors import ApiError, not_found
from app.http.middleware import HttpMiddleware
from app.http.request_state import state_of
from app.spec import Operation

PATH_PARAMETER = re.compile(r"\\{[^}]*\\}")  # in a path that went through re.escape


class AllowMiddleware(HttpMiddleware):
    """Handle OPTIONS, and complete the 405 of the router, which runs next."""

    def __init__(self, app: ASGIApp, *, operations: Iterable[Operation], base_path: str) -> None:
        """Collect the methods of every path."""
        super().__init__(app)
        methods: dict[str, set[str]] = {}
        for operation in operations:
            methods.setdefault(base_path + operation.path, set()).add(operation.method)
        self._allow = [(_pattern(path), _allow(names)) for path, names in methods.items()]

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward every request except OPTIONS. Raises ApiError 405 if the path does not have the method."""
        if scope["method"] == "OPTIONS":
            await self._send_options(scope, send)
            return
        try:
            await self.app(scope, receive, send)
        except starlette.exceptions.HTTPException as error:
            if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
            raise method_not_allowed(self._allowed(scope)) from None

    async def _send_options(self, scope: Scope, send: Send) -> None:
        headers = [(b"allow", self._allowed(scope).encode())]
        await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _allowed(self, scope: Scope) -> str:
        for pattern, allow in self._allow:
            if pattern.fullmatch(scope["path"]):
                return allow
        raise not_found()


class OperationMiddleware(HttpMiddleware):
    """Store the operation that the router found in the RequestState."""

    def __init__(self, app: ASGIApp, *, operations: Mapping[str, Operation]) -> None:
        """Initialize with the operations by id."""
        super().__init__(app)
        self._operations = operations

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request. Raises ApiError 404 for a path that has no operation."""
        operation_id = scope["extensions"][ROUTING_CONTEXT]["operation_id"]
        if operation_id is None:
            raise not_found()
        state_of(scope).operation = self._operations[operation_id]
        await self.app(scope, receive, send)


def method_not_allowed(allow: str) -> ApiError:
    """Return the 405 with the header that RFC 9110, section 15.5.6 requires."""
    message = f"Method not allowed. Allowed: {allow}."
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, headers={"Allow": allow})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(PATH_PARAMETER.sub("[^/]+", re.escape(path)))


def _allow(methods: set[str]) -> str:
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
