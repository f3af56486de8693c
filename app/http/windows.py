"""Moving windows of requests, in this process or in Redis, that do not depend on the time of day.

The library's own storages stamp entries with the time of day of the process. If such a clock is set back by an hour, a
key is blocked for an hour, and two servers with different clocks misinterpret each other's entries. In this module, the
times of a window come from one clock: a monotonic one in memory, the clock of the Redis server otherwise.
`get_moving_window` returns the start of a window relative to now, so the library's `WindowStats.reset_time` is the
remaining time.
"""

import time
from collections import deque
from typing import Any

from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge

SWEEP_SECONDS = 60.0
LONGEST_WINDOW_SECONDS = 86_400.0  # the longest period that settings and keys accept (`config.rate_limit`)

# Removes entries that have left the window, adds `amount` entries if they fit, and returns what the window holds, and
# the seconds until `wanted` entries fit. An entry more than one second in the future means that the clock of Redis was
# set back: the window starts again, empty. Corrections by NTP are smaller.
WINDOW_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local limit, expiry = tonumber(ARGV[1]), tonumber(ARGV[2])
local amount, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])

if tonumber(redis.call('LINDEX', KEYS[1], 0) or now) > now + 1 then
    redis.call('DEL', KEYS[1])
end
local oldest = tonumber(redis.call('LINDEX', KEYS[1], -1) or now)
while oldest <= now - expiry do
    redis.call('RPOP', KEYS[1])
    oldest = tonumber(redis.call('LINDEX', KEYS[1], -1) or now)
end

local count = redis.call('LLEN', KEYS[1])
local fits = count + amount <= limit
if fits and amount > 0 then
    for _ = 1, amount do
        redis.call('LPUSH', KEYS[1], string.format('%.6f', now))
    end
    redis.call('EXPIRE', KEYS[1], expiry)
end
local excess = count + wanted - limit
local wait = excess > 0 and tonumber(redis.call('LINDEX', KEYS[1], -excess) or now) + expiry - now or 0
return {fits and 1 or 0, count, tostring(oldest - now), tostring(wait)}
"""


class MemoryWindows(MemoryStorage):
    """Moving windows in the memory of this process: for each key the times of its requests, the oldest first.

    The library's own storage starts a task for every request and moves the whole list for every entry; these
    methods do neither. They never await, so on one event loop they need no lock.
    """

    STORAGE_SCHEME = ["distribu+memory"]  # noqa: RUF012 - declared by the library

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._windows: dict[str, deque[float]] = {}
        self._next_sweep = 0.0

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add `amount` entries unless the window of `expiry` seconds would hold more than `limit`."""
        now = time.monotonic()
        self._sweep(now, expiry)
        window = self._current(key, expiry, now)
        if len(window) + amount > limit:
            return False
        window.extend([now] * amount)
        return True

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 - the library's signature
        """Return the start of the window relative to now, and the number of its entries."""
        now = time.monotonic()
        window = self._current(key, expiry, now)
        return (window[0] - now if window else 0.0), len(window)

    async def seconds_until(self, key: str, limit: int, expiry: int, amount: int) -> float:
        """Return the seconds until `amount` entries, at most `limit`, fit in the window."""
        now = time.monotonic()
        window = self._current(key, expiry, now)
        excess = len(window) + amount - limit
        return window[excess - 1] + expiry - now if excess > 0 else 0.0

    def _current(self, key: str, expiry: int, now: float) -> deque[float]:
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - expiry:
            window.popleft()
        return window

    def _sweep(self, now: float, expiry: int) -> None:
        """Remove the windows of keys without recent requests, at most once in SWEEP_SECONDS."""
        if now < self._next_sweep:
            return
        self._next_sweep = now + max(SWEEP_SECONDS, expiry)
        self._windows = {
            key: window for key, window in self._windows.items() if window and window[-1] > now - LONGEST_WINDOW_SECONDS
        }


class RedisWindows(RedisStorage):
    """Moving windows in Redis, shared by any number of processes on any machines."""

    STORAGE_SCHEME = ["distribu+redis"]  # noqa: RUF012 - declared by the library
    bridge: RedispyBridge

    def __init__(self, uri: str, **options: Any) -> None:
        """Accept the arguments of the library. The connection is opened later."""
        super().__init__(uri, **options)
        self._script = self.bridge.get_connection().register_script(WINDOW_SCRIPT.encode())

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add `amount` entries unless the window of `expiry` seconds would hold more than `limit`."""
        fits, *_ = await self._run(key, limit, expiry, amount, 0)
        return bool(fits)

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the start of the window relative to now, and the number of its entries."""
        _, count, began, _ = await self._run(key, limit, expiry, 0, 0)
        return float(began), count

    async def seconds_until(self, key: str, limit: int, expiry: int, amount: int) -> float:
        """Return the seconds until `amount` entries, at most `limit`, fit in the window."""
        *_, wait = await self._run(key, limit, expiry, 0, amount)
        return float(wait)

    async def _run(self, key: str, *arguments: int) -> Any:
        return await self._script([self.bridge.prefixed_key(key)], arguments)
