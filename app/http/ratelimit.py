"""The rate limit of a key: a moving window, and the IETF header fields (contract, section 2).

Not here: whose key it is (`auth.py`). When the counter store fails, requests pass; the fault is logged and counted.
"""

import logging
import math
import time
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage, RedisStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter

from app.http import metrics
from app.http.call import Headers
from app.http.errors import ApiError

LOG = logging.getLogger(__name__)
STORE_SECONDS = 0.25  # a counter store slower than this counts as down
PAUSE_SECONDS = 1.0  # how long a store that failed is left alone
SWEEP_SECONDS = 60.0
LONGEST_WINDOW = 86_400.0  # no limit counts over more than a day


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """Where a key stands after a request: whether it may pass, what is left, when there will be more."""

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
        """Return the 429 of the contract; its wait is a promise, so it is rounded up."""
        return ApiError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            "Rate limit exceeded. Try again shortly.",
            retry_after=self.reset_seconds,
        )


class RateLimiter:
    """Counts the requests of keys in one process, or in Redis for any number of them."""

    def __init__(self, storage_uri: str) -> None:
        """Take `memory://` or `redis://…`; nothing connects before the first request."""
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
        except Exception as error:  # noqa: BLE001 - whatever a store's client raises, the request passes
            self._fault(error)
            return _unlimited(item)
        reset = max(1, math.ceil(stats.reset_time - time.time()))
        return Quota(item=item, allowed=allowed, remaining=max(0, stats.remaining), reset_seconds=reset)

    def _fault(self, error: Exception) -> None:
        metrics.RATE_LIMIT_FAULTS.inc()
        LOG.error("rate limit store failed, requests pass: %s", error)
        self._paused_until = time.monotonic() + PAUSE_SECONDS


def _unlimited(item: RateLimitItem) -> Quota:
    return Quota(item=item, allowed=True, remaining=item.amount, reset_seconds=item.get_expiry())


def _storage(uri: str) -> Storage:
    if uri == "memory://":
        return WindowStorage()
    return RedisStorage(
        f"async+{uri}",
        implementation="redispy",
        socket_timeout=STORE_SECONDS,
        socket_connect_timeout=STORE_SECONDS,
    )


class WindowStorage(MemoryStorage):
    """Moving windows in this process's memory: a queue of times for each key, the oldest first.

    The library's own starts a task for every request and moves the whole list for every entry; these two methods
    do neither. They never await, so on one event loop they need no lock.
    """

    STORAGE_SCHEME = ["distribu+memory"]  # noqa: RUF012 - declared by the library

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._windows: dict[str, deque[float]] = {}
        self._next_sweep = 0.0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add `amount` entries unless the window of `expiry` seconds would hold more than `limit`."""
        now = time.time()
        self._sweep(now, expiry)
        window = self._current(key, expiry, now)
        if len(window) + amount > limit:
            return False
        window.extend([now] * amount)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - the library's signature
        """Return the time of the oldest entry, or now, and how many entries there are."""
        now = time.time()
        window = self._current(key, expiry, now)
        return (window[0] if window else now), len(window)

    def _current(self, key: str, expiry: int, now: float) -> deque[float]:
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - expiry:
            window.popleft()
        return window

    def _sweep(self, now: float, expiry: int) -> None:
        """Forget keys that are silent, now and then: entries older than the longest window in use."""
        if now < self._next_sweep:
            return
        self._next_sweep = now + max(SWEEP_SECONDS, expiry)
        self._windows = {
            key: window for key, window in self._windows.items() if window and window[-1] > now - LONGEST_WINDOW
        }
