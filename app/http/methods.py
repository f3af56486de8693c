"""405 and OPTIONS with every method a path has, and 404 for paths nobody has.

Connexion's router knows one operation per route, so its `Allow` names one method only; this wraps it.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import starlette.exceptions
from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.errors import ApiError, not_found
from app.http.request_state import call_of
from app.spec import Operation

PARAMETER = re.compile(r"\\{[^}]*\\}")


class AllowMiddleware:
    """Stands before the router: answers OPTIONS, and completes the router's 405."""

    def __init__(self, app: ASGIApp, *, operations: Iterable[Operation], base_path: str) -> None:
        """Learn the methods of each path."""
        self.app = app
        methods: dict[str, set[str]] = {}
        for operation in operations:
            methods.setdefault(base_path + operation.path, set()).add(operation.method)
        self._allow = [(_pattern(path), _allow(names)) for path, names in methods.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is not OPTIONS."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._options(scope, send)
        else:
            await self._route(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except starlette.exceptions.HTTPException as error:
            if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
            raise method_not_allowed(self._find(scope)) from None

    async def _options(self, scope: Scope, send: Send) -> None:
        headers = [(b"allow", self._find(scope).encode())]
        await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    def _find(self, scope: Scope) -> str:
        for pattern, allow in self._allow:
            if pattern.fullmatch(scope["path"]):
                return allow
        raise not_found()


class OperationMiddleware:
    """Stands behind the router: puts the operation it found into the Call; none is a 404."""

    def __init__(self, app: ASGIApp, *, operations: Mapping[str, Operation]) -> None:
        """Take the operations by id."""
        self.app = app
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on requests that have an operation."""
        if scope["type"] == "http":
            operation_id = scope["extensions"][ROUTING_CONTEXT]["operation_id"]
            if operation_id is None:
                raise not_found()
            call_of(scope).operation = self._operations[operation_id]
        await self.app(scope, receive, send)


def method_not_allowed(allow: str) -> ApiError:
    """Return the 405 that RFC 9110, section 15.5.6 asks for."""
    message = f"Method not allowed. Allowed: {allow}."
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, headers={"Allow": allow})


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(PARAMETER.sub("[^/]+", re.escape(path)))


def _allow(methods: set[str]) -> str:
    return ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
