"""Moving windows of requests, in this process or in Redis, that do not depend on the time of day.

The moving windows of the library `limits` stamp entries with the time of day of the process. If such a clock is set
back by an hour, a key is blocked for an hour, and two servers with different clocks misinterpret each other's entries.
In this module, the times of a window come from one clock: a monotonic one in memory, the clock of the Redis server
otherwise. A request is counted, and its window read, in one step.
"""

import time
from array import array
from typing import Any, NamedTuple, Protocol

from limits.aio.storage import RedisStorage
from limits.aio.storage.redis.redispy import RedispyBridge

SWEEP_SECONDS = 60.0
SPARE_PART = 4  # of the memory of a window: a fourth may hold times that were removed
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
    """Moving windows in the memory of this process: for each name the times of its requests.

    `add` never awaits, so on one event loop it needs no lock.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._windows: dict[str, Times] = {}
        self._next_sweep = 0.0

    async def add(self, name: str, limit: int, seconds: int, amount: int, wanted: int) -> Window:
        """Add `amount` entries unless the window would hold more than `limit`."""
        now = time.monotonic()
        if now >= self._next_sweep:
            self._sweep(now, seconds)
        window = self._current(name, now - seconds)
        size = len(window)
        has_added = size + amount <= limit
        if has_added:
            window.add(now, amount)
            size += amount
        excess = size + wanted - limit
        wait = window.after(excess - 1) + seconds - now if not has_added and excess > 0 else 0.0
        return Window(has_added, size, (window.after(0) - now if size else 0.0) + seconds, wait)

    def _current(self, name: str, start: float) -> "Times":
        window = self._windows.get(name)
        if window is None:
            window = self._windows[name] = Times()
        window.remove_until(start)
        return window

    def _sweep(self, now: float, seconds: int) -> None:
        """Remove the windows of keys without recent requests, at most once in SWEEP_SECONDS."""
        self._next_sweep = now + max(SWEEP_SECONDS, seconds)
        for window in self._windows.values():
            window.remove_until(now - LONGEST_WINDOW_SECONDS)
        self._windows = {name: window for name, window in self._windows.items() if len(window)}


class Times:
    """Times in ascending order, the oldest of which are removed. Each takes about 10 bytes, and 32 in a deque."""

    __slots__ = ("_removed", "_values")

    def __init__(self) -> None:
        """Start empty."""
        self._values = array("d")
        self._removed = 0  # at the beginning of the values

    def __len__(self) -> int:
        return len(self._values) - self._removed

    def add(self, time: float, amount: int) -> None:
        """Add a time, which is not before the others, `amount` times."""
        self._values.extend((time,) * amount)

    def after(self, number: int) -> float:
        """Return the time that comes after a number of older ones. Raises IndexError."""
        return self._values[self._removed + number]

    def remove_until(self, time: float) -> None:
        """Remove the times up to `time`."""
        values, removed = self._values, self._removed
        while removed < len(values) and values[removed] <= time:
            removed += 1
        if removed > len(values) // SPARE_PART:
            del values[:removed]
            removed = 0
        self._removed = removed


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
