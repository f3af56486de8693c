"""The rate limit of a key: a moving window, and the IETF header fields (contract, section 2).

If the counter store fails, requests are not limited; the failure is logged and counted. Not in this module: the lookup
of the key (`auth.py`).
"""

import logging
import math
import time
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItem
from limits.aio.strategies import MovingWindowRateLimiter

from app.http import metrics
from app.http.errors import ApiError
from app.http.request_state import Headers
from app.http.windows import MemoryWindows, RedisWindows

LOG = logging.getLogger(__name__)
STORE_SECONDS = 0.25  # a counter store that takes longer has failed
PAUSE_SECONDS = 1.0  # before a store that failed is used again


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """The quota of a key after a request: whether the request may pass, what remains, and when it is reset.

    `wait_seconds` is the time after which the same request is accepted.
    """

    item: RateLimitItem
    allowed: bool
    remaining: int
    reset_seconds: int
    wait_seconds: int

    def headers(self) -> Headers:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
        policy = f'"default";q={self.item.amount};w={self.item.get_expiry()}'
        state = f'"default";r={self.remaining};t={self.reset_seconds}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]

    def refusal(self) -> ApiError:
        """Return the 429 of the contract."""
        return ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            "Rate limit exceeded. Try again shortly.",
            retry_after=self.wait_seconds,
        )


class RateLimiter:
    """Counts the requests of each key, in this process or in Redis for any number of processes."""

    def __init__(self, storage_uri: str) -> None:
        """Initialize with `memory://` or `redis://…`. The connection is opened with the first request."""
        self._storage = _storage(storage_uri)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._paused_until = 0.0

    async def hit(self, item: RateLimitItem, key_id: str, *, weight: int = 1) -> Quota:
        """Count one request of a key against its limit `item`.

        `weight` is the number of requests that it may count as in the end. A refused one waits until they all fit.
        """
        return await self._count(item, key_id, cost=1, weight=weight)

    async def hit_again(self, item: RateLimitItem, key_id: str, *, weight: int) -> Quota:
        """Count a request that has counted as one already as `weight` requests, or as the whole limit if that is less.

        If they do not fit, the request still counts as one.
        """
        return await self._count(item, key_id, cost=min(weight, item.amount) - 1, weight=weight)

    async def _count(self, item: RateLimitItem, key_id: str, *, cost: int, weight: int) -> Quota:
        if time.monotonic() < self._paused_until:
            return _unlimited(item)
        try:
            allowed = await self._limiter.hit(item, key_id, cost=cost)
            stats = await self._limiter.get_window_stats(item, key_id)
            wait = 0.0 if allowed else await self._wait(item, key_id, min(weight, item.amount))
        except Exception as error:  # noqa: BLE001 - no error of a store may block a request
            self._record_failure(error)
            return _unlimited(item)
        return Quota(
            item=item,
            allowed=allowed,
            remaining=max(0, stats.remaining),
            reset_seconds=_whole(stats.reset_time),
            wait_seconds=_whole(wait),
        )

    async def _wait(self, item: RateLimitItem, key_id: str, amount: int) -> float:
        """Return the seconds until `amount` requests fit in the window of a key."""
        return await self._storage.seconds_until(item.key_for(key_id), item.amount, item.get_expiry(), amount)

    def _record_failure(self, error: Exception) -> None:
        metrics.RATE_LIMIT_FAILURES.inc()
        LOG.error("rate limit store failed, requests pass: %s", error)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def _unlimited(item: RateLimitItem) -> Quota:
    expiry = item.get_expiry()
    return Quota(item=item, allowed=True, remaining=item.amount, reset_seconds=expiry, wait_seconds=1)


def _whole(seconds: float) -> int:
    """Return whole seconds, rounded up, because the time is over after them."""
    return max(1, math.ceil(seconds))


def _storage(uri: str) -> MemoryWindows | RedisWindows:
    if uri == "memory://":
        return MemoryWindows()
    return RedisWindows(
        f"async+{uri}",
        implementation="redispy",
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
    )
