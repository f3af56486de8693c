"""From a path and a method to an operation: 404 for unknown paths, 405 and OPTIONS with every method of a path.

Connexion's router tries one route after the other, and its `Allow` has only the method of one of them. This module
looks a path up in a table, with the same result: of several operations that fit, the first of the document.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from operator import itemgetter
from typing import Any, NamedTuple

from connexion.middleware.abstract import ROUTING_CONTEXT
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.errors import ApiError, not_found
from app.http.middleware import HttpMiddleware
from app.http.request_state import state_of
from app.spec import Operation

Arguments = dict[str, str]


class Match(NamedTuple):
    """What a path and a method lead to: no operation if the path does not have the method."""

    operation: Operation | None
    arguments: Arguments
    allow: str


@dataclass(frozen=True, slots=True)
class Route:
    """A path of the document: its position there, its operations by method, and where its parameters are."""

    position: int
    operations: Mapping[str, Operation]
    allow: str
    parameters: Sequence[tuple[str, int]]

    def match(self, method: str, segments: Sequence[str]) -> Match:
        """Return the operation and its arguments for a path that has the form of this one."""
        arguments = {name: segments[index] for name, index in self.parameters}
        return Match(self.operations.get(method), arguments, self.allow)


class Shape(NamedTuple):
    """The paths with the same number of segments that have parameters in the same places, by their other segments."""

    fixed_segments: Callable[[Sequence[str]], Any]
    routes: dict[Any, Route]


class RouteTable:
    """The operations by path and method."""

    def __init__(self, operations: Iterable[Operation], base_path: str) -> None:
        """Make the table. The path of a parameter is one segment that is not empty."""
        paths: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            paths.setdefault(base_path + operation.path, {})[operation.method] = operation
        self._shapes: dict[int, dict[tuple[int, ...], Shape]] = {}
        for position, (path, methods) in enumerate(paths.items()):
            self._add(position, path.split("/"), methods)

    def find(self, method: str, path: str) -> Match | None:
        """Return what a request leads to, None for a path that is not in the document."""
        segments = path.split("/")
        routes = self._routes(segments)
        if len(routes) > 1:  # such as /orders/{orderId} and /orders/latest
            routes.sort(key=lambda route: (method not in route.operations, route.position))
        return routes[0].match(method, segments) if routes else None

    def allow(self, path: str) -> str | None:
        """Return the methods of a path, None for a path that is not in the document."""
        routes = self._routes(path.split("/"))
        return min(routes, key=lambda route: route.position).allow if routes else None

    def _routes(self, segments: Sequence[str]) -> list[Route]:
        """Return the paths of the document that a path has the form of."""
        has_empty = "" in segments[1:]
        found = []
        for shape in self._shapes.get(len(segments), {}).values():
            route = shape.routes.get(shape.fixed_segments(segments))
            if route and not (has_empty and any(segments[index] == "" for _, index in route.parameters)):
                found.append(route)
        return found

    def _add(self, position: int, segments: Sequence[str], methods: dict[str, Operation]) -> None:
        parameters = [(segment[1:-1], index) for index, segment in enumerate(segments) if segment.startswith("{")]
        fixed = tuple(index for index, segment in enumerate(segments) if not segment.startswith("{"))
        by_places = self._shapes.setdefault(len(segments), {})
        shape = by_places.setdefault(fixed, Shape(itemgetter(*fixed), {}))
        with_head = methods | ({"HEAD": methods["GET"]} if "GET" in methods else {})
        allow = ", ".join(sorted(with_head.keys() | {"OPTIONS"}))
        shape.routes[shape.fixed_segments(segments)] = Route(position, with_head, allow, parameters)


class RoutingMiddleware(HttpMiddleware):
    """Store the operation in the RequestState. Store in the scope what Connexion's router does."""

    def __init__(self, app: ASGIApp, *, operations: Sequence[Operation], base_path: str) -> None:
        """Make the table of operations."""
        super().__init__(app)
        self._routes = RouteTable(operations, base_path)
        self._contexts = {one.id: {"api_base_path": base_path, "operation_id": one.id} for one in operations}

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward the request. Raises ApiError: 404 for an unknown path, 405 for a method that the path lacks."""
        if scope["method"] == "OPTIONS":
            return self._send_options(scope, send)
        match = self._routes.find(scope["method"], scope["path"])
        if match is None:
            raise not_found()
        if match.operation is None:
            raise method_not_allowed(match.allow)
        state_of(scope).operation = match.operation
        scope["path_params"] = match.arguments
        scope.setdefault("extensions", {})[ROUTING_CONTEXT] = self._contexts[match.operation.id]
        return self.app(scope, receive, send)

    async def _send_options(self, scope: Scope, send: Send) -> None:
        allow = self._routes.allow(scope["path"])
        if allow is None:
            raise not_found()
        headers = [(b"allow", allow.encode())]
        await send({"type": "http.response.start", "status": HTTPStatus.NO_CONTENT, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def method_not_allowed(allow: str) -> ApiError:
    """Return the 405 with the header that RFC 9110, section 15.5.6 requires."""
    message = f"Method not allowed. Allowed: {allow}."
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", message, headers={"Allow": allow})
