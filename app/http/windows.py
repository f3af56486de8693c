"""Moving windows of requests, in this process or in Redis, that do not depend on the time of day.

The moving windows of the library `limits` stamp entries with the time of day of the process. If such a clock is set
back by an hour, a key is blocked for an hour, and two servers with different clocks misinterpret each other's entries.
In this module, the times of a window come from one clock: a monotonic one in memory, the clock of the Redis server
otherwise. A request is counted, and its window read, in one step.
"""

import time
from collections import deque
from typing import Any, NamedTuple, Protocol

from limits.aio.storage import RedisStorage
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


class Window(NamedTuple):
    """A window after a request: whether its entries were added, its size, and when the oldest one leaves it.

    `wait_seconds` is the time until the wanted entries fit.
    """

    has_added: bool
    size: int
    reset_seconds: float
    wait_seconds: float


class Windows(Protocol):
    """Moving windows by name."""

    async def add(self, name: str, limit: int, seconds: int, amount: int, wanted: int) -> Window:
        """Add `amount` entries unless a window of `seconds` would hold more than `limit`.

        `wanted`, at most `limit`, is the number of entries for which a request that does not fit waits.
        """


class MemoryWindows:
    """Moving windows in the memory of this process: for each name the times of its requests, the oldest first.

    `add` never awaits, so on one event loop it needs no lock.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._windows: dict[str, deque[float]] = {}
        self._next_sweep = 0.0

    async def add(self, name: str, limit: int, seconds: int, amount: int, wanted: int) -> Window:
        """Add `amount` entries unless the window would hold more than `limit`."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep(now, seconds)
        window = self._current(name, now - seconds)
        has_added = len(window) + amount <= limit
        if has_added:
            window.extend([now] * amount)
        excess = len(window) + wanted - limit
        wait = window[excess - 1] + seconds - now if not has_added and excess > 0 else 0.0
        return Window(has_added, len(window), (window[0] - now if window else 0.0) + seconds, wait)

    def _current(self, name: str, start: float) -> deque[float]:
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = deque()
        while window and window[0] <= start:
            window.popleft()
        return window

    def _sweep(self, now: float, seconds: int) -> None:
        """Remove the windows of keys without recent requests, at most once in SWEEP_SECONDS."""
        self._next_sweep = now + max(SWEEP_SECONDS, seconds)
        self._windows = {
            name: window
            for name, window in self._windows.items()
            if window and window[-1] > now - LONGEST_WINDOW_SECONDS
        }


class RedisWindows(RedisStorage):
    """Moving windows in Redis, shared by any number of processes on any machines."""

    STORAGE_SCHEME = ["distribu+redis"]  # noqa: RUF012 - declared by the library
    bridge: RedispyBridge

    def __init__(self, uri: str, **options: Any) -> None:
        """Accept the arguments of the library. The connection is opened later."""
        super().__init__(uri, **options)
        self._script = self.bridge.get_connection().register_script(WINDOW_SCRIPT.encode())

    async def add(self, name: str, limit: int, seconds: int, amount: int, wanted: int) -> Window:
        """Add `amount` entries unless the window would hold more than `limit`."""
        fits, count, began, wait = await self._script(
            [self.bridge.prefixed_key(name)], [limit, seconds, amount, wanted]
        )
        return Window(bool(fits), count + amount * fits, float(began) + seconds, float(wait))
