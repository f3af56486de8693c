"""The rate limit of a key: a moving window, and the IETF header fields (contract, section 2).

If the counter store fails, requests are not limited; the failure is logged and counted. Not in this module: the lookup
of the key (`auth.py`), and the windows (`windows.py`).
"""

import functools
import logging
import math
import time
from http import HTTPStatus
from typing import NamedTuple

from limits import RateLimitItem

from app.http import metrics
from app.http.errors import ApiError
from app.http.request_state import Headers
from app.http.windows import MemoryWindows, RedisWindows, Windows

LOG = logging.getLogger(__name__)
STORE_SECONDS = 0.25  # a counter store that takes longer has failed
PAUSE_SECONDS = 1.0  # before a store that failed is used again
MAX_CACHED_LIMITS = 10_000


class Limit(NamedTuple):
    """The limit of a key: the name of its window, how many requests it holds, for how long, and the policy field."""

    window: str
    amount: int
    seconds: int
    policy: bytes


class Quota(NamedTuple):
    """The quota of a key after a request: whether the request may pass, what remains, and when it is reset.

    `wait_seconds` is the time after which the same request is accepted.
    """

    limit: Limit
    allowed: bool
    remaining: int
    reset_seconds: int
    wait_seconds: int

    def headers(self) -> Headers:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers."""
        state = b'"default";r=%d;t=%d' % (self.remaining, self.reset_seconds)
        return [(b"ratelimit-policy", self.limit.policy), (b"ratelimit", state)]

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
        self._windows = _windows(storage_uri)
        self._paused_until = 0.0

    async def hit(self, item: RateLimitItem, key_id: str, *, weight: int = 1) -> Quota:
        """Count one request of a key against its limit `item`.

        `weight` is the number of requests that it may count as in the end. A refused one waits until they all fit.
        """
        limit = _limit(item, key_id)
        return await self._count(limit, amount=1, wanted=min(weight, limit.amount))

    async def hit_again(self, item: RateLimitItem, key_id: str, *, weight: int) -> Quota:
        """Count a request that has counted as one already as `weight` requests, or as the whole limit if that is less.

        If they do not fit, the request still counts as one.
        """
        limit = _limit(item, key_id)
        wanted = min(weight, limit.amount)
        return await self._count(limit, amount=wanted - 1, wanted=wanted)

    async def _count(self, limit: Limit, *, amount: int, wanted: int) -> Quota:
        """Add `amount` requests to the window if they fit. A refused request waits until `wanted` ones fit."""
        if time.monotonic() < self._paused_until:
            return _unlimited(limit)
        try:
            window = await self._windows.add(limit.window, limit.amount, limit.seconds, amount, wanted)
        except Exception as error:  # noqa: BLE001 - no error of a store may block a request
            self._record_failure(error)
            return _unlimited(limit)
        return Quota(
            limit=limit,
            allowed=window.has_added,
            remaining=max(0, limit.amount - window.size),
            reset_seconds=_whole(window.reset_seconds),
            wait_seconds=_whole(window.wait_seconds),
        )

    def _record_failure(self, error: Exception) -> None:
        metrics.RATE_LIMIT_FAILURES.inc()
        LOG.error("rate limit store failed, requests pass: %s", error)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def _unlimited(limit: Limit) -> Quota:
    return Quota(limit=limit, allowed=True, remaining=limit.amount, reset_seconds=limit.seconds, wait_seconds=1)


def _whole(seconds: float) -> int:
    """Return whole seconds, rounded up, because the time is over after them."""
    return max(1, math.ceil(seconds))


@functools.lru_cache(MAX_CACHED_LIMITS)
def _limit(item: RateLimitItem, key_id: str) -> Limit:
    amount, seconds = item.amount, item.get_expiry()
    return Limit(item.key_for(key_id), amount, seconds, b'"default";q=%d;w=%d' % (amount, seconds))


def _windows(uri: str) -> Windows:
    if uri == "memory://":
        return MemoryWindows()
    return RedisWindows(
        f"async+{uri}",
        implementation="redispy",
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
    )
