"""How many deliveries each webhook may have under way: fairness, without knowing anything of receivers beforehand.

A webhook starts with FIRST, gets one more for each delivery that arrives, up to MOST, and falls to one when a
delivery fails. So a receiver that hangs holds few of the places, and one that is fast soon has many.
"""

from collections import Counter
from collections.abc import Iterable

FIRST, MOST = 4, 40
IN_ALL = 600  # from here on a webhook gets one place at a time, so that nobody waits for the slow ones of others
AT_MOST = 900  # connections; systems commonly allow a process 1,024 files


class Pace:
    """What one worker has learnt of the webhooks it serves."""

    def __init__(self) -> None:
        """Start without any knowledge."""
        self._allowed: dict[str, int] = {}

    def note(self, webhook_id: str, *, success: bool) -> None:
        """Learn from how a delivery went."""
        self._allowed[webhook_id] = min(self._allowed.get(webhook_id, FIRST) + 1, MOST) if success else 1

    def shares(self, due: Iterable[str], under_way: Counter[str]) -> dict[str, int]:
        """Return how many more deliveries each of the webhooks in `due` may get now, those that get none left out."""
        total = under_way.total()
        shares = {}
        for webhook_id in sorted(due, key=lambda each: under_way[each]):  # those with nothing under way first
            allowed = self._allowed.get(webhook_id, FIRST) if total < IN_ALL else 1
            count = min(allowed - under_way[webhook_id], AT_MOST - total)
            if count > 0:
                shares[webhook_id] = count
                total += count
        return shares
