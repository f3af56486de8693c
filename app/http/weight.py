"""The weight of a bulk request against the rate limit: it counts as several requests (contract, section 9.3).

In the document, `x-items-per-request: 50` on a list of the body means that every 50 items count as one more request.
The items are known once the body is valid, so a request counts as one when its key is found (`auth.py`), and its items
are added in this module. A request whose items do not fit in the window is a 429 and counts as one.

A key can always use its whole limit at once: no request counts as more than that.
"""

import math
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from app import spec
from app.http.middleware import HttpMiddleware
from app.http.ratelimit import RateLimiter
from app.http.request_state import state_of
from app.spec import Document, Operation

ITEMS_PER_REQUEST = "x-items-per-request"


@dataclass(frozen=True, kw_only=True, slots=True)
class Weight:
    """How many requests a request counts as, by the number of items in a list of its body."""

    list_name: str
    items_per_request: int
    max_items: int

    def of(self, items: int) -> int:
        """Return the number of requests that a request with this number of items counts as."""
        return 1 + math.ceil(items / self.items_per_request)

    @property
    def maximum(self) -> int:
        """Return the number of requests that the largest request counts as."""
        return self.of(self.max_items)


def weights(operations: Iterable[Operation], document: Document) -> dict[str, Weight]:
    """Return the weight of each operation that has one, by its id."""
    return {operation.id: weight for operation in operations for weight in _declared(operation, document)}


def _declared(operation: Operation, document: Document) -> list[Weight]:
    body = spec.resolve(document, operation.definition.get("requestBody", {}))
    if not body:
        return []
    schema = spec.resolve(document, body["content"]["application/json"]["schema"])
    return [
        Weight(list_name=name, items_per_request=member[ITEMS_PER_REQUEST], max_items=member["maxItems"])
        for name, member in schema.get("properties", {}).items()
        if ITEMS_PER_REQUEST in member
    ]


class WeightMiddleware(HttpMiddleware):
    """Count the items of valid bulk requests, and forward the requests that fit in the window of their key."""

    def __init__(self, app: ASGIApp, *, limiter: RateLimiter, weights: Mapping[str, Weight]) -> None:
        """Initialize with the counter of requests, and the weights by operation."""
        super().__init__(app)
        self._limiter = limiter
        self._weights = weights

    def handle(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Forward the request. Raises ApiError 429 if its items do not fit."""
        state = state_of(scope)
        assert state.operation is not None  # RoutingMiddleware runs first
        weight = self._weights.get(state.operation.id)
        return self.app(scope, receive, send) if weight is None else self._count(weight, scope, receive, send)

    async def _count(self, weight: Weight, scope: Scope, receive: Receive, send: Send) -> None:
        state = state_of(scope)
        assert state.key is not None  # AuthMiddleware rejects requests without a key
        total = weight.of(len(state.arguments["body"][weight.list_name]))
        quota = await self._limiter.hit_again(state.key.rate_limit, state.key.id, weight=total)
        state.headers = quota.headers()
        if not quota.allowed:
            raise quota.refusal()
        await self.app(scope, receive, send)
