"""How many deliveries each webhook may have in flight.

The limit of a webhook adapts as TCP's congestion window does in slow start: it begins at INITIAL_LIMIT, rises by one
with each success up to MAX_LIMIT, and falls to 1 with a failure. A slow receiver soon uses few connections, a fast one
uses many, and no configuration is needed.

Example: a new webhook may have 4 deliveries in flight. When they succeed the limit is 8, then 16, 32 and 40. When one
fails it is 1: the webhook gets its next delivery after all of its deliveries in flight have ended.
"""

from collections import Counter
from collections.abc import Iterable

INITIAL_LIMIT, MAX_LIMIT = 4, 40
CROWDED = 600  # in flight in total; above this, each webhook gets one at a time, so that slow receivers delay no other
MAX_IN_FLIGHT = 900  # connections; 1,024 open files is a common limit for a process


class ConcurrencyLimiter:
    """The limits of one worker, adapted to each webhook."""

    def __init__(self) -> None:
        """Start with the initial limit for every webhook."""
        self._limits: dict[str, int] = {}

    def record(self, webhook_id: str, *, success: bool) -> None:
        """Raise or reset the limit of a webhook after an attempt."""
        self._limits[webhook_id] = min(self._limits.get(webhook_id, INITIAL_LIMIT) + 1, MAX_LIMIT) if success else 1

    def allow(self, due: Iterable[str], in_flight: Counter[str]) -> dict[str, int]:
        """Return how many more deliveries of each webhook in `due` may start now, without those that may start none."""
        total = in_flight.total()
        allowed = {}
        for webhook_id in sorted(due, key=in_flight.__getitem__):  # idle webhooks first
            limit = self._limits.get(webhook_id, INITIAL_LIMIT) if total < CROWDED else 1
            count = min(limit - in_flight[webhook_id], MAX_IN_FLIGHT - total)
            if count > 0:
                allowed[webhook_id] = count
                total += count
        return allowed
