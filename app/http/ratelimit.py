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
from limits.aio.storage import Storage
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
    """The quota of a key after a request: whether the request may pass, what remains, and when it is reset."""

    item: RateLimitItem
    allowed: bool
    remaining: int
    reset_seconds: int

    def headers(self) -> Headers:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
        policy = f'"default";q={self.item.amount};w={self.item.get_expiry()}'
        state = f'"default";r={self.remaining};t={self.reset_seconds}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]

    def refusal(self) -> ApiError:
        """Return the 429 of the contract. The wait is rounded up, because a request is accepted after it."""
        return ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            "Rate limit exceeded. Try again shortly.",
            retry_after=self.reset_seconds,
        )


class RateLimiter:
    """Counts the requests of each key, in this process or in Redis for any number of processes."""

    def __init__(self, storage_uri: str) -> None:
        """Initialize with `memory://` or `redis://…`. The connection is opened with the first request."""
        self._storage = _storage(storage_uri)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._paused_until = 0.0

    async def hit(self, item: RateLimitItem, key_id: str) -> Quota:
        """Count one request of a key against its limit `item`."""
        if time.monotonic() < self._paused_until:
            return _unlimited(item)
        try:
            allowed = await self._limiter.hit(item, key_id)
            stats = await self._limiter.get_window_stats(item, key_id)
        except Exception as error:  # noqa: BLE001 - no error of a store may block a request
            self._record_failure(error)
            return _unlimited(item)
        reset = max(1, math.ceil(stats.reset_time))
        return Quota(item=item, allowed=allowed, remaining=max(0, stats.remaining), reset_seconds=reset)

    def _record_failure(self, error: Exception) -> None:
        metrics.RATE_LIMIT_FAILURES.inc()
        LOG.error("rate limit store failed, requests pass: %s", error)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def _unlimited(item: RateLimitItem) -> Quota:
    return Quota(item=item, allowed=True, remaining=item.amount, reset_seconds=item.get_expiry())


def _storage(uri: str) -> Storage:
    if uri == "memory://":
        return MemoryWindows()
    return RedisWindows(
        f"async+{uri}",
        implementation="redispy",
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
    )
